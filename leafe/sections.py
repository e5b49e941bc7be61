"""The sections of `params.yaml`, one per stage: every key with its bounds and its meaning."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from leafe.errors import NAME, did_you_mean, show_value
from leafe.method import METHODS

Name = Annotated[str, Field(pattern=NAME, max_length=40)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Several = Annotated[int, Field(ge=1, le=10_000)]
"""Of things that are in memory side by side."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _known_methods(methods: list[str]) -> list[str]:
    for method in methods:
        if method not in METHODS:
            raise ValueError(f"it holds {show_value(method)}; {did_you_mean(method, METHODS)}")
    if len(set(methods)) < len(methods):
        raise ValueError("it must name each method once")
    return methods


Url = Annotated[str, Field(pattern=r"^https?://[^/\s]+/?$")]
"""Of a server, without a path."""
Methods = Annotated[list[str], AfterValidator(_known_methods)]
"""Names of `leafe/method.py`."""


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
    prompts: Literal["short", "full", "verl-agent"]
    """`short` for the small model, which knows its desk; `full` explains everything;
    `verl-agent` does so anew at each step, with two steps in view, as the paper's framework."""

    @model_validator(mode="after")
    def _whole_heads(self) -> Self:
        # 32 wide or a multiple: what every engine has kernels for; others fail much later.
        if self.hidden % (32 * self.heads):
            raise ValueError(
                f"hidden is {self.hidden}; it must be a multiple of 32 times heads,"
                f" here of 32 * {self.heads} = {32 * self.heads}"
            )
        return self


class EngineParams(Section):
    """What draws the tokens.

    Keys that are no part of a record only say where that happens: results do not depend on them.
    """

    name: Literal["transformers", "vllm", "scripted"]
    rows: Several
    """Requests under way at a time."""
    script: str | None
    """Rules for the scripted engine; null otherwise."""
    structured: bool
    """Whether vLLM keeps a reflection to its form."""
    arguments: list[str]
    """For vLLM's servers, e.g. [--tensor-parallel-size, "2"]."""
    start: bool = Field(exclude=True)
    """Whether we start vLLM's servers, and end them; false takes those at `urls`."""
    urls: list[Url] = Field(exclude=True)
    """Servers that others started, e.g. http://gpu-1:8000; a task stays with one of them."""
    replicas: Annotated[int, Field(ge=1, le=64, exclude=True)]
    """Servers that we start; they share the GPUs evenly."""
    python: str = Field(exclude=True)
    """An interpreter that has vLLM, which needs other versions of packages than leafe."""
    timeout: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False, exclude=True)]
    """Seconds for an answer."""
    tries: Annotated[int, Field(ge=1, le=100, exclude=True)]
    """How often a request is sent before a server counts as lost."""

    @model_validator(mode="after")
    def _has_script(self) -> Self:
        if self.name == "scripted" and self.script is None:
            raise ValueError("script is null; the scripted engine needs the path of a script")
        return self

    @model_validator(mode="after")
    def _has_servers(self) -> Self:
        if not self.start and not self.urls and self.name == "vllm":
            raise ValueError("start is false and urls is []; it must name servers to use")
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


class Filter(Section):
    """What is learned from."""

    counterfactual: Literal["revised_action", "continuation"]
    """Learn a'_tau alone, or the whole corrected sub-trajectory."""
    max_per_task: Count
    """Examples of one set that a task may give."""


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
    """An iteration of a method, or a wave of one, spelled out for DVC."""

    method: Name
    iteration: Name
    policy: Name
    """The iteration whose policy explores."""
    home: Name
    """The method whose folder has that policy."""
    wave: Name | None = None
    prev: Name | None = None
    """The wave before."""

    @model_serializer(mode="wrap")
    def _without_what_it_has_not(self, dump: SerializerFunctionWrapHandler) -> dict[str, str]:
        return {name: value for name, value in dump(self).items() if value is not None}
