"""What a benchmark is: a module that says what it compares, and measures it.

`measure(quick)` returns its figures, `ratio` among them; `quick` means sizes so small that the
figures say nothing, for trying whether it runs. Sides that are compared run in turns in one run.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

Figures = Mapping[str, object]

BENCHMARKS = (
    "sandbox",
    "exploration_speedup",
    "versus_generate",
    "sft_versus_trl",
    "growth",
)
"""Each a module of this package."""


class Benchmark(Protocol):
    """Such a module."""

    COMPARED: str
    """What `ratio` is: one thing / another."""
    TARGET: str
    """What it is to be."""

    def measure(self, quick: bool) -> Figures:
        """The figures; CannotRun where this machine lacks what it takes."""
        ...


class CannotRun(Exception):
    """This machine lacks what a benchmark needs; says what."""


def find(name: str) -> Benchmark:
    """A benchmark by its name; what it stands on is imported only now."""
    return cast(Benchmark, importlib.import_module(f"benchmarks.{name}"))
