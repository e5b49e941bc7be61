"""A Sokoban level: a room, its targets, its boxes and the player; and the XSB text of one.

Places are (row, column) from the top left. Knows the rules of one move, and no words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from leafe.errors import BadInput

Place = tuple[int, int]
MOVES: dict[str, Place] = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}

WALL, FLOOR, TARGET, BOX, BOX_HOME, PLAYER, PLAYER_HOME = "#", "-", ".", "$", "*", "@", "+"
XSB = "#-_ .$*@+"
"""What a row may hold; floor is written in any of three ways."""
ROW = re.compile(r"^[#\-_ .$*@+]*#[#\-_ .$*@+]*$")


def shift(place: Place, by: Place) -> Place:
    """The place one move on."""
    return place[0] + by[0], place[1] + by[1]


@dataclass(frozen=True)
class Room:
    """What no move changes."""

    height: int
    width: int
    walls: frozenset[Place]
    targets: frozenset[Place]

    @cached_property
    def floor(self) -> frozenset[Place]:
        """Every place that is no wall."""
        inside = ((r, c) for r in range(self.height) for c in range(self.width))
        return frozenset(place for place in inside if place not in self.walls)


@dataclass(frozen=True)
class Level:
    """A room at one moment of play."""

    room: Room
    boxes: frozenset[Place]
    player: Place

    @property
    def solved(self) -> bool:
        """Whether every box is on a target."""
        return self.boxes <= self.room.targets

    def move(self, name: str) -> Level | None:
        """The level after a move, one of `MOVES`; None where something is in the way."""
        way = MOVES[name]
        to = shift(self.player, way)
        if to in self.room.walls:
            return None
        if to not in self.boxes:
            return replace(self, player=to)
        beyond = shift(to, way)
        if beyond in self.room.walls or beyond in self.boxes:
            return None
        return replace(self, boxes=self.boxes - {to} | {beyond}, player=to)

    def rows(self) -> list[str]:
        """The rows of its XSB text."""
        size = range(self.room.width)
        return ["".join(self._sign((r, c)) for c in size) for r in range(self.room.height)]

    def _sign(self, place: Place) -> str:
        if place in self.room.walls:
            return WALL
        home = place in self.room.targets
        if place in self.boxes:
            return BOX_HOME if home else BOX
        if place == self.player:
            return PLAYER_HOME if home else PLAYER
        return TARGET if home else FLOOR


def write_xsb(levels: Iterable[Level]) -> str:
    """The text of an XSB file: levels with an empty line between them."""
    return "\n\n".join("\n".join(level.rows()) for level in levels) + "\n"


def parse_level(rows: Iterable[str]) -> Level:
    """A level from its rows; ValueError says what is wrong with it.

    >>> parse_level(["#####", "#@$.#", "#####"]).player
    (1, 1)
    >>> parse_level(["####", "#@.#", "####"])
    Traceback (most recent call last):
    ValueError: it has 0 boxes and 1 target; it must have at least one, and as many of each
    """
    grid = list(rows)
    width = max(map(len, grid), default=0)
    signs = {(r, c): sign for r, row in enumerate(grid) for c, sign in enumerate(row.ljust(width))}
    strange = set(signs.values()) - set(XSB)
    if strange:
        raise ValueError(f"it has {min(strange)!r}; allowed: {XSB}")

    def places(wanted: str) -> frozenset[Place]:
        return frozenset(place for place, sign in signs.items() if sign in wanted)

    room = Room(len(grid), width, places(WALL), places(TARGET + BOX_HOME + PLAYER_HOME))
    players, boxes = places(PLAYER + PLAYER_HOME), places(BOX + BOX_HOME)
    if len(players) != 1:
        raise ValueError(f"it has {len(players)} players; it must have one")
    if not boxes or len(boxes) != len(room.targets):
        many = "s" * (len(room.targets) != 1)
        raise ValueError(
            f"it has {len(boxes)} boxes and {len(room.targets)} target{many};"
            " it must have at least one, and as many of each"
        )
    level = Level(room, boxes, min(players))
    _check_closed(level)
    return level


def _check_closed(level: Level) -> None:
    """ValueError where the player could walk out of the drawing (boxes are no walls)."""
    room = level.room
    for row, column in sorted(reach(level.player, room.floor)):
        if row in {0, room.height - 1} or column in {0, room.width - 1}:
            raise ValueError(f"its wall has a gap in row {row + 1}, column {column + 1}")


def reach(start: Place, free: Set[Place]) -> set[Place]:
    """The places that can be walked to from one over others that are free."""
    reached, queue = {start}, [start]
    while queue:
        place = queue.pop()
        for to in (shift(place, way) for way in MOVES.values()):
            if to in free and to not in reached:
                reached.add(to)
                queue.append(to)
    return reached


def read_xsb(path: Path) -> list[Level]:
    """The levels of an XSB file, as level collections come; BadInput names the line.

    A level is a run of lines that are drawings; titles, comments and empty lines part them.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path}: {error}; it must be a text file of Sokoban levels (XSB)"
        ) from error
    levels = []
    for line, rows in _drawings(text):
        try:
            levels.append(parse_level(rows))
        except ValueError as error:
            raise BadInput(f"{path}: line {line}: of the level there, {error}") from error
    if not levels:
        raise BadInput(f"{path}: no level in it; levels are drawn with the signs {XSB}")
    return levels


def _drawings(text: str) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, rows) of each run of lines that are drawings."""
    first, rows = 0, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if ROW.match(line.rstrip()):
            first = first if rows else number
            rows.append(line.rstrip())
        elif rows:
            yield first, rows
            rows = []


def turned(level: Level) -> Iterator[Level]:
    """The level in all eight positions that turning and mirroring give."""
    for _ in range(4):
        level = _place(level, lambda r, c, height: (c, height - 1 - r), turn=True)
        yield level
        yield _place(level, lambda r, c, height: (height - 1 - r, c), turn=False)


def _place(level: Level, to: Callable[[int, int, int], Place], *, turn: bool) -> Level:
    room = level.room
    height, width = (room.width, room.height) if turn else (room.height, room.width)

    def moved(places: Iterable[Place]) -> frozenset[Place]:
        return frozenset(to(r, c, room.height) for r, c in places)

    new = Room(height, width, moved(room.walls), moved(room.targets))
    return Level(new, moved(level.boxes), min(moved([level.player])))
