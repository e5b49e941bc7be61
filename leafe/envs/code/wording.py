"""What the agent reads: the problem, and how its programs fared."""

from __future__ import annotations

import re
from collections.abc import Sequence

from leafe.envs.code.judge import Judged
from leafe.envs.code.problem import Problem
from leafe.sandbox import Verdict

LONGEST_PROGRAM = 65_536
"""Characters of a program that is still run."""
SHOWN = 400
"""Characters of an input, an output or an error that are shown."""
PROGRAM = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
SUBMIT = re.compile(r"\s*submit(?:\(\))?[.!]?\s*", re.IGNORECASE)

WORDS = {
    Verdict.WA: "wrong answer",
    Verdict.RE: "runtime error",
    Verdict.TLE: "time limit exceeded",
    Verdict.MLE: "memory limit exceeded",
    Verdict.OLE: "too much output",
}
SOLVED = "Submitted. Every hidden test passed: solved."
GRAMMAR = "Write a whole Python program between a line ```python and a line ```, or write submit."


def read_program(action: str) -> str | None:
    r"""The one program in an action; None unless there is exactly one.

    >>> read_program("I print it.\n```python\nprint(1)\n```")
    'print(1)\n'
    """
    found = PROGRAM.findall(action) if len(action) <= LONGEST_PROGRAM else []
    return found[0] if len(found) == 1 else None


def asks_to_submit(action: str) -> bool:
    """Whether an action is `submit`, and nothing else."""
    return len(action) < 100 and SUBMIT.fullmatch(action) is not None


def say_problem(problem: Problem) -> str:
    """The first observation: what is asked, its limits, and the public tests."""
    told = [problem.description.strip()]
    if not problem.functions:
        told.append(
            f"Read standard input, write standard output. Time limit {problem.seconds:g} s, memory"
            f" limit {problem.memory_bytes // 10**6} MB."
        )
    told += [
        f"Public test {number}.\n{show_test(problem, test.input, test.output)}"
        for number, test in enumerate(problem.public, start=1)
        if not all(part.strip() in problem.description for part in test)  # an example there
    ]
    return "\n\n".join(told)


def show_test(problem: Problem, given: str, expected: str) -> str:
    """A test as the agent sees it."""
    if problem.functions:
        return f"{shorten(given)}\nMust be true: {shorten(expected)}"
    return f"Input:\n{shorten(given)}\nExpected output:\n{shorten(expected)}"


def say_public(problem: Problem, judged: Sequence[Judged]) -> str:
    """How a program fared on the public tests."""
    last = judged[-1]
    if last.verdict is Verdict.OK:
        return f"All {len(problem.public)} public tests passed. Improve the program, or submit."
    told = [f"Public test {last.number} of {len(problem.public)} failed: {WORDS[last.verdict]}."]
    told.append(show_test(problem, last.test.input, last.test.output))
    if last.stdout.strip():
        told.append(f"Your output:\n{shorten(last.stdout)}")
    elif last.verdict is Verdict.WA:
        told.append("Your program wrote nothing.")
    if last.stderr.strip():
        told.append(f"Errors:\n{shorten(last.stderr, end=True)}")
    return "\n".join(told)


def say_submitted(tests: int, judged: Sequence[Judged]) -> str:
    """Whether the hidden tests passed; which input failed is not told."""
    last = judged[-1]
    if last.verdict is Verdict.OK:
        return SOLVED
    return (
        f"Submitted. Hidden test {last.number} of {tests} failed:"
        f" {WORDS[last.verdict]}. Not solved."
    )


def say_no_program(action: str) -> str:
    """To what is neither a program nor `submit`; never echoes it."""
    if len(action) > LONGEST_PROGRAM:
        return f"Too long: a program may have {LONGEST_PROGRAM} characters. {GRAMMAR}"
    if len(PROGRAM.findall(action)) > 1:
        return f"There is more than one program. {GRAMMAR}"
    return f"There is no program. {GRAMMAR}"


def shorten(text: str, *, end: bool = False) -> str:
    """A text's beginning, or its end, where it is long."""
    text = text.strip("\n")
    if len(text) <= SHOWN:
        return text
    return f"... {text[-SHOWN:]}" if end else f"{text[:SHOWN]} ..."
