"""Files of problems, JSONL or parquet, checked row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from leafe.envs.code.data_sets import SCHEMAS
from leafe.envs.code.functions import CannotBeKeptOut
from leafe.envs.code.problem import Problem
from leafe.errors import BadInput, describe

LONGEST_LINE = 100 * 2**20
"""Bytes that one problem may have in a file."""


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
