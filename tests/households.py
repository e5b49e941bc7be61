"""Households of ALFWorld, for its tests."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from leafe.env import StepResult
from leafe.envs.alfworld import Alfworld, AlfworldEnv, AlfworldOptions, packaged
from leafe.envs.alfworld.game import UNTOLD
from leafe.envs.alfworld.generator import KINDS, Size, draw_scenes
from leafe.envs.alfworld.pddl import write_problem
from leafe.envs.alfworld.scene import LAMP, Scene
from leafe.task import Task, make_task


def alfworld(**options: Any) -> Alfworld:
    """One with few and small scenes."""
    chosen = {"receptacles": 6, "objects": 8, "train_tasks": 6, "test_tasks": 6}
    return Alfworld(AlfworldOptions(**{**chosen, **options}))


def kitchen() -> Task:
    """A task whose scene is known: a hot mug is wanted on the counter top."""
    places = {
        "Fridge|+01.00|+00.00|+01.00": "loc|1|1|0|30",
        "Cabinet|+02.00|+01.00|+01.00": "loc|2|1|0|30",
        "CounterTop|+03.00|+01.00|+01.00": "loc|3|1|0|30",
        "CoffeeMachine|+03.00|+01.00|+01.20": "loc|3|1|0|30",
        "Microwave|+04.00|+01.00|+01.00": "loc|4|1|0|30",
        "Sink|+05.00|+01.00|+01.00|SinkBasin": "loc|5|1|0|30",
    }
    fridge, cabinet, counter, *_ = places
    objects = {
        "Mug|+01.00|+00.50|+01.00": fridge,
        "Apple|+01.00|+00.60|+01.00": fridge,
        "Plate|+02.00|+01.50|+01.00": cabinet,
        "Knife|+03.00|+01.50|+01.00": counter,
        "Bread|+03.00|+01.50|+01.10": counter,
        f"{LAMP}|+03.00|+01.50|+01.20": counter,
    }
    wish, start = "put a hot mug in countertop", "loc|0|0|0|30"
    kind = "pick_heat_then_place_in_recep"
    scene = Scene(1, kind, wish, "Mug", "CounterTop", start, places, objects)
    return make_task("alfworld", "test", vars(scene))


def begin(task: Task | None = None, **options: Any) -> AlfworldEnv:
    """A household in which a task has begun; the known kitchen unless another is given."""
    env = alfworld(**options).make()
    env.start(task or kitchen())
    assert isinstance(env, AlfworldEnv)
    return env


def play(env: AlfworldEnv, *actions: str) -> list[StepResult]:
    """What each action is told."""
    return [env.step(action) for action in actions]


def said(env: AlfworldEnv, *actions: str) -> str:
    """What the last of the actions is told."""
    return play(env, *actions)[-1].observation


def scenes(count: int, label: str = "tests", receptacles: int = 6, objects: int = 8) -> list[Scene]:
    """Generated scenes, not proved, the kinds in turn."""
    rooms = packaged.floor_plans(held_out=False)
    drawn = draw_scenes(label, 0, KINDS, rooms, Size(receptacles, objects))
    return [*islice(drawn, count)]


def game_file(scene: Scene) -> dict[str, Any]:
    """A scene in the form of an official game."""
    return {
        "pddl_domain": packaged.domain(),
        "grammar": packaged.grammar().replace(UNTOLD, scene.wish),
        "pddl_problem": write_problem(scene.problem),
        "solvable": True,
    }


def write_game(folder: Path, part: str, scene: Scene, **changes: Any) -> Path:
    """Put a scene into a folder as ALFWorld's data are laid out; None as a change drops a key."""
    name = f"{scene.kind}-{scene.object}-None-{scene.receptacle}-{scene.floor_plan}"
    place = folder / "json_2.1.1" / part / name / f"trial_{len([*(folder).rglob('*.tw-pddl')])}"
    place.mkdir(parents=True)
    (place / "traj_data.json").write_text(json.dumps({"task_type": scene.kind}))
    kept = {key: value for key, value in (game_file(scene) | changes).items() if value is not None}
    (place / "game.tw-pddl").write_text(json.dumps(kept))
    return place / "game.tw-pddl"
