"""How many programs a second the sandbox runs, and what that costs beside running them bare.

Programs of the code environment's own first problem, judged as they are in an episode: start a
box, run, compare. Both ways in one run, in turns, as machines are noisy.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from os import sched_getaffinity
from statistics import median

from leafe.sandbox import Limits, Verdict, run
from leafe.sandbox.canary import check_sandbox

PROGRAM = "print(sum(map(int, input().split())))"
GIVEN, EXPECTED = "20 22\n", "42\n"
RUNS, ROUNDS = 60, 5


def in_the_sandbox() -> None:
    """One program, in a box of its own."""
    ran = run(PROGRAM, GIVEN, Limits())
    assert (ran.verdict, ran.stdout) == (Verdict.OK, EXPECTED), ran


def bare() -> None:
    """The same program by the same interpreter, without a box."""
    command = ["/usr/bin/python3", "-s", "-B", "-c", PROGRAM]
    done = subprocess.run(command, input=GIVEN, capture_output=True, text=True, check=True)
    assert done.stdout == EXPECTED


def per_second(once: Callable[[], None], workers: int) -> float:
    """Runs a second with so many workers."""
    with ThreadPoolExecutor(workers) as pool:
        begun = time.perf_counter()
        for done in [pool.submit(once) for _ in range(RUNS)]:
            done.result()
        return RUNS / (time.perf_counter() - begun)


def measure() -> dict[str, float]:
    """Medians over the rounds; `ratio` is sandboxed over bare."""
    check_sandbox()
    workers = len(sched_getaffinity(0))
    rounds = [
        (per_second(in_the_sandbox, workers), per_second(bare, workers)) for _ in range(ROUNDS)
    ]
    boxed, plain = (median(column) for column in zip(*rounds, strict=True))
    return {
        "per_second": round(boxed, 1),
        "bare_per_second": round(plain, 1),
        "ratio": round(median(b / p for b, p in rounds), 3),
        "workers": workers,
    }
