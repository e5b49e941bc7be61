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
from leafe.episode import Episode, Outcome, Step
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
                yield rehearsal(tree, chat, episode)
            else:
                yield from corrections(tree, chat, episode, variant)


def rehearsal(tree: Tree, chat: Chat, episode: Episode) -> Example:
    """All actions of a successful root: every (h_t, a_t) in one sequence."""
    steps = tree.path(episode)
    return _example(tree, chat, episode, steps, TrainingSet.REHEARSAL, learn=range(len(steps)))


def corrections(tree: Tree, chat: Chat, episode: Episode, variant: Variant) -> Iterator[Example]:
    """The revised actions on the path of a successful branch, no note in any input."""
    steps, taus = tree.path(episode), tree.revisions(episode)
    set_ = TrainingSet.COUNTERFACTUAL
    if variant == "continuation":
        learn = range(taus[0], len(steps))
        yield _example(tree, chat, episode, steps, set_, learn, step=taus[0])
        return
    for tau in taus:
        yield _example(tree, chat, episode, steps[: tau + 1], set_, range(tau, tau + 1), step=tau)


def _example(
    tree: Tree,
    chat: Chat,
    episode: Episode,
    steps: tuple[Step, ...],
    set_: TrainingSet,
    learn: range,
    step: int | None = None,
) -> Example:
    ids, actions = chat.history(tree.first_observation(episode), steps, notes={})
    unlearned, _ = chat.history(tree.first_observation(episode), steps[: learn.start], notes={})
    mask = [action and at >= len(unlearned) for at, action in enumerate(actions)]
    end = len(mask) - mask[::-1].index(True) if True in mask else 0
    return Example(
        task_id=episode.task_id,
        episode_id=episode.id,
        set=set_,
        step=step,
        token_ids=tuple(ids[:end]),
        loss_mask=tuple(mask[:end]),
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
