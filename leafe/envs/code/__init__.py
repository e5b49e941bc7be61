"""Code: write a program, run it on the public tests, read what failed, submit.

Hidden tests decide. Programs run in the sandbox only (`leafe/sandbox`). The problems that come
along are of our own making, from one-liners up; CodeContests (arXiv 2203.07814), MBPP (arXiv
2108.07732) and HumanEval (arXiv 2107.03374) are read where a user has them. Licence: this
project's; those data sets have their own.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, StepResult
from leafe.envs.code import wording
from leafe.envs.code.judge import run_tests
from leafe.envs.code.problem import Problem
from leafe.envs.code.reading import read_problems
from leafe.envs.splits import enough, part
from leafe.errors import BadInput, show_value
from leafe.params import PARAMS_FILE
from leafe.sandbox.canary import check_sandbox
from leafe.seeds import seed_from
from leafe.task import Split, Task, make_task

OWN = Path(__file__).with_name("problems.jsonl")


class CodeOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: code`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    problems: str | None = None
    """Path of a JSONL or parquet file of CodeContests, MBPP or HumanEval; null takes our own."""
    train_tasks: int = Field(40, ge=1)
    """Problems to learn from."""
    test_tasks: int = Field(20, ge=1)
    """Held-out problems, of all grades as the others."""
    hidden_tests: int = Field(20, ge=1)
    """Hidden tests that a program is run on, at most: a data set may have hundreds."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides which problems are held out."""
    max_steps: int = Field(6, ge=1, le=99)
    """Programs that one episode may run, `submit` counted, too."""


class Code:
    """The problems of one file."""

    name = "code"
    options = CodeOptions
    step_timeout = 600.0
    actions = ("```python\nprint(input())\n```", "submit")
    instructions = (
        "You write Python programs. Each turn, write a whole program between a line ```python and"
        " a line ```; it is run on the public tests and you are told what failed. When you are"
        " content, write submit: hidden tests then decide about your last program."
    )

    def __init__(self, options: CodeOptions) -> None:
        check_sandbox()
        self.settings = options
        self.max_steps = options.max_steps
        path = OWN if options.problems is None else Path(options.problems)
        if not path.is_file():
            raise BadInput(
                f"{PARAMS_FILE}: env.problems is {show_value(str(path))}, which is no file;"
                " allowed: a JSONL or parquet file, or null"
            )
        self._problems = read_problems(path)
        self._chosen = enough(self._in_order(), options, f"{path} has", "problems that can be used")

    def tasks(self, split: Split) -> list[Task]:
        """The held-out problems come first, grade by grade in turn; then those to learn from."""
        chosen = part(self._chosen, split, self.settings)
        return [make_task(self.name, split, {"name": p.name, "content": p.content}) for p in chosen]

    def _in_order(self) -> list[Problem]:
        grades = defaultdict(list)
        for problem in self._problems.values():
            grades[problem.grade].append(problem)
        rng = random.Random(seed_from("split", self.settings.seed))
        shuffled = [rng.sample(grades[grade], len(grades[grade])) for grade in sorted(grades)]
        return [p for p in chain.from_iterable(zip_longest(*shuffled)) if p is not None]

    def solution(self, task: Task) -> list[str]:
        """A right program, and `submit`; BadInput where the file has none for it."""
        problem = self._find(task)
        if not problem.solutions:
            raise BadInput(f"the problem {problem.name} comes without a solution in Python 3")
        return [f"```python\n{problem.solutions[0]}\n```", "submit"]

    def make(self) -> Env:
        """A fresh desk to write at."""
        return CodeEnv(self._find, self.settings.hidden_tests)

    def _find(self, task: Task) -> Problem:
        try:
            return self._problems[task.payload["content"]]
        except KeyError:
            raise BadInput(
                f"the problem of task {task.id} is not in the file of {PARAMS_FILE}: env.problems;"
                " make the tasks anew with `dvc repro`"
            ) from None


class CodeEnv:
    """One problem. Programs are tried on the public tests until one is submitted."""

    def __init__(self, find: Callable[[Task], Problem], hidden_tests: int) -> None:
        self._find, self._hidden_tests = find, hidden_tests
        self._program: str | None = None

    def start(self, task: Task) -> str:
        """Tell the problem."""
        self._problem = self._find(task)
        return wording.say_problem(self._problem)

    def step(self, action: str) -> StepResult:
        """Run a program on the public tests, or submit the last one."""
        if wording.asks_to_submit(action):
            return self._submit()
        program = wording.read_program(action)
        if program is None:
            return _going_on(wording.say_no_program(action))
        self._program = program
        judged = run_tests(self._problem, program, self._problem.public)
        return _going_on(wording.say_public(self._problem, judged))

    def _submit(self) -> StepResult:
        if self._program is None:
            return _going_on(f"There is no program to submit yet. {wording.GRAMMAR}")
        hidden = self._problem.hidden[: self._hidden_tests]
        said = wording.say_submitted(len(hidden), run_tests(self._problem, self._program, hidden))
        return StepResult(said, float(said == wording.SOLVED), terminated=True, truncated=False)

    def close(self) -> None:
        """Nothing is held: a program is over when it is judged."""


def _going_on(said: str) -> StepResult:
    return StepResult(said, 0.0, terminated=False, truncated=False)
