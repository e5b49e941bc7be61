"""The tables: any text goes round, equal rows are equal bytes, and a broken file is told."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leafe.episode import Episode, Outcome, Step
from leafe.errors import BadInput
from leafe.example import Example, TrainingSet
from leafe.reflection import Parse, Reflection, Verdict
from leafe.store import (
    atomic,
    read_episodes,
    read_examples,
    read_reflections,
    read_tasks,
    write_episodes,
    write_examples,
    write_json,
    write_reflections,
    write_tasks,
)
from leafe.task import make_task

NASTY = [
    "",
    "a\0b\0",
    "<|end|><|assistant|><|im_end|></s>",
    "\x1b[31mred\x1b[0m\x07\x9b2J",
    "\u202eright to left\u2066\u200b",
    "\r\n\t line \u2028 ends",
    "\U0001f9e0 \u0301\ufeff\uffff",
    "'; DROP TABLE tasks; --",
    "x" * 1_000_000,
]

EPISODES = [
    Episode(
        id=f"id{n}",
        task_id=text[:100],
        iteration="i1",
        wave="w1",
        sample=n,
        policy="p",
        parent=text or None,
        rollback_step=n,
        experience=text,
        first_observation=text or None,
        steps=(Step(text, (0, 2**31 - 1), (-0.5, float("-inf")), text), Step("", (), (), "")),
        outcome=list(Outcome)[n % len(Outcome)],
        replayed_steps=n,
        error=text or None,
    )
    for n, text in enumerate(NASTY)
]
REFLECTIONS = [
    Reflection(f"r{n}", text, text, n, text, (1, 2), Verdict(Parse.OK, n, text))
    for n, text in enumerate(NASTY)
]
EXAMPLES = [
    Example(text, text, list(TrainingSet)[n % 2], n or None, (1, 2), (False, True))
    for n, text in enumerate(NASTY)
]
TASKS = [make_task("desk", "train", {"text": text, "n": [1, None]}) for text in NASTY]

TABLES: list[Any] = [
    pytest.param(write_tasks, read_tasks, TASKS, id="tasks"),
    pytest.param(write_episodes, read_episodes, EPISODES, id="episodes"),
    pytest.param(write_reflections, read_reflections, REFLECTIONS, id="reflections"),
    pytest.param(write_examples, read_examples, EXAMPLES, id="examples"),
]
each_table = pytest.mark.parametrize(("write", "read", "rows"), TABLES)
Write = Callable[[Path, list[Any]], None]
Read = Callable[[Path], list[Any]]


@each_table
def test_a_table_gives_back_what_was_written(
    tmp_path: Path, write: Write, read: Read, rows: list[Any]
) -> None:
    path = tmp_path / "deep" / "table.parquet"
    write(path, rows)
    assert read(path) == rows
    assert len(pd.read_parquet(path)) == len(rows)
    write(path, [])
    assert read(path) == []


@each_table
def test_equal_rows_are_equal_bytes(
    tmp_path: Path, write: Write, read: Read, rows: list[Any]
) -> None:
    write(tmp_path / "one.parquet", rows)
    write(tmp_path / "two.parquet", read(tmp_path / "one.parquet"))
    one, two = (
        hashlib.sha256((tmp_path / f"{name}.parquet").read_bytes()).hexdigest()
        for name in ("one", "two")
    )
    assert one == two


@each_table
def test_a_broken_table_is_told_in_a_sentence(
    tmp_path: Path, write: Write, read: Read, rows: list[Any]
) -> None:
    path = tmp_path / "table.parquet"
    write(path, rows)
    whole = path.read_bytes()
    for broken in (b"", b"PAR1", whole[: len(whole) // 2], whole[:-1], b"id,env\n1,2\n"):
        path.write_bytes(broken)
        with pytest.raises(BadInput, match="not a readable parquet file") as told:
            read(path)
        assert str(path) in str(told.value)
    path.unlink()
    with pytest.raises(BadInput, match="does not exist"):
        read(path)


@each_table
def test_a_flipped_bit_in_the_values_is_never_read_as_another_value(
    tmp_path: Path, write: Write, read: Read, rows: list[Any]
) -> None:
    path = tmp_path / "table.parquet"
    write(path, rows[:4])
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    for at in range(4, len(whole) - footer, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        try:
            found = read(path)
        except BadInput:
            continue
        assert found == rows[:4], f"byte {at}"


@each_table
def test_other_columns_and_impossible_rows_are_refused(
    tmp_path: Path, write: Write, read: Read, rows: list[Any]
) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"id": ["a"], "surprise": [1]}), path)
    with pytest.raises(BadInput, match="does not have the columns"):
        read(path)
    write(path, rows)
    table = pq.read_table(path)
    for name in set(table.column_names) & {"payload", "outcome", "parse", "set"}:
        at = table.column_names.index(name)
        pq.write_table(table.set_column(at, name, pa.array(["?"] * len(table))), path)
        with pytest.raises(BadInput, match="holds a row that cannot be"):
            read(path)


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    (tmp_path / ".record.json.k1ll3d.part").write_text("{")
    write_json(path, {"a": float("nan")})
    assert os.listdir(tmp_path) == ["record.json"]
    assert path.read_text() == '{\n  "a": null\n}\n'


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, 1)

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fail()
    assert path.read_text() == "1\n"
    assert os.listdir(tmp_path) == ["record.json"]
