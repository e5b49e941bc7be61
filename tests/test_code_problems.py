"""The problems of our own: what each is made of, and that its programs do what they are for."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from leafe.envs.code.authoring import PROBLEMS
from leafe.envs.code.authoring.build import FILE, text_of
from leafe.envs.code.authoring.problem import SKIP, Problem
from leafe.envs.code.authoring.run import outputs

AT_LEAST = {1: 14, 2: 12, 3: 8, 4: 8, 5: 4, 6: 4}
EACH = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
HARDER = pytest.mark.parametrize(
    "problem", [p for p in PROBLEMS if p.grade >= 3], ids=lambda problem: problem.name
)


@cache
def records() -> dict[str, dict[str, Any]]:
    """The file by name."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


def cases(problem: Problem) -> tuple[list[str], list[str]]:
    """All inputs, the public ones first, and the outputs expected."""
    public, private = (records()[problem.name][f"{kind}_tests"] for kind in ("public", "private"))
    return public["input"] + private["input"], public["output"] + private["output"]


def passed(source: str, inputs: list[str], expected: list[str]) -> list[bool]:
    answers = outputs(source, inputs)
    pairs = zip(answers, expected, strict=True)
    return [answer is not None and answer.split() == right.split() for answer, right in pairs]


def test_the_file_is_what_the_authoring_modules_build() -> None:
    assert text_of(PROBLEMS).encode() == FILE.read_bytes()


def test_every_name_is_a_slug_and_is_there_once() -> None:
    names = [problem.name for problem in PROBLEMS]
    assert len(set(names)) == len(names) == len(records())
    assert all(name.replace("-", "").isalpha() and name.islower() for name in names)


def test_there_are_problems_of_every_grade_and_most_are_easy() -> None:
    grades = Counter(record["difficulty"] for record in records().values())
    assert grades.keys() == AT_LEAST.keys()
    assert all(grades[grade] >= least for grade, least in AT_LEAST.items())
    assert grades.total() >= 60


def test_the_file_is_small() -> None:
    assert FILE.stat().st_size < 1_000_000


@EACH
def test_a_record_is_of_a_readable_size(problem: Problem) -> None:
    record = records()[problem.name]
    assert len(record["description"]) <= 1500
    assert 2 <= len(record["public_tests"]["input"]) <= 3
    assert 6 <= len(record["private_tests"]["input"]) <= 12
    assert all(len(text) <= 60_000 for text in cases(problem)[0])


@EACH
def test_a_test_is_there_once_and_asks_for_something(problem: Problem) -> None:
    inputs, expected = cases(problem)
    assert len(set(inputs)) == len(inputs)
    assert all(output.split() for output in expected)
    assert all(text.isascii() and text.endswith("\n") for text in inputs)


@EACH
def test_the_description_ends_with_the_first_public_test(problem: Problem) -> None:
    record = records()[problem.name]
    given, wanted = (record["public_tests"][key][0].rstrip() for key in ("input", "output"))
    example = f"\n\nExample\n\nInput\n\n{given}\n\nOutput\n\n{wanted}"
    assert record["description"].endswith(example)


@EACH
def test_the_solution_gives_every_output(problem: Problem) -> None:
    (source,) = records()[problem.name]["solutions"]["solution"]
    assert all(passed(source, *cases(problem)))


@HARDER
def test_a_program_of_another_kind_agrees_with_the_solution(problem: Problem) -> None:
    inputs, expected = cases(problem)
    assert problem.check is not None
    answers = outputs(problem.check, inputs)
    taken = [i for i, answer in enumerate(answers) if answer is None or answer.strip() != SKIP]
    assert len(taken) >= 8
    assert [(answers[i] or "").split() for i in taken] == [expected[i].split() for i in taken]


@EACH
def test_a_wrong_program_fails_a_private_test_only(problem: Problem) -> None:
    inputs, expected = cases(problem)
    public = len(problem.public)
    wrong = records()[problem.name]["incorrect_solutions"]["solution"]
    assert wrong
    for source in wrong:
        right = passed(source, inputs, expected)
        assert not all(right[public:]), source
        assert all(right[:public]) or problem.grade == 1, source
