"""Runs programs on tests, in the sandbox; what is expected is compared out here.

The sandbox's own failures are tried again, and then raised: they say nothing about a program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from os import sched_getaffinity

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from leafe.envs.code import functions
from leafe.envs.code.problem import Problem, Test
from leafe.sandbox import Limits, Ran, Verdict, run

OUTPUT_BYTES = 2**20


class SandboxFailed(OSError):
    """The sandbox could not run a program, several times."""


@dataclass(frozen=True)
class Judged:
    """How a program fared on one test."""

    number: int
    """Of the test, from 1."""
    test: Test
    verdict: Verdict
    stdout: str
    """What it wrote; of functions: the values, one a line."""
    stderr: str


def run_tests(problem: Problem, program: str, tests: Sequence[Test]) -> list[Judged]:
    """Run a program on tests, in order, up to and with the first that it fails."""
    judged: list[Judged] = []
    for one in _in_order(lambda number: _judge_one(problem, program, tests, number), len(tests)):
        judged.append(one)
        if one.verdict is not Verdict.OK:
            break
    return judged


def _in_order(judge_test: Callable[[int], Judged], count: int) -> Iterator[Judged]:
    """Test after test, as many side by side as there are processors."""
    width = len(sched_getaffinity(0))
    for first in range(0, count, width):
        yield from _pool().map(judge_test, range(first, min(first + width, count)))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(sched_getaffinity(0)), thread_name_prefix="judge")


def _judge_one(problem: Problem, program: str, tests: Sequence[Test], number: int) -> Judged:
    test = tests[number]
    limits = Limits(problem.seconds, problem.memory_bytes, OUTPUT_BYTES)
    if problem.functions:
        ran = _run(f"{problem.setup}\n{program}{functions.HARNESS}", test.input, limits)
        values = functions.values_of(ran.stdout, test.input.count("\n") + 1)
        verdict = ran.verdict
        if verdict is Verdict.OK and not (values and _holds(problem, values, test.output, limits)):
            verdict = Verdict.WA
        return Judged(number + 1, test, verdict, "\n".join(values or ()), ran.stderr)
    ran = _run(program, test.input, limits)
    verdict = ran.verdict
    if verdict is Verdict.OK and ran.stdout.split() != test.output.split():
        verdict = Verdict.WA
    return Judged(number + 1, test, verdict, ran.stdout, ran.stderr)


def _holds(problem: Problem, values: Sequence[str], claim: str, limits: Limits) -> bool:
    """Whether a claim is true of values that a program gave, which may be any text."""
    read = [functions.literal(value) for value in values]
    if not all(is_one for is_one, _ in read):
        return False
    expected = functions.expected_of(claim)
    if expected is not None:
        return bool(read[0][1] == functions.literal(expected)[1])
    # In a box of its own, where no line of the program is.
    checked = _run(functions.claim_program(problem.setup, values, claim), "", limits)
    return checked.verdict is Verdict.OK


@retry(
    retry=retry_if_exception_type(SandboxFailed),
    stop=stop_after_attempt(3),
    wait=wait_exponential(multiplier=0.2),
    reraise=True,
)
def _run(program: str, stdin: str, limits: Limits) -> Ran:
    ran = run(program, stdin, limits)
    if ran.verdict is Verdict.XX:
        raise SandboxFailed(f"the sandbox cannot run a program: {ran.stderr.strip()[:200]}")
    return ran
