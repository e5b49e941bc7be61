"""One test of a program: what it is given, and what is expected of it."""

from __future__ import annotations

from typing import NamedTuple


class Test(NamedTuple):
    """Of a whole program, or of functions."""

    input: str
    """What stands on standard input; of functions: the calls to make, one a line."""
    output: str
    """What it should write; of functions: what must be true, where `_0` is the first call's value,
    `_1` the second's."""
