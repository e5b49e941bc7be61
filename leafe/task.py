"""A task: one instance of an environment, named by its content.

Invariant: equal content, equal id, whatever the split or the order in which tasks were made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leafe.errors import BadInput

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Task:
    """One instance: all that an environment needs to start it."""

    id: str
    """Content hash: 16 hex digits of sha256 over the environment's name and the payload."""
    env: str
    """Name of the environment that plays it."""
    split: Split
    """`train` tasks feed the policy; `test` tasks are only ever evaluated."""
    payload: Mapping[str, Any]
    """What the environment reads; JSON values only."""


def make_task(env: str, split: Split, payload: Mapping[str, Any]) -> Task:
    """Build a task and name it by its content.

    >>> a, b = make_task("desk", "train", {"x": 1}), make_task("desk", "test", {"x": 1})
    >>> a.id == b.id, len(a.id)
    (True, 16)
    """
    canonical = json.dumps([env, payload], sort_keys=True, separators=(",", ":"))
    return Task(hashlib.sha256(canonical.encode()).hexdigest()[:16], env, split, payload)


def check_disjoint(train: list[Task], test: list[Task]) -> None:
    """Refuse a split that shares content; raises BadInput naming a shared task."""
    shared = {task.id for task in train} & {task.id for task in test}
    if shared:
        raise BadInput(
            f"{len(shared)} tasks are in both the train and the test split, e.g. {min(shared)};"
            " the splits must be disjoint by content"
        )


def check_trained_on(used: set[str], train: list[Task], test: list[Task], where: str) -> None:
    """Stop before a policy learns from a task that it will be measured on.

    `used` are the ids of the tasks behind a training set. Raises BadInput naming one that is a
    test task, or no training task.
    """
    held_out = used & {task.id for task in test}
    if held_out:
        raise BadInput(
            f"{where}: {min(held_out)} is a test task; nothing may be trained on it."
            " Make the tasks and all that follows anew with `dvc repro --force`"
        )
    strange = used - {task.id for task in train}
    if strange:
        raise BadInput(
            f"{where}: {min(strange)} is no training task; make it anew with `dvc repro`"
        )
