"""A programming problem, and how an answer to it is judged.

Invariant: what a test expects is compared outside the sandbox and never enters it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import NamedTuple


class Test(NamedTuple):
    """One test: of a whole program, or of functions."""

    input: str
    """What stands on standard input; of functions: the calls to make, one a line."""
    output: str
    """What it should write; of functions: what must be true, where `_0` is the first call's value,
    `_1` the second's."""


@dataclass(frozen=True)
class Problem:
    """What is asked, and how an answer is judged."""

    name: str
    description: str
    public: tuple[Test, ...]
    """The agent's programs are run on these, and it is told what failed."""
    hidden: tuple[Test, ...]
    """These decide."""
    seconds: float
    memory_bytes: int
    grade: int
    """How hard, from 1; 0 where nobody said. CodeContests' `difficulty`."""
    solutions: tuple[str, ...]
    """Programs that are right, in Python 3."""
    wrong: tuple[str, ...]
    """Programs that are not."""
    functions: bool = False
    """Whether the answer is functions, not a whole program: tests then are calls and claims."""
    setup: str = ""
    """Code that stands before an answer, and before a claim about it."""

    @cached_property
    def content(self) -> str:
        """A hash of all that decides: equal problems in two files are one."""
        told = asdict(self) | {"name": "", "solutions": (), "wrong": ()}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
