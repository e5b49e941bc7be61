"""What a stage left on disk, as figures: curves, scalars, data sets, the policy, and hashes.

Reads only what `leafe/layout.py` names; knows nothing of MLflow.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from leafe import layout
from leafe.chain import ROOTS
from leafe.layout import LEAFE
from leafe.planning import ALTERNATIVES, split_name

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Points = dict[tuple[str, int], float]
"""(name, step) -> value; a scalar is at step 0."""


@dataclass(frozen=True)
class DataSet:
    """A table that a stage read or made."""

    path: Path
    context: str
    """`rollout`, `sft` or `eval`: what it is used for."""
    md5: str
    """As DVC has it."""
    rows: int


@dataclass(frozen=True)
class Figures:
    """Everything worth showing of one stage."""

    name: str
    """The stage without its method and iteration: `sft`, `reflect/w1`."""
    method: str | None
    """None for what all methods share: the tasks and the base policy."""
    iteration: str | None
    """None for what belongs to no iteration: the tasks."""
    points: Points
    learning: Mapping[str, float]
    """What the whole run shows against the iteration."""
    data: tuple[DataSet, ...]
    policy: tuple[Path, str] | None
    """The weights that the stage made, and their md5 as DVC has it; None if it made none."""
    content: str
    """sha256 of the files read: the same content is logged once."""
    written: int
    """When the stage wrote its record, in milliseconds since 1970; 0 where there is none."""


@dataclass(frozen=True)
class _Files:
    record: Path
    metrics: Path | None = None
    loss: Path | None = None
    data: tuple[tuple[Path, str], ...] = ()
    policy: Path | None = None

    def existing(self) -> list[Path]:
        return [p for p in (self.record, self.metrics, self.loss) if p and p.exists()]


def _files(kind: str, method: str, iteration: str, wave: str) -> _Files:
    train, test = layout.tasks("train"), layout.tasks("test")
    examples, roots = layout.examples(iteration, method), layout.episodes(iteration, ROOTS, method)
    looked = layout.reflections(iteration, wave, method)
    branched = layout.episodes(iteration, wave, method)
    others = layout.episodes(iteration, ALTERNATIVES, method)
    tried, policy = layout.evaluation(iteration, method), layout.policy(iteration, method)
    explored, measured = layout.exploration(iteration, method), layout.metrics(iteration, method)
    loss = layout.loss(iteration, method)
    made = {
        "tasks": (train.parent, None, None, ((train, "rollout"), (test, "eval"))),
        "warm_start": (policy, layout.warm_start(), loss, ()),
        "rollout": (roots, None, None, ((train, "rollout"), (roots, "rollout"))),
        "reflect": (looked, None, None, ((looked, "rollout"),)),
        "branch": (branched, None, None, ((branched, "rollout"),)),
        "alternatives": (others, None, None, ((others, "rollout"),)),
        "grpo": (policy, explored, loss, ((train, "rollout"), (roots, "rollout"))),
        "filter": (examples, explored, None, ((examples, "sft"),)),
        "sft": (policy, None, loss, ((examples, "sft"),)),
        "evaluate": (tried, measured, None, ((test, "eval"), (tried, "eval"))),
    }
    output, metrics, losses, data = made[kind]
    weights = policy if kind in ("warm_start", "sft", "grpo") else None
    return _Files(layout.record(output), metrics, losses, data, weights)


def read_figures(stage: str, *, locked: bool) -> Figures:
    """The figures of a stage; what it has not left is not in them.

    With `locked`, md5s come from `dvc.lock` where it has them: right only once DVC has recorded
    the stage. Otherwise, and where it has none, they are computed as DVC does.
    Raises KeyError for a stage that is not known here, OSError or ValueError for a broken file.
    """
    kind, method, iteration, wave = split_name(stage)
    files = _files(kind, method or LEAFE, iteration or "", wave or "")
    found = files.existing()
    points = dict(_points(kind, wave, files))
    hashes = _locked(stage) if locked else {}
    data = tuple(
        DataSet(p, context, hashes.get(str(p)) or dvc_md5(p), pq.read_metadata(p).num_rows)
        for p, context in files.data
        if p.exists()
    )
    policy = files.policy if files.policy and files.policy.is_dir() else None
    content = hashlib.sha256(b"\0".join(path.read_bytes() for path in found))
    learned = re.compile(r"eval/(pass_at_\d+(_low|_high)?|env_steps_per_task_so_far)")
    return Figures(
        name=f"{kind}/{wave}" if wave else kind,
        method=method,
        iteration=iteration,
        points=points,
        learning={name: v for (name, _), v in points.items() if learned.fullmatch(name)},
        data=data,
        policy=(policy, hashes.get(str(policy)) or dvc_md5(policy)) if policy else None,
        content=content.hexdigest(),
        written=int(files.record.stat().st_mtime * 1000) if files.record.exists() else 0,
    )


def _points(kind: str, wave: str | None, files: _Files) -> Iterator[tuple[tuple[str, int], float]]:
    prefix = {"filter": "explore", "evaluate": "eval"}.get(kind, kind)
    prefix = f"{prefix}/{wave}" if wave else prefix
    if files.record.exists():
        record = json.loads(files.record.read_text(encoding="utf-8"))
        figures = {**record["figures"], "records": record["counts"]}
        yield from (((f"{prefix}/{name}", 0), v) for name, v in _numbers(figures))
    if files.metrics and files.metrics.exists():
        figures = json.loads(files.metrics.read_text(encoding="utf-8"))
        told = "explore" if kind == "grpo" else prefix  # what `filter` tells of other methods
        yield from _pass_at_k(told, figures, figures.pop("ci95", {}))
        yield from (((f"{told}/{name}", 0), v) for name, v in _numbers(figures))
    if files.loss and files.loss.exists():
        with files.loss.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield (f"{prefix}/loss", int(row["step"])), float(row["loss"])


def _pass_at_k(
    prefix: str, figures: Mapping[str, Any], intervals: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, int], float]]:
    """The curve against k, and each end of an interval both there and on its own."""
    for name, value in figures.items():
        k = name.removeprefix("pass_at_")
        if name == k or not k.isdigit() or value is None:
            continue
        low, high = intervals.get(name, (None, None))
        yield (f"{prefix}/pass_at_k", int(k)), value
        for end, bound in (("low", low), ("high", high)):
            if bound is not None:
                yield (f"{prefix}/pass_at_k_{end}", int(k)), bound
                yield (f"{prefix}/{name}_{end}", 0), bound


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of nested tables, by path; what is undefined (null) is left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, f"{name}/{key}" if name else str(key))
    elif isinstance(value, int | float) and value == value:
        yield name, float(value)


def _locked(stage: str) -> dict[str, str]:
    """The md5 by path of what DVC has recorded for a stage."""
    try:
        # The C parser: a lock of many stages takes the other a good part of a second.
        lock = yaml.load(Path("dvc.lock").read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError:
        return {}
    entry = lock.get("stages", {}).get(stage, {})
    return {f["path"]: f["md5"] for f in (*entry.get("deps", ()), *entry.get("outs", ()))}


def dvc_md5(path: Path) -> str:
    """The md5 of a file or folder, as DVC 3 writes it into `dvc.lock`."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    files = {str(p.relative_to(path)): dvc_md5(p) for p in path.rglob("*") if p.is_file()}
    tree = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(tree, sort_keys=True).encode()).hexdigest() + ".dir"
