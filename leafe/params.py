"""The parameters: one section of `params.yaml` per stage, each read once, checked before any work.

An unknown key is an error. The `env` section belongs to the environment, which checks the rest of
it (`leafe/envs/__init__.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from leafe.errors import BadInput

PARAMS_FILE = Path("params.yaml")
BASE = "i0"
"""The iteration before the first: the base policy."""
ROOTS = "w0"
"""The wave before the first: the root episodes."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A section of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Run(Section):
    """What holds for the whole pipeline."""

    seed: int = Field(ge=0, le=2**31 - 1)
    """All randomness follows from it."""
    threads: int = Field(ge=0, le=1024)
    """CPU threads for torch; 0 leaves it to torch."""


class Model(Section):
    """The base model: given, or made small and from nothing by `warm_start`."""

    path: str | None
    """Folder of a transformers checkpoint (safetensors) to start from; null makes a small one."""
    hidden: Annotated[int, Field(ge=32, le=4096, multiple_of=32)]
    layers: Annotated[int, Field(ge=1, le=64)]
    heads: Annotated[int, Field(ge=1, le=64)]
    context: Annotated[int, Field(ge=64, le=32768)]
    """Tokens."""
    vocabulary: Annotated[int, Field(ge=300, le=65536)]
    prompts: Literal["short", "full"]
    """`short` for the small model, which knows its desk; `full` explains everything."""


class Training(Section):
    """Supervised training, for `warm_start` and `sft` alike."""

    steps: Count
    batch: Count
    """Sequences per step."""
    learning_rate: Positive
    warmup: Annotated[int, Field(ge=0)]
    """Steps."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    save_every: Count
    """Steps between the checkpoints that a killed stage resumes from."""


class WarmStart(Training):
    """How the small base model is made, and measured."""

    lessons: Count
    """Lessons on other worlds to learn from."""
    reading: Share
    """Weight of an environment token in the loss, an action token weighing 1: a model that
    starts from nothing must learn to read too."""
    probe_tasks: Count
    """Tasks of an unseen world on which the base is measured."""


class EngineParams(Section):
    """What draws the tokens."""

    name: Literal["transformers", "scripted"]
    rows: Count
    """Requests under way at a time."""
    script: str | None
    """Rules for the scripted engine; null otherwise."""


class SamplingParams(Section):
    """How actions and reflections are drawn."""

    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
    action_tokens: Count
    reflection_tokens: Count


class Rollout(Section):
    """The root episodes, and what an iteration may spend."""

    samples: Count
    """Root episodes per task."""
    max_attempts: Count
    """Episodes per task and iteration, roots and branches."""
    max_steps: Count
    """New environment steps per task and iteration."""


class Reflect(Section):
    """When to look back."""

    every: Annotated[int, Field(ge=0)]
    """K: also every K steps; 0 reflects at failed ends only."""


class Branch(Section):
    """How to try again."""

    per_reflection: Count
    """Branches from each (tau, e)."""
    with_experience: bool
    """false leaves e out: the ablation."""


class Filter(Section):
    """What is learned from."""

    counterfactual: Literal["revised_action", "continuation"]
    """Learn a'_tau alone, or the whole corrected sub-trajectory."""
    max_per_task: Count
    """Examples of one set that a task may give."""


class Sft(Training):
    """Distilling the corrections."""

    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Weight of the rehearsal term: L = L_cf + beta L_reh."""


class Evaluate(Section):
    """Measuring a policy."""

    samples: Count
    """Episodes per held-out task."""


class Iteration(Section):
    """One round of explore, filter, train."""

    prev: Name
    """The iteration whose policy explores."""


class Wave(Section):
    """One depth of the breadth-first exploration."""

    prev: Name
    """The wave whose episodes are reflected on."""


class Planned(Section):
    """One wave of one iteration, spelled out for DVC, which cannot join two tables."""

    iteration: Name
    policy: Name
    wave: Name
    prev: Name


class Params(Section):
    """All of `params.yaml`."""

    run: Run
    env: dict[str, Any]
    """`name`, and what that environment reads."""
    model: Model
    warm_start: WarmStart
    engine: EngineParams
    sampling: SamplingParams
    rollout: Rollout
    reflect: Reflect
    branch: Branch
    filter: Filter
    sft: Sft
    evaluate: Evaluate
    iterations: dict[Name, Iteration]
    waves: dict[Name, Wave]
    plan: dict[str, Planned]

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values, e.g. for a record."""
        whole = self.model_dump(mode="json")
        return {name: whole[name] for name in names}


