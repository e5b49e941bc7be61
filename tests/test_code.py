"""The code environment: its judge, its words, the files it reads, and what stays outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leafe.env import StepResult
from leafe.envs.code import Code, CodeOptions, judge
from leafe.envs.code.judge import SandboxFailed
from leafe.envs.code.problem import Problem
from leafe.envs.code.reading import read_problems
from leafe.envs.code.wording import GRAMMAR, SOLVED
from leafe.errors import BadInput
from leafe.sandbox import Ran, Verdict
from leafe.task import check_disjoint

DOUBLE: dict[str, Any] = {
    "name": "double",
    "description": "Read a number and write its double.",
    "public_tests": {"input": ["2\n", "0\n"], "output": ["4\n", "0\n"]},
    "private_tests": {"input": ["21\n", "-5\n"], "output": ["42", "-10"]},
    "time_limit": {"seconds": 1, "nanos": 0},
    "memory_limit_bytes": 64_000_000,
    "difficulty": 1,
    "solutions": {"language": [2, 3], "solution": ["int main(){}", "print(2*int(input()))"]},
    "incorrect_solutions": {"language": [3], "solution": ["print(int(input())**2)"]},
}
MBPP = {
    "task_id": 7,
    "text": "Write a function to add two numbers.",
    "code": "def add(a, b):\n    return a + b",
    "test_list": ["assert add(1, 2) == 3", "assert add('a', 'b') == 'ab'"],
    "test_setup_code": "import math",
    "challenge_test_list": ["assert math.isclose(add(0.1, 0.2), 0.3)"],
}
HUMAN_EVAL = {
    "task_id": "Human/1",
    "prompt": 'def halve(x):\n    """Half of x."""\n',
    "canonical_solution": "    return x / 2\n",
    "test": "METADATA = {}\ndef check(candidate):\n    assert candidate(4) == 2.0\n"
    "    assert abs(candidate(1) - 0.5) < 1e-6\n",
    "entry_point": "halve",
}


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_one(folder: Path, row: Any) -> Problem:
    [problem] = read_problems(write(folder, row)).values()
    return problem


def world(folder: Path, *rows: Any) -> Code:
    """One problem of them is held out, if there are two."""
    return Code(CodeOptions(problems=str(write(folder, *rows)), train_tasks=1, test_tasks=1))


SQUARE = DOUBLE | {"name": "square", "description": "Write the square.", "difficulty": 2}


def play(folder: Path, *actions: str) -> tuple[str, list[StepResult]]:
    """Programs at the problem DOUBLE: what is asked, and what is said to each."""
    code = world(folder, DOUBLE, SQUARE)
    [task] = [
        t for split in ("train", "test") for t in code.tasks(split) if t.payload["name"] == "double"
    ]
    env = code.make()
    return env.start(task), [env.step(action) for action in actions]


def program(source: str) -> str:
    return f"I write:\n```python\n{source}\n```\n"


def test_a_right_program_passes_and_is_submitted(tmp_path: Path) -> None:
    asked, (tried, submitted) = play(tmp_path, program("print(2 * int(input()))"), "submit")
    assert asked == (
        "Read a number and write its double.\n\n"
        "Read standard input, write standard output. Time limit 1 s, memory limit 64 MB.\n\n"
        "Public test 1.\nInput:\n2\nExpected output:\n4\n\n"
        "Public test 2.\nInput:\n0\nExpected output:\n0"
    )
    assert tried == StepResult(
        "All 2 public tests passed. Improve the program, or submit.", 0.0, False, False
    )
    assert submitted == StepResult(SOLVED, 1.0, True, False)


def test_what_passes_the_public_tests_alone_is_not_solved(tmp_path: Path) -> None:
    _, (tried, submitted) = play(tmp_path, program("print(int(input()) ** 2)"), "Submit.")
    assert tried.observation.startswith("All 2 public tests passed.")
    assert submitted.observation == (
        "Submitted. Hidden test 1 of 2 failed: wrong answer. Not solved."
    ), "neither the input nor the answer is told"
    assert (submitted.reward, submitted.terminated) == (0.0, True)


BROKEN = {
    Verdict.WA: ("print(int(input()) + 1)", "wrong answer.\nInput:\n2\nExpected output:\n4\nYour"),
    Verdict.RE: ("print(1 / 0)", "ZeroDivisionError: division by zero"),
    Verdict.TLE: ("while True: pass", "failed: time limit exceeded."),
    Verdict.MLE: ("x = [0] * 10**9", "failed: memory limit exceeded."),
    Verdict.OLE: ("while True: print('x' * 1000)", "failed: too much output."),
}


@pytest.mark.parametrize("verdict", BROKEN)
def test_every_kind_of_failure_has_its_own_verdict_and_words(
    tmp_path: Path, verdict: Verdict
) -> None:
    source, words = BROKEN[verdict]
    problem = read_one(tmp_path, DOUBLE)
    [judged] = judge.run_tests(problem, source, problem.public)
    assert (judged.number, judged.verdict) == (1, verdict)
    _, [said] = play(tmp_path, program(source))
    assert said.observation.startswith("Public test 1 of 2 failed: ")
    assert words in said.observation
    assert len(said.observation) < 2000
    assert not said.terminated


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("print(4)", Verdict.WA),  # right on the first test only
        ("print(2 * int(input()), end='')", Verdict.OK),
        ("print(' ', 2 * int(input()), '\\n\\n')", Verdict.OK),
        ("exit(0)", Verdict.WA),
        ("import os\nprint(4)\nos._exit(0)", Verdict.WA),
        ("print(2 * int(input())); exit(3)", Verdict.RE),
        ("print(2 * int(input())", Verdict.RE),
        ("print('4.0' if int(input()) else 0)", Verdict.WA),
    ],
)
def test_outputs_are_compared_word_by_word_and_exit_codes_count(
    tmp_path: Path, source: str, verdict: Verdict
) -> None:
    problem = read_one(tmp_path, DOUBLE)
    assert judge.run_tests(problem, source, problem.public)[-1].verdict is verdict


def test_what_is_expected_is_nowhere_in_the_box(tmp_path: Path) -> None:
    secret = "expected-of-the-program"
    row = DOUBLE | {"public_tests": {"input": ["given-to-it\n"], "output": [secret]}}
    spy = (
        "import gc, os, sys\n"
        "print([o for o in gc.get_objects()], dict(os.environ), sys.argv, sys.stdin.read())\n"
        "for folder, _, files in os.walk('/tmp'):\n"
        " for name in files: print(open(os.path.join(folder, name)).read())\n"
        "for name in ('cmdline', 'environ', 'maps'):\n"
        " for pid in (1, 'self', os.getppid()):\n"
        "  try: print(open(f'/proc/{pid}/{name}').read())\n"
        "  except OSError: pass\n"
    )
    problem = read_one(tmp_path, row)
    [judged] = judge.run_tests(problem, spy, problem.public)
    assert "given-to-it" in judged.stdout
    assert secret not in judged.stdout + judged.stderr
    functions = read_one(tmp_path, MBPP | {"test_list": [f"assert add('', '') == {secret!r}"]})
    told = "ascii([o for o in gc.get_objects() if isinstance(o, dict)])[:100_000]"
    spy = f"import gc\ndef add(a, b): return {told}"
    [judged] = judge.run_tests(functions, spy, functions.public)
    assert judged.verdict is Verdict.WA
    assert len(judged.stdout) > 10_000
    assert secret not in judged.stdout + judged.stderr


def test_a_sandbox_that_fails_is_tried_again_and_never_a_wrong_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = read_one(tmp_path, DOUBLE)
    sound, runs = judge.run, [0]

    def flaky(*given: Any) -> Ran:
        runs[0] += 1
        return Ran(Verdict.XX, "", "no room") if runs[0] < 3 else sound(*given)

    monkeypatch.setattr(judge, "run", flaky)
    judged = judge.run_tests(problem, problem.solutions[0], problem.public)
    assert [one.verdict for one in judged] == [Verdict.OK, Verdict.OK]
    monkeypatch.setattr(judge, "run", lambda *_: Ran(Verdict.XX, "", "no room"))
    with pytest.raises(SandboxFailed, match="the sandbox cannot run a program: no room"):
        judge.run_tests(problem, problem.solutions[0], problem.public)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("", "There is no program."),
        ("print(1)", "There is no program."),
        ("submit", "There is no program to submit yet."),
        ("I would rather not submit", "There is no program."),
        (program("print(1)") + program("print(2)"), "There is more than one program."),
        (program("#" * 70_000), "Too long: a program may have 65536 characters."),
    ],
)
def test_what_is_no_program_is_answered_in_words(tmp_path: Path, action: str, words: str) -> None:
    _, [said] = play(tmp_path, action)
    assert said == StepResult(f"{words} {GRAMMAR}", 0.0, False, False)


@pytest.mark.parametrize("row", [MBPP, HUMAN_EVAL])
def test_functions_are_judged_by_calls_whose_values_are_compared_outside(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    problem = read_one(tmp_path, row)
    assert (len(problem.public), problem.functions) == (1, True)
    judged = judge.run_tests(problem, problem.solutions[0], problem.public + problem.hidden)
    assert {one.verdict for one in judged} == {Verdict.OK}
    name = "add" if row is MBPP else "halve"
    for wrong in ("None", "float('nan')", "object()", "'\\x1e'", "[[[]]] * 9"):
        answer = f"def {name}(*given): return {wrong}"
        assert judge.run_tests(problem, answer, problem.hidden)[0].verdict is Verdict.WA
    noisy = f"print('\\x1e3')\n{problem.solutions[0]}\nprint('hello')"
    assert judge.run_tests(problem, noisy, problem.hidden)[-1].verdict is Verdict.OK
    assert judge.run_tests(problem, "x = 1", problem.public)[0].verdict is Verdict.RE


@pytest.mark.parametrize(
    "test",
    [
        "assert all(add(n, 1) == n + 1 for n in range(9))",
        "for n in range(9): assert add(n, 1) == n + 1",
        "assert list(map(add, [1], [2])) == [3]",
        "assert 1 == 1",
    ],
)
def test_a_problem_whose_tests_cannot_be_taken_apart_is_left_out(tmp_path: Path, test: str) -> None:
    row = MBPP | {"test_list": [test], "challenge_test_list": []}
    assert [p.name for p in read_problems(write(tmp_path, row, DOUBLE)).values()] == ["double"]


def test_parquet_files_are_read_as_lines_are(tmp_path: Path) -> None:
    rows = [DOUBLE, SQUARE | {"private_tests": {"input": ["3"], "output": ["9"]}}]
    path = tmp_path / "problems.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert read_problems(path) == read_problems(write(tmp_path, *rows))
    assert len(read_problems(path)) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1 is no JSON"),
        ("[]", "line 1 is no JSON object"),
        ('{"x": 1}', "row 1 is of no known data set; it must have one of the fields public_tests"),
        (json.dumps(DOUBLE | {"name": 3}), "row 1.name is 3; it must be a text"),
        (
            json.dumps(DOUBLE | {"public_tests": {"input": ["1"], "output": []}}),
            "row 1: it has 1 inputs and 0 outputs",
        ),
        ("", "no problem in it that has a public and a hidden test"),
        (json.dumps(DOUBLE | {"private_tests": {"input": [], "output": []}}), "no problem in it"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=words) as refused:
        read_problems(path)
    assert str(path) in str(refused.value)


def test_both_splits_have_all_grades_and_share_no_problem() -> None:
    code = Code(CodeOptions())
    train, test = code.tasks("train"), code.tasks("test")
    check_disjoint(train, test)
    problems = read_problems(Path("leafe/envs/code/problems.jsonl").resolve())
    grades = [{problems[t.payload["content"]].grade for t in split} for split in (train, test)]
    assert grades == [{1, 2, 3, 4, 5, 6}] * 2
    assert Code(CodeOptions(seed=1)).tasks("test") != test


def test_more_problems_than_there_are_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, DOUBLE, SQUARE)
    with pytest.raises(BadInput, match=r"is 60, but .* has only 2 problems that can be used"):
        Code(CodeOptions(problems=str(path)))
    with pytest.raises(BadInput, match=r"env\.problems is 'nowhere\.jsonl', which is no file"):
        Code(CodeOptions(problems="nowhere.jsonl"))
