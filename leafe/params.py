"""The parameters: one section of `params.yaml` per stage, each read once, checked before any work.

An unknown key is an error. The `env` section belongs to the environment, which checks the rest of
it (`leafe/envs/__init__.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leafe.chain import make_curves, make_plan
from leafe.errors import NAME, BadInput, describe, show_value
from leafe.yaml_file import read_yaml

PARAMS_FILE = Path("params.yaml")

Name = Annotated[str, Field(pattern=NAME, max_length=40)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Several = Annotated[int, Field(ge=1, le=10_000)]
"""Of things that are in memory side by side."""
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

    @model_validator(mode="after")
    def _whole_heads(self) -> Self:
        # 32 wide or a multiple: what every engine has kernels for; others fail much later.
        if self.hidden % (32 * self.heads):
            raise ValueError(
                f"hidden is {self.hidden}; it must be a multiple of 32 times heads,"
                f" here of 32 * {self.heads} = {32 * self.heads}"
            )
        return self


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
    rows: Several
    """Requests under way at a time."""
    script: str | None
    """Rules for the scripted engine; null otherwise."""

    @model_validator(mode="after")
    def _has_script(self) -> Self:
        if self.name == "scripted" and self.script is None:
            raise ValueError("script is null; the scripted engine needs the path of a script")
        return self


class SamplingParams(Section):
    """How actions and reflections are drawn."""

    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
    action_tokens: Count
    reflection_tokens: Count


class Rollout(Section):
    """The root episodes, and what an iteration may spend."""

    samples: Several
    """Root episodes per task."""
    max_attempts: Several
    """Episodes per task and iteration, roots and branches."""
    max_steps: Count
    """New environment steps per task and iteration."""

    @model_validator(mode="after")
    def _affordable(self) -> Self:
        if self.samples > self.max_attempts:
            raise ValueError(
                f"samples is {self.samples}; it must be at most rollout.max_attempts,"
                f" which is {self.max_attempts}"
            )
        return self


class Reflect(Section):
    """When to look back."""

    every: Annotated[int, Field(ge=0)]
    """K: also every K steps; 0 reflects at failed ends only."""


class Branch(Section):
    """How to try again."""

    per_reflection: Several
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
    """Weight of the rehearsal term: L = L_cf + beta L_reh. Episodes that succeeded in spite of an
    error rehearse the error too."""


class Evaluate(Section):
    """Measuring a policy."""

    samples: Several
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
    """None at all is allowed: only the base policy is made and measured."""
    waves: dict[Name, Wave]
    """None at all is allowed: no branches, so only root episodes are learned from."""
    plan: dict[str, Planned]
    curves: dict[str, str]
    """File -> column: the Pass@k curves that DVC lays over each other."""

    @model_validator(mode="after")
    def _fits_context(self) -> Self:
        for key in ("action_tokens", "reflection_tokens"):
            tokens = getattr(self.sampling, key)
            if tokens >= self.model.context:
                raise ValueError(
                    f"sampling.{key} is {tokens}; it must be less than model.context,"
                    f" which is {self.model.context}"
                )
        return self

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values, e.g. for a record."""
        whole = self.model_dump(mode="json")
        return {name: whole[name] for name in names}


def load_params(path: Path = PARAMS_FILE, *, check_plan: bool = True) -> Params:
    """Read and check the file; BadInput names the key, its value and what is allowed.

    Without `check_plan` the sections `plan` and `curves` may be wrong or missing: the right ones
    are filled in.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist; run this in the folder of the project")
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise BadInput(f"{path} is {show_value(data)}; it must be a mapping of sections")
    try:
        params = Params.model_validate(data if check_plan else {**data, "plan": {}, "curves": {}})
    except ValidationError as error:
        raise BadInput(describe(path, error, Params)) from error
    plan = {
        key: Planned(**entry) for key, entry in make_plan(params.iterations, params.waves).items()
    }
    curves = make_curves(params.iterations)
    if not check_plan:
        return params.model_copy(update={"plan": plan, "curves": curves})
    for name, found, wanted in (("plan", params.plan, plan), ("curves", params.curves, curves)):
        if found != wanted:
            raise BadInput(
                f"{path}: {name} does not fit the iterations"
                f" ({', '.join(params.iterations) or 'none'}) and waves"
                f" ({', '.join(params.waves) or 'none'}); run `leafe plan`, which writes it"
            )
    return params