def chain(name: str, entries: Mapping[str, Iteration | Wave], first: str) -> list[str]:
    """The entries in order, each after its predecessor; BadInput for a gap, fork or cycle.

    >>> chain("waves", {"w2": Wave(prev="w1"), "w1": Wave(prev="w0")}, "w0")
    ['w1', 'w2']
    """
    if first in entries:
        raise BadInput(f"{PARAMS_FILE}: {name}.{first} must not be listed: it is where all start")
    for key, entry in entries.items():
        if entry.prev != first and entry.prev not in entries:
            allowed = ", ".join([first, *(other for other in entries if other != key)])
            raise BadInput(
                f"{PARAMS_FILE}: {name}.{key}.prev is {entry.prev!r}, which does not exist;"
                f" allowed: {allowed}"
            )
    order: list[str] = []
    at = first
    while len(order) < len(entries):
        after = [key for key, entry in entries.items() if entry.prev == at]
        if len(after) > 1:
            raise BadInput(
                f"{PARAMS_FILE}: {name}: {' and '.join(after)} both have prev {at!r};"
                " each entry must follow a different one"
            )
        if not after:
            left = [key for key in entries if key not in order]
            raise BadInput(
                f"{PARAMS_FILE}: {name}: the prev of {', '.join(left)} go round in a cycle;"
                f" the chain must start at {first}"
            )
        at = after[0]
        order.append(at)
    return order


def make_plan(
    iterations: Mapping[str, Iteration], waves: Mapping[str, Wave]
) -> dict[str, dict[str, str]]:
    """Every wave of every iteration, in order: what the `plan` section must say."""
    return {
        f"{i}-{w}": {"iteration": i, "policy": iterations[i].prev, "wave": w, "prev": waves[w].prev}
        for i in chain("iterations", iterations, BASE)
        for w in chain("waves", waves, ROOTS)
    }


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping; BadInput names the file and what is wrong with it."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise BadInput(f"{path} must be a mapping of sections, but is {type(data).__name__}")
    return data


def load_params(path: Path = PARAMS_FILE, *, check_plan: bool = True) -> Params:
    """Read and check the file; BadInput names the key, its value and what is allowed."""
    try:
        params = Params.model_validate(read_yaml(path))
    except ValidationError as error:
        raise BadInput(describe(path, error.errors()[0], Params)) from error
    wanted = make_plan(params.iterations, params.waves)
    if check_plan and {k: v.model_dump() for k, v in params.plan.items()} != wanted:
        raise BadInput(
            f"{path}: plan does not list the waves of iterations"
            f" {', '.join(params.iterations)} and waves {', '.join(params.waves)};"
            " run `leafe plan`, which writes it"
        )
    return params


def describe(path: Path, error: ErrorDetails, model: type[BaseModel], prefix: str = "") -> str:
    """One sentence for a validation error."""
    loc = [str(part) for part in error["loc"]]
    key = ".".join([*([prefix] if prefix else []), *loc])
    if error["type"] == "missing":
        return f"{path}: {key} is missing"
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, loc[:-1])
        close = difflib.get_close_matches(loc[-1], known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}"
        return f"{path}: {key} is not a known key; {hint}"
    message = error["msg"]
    message = message[0].lower() + message[1:]
    return f"{path}: {key} is {error['input']!r:.200}; {message}"


def _known_keys(model: type[BaseModel], loc: list[str]) -> list[str]:
    for part in loc:
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            arguments = getattr(inner, "__args__", ())
            inner = arguments[-1] if arguments else None
            if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
                return [] if not isinstance(model, type) else list(model.model_fields)
        model = inner
    return list(model.model_fields)
