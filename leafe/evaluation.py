"""Evaluation: n plain episodes per held-out task, and Pass@k from them.

Without reflection, rollback or experience: what the policy does unprompted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from leafe.episode import Episode, Outcome, counted
from leafe.pass_at_k import Estimate, mean_pass_at_k
from leafe.rollout import Agent, attempt
from leafe.task import Task


async def sample_task(agent: Agent, task: Task, samples: int) -> list[Episode]:
    """All samples of one task, side by side."""
    return await asyncio.gather(
        *(
            attempt(agent, task, wave="eval", sample=n, max_steps=agent.environment.max_steps)
            for n in range(samples)
        )
    )


@dataclass(frozen=True)
class Evaluation:
    """The figures of one policy."""

    curve: dict[int, Estimate]
    """k -> Pass@k with its interval over tasks."""
    tasks_left_out: dict[int, int]
    """k -> tasks with fewer than k counted episodes: not in the mean, reported beside it."""
    outcomes: dict[str, int]
    """Outcome -> episodes."""
    infrastructure_errors: int
    """Episodes that the machinery ended: left out of Pass@k, reported beside it."""


def evaluate(episodes: Sequence[Episode], ks: Sequence[int], seed: int) -> Evaluation:
    """Pass@k over the tasks; a task's n counts only episodes that the policy itself ended."""
    samples = [
        (len(kept), sum(episode.outcome is Outcome.SOLVED for episode in kept))
        for _, kept in sorted(counted(episodes).items())
    ]
    return Evaluation(
        curve={k: mean_pass_at_k(samples, k, seed) for k in ks},
        tasks_left_out={k: sum(n < k for n, _ in samples) for k in ks},
        outcomes=dict(sorted(Counter(str(e.outcome) for e in episodes).items())),
        infrastructure_errors=sum(e.outcome.is_infrastructure for e in episodes),
    )
