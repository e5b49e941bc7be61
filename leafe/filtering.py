"""Filter: from a tree to the two training sets (arXiv 2603.16843, stage 2).

D_reh rehearses the successful roots: what the policy can do unprompted. D_cf holds the corrections
on the way to each branch that succeeded: (h_tau, a'_tau), the note left out of the input. The
variant `continuation` takes the whole corrected sub-trajectory after the first tau instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from leafe.chat import Chat
from leafe.episode import Episode, Outcome
from leafe.example import Example, TrainingSet
from leafe.tree import Tree

Variant = Literal["revised_action", "continuation"]


@dataclass(frozen=True)
class Kept:
    """What the filter gives on, and what it did not, by reason."""

    examples: tuple[Example, ...]
    rejected: Mapping[str, int]
    """Reason -> examples; with the kept ones they add up to all candidates."""


def candidates(tree: Tree, chat: Chat, variant: Variant) -> Iterator[Example]:
    """Every example that the successful episodes offer, in the tree's order."""
    for episode in tree.episodes:
        if episode.outcome is Outcome.SOLVED:
            if episode.parent is None:
                yield from rehearsal(tree, chat, episode)
            else:
                yield from corrections(tree, chat, episode, variant)


def rehearsal(tree: Tree, chat: Chat, episode: Episode) -> Iterator[Example]:
    """All actions of a successful root: every (h_t, a_t), in one sequence where the chat grows."""
    steps = tree.path(episode)
    yield from _examples(tree, chat, episode, range(len(steps)), TrainingSet.REHEARSAL, None)


def corrections(tree: Tree, chat: Chat, episode: Episode, variant: Variant) -> Iterator[Example]:
    """The revised actions on the path of a successful branch, no note in any input."""
    steps, taus = tree.path(episode), tree.revisions(episode)
    set_ = TrainingSet.COUNTERFACTUAL
    if variant == "continuation":
        yield from _examples(tree, chat, episode, range(taus[0], len(steps)), set_, taus[0])
        return
    for tau in taus:
        yield from _examples(tree, chat, episode, range(tau, tau + 1), set_, tau)


def _examples(
    tree: Tree, chat: Chat, episode: Episode, learn: range, set_: TrainingSet, step: int | None
) -> Iterator[Example]:
    first, steps = tree.first_observation(episode), tree.path(episode)
    for learned in chat.sequences(first, steps, {}, learn):
        yield Example(
            task_id=episode.task_id,
            episode_id=episode.id,
            set=set_,
            step=step,
            token_ids=learned.token_ids,
            loss_mask=learned.loss_mask,
        )


def keep(examples: Iterator[Example], max_per_task: int, max_tokens: int) -> Kept:
    """Drop what cannot be learned from, what is there already, and what floods a task."""
    seen: set[tuple[TrainingSet, tuple[int, ...], tuple[bool, ...]]] = set()
    of_task: Counter[tuple[str, TrainingSet]] = Counter()
    kept: list[Example] = []
    rejected: Counter[str] = Counter()
    for example in examples:
        key = (example.set, example.token_ids, example.loss_mask)
        if not any(example.loss_mask):
            rejected["no_supervised_token"] += 1
        elif len(example.token_ids) > max_tokens:
            rejected["overlong"] += 1
        elif key in seen:
            rejected["duplicate"] += 1
        elif of_task[example.task_id, example.set] >= max_per_task:
            rejected["task_cap"] += 1
        else:
            seen.add(key)
            of_task[example.task_id, example.set] += 1
            kept.append(example)
    return Kept(tuple(kept), dict(sorted(rejected.items())))
