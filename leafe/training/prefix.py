"""Prefix sharing: what several sequences of a batch begin with is computed once.

Sequences are laid into rows as tries, a token to each node, in preorder: a token's descendants are
the places right after it, up to `ends`. Attention sees a token's ancestors and itself; positions
are those of the sequences; the loss of a token is read where its parent stands, so a branching
token predicts each of its children. The sum of losses, and its gradient, is that of the sequences
one by one (up to rounding; with dropout, in expectation).

Knows nothing of tasks or of how a batch was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy


class Weighted(NamedTuple):
    """A sequence as the trainer's rows have it."""

    token_ids: list[int]
    weights: list[float]
    """How much the loss of predicting each token counts."""


@dataclass(frozen=True)
class Row:
    """Tries, one after another; all lists are as long as there are nodes."""

    token_ids: list[int]
    positions: list[int]
    """How many ancestors."""
    parents: list[int]
    """Place of the token before; 0 for a first token, which nothing predicts."""
    ends: list[int]
    """The place after the last descendant."""
    weights: list[float]
    """Sum over the sequences that go through here; 0 for a first token."""


def lay(sequences: Sequence[Weighted]) -> Row:
    """A row of sequences; those that share a prefix must follow one another.

    >>> lay([Weighted([7, 8], [0, 1]), Weighted([7, 8, 9], [0, 1, 1]), Weighted([7, 5], [0, 4])])
    Row(token_ids=[7, 8, 9, 5], positions=[0, 1, 2, 1], parents=[0, 0, 1, 0], ends=[4, 3, 3, 4], \
weights=[0.0, 2.0, 1.0, 4.0])
    """
    row, path = Row([], [], [], [], []), list[int]()
    for ids, weights in sequences:
        same = _shared([row.token_ids[place] for place in path], ids)
        for place in path[same:]:
            row.ends[place] = len(row.token_ids)
        del path[same:]
        for at in range(same, len(ids)):
            row.parents.append(path[-1] if path else 0)
            path.append(len(row.token_ids))
            row.token_ids.append(ids[at])
            row.positions.append(at)
            row.weights.append(0.0)
            row.ends.append(0)
        for place, weight in zip(path[1:], weights[1:], strict=True):
            row.weights[place] += weight
    for place in path:
        row.ends[place] = len(row.token_ids)
    return row


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common prefix."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class Cut(NamedTuple):
    """How a batch is divided into rows."""

    starts: list[int]
    """Each row's first sequence, of the sorted ones."""
    length: int
    """Tokens of the longest row, to which the others are padded."""

    def cost(self, even: float) -> float:
        """In tokens of a row so short that attention costs nothing."""
        return cost(len(self.starts), self.length, even)


def cost(rows: int, length: int, even: float) -> float:
    """Of a padded batch, its attention dense; at the length `even` that costs as all the rest."""
    return rows * length * (1 + length / even)


FILLS = [1 + eighths / 8 for eighths in range(25)]
"""Row lengths that are tried, as multiples of the longest sequence."""


def divide(sequences: Sequence[list[int]], even: float) -> Cut:
    """Sorted sequences into rows, at the least cost.

    Few long rows share more, short ones attend to less: a prefix that stands in several rows is
    computed in each.
    """
    lengths = [len(ids) for ids in sequences]
    news = [n - _shared(*pair) for n, pair in zip(lengths[1:], pairwise(sequences), strict=True)]
    cuts = (_cut(lengths, [lengths[0], *news], max(lengths) * fill) for fill in FILLS)
    return min(cuts, key=lambda one: one.cost(even))


def _cut(lengths: Sequence[int], news: Sequence[int], capacity: float) -> Cut:
    starts, filled, longest = [0], 0, 0
    for n, (length, new) in enumerate(zip(lengths, news, strict=True)):
        if filled + new > capacity:
            starts.append(n)
            filled, new = 0, length
        filled += new
        longest = max(longest, filled)
    return Cut(starts, longest)


def collate_shared(
    rows: Sequence[Mapping[str, Any]], pad: int, even: float
) -> dict[str, torch.Tensor]:
    """Sequences as a batch of tries; the inputs of `forward_shared`."""
    sequences = sorted(Weighted(list(row["input_ids"]), list(row["weights"])) for row in rows)
    cut = divide([ids for ids, _ in sequences], even)
    laid = [lay(sequences[one:end]) for one, end in pairwise([*cut.starts, len(sequences)])]

    def padded(name: str, fill: float) -> torch.Tensor:
        lists = [getattr(row, name) for row in laid]
        return torch.tensor([[*one, *[fill] * (cut.length - len(one))] for one in lists])

    ends = [[*row.ends, *range(len(row.ends) + 1, cut.length + 1)] for row in laid]
    return {
        "input_ids": padded("token_ids", pad),
        "position_ids": padded("positions", 0),
        "parents": padded("parents", 0),
        "ends": torch.tensor(ends),  # padding sees itself, for a softmax over nothing is NaN
        "weights": padded("weights", 0.0),
        "sequences": torch.tensor(len(rows)),
    }


def sees(ends: torch.Tensor) -> torch.Tensor:
    """Which place attends to which: (rows, 1, queries, keys), true on ancestors and itself.

    (The same condition, as a `mask_mod`, is what FlexAttention would take.)
    """
    places = torch.arange(ends.shape[1], device=ends.device)
    query, key = places[:, None], places[None, :]
    return ((key <= query) & (query < ends[:, None, :]))[:, None]


def shared_loss(model: Any, head: torch.nn.Module, inputs: Mapping[str, torch.Tensor]) -> Any:
    """Sum of weight * token loss of a batch of tries. `head` is the model's last layer.

    Only where a learned token is predicted does the head compute anything.
    """
    row, place = inputs["weights"].nonzero(as_tuple=True)
    parent = inputs["parents"][row, place]
    # The hook, not the layers one by one: `model` may be wrapped for several processes.
    hook = head.register_forward_pre_hook(lambda _, hidden: (hidden[0][row, parent],))
    try:
        logits = model(
            input_ids=inputs["input_ids"],
            attention_mask=sees(inputs["ends"]),
            position_ids=inputs["position_ids"],
            use_cache=False,
        ).logits
    finally:
        hook.remove()
    losses = cross_entropy(logits.float(), inputs["input_ids"][row, place], reduction="none")
    return (losses * inputs["weights"][row, place]).sum()


def even_length(model: Any) -> float:
    """The row length at which attention costs as much as all else.

    A block multiplies some 12 h^2 weights with each token, attention 2 h with each pair of places.
    By the clock it was some 7 h: one core, a model 96 wide.
    """
    return 6.0 * float(model.config.get_text_config().hidden_size)
