"""What the package `alfworld` brings: its PDDL domain, its grammar, goals, objects and floor plans.

They are read from its folder. It is never imported: importing it makes a folder in the user's home
and sets $ALFWORLD_DATA.
"""

from __future__ import annotations

import json
import runpy
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def _folder() -> Path:
    spec = find_spec("alfworld")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("No module named 'alfworld'")
    return Path(spec.submodule_search_locations[0])


FOLDER = _folder()


def domain() -> str:
    """The actions of the household, as PDDL."""
    return (FOLDER / "data" / "alfred.pddl").read_text(encoding="utf-8")


def grammar() -> str:
    """The commands and what is said to them, as a `twl2` file."""
    return (FOLDER / "data" / "alfred.twl2").read_text(encoding="utf-8")


@cache
def _constants() -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / "gen" / "constants.py"))


@cache
def _library() -> dict[str, Any]:
    library: dict[str, Any] = runpy.run_path(str(FOLDER / "gen" / "goal_library.py"))["gdict"]
    return library


def goal(kind: str) -> str:
    """The goal of a kind of task, as PDDL, with the types left open: `{obj}`, `{recep}`."""
    # It ends in the bracket that closes the problem around it.
    text: str = _library()[kind]["pddl"]
    return text.replace("#", "-").rstrip().removesuffix(")")


def wishes(kind: str) -> list[str]:
    """The sentences that ask for it, with the same left open."""
    sentences: list[str] = _library()[kind]["templates"]
    return sentences


def contents(receptacle: str) -> set[str]:
    """The types of objects that a type of receptacle can contain."""
    fitting: set[str] = _constants()["VAL_RECEPTACLE_OBJECTS"].get(receptacle, set())
    return fitting


def receptacle_types() -> set[str]:
    """The types of receptacles that stay where they are."""
    moveable: set[str] = _constants()["MOVABLE_RECEPTACLES_SET"]
    return {*_constants()["VAL_RECEPTACLE_OBJECTS"]} - moveable


def object_types() -> set[str]:
    """The types of objects that can be carried."""
    return set().union(*map(contents, receptacle_types()))


def abilities(kind: str) -> list[str]:
    """What a type of object is: `Heatable`, `Sliceable`, `isReceptacleObject` and so on."""
    able = [name for name, kinds in _constants()["VAL_ACTION_OBJECTS"].items() if kind in kinds]
    return able + ["isReceptacleObject"] * (kind in _constants()["MOVABLE_RECEPTACLES_SET"])


def is_openable(receptacle: str) -> bool:
    """Whether receptacles of a type have a door, a lid or a drawer."""
    return receptacle in _constants()["OPENABLE_CLASS_SET"]


def floor_plans(*, held_out: bool) -> list[int]:
    """The numbers of ALFRED's rooms: those held out, or those to learn from."""
    name = "TEST_SCENE_NUMBERS" if held_out else "TRAIN_SCENE_NUMBERS"
    numbers: list[int] = _constants()[name]
    return numbers


def types_on(floor_plan: int) -> list[str]:
    """The types of objects and receptacles that a floor plan has."""
    types: list[str] = _layout(floor_plan, "objects")
    return types


def receptacles_on(floor_plan: int) -> dict[str, list[float]]:
    """Receptacle -> where to stand before it: x, z, rotation and horizon."""
    places: dict[str, list[float]] = _layout(floor_plan, "openable")
    return places


def _layout(floor_plan: int, what: str) -> Any:
    path = FOLDER / "gen" / "layouts" / f"FloorPlan{floor_plan}-{what}.json"
    return json.loads(path.read_bytes())
