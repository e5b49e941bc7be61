"""Parts that inputs are drawn from."""

from __future__ import annotations

import string
from random import Random


def rows(*parts: object) -> str:
    r"""The lines of an input; a list is one line, its items parted by spaces.

    >>> rows(3, [5, 6, 7])
    '3\n5 6 7'
    """
    return "\n".join(
        " ".join(map(str, part)) if isinstance(part, list | tuple) else str(part) for part in parts
    )


def numbers(rng: Random, count: int, low: int, high: int) -> list[int]:
    """Whole numbers from `low` to `high`, both included."""
    return [rng.randint(low, high) for _ in range(count)]


def counted(values: list[int]) -> str:
    r"""How many there are on one line, then all of them on another.

    >>> counted([4, 4, 9])
    '3\n4 4 9'
    """
    return rows(len(values), values)


def word(rng: Random, length: int, letters: str = string.ascii_lowercase) -> str:
    """A word of so many letters."""
    return "".join(rng.choice(letters) for _ in range(length))


def words(rng: Random, count: int, longest: int, letters: str = string.ascii_lowercase) -> str:
    """Words of 1 to `longest` letters on one line, one space between two."""
    return " ".join(word(rng, rng.randint(1, longest), letters) for _ in range(count))


def pairs(rng: Random, count: int, high: int) -> list[list[int]]:
    """Two different numbers each, from 0 to `high`, the smaller one first."""
    return [sorted(rng.sample(range(high + 1), 2)) for _ in range(count)]


def grid(rng: Random, height: int, width: int, letters: str) -> list[str]:
    """Rows of a map."""
    return [word(rng, width, letters) for _ in range(height)]


def put(cells: list[str], rng: Random, marks: str) -> list[str]:
    """The map with each mark in a place of its own."""
    width = len(cells[0])
    places = rng.sample(range(len(cells) * width), len(marks))
    flat = list("".join(cells))
    for place, mark in zip(places, marks, strict=True):
        flat[place] = mark
    return ["".join(flat[i : i + width]) for i in range(0, len(flat), width)]
