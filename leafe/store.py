"""The tables of a pipeline as parquet: documented schemas, fixed row order, deterministic bytes.

| file | one row is |
|---|---|
| `data/tasks/{train,test}.parquet` | a task |
| `data/<method>/<i>/tree/<w>/episodes.parquet` | an episode of wave w: a root, or a branch |
| `data/<method>/<i>/tree/<w>/reflections.parquet` | a verdict on an episode of the wave before |
| `data/<method>/<i>/examples.parquet` | a training example |
| `data/<method>/<i>/evaluation.parquet` | an episode on a held-out task |

Columns are the fields of `Task`, `Episode` (with `Step`), `Reflection` and `Example`, where each
is explained. Nothing derived and no clock is stored, so an unchanged result hashes alike.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from leafe.episode import Episode, Outcome, Step
from leafe.errors import BadInput
from leafe.example import Example, TrainingSet
from leafe.reflection import Parse, Reflection, Verdict
from leafe.task import Task

Row = TypeVar("Row")

TOKENS = pa.list_(pa.int32())
TEXT = pa.string()

TASKS = pa.schema([("id", TEXT), ("env", TEXT), ("split", TEXT), ("payload", TEXT)])
"""`payload` is JSON."""

STEP = pa.struct(
    [
        ("action", TEXT),
        ("token_ids", TOKENS),
        ("logprobs", pa.list_(pa.float32())),
        ("feedback", TEXT),
    ]
)
EPISODES = pa.schema(
    [
        ("id", TEXT),
        ("task_id", TEXT),
        ("iteration", TEXT),
        ("wave", TEXT),
        ("sample", pa.int32()),
        ("policy", TEXT),
        ("parent", TEXT),
        ("rollback_step", pa.int32()),
        ("experience", TEXT),
        ("first_observation", TEXT),
        ("steps", pa.list_(STEP)),
        ("outcome", TEXT),
        ("replayed_steps", pa.int32()),
        ("error", TEXT),
    ]
)
REFLECTIONS = pa.schema(
    [
        ("id", TEXT),
        ("episode_id", TEXT),
        ("task_id", TEXT),
        ("checkpoint", pa.int32()),
        ("text", TEXT),
        ("token_ids", TOKENS),
        ("parse", TEXT),
        ("rollback_step", pa.int32()),
        ("experience", TEXT),
    ]
)
EXAMPLES = pa.schema(
    [
        ("task_id", TEXT),
        ("episode_id", TEXT),
        ("set", TEXT),
        ("step", pa.int32()),
        ("token_ids", TOKENS),
        ("loss_mask", pa.list_(pa.bool_())),
    ]
)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place at the end; nothing is left half done.

    Also clears away what a killed process left here. OSError names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{path.name}.*.part"):
        stale.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        yield Path(name)
        os.fsync(handle)  # before the journal that could make it again is dropped
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Readable, sorted, atomic; NaN becomes null."""
    text = json.dumps(_without_nan(value), indent=2, sort_keys=True, ensure_ascii=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A file of figures that a stage wrote; BadInput where it is missing or broken."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    return values


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value


ANEW = "make it anew with `dvc repro --force`"


def _write(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    table = pa.Table.from_pylist(list(rows), schema=schema)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _read(path: Path, schema: pa.Schema, make: Callable[[dict[str, Any]], Row]) -> list[Row]:
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise BadInput(
            f"{path} does not exist; run the stage that makes it (`dvc repro`)"
        ) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} is not a readable parquet file: {error}") from error
    if not table.schema.equals(schema):
        raise BadInput(f"{path} does not have the columns of this version; {ANEW}")
    try:
        return [make(row) for row in table.to_pylist()]
    except (TypeError, ValueError) as error:
        raise BadInput(f"{path} holds a row that cannot be: {error}; {ANEW}") from error


def write_tasks(path: Path, tasks: Sequence[Task]) -> None:
    """One row a task, in the given order."""
    rows = ({**vars(t), "payload": json.dumps(t.payload, sort_keys=True)} for t in tasks)
    _write(path, rows, TASKS)


def read_tasks(path: Path) -> list[Task]:
    """The tasks in the order of the file."""
    return _read(path, TASKS, lambda row: Task(**{**row, "payload": json.loads(row["payload"])}))


def write_episodes(path: Path, episodes: Sequence[Episode]) -> None:
    """One row an episode, in the given order."""
    _write(path, map(episode_row, episodes), EPISODES)


def read_episodes(path: Path) -> list[Episode]:
    """The episodes in the order of the file."""
    return _read(path, EPISODES, episode_of)


def episode_row(episode: Episode) -> dict[str, Any]:
    """An episode as JSON values."""
    return {**asdict(episode), "outcome": str(episode.outcome)}


def episode_of(row: dict[str, Any]) -> Episode:
    """The episode of such values."""
    steps = tuple(
        Step(s["action"], tuple(s["token_ids"]), tuple(s["logprobs"]), s["feedback"])
        for s in row["steps"]
    )
    return Episode(**{**row, "steps": steps, "outcome": Outcome(row["outcome"])})


def write_reflections(path: Path, reflections: Sequence[Reflection]) -> None:
    """One row a verdict, in the given order."""
    _write(path, map(reflection_row, reflections), REFLECTIONS)


def read_reflections(path: Path) -> list[Reflection]:
    """The verdicts in the order of the file."""
    return _read(path, REFLECTIONS, reflection_of)


def reflection_row(reflection: Reflection) -> dict[str, Any]:
    """A verdict as JSON values."""
    row = asdict(reflection)
    verdict = row.pop("verdict")
    return {**row, **verdict, "parse": str(verdict["parse"])}


def reflection_of(row: dict[str, Any]) -> Reflection:
    """The verdict of such values."""
    row = dict(row)
    parse, step, note = row.pop("parse"), row.pop("rollback_step"), row.pop("experience")
    row["token_ids"] = tuple(row["token_ids"])
    return Reflection(**row, verdict=Verdict(Parse(parse), step, note))


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """One row an example, in the given order."""
    _write(path, ({**asdict(e), "set": str(e.set)} for e in examples), EXAMPLES)


def read_examples(path: Path) -> list[Example]:
    """The examples in the order of the file."""
    return _read(path, EXAMPLES, _example_of)


def _example_of(row: dict[str, Any]) -> Example:
    ids, mask = tuple(row["token_ids"]), tuple(row["loss_mask"])
    return Example(**{**row, "set": TrainingSet(row["set"]), "token_ids": ids, "loss_mask": mask})
