"""A training example: tokens, which of them carry loss, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TrainingSet(StrEnum):
    """The terms of the loss: two for LEAFE, three for Early Experience."""

    REHEARSAL = "rehearsal"
    """D_reh: what already works."""
    COUNTERFACTUAL = "counterfactual"
    """D_cf: corrections, the note left out."""
    WORLD_MODEL = "world_model"
    """Early Experience: what the environment says to another action."""
    SELF_REFLECTION = "self_reflection"
    """Early Experience: why the other actions are worse, and then the action."""


@dataclass(frozen=True)
class Example:
    """One sequence to learn from."""

    task_id: str
    episode_id: str
    """The episode it was taken from: a successful one, but for world modelling."""
    set: TrainingSet
    step: int | None
    """The step that is learned, or the first of them; None where the whole episode is rehearsed."""
    token_ids: tuple[int, ...]
    loss_mask: tuple[bool, ...]
    """True on the tokens to learn, false on all else; as long as `token_ids`."""
