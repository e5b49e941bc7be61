"""The interpreters that games run in: opened for a game, lent to one world after another."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

KEPT = 64
"""Interpreters that nobody plays in, at most."""
SEED = 1
"""Games may draw what they say; 0 would be the time of day."""
END = re.compile(r"\*\*\* ([^*]+) \*\*\*")
"""How a game of Inform says that it is over."""
WON = {"The End", "You have won"}
"""Of TextWorld's games, and of Inform's by default."""

_idle: OrderedDict[int, tuple[Path, Any]] = OrderedDict()


def lend(path: Path) -> Any:
    """An interpreter with that game in it, to be reset; opening takes as long as 5 steps."""
    from textworld import EnvInfos
    from textworld.envs import JerichoEnv

    for key, (kept, interpreter) in _idle.items():
        if kept == path:
            del _idle[key]
            return interpreter
    interpreter = JerichoEnv(EnvInfos(feedback=True, won=True))
    interpreter.seed(SEED)
    interpreter.load(str(path))
    return interpreter


def give_back(path: Path, interpreter: Any) -> None:
    """Keep it for the next world; the one that was given back first is closed where many are."""
    _idle[id(interpreter)] = path, interpreter
    if len(_idle) > KEPT:
        _, (_, oldest) = _idle.popitem(last=False)
        oldest.close()


def ended(state: Any) -> tuple[bool, bool]:
    """(over, won) of what an interpreter returned."""
    said = END.search(state.feedback)
    if said is None:
        return bool(state.done), bool(state.won)
    return True, bool(state.won) or said.group(1) in WON
