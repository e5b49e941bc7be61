"""The parameters: `params.yaml`, read once and checked before any work.

An unknown key is an error. The `env` section belongs to the environment, which checks the rest of
it (`leafe/envs/__init__.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError, model_validator

from leafe.errors import BadInput, describe, did_you_mean, show_value
from leafe.method import METHODS
from leafe.planning import make_curves, make_plan
from leafe.sections import (
    Branch,
    EngineParams,
    Evaluate,
    Filter,
    Iteration,
    Methods,
    Model,
    Name,
    Planned,
    Reflect,
    Rollout,
    Run,
    SamplingParams,
    Section,
    Wave,
)
from leafe.training_sections import EarlyExperience, Grpo, Sft, WarmStart
from leafe.yaml_file import read_yaml

PARAMS_FILE = Path("params.yaml")
BUDGET = ("max_attempts", "max_steps")
"""The keys of `rollout` that no method may set for itself."""
Overridable = Literal["rollout", "reflect", "branch", "filter", "sft"]


class Params(Section):
    """All of `params.yaml`."""

    methods: Methods
    """The methods to run; the base policy is made and measured in any case."""
    overrides: dict[str, dict[Overridable, dict[str, Any]]]
    """Method -> the sections of which it sets some keys otherwise. The budget, the model, the
    tasks, and how all are sampled and measured are the same for all methods."""
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
    early_experience: EarlyExperience
    grpo: Grpo
    evaluate: Evaluate
    iterations: dict[Name, Iteration]
    """None at all is allowed: only the base policy is made and measured."""
    waves: dict[Name, Wave]
    """None at all is allowed: no branches, so only root episodes are learned from."""
    plan: dict[str, dict[str, Planned]]
    curves: dict[str, str]
    """File -> column: the Pass@k curves that DVC lays over each other."""

    @model_validator(mode="after")
    def _overrides_of_known_methods(self) -> Self:
        for method, sections in self.overrides.items():
            if method not in METHODS:
                raise ValueError(f"overrides.{method}: {did_you_mean(method, METHODS)}")
            for key in BUDGET:
                if key in sections.get("rollout", {}):
                    raise ValueError(
                        f"overrides.{method}.rollout.{key} must not be set: all methods have the"
                        f" budget of rollout.{key}"
                    )
        for method in self.methods:
            if method not in self.overrides:
                raise ValueError(
                    f"overrides.{method} is missing; it must be a mapping, {{}} if the method sets"
                    " nothing otherwise"
                )
        return self

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

    @model_validator(mode="after")
    def _iterations_are_no_methods(self) -> Self:
        for iteration in self.iterations:
            if iteration in METHODS:
                raise ValueError(f"iterations.{iteration}: this is the name of a method")
        return self

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values, e.g. for a record."""
        whole = self.model_dump(mode="json", exclude_none=False)
        return {name: whole[name] for name in names}

    def of(self, method: str) -> Params:
        """The parameters as this method has them, its overrides in place.

        Raises ValidationError of the section where an override does not fit.
        """
        changed: dict[str, Section] = {}
        for name, keys in self.overrides.get(method, {}).items():
            section: Section = getattr(self, name)
            changed[name] = type(section).model_validate({**section.model_dump(), **keys})
        return self.model_copy(update=changed)


def load_params(path: Path = PARAMS_FILE, *, check_plan: bool = True) -> Params:
    """Read and check the file; BadInput names the key, its value and what is allowed.

    Without `check_plan` the sections `plan` and `curves` may be wrong or missing: the right ones
    are filled in.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist; run this in the folder of the project")
    return check_params(read_yaml(path), path, check_plan=check_plan)


def check_params(data: Any, path: Path, *, check_plan: bool) -> Params:
    """What a parameter file would hold with these data; as `load_params`."""
    if not isinstance(data, dict):
        raise BadInput(f"{path} is {show_value(data)}; it must be a mapping of sections")
    try:
        params = Params.model_validate(data if check_plan else {**data, "plan": {}, "curves": {}})
    except ValidationError as error:
        raise BadInput(describe(path, error, Params)) from error
    check_overrides(path, params)
    plan = {
        kind: {name: Planned(**row) for name, row in table.items()}
        for kind, table in make_plan(params.methods, params.iterations, params.waves).items()
    }
    curves = make_curves(params.methods, params.iterations)
    if not check_plan:
        return params.model_copy(update={"plan": plan, "curves": curves})
    for name, found, wanted in (("plan", params.plan, plan), ("curves", params.curves, curves)):
        if found != wanted:
            raise BadInput(
                f"{path}: {name} does not fit the methods ({', '.join(params.methods) or 'none'}),"
                f" iterations ({', '.join(params.iterations) or 'none'}) and waves"
                f" ({', '.join(params.waves) or 'none'}); run `leafe plan`, which writes it"
            )
    return params


def check_overrides(path: Path, params: Params) -> None:
    """BadInput for an override that its section does not take."""
    for method, sections in params.overrides.items():
        for name in sections:
            one = params.model_copy(update={"overrides": {method: {name: sections[name]}}})
            model = type(getattr(params, name))
            try:
                one.of(method)
            except ValidationError as error:
                raise BadInput(
                    describe(path, error, model, f"overrides.{method}.{name}")
                ) from error
