"""What Sokoban says: the board, and every sentence about a move."""

from __future__ import annotations

import re

from leafe.envs.sokoban.level import MOVES, WALL, Level, Place, parse_level, shift
from leafe.envs.sokoban.planner import pushes_home

SOLVED = " Every box is on a target: solved."
LOST = " The level is lost."
LONGEST = 2000
"""Characters of an action that is still read."""
MOVE = re.compile(rf"\b({'|'.join(MOVES)})\b", re.IGNORECASE)


def read_move(action: str) -> str | None:
    """The one move that a text names; None unless there is exactly one.

    >>> read_move("I go LEFT."), read_move("up or down"), read_move("upwards")
    ('left', None, None)
    """
    named = {name.lower() for name in MOVE.findall(action[: LONGEST + 1])}
    return named.pop() if len(named) == 1 and len(action) <= LONGEST else None


def show_board(level: Level) -> str:
    """The rows with a space between signs, so that each place is a word of its own."""
    return "\n".join(" ".join(row) for row in level.rows())


def read_board(observation: str) -> Level:
    """The level that an observation shows."""
    rows = (line.replace(" ", "") for line in observation.splitlines())
    return parse_level(row for row in rows if row.startswith(WALL))


def say_unknown() -> str:
    """To anything that is not exactly one move; never echoes what was written."""
    return f"Not a move: write one of {', '.join(MOVES)}."


def say_blocked(level: Level, move: str) -> str:
    """Why nothing moved."""
    to = shift(level.player, MOVES[move])
    if to not in level.boxes:
        return f"You cannot go {move}: a wall is there."
    behind = "another box" if shift(to, MOVES[move]) in level.boxes else "a wall"
    return f"You cannot push the box {move}: {behind} is behind it."


def say_moved(before: Level, move: str, after: Level) -> str:
    """What a move did, and whether it ended the level for good or ill."""
    if before.boxes == after.boxes:
        return f"You go {move}."
    [box] = after.boxes - before.boxes
    said = f"You push the box {move}."
    if box in after.room.targets:
        said += " It is on a target."
    elif before.boxes - after.boxes <= after.room.targets:
        said += " It has left its target."
    why = stuck(after, box)
    if why:
        return said + why + LOST
    return said + (SOLVED if after.solved else "")


def stuck(level: Level, box: Place) -> str:
    """Why a box that was just pushed has made the level unsolvable; empty where nothing shows it.

    What is said is certain; a level may be lost in ways that only a search would find.
    """
    if box not in pushes_home(level.room):
        walls = [shift(box, way) in level.room.walls for way in MOVES.values()]
        up_or_down, left_or_right = any(walls[:2]), any(walls[2:])
        if up_or_down and left_or_right:
            return " It is stuck in a corner."
        if up_or_down or left_or_right:
            return " It can no longer leave the wall, and no target is there."
        return " It can no longer reach a target."
    return " The boxes there can never be moved again." if _frozen(level, box) else ""


def _frozen(level: Level, box: Place) -> bool:
    """Whether a square of four places is all boxes and walls, with a box off its target."""
    for row in (box[0] - 1, box[0]):
        for column in (box[1] - 1, box[1]):
            square = {(row + r, column + c) for r in (0, 1) for c in (0, 1)}
            filled = square <= level.boxes | level.room.walls
            if filled and not square & level.boxes <= level.room.targets:
                return True
    return False
