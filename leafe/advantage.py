"""Advantages: from all attempts at one task to sequences that say how good each was (GRPO).

An attempt is measured against its own group: A = (r - mean r) / std r over the attempts at the
same task (arXiv 2402.03300, section 4.1.2, outcome supervision), and all its action tokens share
it. The reward is 1 for a solved task, else 0. Differs: no small constant is added to the std, for
a group without spread teaches nothing and is left out.

Invariant: `old_logprobs` has a number where `loss_mask` is true, that with which this very token
was drawn. Knows nothing of tensors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from leafe.chat import Chat
from leafe.episode import Episode, Outcome


def advantages(rewards: Sequence[float]) -> list[float]:
    """(r - mean) / population std of a group; all 0 where it agrees, or has one member.

    >>> advantages([1.0, 0.0, 0.0, 1.0])
    [1.0, -1.0, -1.0, 1.0]
    >>> advantages([1.0, 1.0]), advantages([1.0]), advantages([])
    ([0.0, 0.0], [0.0], [])
    """
    if len(set(rewards)) < 2:
        return [0.0] * len(rewards)
    mean, spread = fmean(rewards), pstdev(rewards)
    return [(reward - mean) / spread for reward in rewards]


@dataclass(frozen=True)
class Sampled:
    """An episode, or a step of it where the chat does not grow, as drawn; and how good it was."""

    task_id: str
    episode_id: str
    token_ids: tuple[int, ...]
    """Up to the last action token."""
    old_logprobs: tuple[float, ...]
    """Of the policy that drew them (nats, at the sampling temperature); 0.0 where not an action."""
    loss_mask: tuple[bool, ...]
    """True on action tokens, false on all else; as long as `token_ids`."""
    advantage: float
    """Shared by all its action tokens; in standard deviations of its group's reward."""


@dataclass(frozen=True)
class Group:
    """What the attempts at one task give to learn from, and what they do not, by reason."""

    sequences: tuple[Sampled, ...]
    rejected: Mapping[str, int]
    """Reason -> episodes; with the sequences they add up to all attempts."""


def make_group(episodes: Sequence[Episode], chat: Chat, max_tokens: int) -> Group:
    """The sequences of all root attempts at one task; ValueError for anything else.

    What the machinery or the budget cut short says nothing of the policy: it is not even part of
    the mean. Other episodes that cannot be trained on are.
    """
    if len({episode.task_id for episode in episodes}) > 1:
        raise ValueError(f"a group is of one task: {sorted({e.task_id for e in episodes})}")
    rejected = Counter(reason for e in episodes if (reason := _cut_short(e)))
    whole = [episode for episode in episodes if not _cut_short(episode)]
    gains = advantages([float(episode.outcome is Outcome.SOLVED) for episode in whole])
    kept: list[Sampled] = []
    for episode, gain in zip(whole, gains, strict=True):
        if not gain:
            rejected["no_signal"] += 1
            continue
        sequences = [s for s in _sequences(episode, chat, gain) if any(s.loss_mask)]
        if not sequences:
            rejected["no_supervised_token"] += 1
        elif max(len(s.token_ids) for s in sequences) > max_tokens:
            rejected["overlong"] += 1
        else:
            kept += sequences
    return Group(tuple(kept), dict(sorted(rejected.items())))


def _cut_short(episode: Episode) -> str | None:
    if episode.outcome.is_infrastructure:
        return "infrastructure"
    return "budget" if episode.outcome is Outcome.OUT_OF_BUDGET else None


def _sequences(episode: Episode, chat: Chat, advantage: float) -> Iterator[Sampled]:
    first = episode.first_observation
    if first is None:
        raise ValueError(f"episode {episode.id} is a branch; only roots can be compared")
    for learned in chat.sequences(first, episode.steps, {}, range(len(episode.steps))):
        old = [0.0] * len(learned.token_ids)
        for step, start in learned.starts.items():
            for at, logprob in enumerate(episode.steps[step].logprobs, start):
                if at < len(old) and learned.loss_mask[at]:
                    old[at] = logprob
        yield Sampled(
            task_id=episode.task_id,
            episode_id=episode.id,
            token_ids=learned.token_ids,
            old_logprobs=tuple(old),
            loss_mask=learned.loss_mask,
            advantage=advantage,
        )
