"""A training example: tokens, which of them carry loss, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TrainingSet(StrEnum):
    """The two terms of the loss."""

    REHEARSAL = "rehearsal"
    """D_reh: what already works."""
    COUNTERFACTUAL = "counterfactual"
    """D_cf: corrections, the note left out."""


@dataclass(frozen=True)
class Example:
    """One sequence to learn from."""

    task_id: str
    episode_id: str
    """The successful episode it was taken from."""
    set: TrainingSet
    step: int | None
    """The corrected step; None where the whole episode is rehearsed."""
    token_ids: tuple[int, ...]
    loss_mask: tuple[bool, ...]
    """True on the action tokens to learn, false on all else; as long as `token_ids`."""
