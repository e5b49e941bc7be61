"""Games as files: generated and compiled once, then found again by their task.

They are made in `.leafe/games`; the stage `tasks` makes all of its games side by side and puts them
into `data/tasks/games`, which DVC tracks. One that is in neither is made when it is first played.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

from leafe import layout
from leafe.envs.textworld.maker import GAME, PLAN
from leafe.errors import BadInput, show_value
from leafe.params import PARAMS_FILE
from leafe.progress import Progress
from leafe.task import Task

TRACKED = layout.tasks("train").parent
CACHE = Path(".leafe")
GAMES = "games"
BATCH = 4
"""Games that one process makes."""

SKILLS = ("cook", "cut", "open", "drop")
"""What cooking games may ask for, as TextWorld calls it."""


def game_file(task: Task) -> Path:
    """The compiled game of a task; made now where nobody made it before."""
    path = _made(task)
    if path is None:
        _make([task])
        path = _in(CACHE, task)
    return path


def compile_all(tasks: Sequence[Task], heading: str) -> None:
    """Make the games that are not there yet, some a processor at a time."""
    missing = [task for task in tasks if not _made(task)]
    if not missing:
        return
    batches = [missing[n : n + BATCH] for n in range(0, len(missing), BATCH)]
    with (
        Progress(heading, len(missing), unit="games") as progress,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        made = {pool.submit(_make, batch): batch for batch in batches}
        for one in as_completed(made):
            one.result()
            progress.advance(by=len(made[one]))


def _make(tasks: Sequence[Task]) -> None:
    """In a process of its own, where sets have the same order every time, and games so too."""
    wanted = [[task.payload, str(_in(CACHE, task))] for task in tasks]
    done = subprocess.run(
        [sys.executable, "-m", "leafe.envs.textworld.maker"],
        input=json.dumps(wanted),
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise BadInput(f"TextWorld could not make the game of {wanted[0][0]}: {why}")


def keep(tasks: Sequence[Task], folder: Path) -> None:
    """Put the games of tasks, made before, into a folder's games."""
    (folder / GAMES).mkdir(parents=True, exist_ok=True)
    for task in tasks:
        made, kept = game_file(task), _in(folder, task)
        for suffix in (PLAN, GAME):
            os.replace(made.with_suffix(suffix), kept.with_suffix(suffix))


def _made(task: Task) -> Path | None:
    paths = (_in(folder, task) for folder in (TRACKED, CACHE))
    return next((path for path in paths if path.is_file()), None)


def _in(folder: Path, task: Task) -> Path:
    return folder / GAMES / f"{task.id}{GAME}"


def walkthrough(path: Path) -> list[str]:
    """Commands that win a game, as TextWorld knows them; none for a game that comes without."""
    plan = path.with_suffix(PLAN)
    return list(_read(plan)["metadata"].get("walkthrough") or []) if plan.is_file() else []


def things(path: Path) -> list[str]:
    """Names of what is in a cooking game."""
    return list(_read(path.with_suffix(PLAN))["metadata"]["entities"])


def _read(plan: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(plan.read_text())
    return told


def content(path: Path) -> str:
    """A hash of what a game is: equal for games that differ in their seeds alone."""
    told = _read(path.with_suffix(PLAN))
    del told["metadata"]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def own_games(folder: Path) -> list[dict[str, str]]:
    """The games of a folder, by content; BadInput where it holds none."""
    if not folder.is_dir():
        said = show_value(str(folder))
        raise BadInput(f"{PARAMS_FILE}: env.games is {said}, which is no folder")
    found = {fingerprint(path): path.name for path in sorted(folder.glob("*.z[1-8]"))}
    return [{"file": found[content], "sha256": content} for content in sorted(found)]


def fingerprint(path: Path) -> str:
    """Of a file's bytes; read again only where the file was written since."""
    return _fingerprint(path, path.stat().st_mtime_ns)


@cache
def _fingerprint(path: Path, written: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def own_game(folder: Path, file: str, sha256: str) -> Path:
    """A game of a folder, checked to be the one that the task was made of."""
    path = folder / Path(file).name
    if not path.is_file() or fingerprint(path) != sha256:
        raise BadInput(f"{path} is gone or changed since the tasks were made; make them anew")
    return path
