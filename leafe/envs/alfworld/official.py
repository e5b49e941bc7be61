"""The official games of ALFWorld, where a user has them; nothing of them comes with this project.

They are read where `alfworld-download` puts them, below `json_2.1.1`. As in ALFWorld, tasks with a
movable receptacle or a slice are left out, and so are games that cannot be solved. A game brings
its problem and its task in words alone: it is played with the packaged domain and grammar, as
TextWorld would evaluate a foreign grammar as Python.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from leafe.envs.alfworld import planner
from leafe.envs.alfworld.game import rules
from leafe.envs.alfworld.pddl import Problem, read_problem
from leafe.errors import BadInput, describe, show_value
from leafe.params import PARAMS_FILE
from leafe.seeds import seed_from

Part = Literal["train", "valid_seen", "valid_unseen"]
"""ALFWorld's splits; the last is in rooms that no training game is in."""

ROOT = "json_2.1.1"
GAME, TRAJECTORY = "game.tw-pddl", "traj_data.json"
UNSUPPORTED = ("movable", "Sliced")
"""Names of tasks that ALFWorld leaves out have one of these."""
TASK = re.compile(r'"Your task is to: ((?:[^"\\]|\\.){1,500}?)\.?"')
"""Where a game's grammar tells the task."""
MOST_BYTES = 20 * 2**20


class GameFile(BaseModel):
    """What is read of a game."""

    pddl_problem: str
    grammar: str
    solvable: bool | None = None
    """None where nobody has tried; the planner tries it then."""


class Trajectory(BaseModel):
    """What is read of the demonstration beside it."""

    task_type: str


Row = TypeVar("Row", bound=BaseModel)


def check_folder(folder: Path, parts: Collection[Part]) -> None:
    """BadInput unless the folder holds the official games of these splits."""
    for part in parts:
        if not (folder / ROOT / part).is_dir():
            raise BadInput(
                f"{PARAMS_FILE}: env.data (or $ALFWORLD_DATA) is {folder}, which has"
                f" no folder {ROOT}/{part}; alfworld-download makes one"
            )


def find_games(
    folder: Path, part: Part, kinds: Collection[str], seed: int
) -> Iterator[dict[str, str]]:
    """The payloads of a split's games, in an order that hangs on the seed and their paths."""
    found = (path.relative_to(folder) for path in (folder / ROOT / part).rglob(GAME))
    paths = [path.as_posix() for path in found]
    for path in sorted(paths, key=lambda path: (seed_from("alfworld game", seed, path), path)):
        content = _read(folder / path)
        if _is_offered(folder / path, content, kinds):
            yield {"game": path, "sha256": hashlib.sha256(content).hexdigest()}


def _is_offered(path: Path, content: bytes, kinds: Collection[str]) -> bool:
    trajectory = path.with_name(TRAJECTORY)
    if any(word in path.as_posix() for word in UNSUPPORTED) or not trajectory.is_file():
        return False
    if _check(trajectory, Trajectory, _read(trajectory)).task_type not in kinds:
        return False
    game = _check(path, GameFile, content)
    if game.solvable is None:
        return planner.solve(_problem(path, game)) is not None
    return game.solvable


@lru_cache(maxsize=256)
def read_game(folder: Path, game: str, sha256: str) -> tuple[Problem, str]:
    """The problem of a game and its task in words; BadInput where the file is not what it was."""
    place = PurePosixPath(game)
    if place.is_absolute() or ".." in place.parts or place.name != GAME:
        raise BadInput(f"{show_value(game)} is no game within {folder}; make the tasks anew")
    path = folder / place
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadInput(f"{path}: it has changed since the tasks were made; make them anew")
    kept = _check(path, GameFile, content)
    return _problem(path, kept), _wish(path, kept)


def _problem(path: Path, game: GameFile) -> Problem:
    try:
        return read_problem(game.pddl_problem, rules().arity)
    except ValueError as error:
        raise BadInput(f"{path}: pddl_problem cannot be played: {error}") from error


def _wish(path: Path, game: GameFile) -> str:
    told = TASK.search(game.grammar)
    if told is None:
        raise BadInput(f"{path}: its grammar does not say 'Your task is to: ...'")
    return " ".join(str(json.loads(f'"{told[1]}"')).split())


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; it must be a game of ALFWorld") from error
    if len(content) > MOST_BYTES:
        raise BadInput(f"{path}: it is larger than {MOST_BYTES // 2**20} MB")
    return content


def _check(path: Path, row: type[Row], content: bytes) -> Row:
    try:
        return row.model_validate_json(content)
    except ValidationError as error:
        raise BadInput(describe(path, error, row)) from error
