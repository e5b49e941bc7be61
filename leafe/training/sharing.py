"""Whether to share prefixes, and the order that brings together sequences which have them.

Sharing is chosen for a whole training: where the model's loss stays its own, and where batches of
tries, taken task by task, cost less than plain ones of like length.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from leafe.training.prefix import (
    Weighted,
    collate_shared,
    cost,
    divide,
    even_length,
    shared_loss,
)

if TYPE_CHECKING:
    from leafe.training.trainer import TrainSettings, WeightedTokens

LOOKED_AT = 50
"""Batches, at most, whose cost is compared."""


def schedule_together(groups: Sequence[str], batch: int, steps: int, seed: int) -> list[int]:
    """Which sequence comes when: `steps` batches, epoch after epoch, each group in one piece.

    Every epoch takes every sequence once, the groups in a new random order. So each sequence
    counts as often as in any other order, but a batch holds fewer groups: its gradient strays
    further from that of all than where sequences are drawn one by one.

    >>> order = schedule_together(["a", "b", "a"], batch=3, steps=1, seed=0)
    >>> order in ([0, 2, 1], [2, 0, 1], [1, 0, 2], [1, 2, 0])
    True
    """
    rng = random.Random(seed)
    members: dict[str, list[int]] = {}
    for n, group in enumerate(groups):
        members.setdefault(group, []).append(n)
    order: list[int] = []
    while len(order) < batch * steps:
        for group in rng.sample(list(members), len(members)):
            order += rng.sample(members[group], len(members[group]))
    return order[: batch * steps]


def order_together(
    model: Any,
    sequences: Sequence[WeightedTokens],
    plain: Sequence[int],
    settings: TrainSettings,
    micro: int,
) -> list[int] | None:
    """The order in which to take sequences as tries; None where `plain` and its rows serve better.

    `micro` sequences are in memory at a time, and can share. It looks at the first of them in both
    orders: they tell what the others cost.
    """
    if not shares_exactly(model):
        return None
    even = even_length(model)
    groups = [sequence.task for sequence in sequences]
    together = schedule_together(groups, settings.batch, settings.steps, settings.seed)

    def batches(order: Sequence[int]) -> list[list[list[int]]]:
        starts = islice(range(0, len(order), micro), LOOKED_AT)
        return [[list(sequences[n].token_ids) for n in order[at : at + micro]] for at in starts]

    tries = sum(divide(sorted(one), even).cost(even) for one in batches(together))
    padded = sum(cost(len(one), max(len(ids) for ids in one), even) for one in batches(plain))
    return together if tries < padded else None


PROBE = [Weighted([*range(5, 11), *tail], [1.0] * (6 + len(tail))) for tail in ([3, 4], [4, 2, 6])]


def shares_exactly(model: Any) -> bool:
    """Whether tries give a model's own loss: no windows, no recurrence, no bias by place.

    Its configuration is looked at, and then the model is asked about two short sequences.
    """
    config, head = model.config.get_text_config(), model.get_output_embeddings()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    windowed = getattr(config, "sliding_window", None) is not None and not hasattr(
        config, "layer_types"
    )
    masked = config._attn_implementation == "sdpa"  # the others take masks of another form
    if kinds != {"full_attention"} or windowed or not masked or head is None:
        return False
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return math.isclose(_asked(model, head), _alone(model), rel_tol=1e-3)
    except (TypeError, ValueError, RuntimeError):  # it takes no such mask, or no positions
        return False
    finally:
        model.train(training)


def _asked(model: Any, head: torch.nn.Module) -> float:
    rows = [{"input_ids": ids, "weights": weights} for ids, weights in PROBE]
    inputs = collate_shared(rows, 0, even_length(model))
    device = next(model.parameters()).device
    on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
    return float(shared_loss(model, head, on_device))


def _alone(model: Any) -> float:
    """The losses of the same sequences, one after another."""
    device, total = next(model.parameters()).device, 0.0
    for ids, _ in PROBE:
        tokens = torch.tensor([ids], device=device)
        logits = model(input_ids=tokens).logits[0, :-1].float()
        total += float(cross_entropy(logits, tokens[0, 1:], reduction="sum"))
    return total
