"""Train and test tasks out of one list.

The held-out ones come first, so that they stay the same when there is more to learn from.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Protocol, TypeVar

from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.task import Split

Thing = TypeVar("Thing")


class Sizes(Protocol):
    """An `env` section that says how many tasks there are to be."""

    @property
    def train_tasks(self) -> int:
        """Tasks to learn from."""
        ...

    @property
    def test_tasks(self) -> int:
        """Held-out tasks."""
        ...


def enough(things: Iterable[Thing], sizes: Sizes, whose: str, what: str) -> list[Thing]:
    """As many as both splits need, from the beginning; BadInput where there are too few.

    The sentence ends in `whose`, "only", how many there are, and `what`.
    """
    wanted = sizes.train_tasks + sizes.test_tasks
    found = list(islice(things, wanted))
    if len(found) < wanted:
        raise BadInput(
            f"{PARAMS_FILE}: env.train_tasks + env.test_tasks is {wanted}, but"
            f" {whose} only {len(found)} {what}"
        )
    return found


def part(things: list[Thing], split: Split, sizes: Sizes) -> list[Thing]:
    """Those of a split."""
    return things[: sizes.test_tasks] if split == "test" else things[sizes.test_tasks :]
