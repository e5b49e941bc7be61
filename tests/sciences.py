"""ScienceWorld for the tests: worlds, their tasks, and whether there is a Java to play them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from leafe.env import StepResult
from leafe.envs.scienceworld import ScienceWorld, ScienceWorldOptions
from leafe.envs.scienceworld.jvm import check_java
from leafe.errors import BadInput
from leafe.fidelity import play
from leafe.task import Task, make_task

QUICK = ["find-animal", "lifespan-longest-lived", "use-thermometer", "power-component"]
"""Tasks whose solutions are short."""


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
