"""How long work takes: seconds, and what was made meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True)
class Timed(Generic[Made]):
    """What was made, and in which time."""

    made: Made
    seconds: float
    """By the clock."""
    cpu_seconds: float
    """Of all threads of this process: what a busy machine does not change."""


def timed(work: Coroutine[Any, Any, Made]) -> Timed[Made]:
    """Run it to its end."""
    clock, cpu = time.perf_counter(), time.process_time()
    made = asyncio.run(work)
    return Timed(made, time.perf_counter() - clock, time.process_time() - cpu)
