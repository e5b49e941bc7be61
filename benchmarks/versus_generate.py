"""How much faster our engine plays episodes than `model.generate` in lockstep (`lockstep.py`).

Both play one root episode of the same tickets with the same model, at temperature 1. Lockstep is
given its best batch size, found first, and takes a new episode into a batch as soon as one ends,
which is more than plain batches do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from statistics import mean, median

from benchmarks.benchmark import Figures
from benchmarks.small_policy import CONTEXT, SmallPolicy, small_policy
from benchmarks.timed import Timed, timed
from leafe.engine import Engine
from leafe.envs.desk import Desk, DeskOptions
from leafe.episode import Episode
from leafe.rollout import Agent, attempt
from leafe.task import Task

COMPARED = "episodes a second: engine `transformers` / model.generate on padded batches in lockstep"
TARGET = "above 1.5"
EPISODES, ROWS, ROUNDS = 400, 256, 3
BATCHES = (32, 64, 128, 256)
"""Sizes that lockstep may choose from."""


async def play(agent: Agent, tasks: Sequence[Task], seats: int) -> list[Episode]:
    """An episode of each task, so many at a time; who ends makes room for the next at once."""
    waiting, made = iter(tasks), list[Episode]()

    async def seat(waiting: Iterator[Task]) -> None:
        for task in waiting:
            most = agent.environment.max_steps
            made.append(await attempt(agent, task, wave="w0", sample=0, max_steps=most))

    await asyncio.gather(*(seat(waiting) for _ in range(seats)))
    return made


def measure(quick: bool) -> Figures:
    """Medians over the rounds; `ratio` is ours over lockstep at its best batch size."""
    policy = small_policy(quick)
    desk = Desk(DeskOptions(train_tasks=EPISODES, test_tasks=1))
    tasks = desk.tasks("train")[: 2 if quick else EPISODES]
    sizes = (len(tasks),) if quick else BATCHES
    tried = {size: lockstep(policy, desk, tasks, size) for size in sizes}
    best = max(sizes, key=lambda size: speed(tried[size]))
    rounds = [
        (ours(policy, desk, tasks), lockstep(policy, desk, tasks, best))
        for _ in range(1 if quick else ROUNDS)
    ]
    engine, generate = zip(*rounds, strict=True)
    return {
        "ratio": round(median(speed(e) / speed(g) for e, g in rounds), 2),
        "cpu_ratio": round(median(g.cpu_seconds / e.cpu_seconds for e, g in rounds), 2),
        "episodes_per_second": round(median(map(speed, engine)), 1),
        "generate_episodes_per_second": round(median(map(speed, generate)), 1),
        "batch": best,
        "of_batches": {str(size): round(speed(side), 1) for size, side in tried.items()},
        "tokens_per_episode": tokens(engine),
        "generate_tokens_per_episode": tokens(generate),
        "episodes": len(tasks),
    }


def ours(policy: SmallPolicy, desk: Desk, tasks: Sequence[Task]) -> Timed[list[Episode]]:
    """By the in-process engine."""
    from leafe.engines.transformers import TransformersEngine

    engine: Engine = TransformersEngine(policy.model, rows=ROWS, max_length=CONTEXT)
    return timed(play(policy.agent(desk, engine), tasks, len(tasks)))


def lockstep(
    policy: SmallPolicy, desk: Desk, tasks: Sequence[Task], batch: int
) -> Timed[list[Episode]]:
    """By `generate`."""
    import torch

    from benchmarks.lockstep import LockstepEngine

    torch.manual_seed(0)
    engine: Engine = LockstepEngine(policy.model, max_length=CONTEXT)
    return timed(play(policy.agent(desk, engine), tasks, batch))


def speed(side: Timed[list[Episode]]) -> float:
    """Episodes a second."""
    return len(side.made) / side.seconds


def tokens(sides: Sequence[Timed[list[Episode]]]) -> float:
    """Sampled tokens of a mean episode."""
    return round(mean(e.sampled_tokens for side in sides for e in side.made), 1)
