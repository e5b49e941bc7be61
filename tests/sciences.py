"""ScienceWorld for the tests: worlds, their tasks, and whether there is a Java to play them."""

from __future__ import annotations

import os
from typing import Any

import pytest

if not os.environ.get("CI"):
    pytest.importorskip("scienceworld", reason="install leafe[scienceworld]")

from leafe.env import StepResult
from leafe.envs.scienceworld import ScienceWorld, ScienceWorldOptions
from leafe.envs.scienceworld.jvm import check_java
from leafe.errors import BadInput
from leafe.fidelity import play
from leafe.task import Task, make_task

QUICK = ["find-animal", "lifespan-longest-lived", "use-thermometer", "power-component"]
"""Tasks whose solutions are short."""

SOONEST = {
    "boil": 9,
    "melt": 4,
    "freeze": 0,
    "change-the-state-of-matter-of": 13,
    "use-thermometer": 369,
    "measure-melting-point-known-substance": 400,
    "measure-melting-point-unknown-substance": 265,
    "power-component": 5,
    "power-component-renewable-vs-nonrenewable-energy": 15,
    "test-conductivity": 301,
    "test-conductivity-of-unknown-substances": 326,
    "find-living-thing": 233,
    "find-non-living-thing": 133,
    "find-plant": 133,
    "find-animal": 266,
    "grow-plant": 69,
    "grow-fruit": 42,
    "chemistry-mix": 12,
    "chemistry-mix-paint-secondary-color": 14,
    "chemistry-mix-paint-tertiary-color": 14,
    "lifespan-longest-lived": 83,
    "lifespan-shortest-lived": 17,
    "lifespan-longest-lived-then-shortest-lived": 50,
    "identify-life-stages-1": 3,
    "identify-life-stages-2": 2,
    "inclined-plane-determine-angle": 11,
    "inclined-plane-friction-named-surfaces": 462,
    "inclined-plane-friction-unnamed-surfaces": 32,
    "mendelian-genetics-known-plant": 48,
    "mendelian-genetics-unknown-plant": 160,
}
"""Of each task, a variation whose solution is soon found and played."""


def scienceworld(**options: Any) -> ScienceWorld:
    return ScienceWorld(ScienceWorldOptions(**options))


def like(world: ScienceWorld, **options: Any) -> ScienceWorld:
    """One with other options and the same JVMs."""
    other = scienceworld(**options)
    other._workers = world._workers
    return other


def task_of(name: str, variation: int = 0, simplifications: str = "easy") -> Task:
    payload = {"task": name, "variation": variation, "simplifications": simplifications}
    return make_task("scienceworld", "train", payload)


def told(world: ScienceWorld, task: Task, *actions: str) -> list[StepResult]:
    return play(world, task, actions)[1]


def need_java() -> None:
    """The tests stand on it; without Java they fail, unless this is no CI machine."""
    try:
        check_java(768)
    except BadInput as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
