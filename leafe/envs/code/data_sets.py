"""The schemas of CodeContests, MBPP and HumanEval: rows of their files as problems."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from leafe.envs.code.functions import asserts_of, tests_of
from leafe.envs.code.problem import Problem, Test

PYTHON3 = 3
"""CodeContests' number for the language."""


class Tests(BaseModel):
    """Inputs and outputs in two lists, as CodeContests has them."""

    input: list[str] = []
    output: list[str] = []

    def pairs(self) -> tuple[Test, ...]:
        """Test by test; ValueError where a list is longer than the other."""
        if len(self.input) != len(self.output):
            raise ValueError(f"it has {len(self.input)} inputs and {len(self.output)} outputs")
        return tuple(Test(*pair) for pair in zip(self.input, self.output, strict=True))


class Programs(BaseModel):
    """Languages and programs in two lists."""

    language: list[int] = []
    solution: list[str] = []

    def python(self) -> tuple[str, ...]:
        """Those in Python 3."""
        pairs = zip(self.language, self.solution, strict=True)
        return tuple(program for language, program in pairs if language == PYTHON3)


class Seconds(BaseModel):
    """A time."""

    seconds: int = 0
    nanos: int = 0


class CodeContests(BaseModel):
    """A row of DeepMind's CodeContests (arXiv 2203.07814); other fields are passed over."""

    name: str
    description: str
    public_tests: Tests
    private_tests: Tests
    generated_tests: Tests = Tests()
    time_limit: Seconds | None = None
    memory_limit_bytes: Annotated[int, Field(ge=0)] = 0
    difficulty: int = 0
    solutions: Programs = Programs()
    incorrect_solutions: Programs = Programs()

    def problem(self) -> Problem:
        """The same as a problem; ValueError where lists do not match."""
        limit = self.time_limit or Seconds()
        return Problem(
            self.name,
            self.description,
            self.public_tests.pairs(),
            self.private_tests.pairs() + self.generated_tests.pairs(),
            limit.seconds + limit.nanos / 1e9 or 2.0,
            self.memory_limit_bytes or 256 * 2**20,
            self.difficulty,
            self.solutions.python(),
            self.incorrect_solutions.python(),
        )


class Mbpp(BaseModel):
    """A row of MBPP (arXiv 2108.07732), as published or sanitized."""

    task_id: int
    text: str = ""
    prompt: str = ""
    code: str
    test_list: list[str]
    test_setup_code: str = ""
    test_imports: list[str] = []
    challenge_test_list: list[str] = []

    def problem(self) -> Problem:
        """The first test is shown, as it names the function; ValueError where none can be kept."""
        setup = "\n".join([self.test_setup_code, *self.test_imports]).strip()
        tests = tests_of([*self.test_list, *self.challenge_test_list], self.code)
        return _function(f"mbpp_{self.task_id}", self.text or self.prompt, tests, self.code, setup)


class HumanEval(BaseModel):
    """A row of HumanEval (arXiv 2107.03374)."""

    task_id: str
    prompt: str
    canonical_solution: str
    test: str
    entry_point: str

    def problem(self) -> Problem:
        """The first test is shown; ValueError where a test cannot be kept out of the sandbox."""
        solution = self.prompt + self.canonical_solution
        asserts = asserts_of(self.test, self.entry_point)
        tests = tests_of(asserts, solution)
        asked = f"Complete this, and write it out whole:\n{self.prompt}"
        return _function(self.task_id.replace("/", "_"), asked, tests, solution, "")


def _function(name: str, asked: str, tests: list[Test], solution: str, setup: str) -> Problem:
    shown, hidden = tests[:1], tests[1:] or tests
    return Problem(
        name,
        asked,
        tuple(shown),
        tuple(hidden),
        seconds=2.0,
        memory_bytes=256 * 2**20,
        grade=0,
        solutions=(solution,),
        wrong=(),
        functions=True,
        setup=setup,
    )


SCHEMAS: dict[str, type[CodeContests | Mbpp | HumanEval]] = {
    "public_tests": CodeContests,
    "test_list": Mbpp,
    "entry_point": HumanEval,
}
"""A field that tells a schema -> the schema."""
