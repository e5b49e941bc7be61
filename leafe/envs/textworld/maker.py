"""Makes games, in a process of its own: `python -m leafe.envs.textworld.maker`.

It reads pairs of a task's payload and a path, as JSON, and generates and compiles each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

GAME, PLAN = ".z8", ".json"
"""What the interpreter runs, and what TextWorld knows of it: its rules, a walkthrough."""


def main() -> None:
    """Make what is asked for."""
    for payload, path in json.load(sys.stdin):
        make(payload, Path(path))


def make(payload: Mapping[str, Any], path: Path) -> None:
    """Generate and compile a game; its two files appear whole or not at all."""
    from textworld.generator import compile_game

    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(".part", f".{path.stem}.", path.parent) as temporary:
        new = Path(temporary).resolve() / path.name
        game, options = _generate(payload, new)
        compile_game(game, options)
        for suffix in (PLAN, GAME):  # the game last: where it is, both are
            os.replace(new.with_suffix(suffix), path.with_suffix(suffix))


def _generate(payload: Mapping[str, Any], path: Path) -> tuple[Any, Any]:
    from textworld import GameOptions
    from textworld.challenges import coin_collector, cooking, treasure_hunter

    options = GameOptions()
    options.seeds = payload["seed"]
    options.path = str(path)
    settings = dict(payload["settings"])
    match payload["challenge"]:
        case "cooking":
            settings |= {"recipe_seed": payload["seed"], "split": None}
            return cooking.make(settings, options), options
        case "coin_collector":
            return coin_collector.make(settings, options), options
        case _:
            return treasure_hunter.make(settings, options), options


if __name__ == "__main__":
    main()
