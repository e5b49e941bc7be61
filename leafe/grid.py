"""A comparison: which methods run, on which grid of parameters; read from `comparisons.yaml`.

A point of the grid is a choice of a value for each of its keys. All methods run at every point,
from the same base policy, on the same tasks, with the same seed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from leafe.errors import NAME, BadInput, describe, did_you_mean, show_value
from leafe.sections import Methods, Section
from leafe.yaml_file import read_yaml

FILE = Path("comparisons.yaml")

Key = Annotated[str, Field(pattern=r"^[a-z_]+(\.[A-Za-z_]\w*)+$")]
"""A parameter of `params.yaml` by its path, e.g. `env.rulebook`."""
KeyOrSection = Annotated[str, Field(pattern=r"^[a-z_]+(\.[A-Za-z_]\w*)*$")]


@dataclass(frozen=True)
class Point:
    """One choice of the grid's values."""

    settings: Mapping[str, Any]
    """Key of the grid -> value."""

    def only(self, keys: Sequence[str]) -> Point:
        """The choice as far as these keys go."""
        return Point({key: value for key, value in self.settings.items() if key in keys})

    def without(self, keys: Sequence[str]) -> Point:
        """The choice without these keys."""
        return Point({key: value for key, value in self.settings.items() if key not in keys})

    @property
    def name(self) -> str:
        """For people and for folders: keys without their sections, unless that is ambiguous.

        >>> Point({"env.rulebook": 7, "run.seed": 1}).name
        'rulebook=7,seed=1'
        >>> Point({"sft.steps": 7, "warm_start.steps": 1}).name
        'sft.steps=7,warm_start.steps=1'
        """
        last = {key: key.rpartition(".")[2] for key in self.settings}
        often = Counter(last.values())
        parts = (
            f"{last[key] if often[last[key]] == 1 else key}={value}"
            for key, value in self.settings.items()
        )
        return ",".join(parts) or "all"


class Comparison(Section):
    """An entry of the file."""

    methods: Annotated[Methods, Field(min_length=1)]
    """As `leafe/method.py` has them."""
    grid: Annotated[dict[Key, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)]
    """Key of `params.yaml` -> the values that it takes."""
    by: list[Key] = Field(default_factory=list)
    """Keys of the grid whose values are told apart in the results; over the others is averaged."""
    base: list[Key]
    """Keys of the grid on which the base policy depends: it is made once for each of their
    values. All keys, where in doubt; for the desk, the rulebook is not one, as its lessons are
    about other companies anyway."""
    settings: dict[KeyOrSection, Any] = Field(default_factory=dict)
    """What is otherwise than in `params.yaml`, at every point; `env` for a whole section."""
    workers: Annotated[int, Field(ge=1, le=64)]
    """Points under way at a time."""

    @model_validator(mode="after")
    def _of_the_grid(self) -> Self:
        for name, keys in (("by", self.by), ("base", self.base)):
            for key in keys:
                if key not in self.grid:
                    allowed = ", ".join(self.grid)
                    raise ValueError(f"{name} holds {show_value(key)}; allowed: {allowed}")
        return self

    def points(self) -> list[Point]:
        """Every choice, those of one group together."""
        keys = [*self.by, *(key for key in self.grid if key not in self.by)]
        choices = product(*(self.grid[key] for key in keys))
        return [Point(dict(zip(keys, values, strict=True))) for values in choices]

    def groups(self) -> dict[str, list[Point]]:
        """The points that are averaged over, by what tells the groups apart."""
        groups: dict[str, list[Point]] = {}
        for point in self.points():
            groups.setdefault(point.only(self.by).name, []).append(point)
        return groups


def read_comparison(name: str | None, path: Path = FILE) -> tuple[str, Comparison]:
    """A comparison of the file by its name, the first if None; BadInput says what is wrong."""
    data = read_yaml(path)
    if not isinstance(data, dict) or not data:
        raise BadInput(f"{path} is {show_value(data)}; it must be a mapping of comparisons")
    name = next(iter(data)) if name is None else name
    if name not in data:
        raise BadInput(f"{path} has no {show_value(name)}; {did_you_mean(name, map(str, data))}")
    if not re.match(NAME, name):
        raise BadInput(f"{path}: {show_value(name)} must be a letter, then letters, digits or _")
    try:
        return name, Comparison.model_validate(data[name])
    except ValidationError as error:
        raise BadInput(describe(path, error, Comparison, name)) from error
