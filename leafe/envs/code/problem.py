"""A programming problem, and the files that hold many: CodeContests, MBPP, HumanEval.

Invariant: what a test expects is compared outside the sandbox and never enters it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from leafe.envs.code.functions import CannotBeKeptOut, asserts_of, tests_of
from leafe.envs.code.test import Test
from leafe.errors import BadInput, describe

PYTHON3 = 3
"""CodeContests' number for the language."""
LONGEST_LINE = 100 * 2**20
"""Bytes that one problem may have in a file."""


@dataclass(frozen=True)
class Problem:
    """What is asked, and how an answer is judged."""

    name: str
    description: str
    public: tuple[Test, ...]
    """The agent's programs are run on these, and it is told what failed."""
    hidden: tuple[Test, ...]
    """These decide."""
    seconds: float
    memory_bytes: int
    grade: int
    """How hard, from 1; 0 where nobody said. CodeContests' `difficulty`."""
    solutions: tuple[str, ...]
    """Programs that are right, in Python 3."""
    wrong: tuple[str, ...]
    """Programs that are not."""
    functions: bool = False
    """Whether the answer is functions, not a whole program: tests then are calls and claims."""
    setup: str = ""
    """Code that stands before an answer, and before a claim about it."""

    @cached_property
    def content(self) -> str:
        """A hash of all that decides: equal problems in two files are one."""
        told = asdict(self) | {"name": "", "solutions": (), "wrong": ()}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


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


def read_problems(path: Path) -> dict[str, Problem]:
    """Content -> problem, of a JSONL or parquet file; BadInput names the file, the row, the field.

    Left out are problems without a public or a hidden test, and those whose tests cannot be kept
    out of the sandbox; equal ones count once.
    """
    found: dict[str, Problem] = {}
    for number, row in READERS.get(path.suffix, read_jsonl)(path):
        problem = _read_row(path, number, row)
        if problem is not None and problem.public and problem.hidden:
            found.setdefault(problem.content, problem)
    if not found:
        raise BadInput(f"{path}: no problem in it that has a public and a hidden test")
    return found


def _read_row(path: Path, number: int, row: Mapping[str, Any]) -> Problem | None:
    schema = next((kind for field, kind in SCHEMAS.items() if field in row), None)
    if schema is None:
        raise BadInput(
            f"{path}: row {number} is of no known data set; it must have one of the fields"
            f" {', '.join(SCHEMAS)} (CodeContests, MBPP, HumanEval)"
        )
    try:
        return schema.model_validate(row).problem()
    except ValidationError as error:
        raise BadInput(describe(path, error, schema, prefix=f"row {number}")) from error
    except CannotBeKeptOut:
        return None
    except ValueError as error:
        raise BadInput(f"{path}: row {number}: {error}") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(number from 1, object) of every line."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(LONGEST_LINE), ""), start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise BadInput(f"{path}: line {number} is no JSON object")
                yield number, row
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path}: line {number} is no JSON ({error})") from error


def read_parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(number from 1, row) of a parquet file, as the data sets' mirrors have them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=64):
            for row in batch.to_pylist():
                number += 1
                yield number, {name: value for name, value in row.items() if value is not None}
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path} is no parquet file ({error})") from error


READERS: dict[str, Callable[[Path], Iterator[tuple[int, Mapping[str, Any]]]]] = {
    ".parquet": read_parquet
}
