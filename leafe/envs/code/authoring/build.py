"""The records of `problems.jsonl`, in the schema of CodeContests (arXiv 2203.07814).

All of its fields are there, so that one reader reads both. Differs: `difficulty` is our grade, 1 to
6, not one of its enumeration; `source` is 0, its UNKNOWN_SOURCE; there are no generated tests and
no tags.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from leafe.envs.code.authoring.problem import Problem
from leafe.envs.code.authoring.run import outputs, program

FILE = Path(__file__).parents[1] / "problems.jsonl"
PYTHON3 = 3
"""In the data set's enumeration of languages."""
SECONDS = 2
MEMORY = 256_000_000
"""Bytes."""


def text_of(problems: Iterable[Problem]) -> str:
    """The file for these problems, one to a line."""
    return "".join(json.dumps(record(problem)) + "\n" for problem in problems)


def record(problem: Problem) -> dict[str, object]:
    """The problem with the outputs that its solution gives."""
    public = _tests(problem, list(problem.public))
    return {
        "name": problem.name,
        "description": _description(problem, public["input"][0], public["output"][0]),
        "public_tests": public,
        "private_tests": _tests(problem, problem.private_inputs()),
        "generated_tests": {"input": [], "output": []},
        "source": 0,
        "difficulty": problem.grade,
        "time_limit": {"seconds": SECONDS, "nanos": 0},
        "memory_limit_bytes": MEMORY,
        "cf_tags": [],
        "solutions": _programs(problem.solution),
        "incorrect_solutions": _programs(*problem.wrong),
    }


def _tests(problem: Problem, inputs: list[str]) -> dict[str, list[str]]:
    ended = [f"{text}\n" for text in inputs]
    answers = outputs(problem.solution, ended)
    for text, answer in zip(ended, answers, strict=True):
        if answer is None:
            raise ValueError(f"{problem.name}: its solution fails on {text[:200]!r}")
    return {"input": ended, "output": [answer or "" for answer in answers]}


def _programs(*sources: str) -> dict[str, list[object]]:
    return {"language": [PYTHON3] * len(sources), "solution": [program(s) for s in sources]}


def _description(problem: Problem, given: str, wanted: str) -> str:
    """Set as in the data set: the headings alone on a line, an example at the end."""
    parts = [problem.task, "Input", problem.given, "Output", problem.wanted]
    parts = [" ".join(part.split()) for part in parts]
    return "\n\n".join([*parts, "Example", "Input", given.rstrip(), "Output", wanted.rstrip()])
