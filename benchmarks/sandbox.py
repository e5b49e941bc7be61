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

from benchmarks.benchmark import CannotRun, Figures
from leafe.errors import BadInput
from leafe.sandbox import Limits, Verdict, run
from leafe.sandbox.canary import check_sandbox

COMPARED = "programs a second in the sandbox / the same programs without it"
TARGET = "40 programs a second on two cores"

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


def per_second(once: Callable[[], None], runs: int, workers: int) -> float:
    """Runs a second with so many workers."""
    with ThreadPoolExecutor(workers) as pool:
        begun = time.perf_counter()
        for done in [pool.submit(once) for _ in range(runs)]:
            done.result()
        return runs / (time.perf_counter() - begun)


def measure(quick: bool) -> Figures:
    """Medians over the rounds; `ratio` is sandboxed over bare."""
    try:
        check_sandbox()
    except BadInput as reason:
        raise CannotRun(str(reason)) from reason
    workers = len(sched_getaffinity(0))
    runs, times = (2, 1) if quick else (RUNS, ROUNDS)
    rounds = [
        (per_second(in_the_sandbox, runs, workers), per_second(bare, runs, workers))
        for _ in range(times)
    ]
    boxed, plain = (median(column) for column in zip(*rounds, strict=True))
    return {
        "per_second": round(boxed, 1),
        "bare_per_second": round(plain, 1),
        "ratio": round(median(b / p for b, p in rounds), 3),
        "workers": workers,
    }
