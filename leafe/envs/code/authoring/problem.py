"""What an author writes of one problem. Expected outputs are not written: the solution gives them.

A problem has one right output for every input. Knows nothing of files or of running programs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from leafe.seeds import seed_from

SKIP = "skip"
"""What a check program prints for an input that is too large for it."""


@dataclass(frozen=True)
class Problem:
    """A problem, the programs for it, and the inputs that they are run on."""

    name: str
    """A slug, its own among all problems."""
    grade: int
    """From 1, a program of one line, to 6: dynamic programming, graphs, greedy with a proof."""
    task: str
    """What to do; line breaks and indentation make no difference, here and in the next two."""
    given: str
    """The input, with all limits."""
    wanted: str
    """The output."""
    public: tuple[str, ...]
    """Inputs that are shown; the first one is also the example in the description."""
    private: Callable[[random.Random], list[str]]
    """Inputs that decide: by hand the edges, drawn the rest."""
    solution: str
    """A right program, quick enough at the limits; indented as it stands in its module."""
    wrong: tuple[str, ...]
    """Programs that fail a private input; from grade 2 they pass the public ones."""
    check: str | None = None
    """Another right program, by other means; None below grade 3. May print `SKIP`."""

    def private_inputs(self) -> list[str]:
        """The private inputs, the same at every call."""
        return self.private(random.Random(seed_from("code", self.name)))
