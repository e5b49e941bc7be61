"""How much faster LEAFE's exploration in waves is than the same exploration one request at a time.

Both sides build the same tree: same model, tasks, seeds, budgets and step by step the same code
for episodes and reflections. The serial side does as published tree-search code does: a first-in
first-out queue of episodes to look back on, one task after the other, one request under way at a
time. It takes some of the tasks, and its time is told per sampled token.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.benchmark import Figures
from benchmarks.small_policy import CONTEXT, small_policy
from benchmarks.timed import Timed, timed
from leafe.branching import BranchPlan, branch, branch_origin, reflect
from leafe.envs.desk import Desk, DeskOptions
from leafe.episode import Episode
from leafe.reflection import Reflection
from leafe.rollout import Agent, Budget, attempt, roots
from leafe.task import Task
from leafe.tree import Tree, join

COMPARED = (
    "tree exploration in waves, all tasks side by side / first-in-first-out, one request at a time"
)
TARGET = "at least 5"
SAMPLES, ATTEMPTS, STEPS, WAVES = 3, 12, 40, 3
"""Of the default run: roots, attempts and steps per task, and waves of branches."""
TASKS, ROWS = 200, 256
SERIAL_TASKS, ROUNDS = 8, 3
QUICK_TASKS = 2


@dataclass(frozen=True)
class Explored:
    """What an exploration made."""

    episodes: tuple[Episode, ...]
    reflections: tuple[Reflection, ...]

    @property
    def tokens(self) -> int:
        """Sampled tokens of actions and reflections."""
        acted = sum(episode.sampled_tokens for episode in self.episodes)
        return acted + sum(len(reflection.token_ids) for reflection in self.reflections)

    def of_tasks(self, ids: set[str]) -> Explored:
        """The part about some tasks."""
        return Explored(
            tuple(e for e in self.episodes if e.task_id in ids),
            tuple(r for r in self.reflections if r.task_id in ids),
        )


async def in_waves(agent: Agent, tasks: Sequence[Task]) -> Explored:
    """As the stages `rollout`, `reflect` and `branch` do it: all tasks side by side."""
    budgets = {task.id: Budget(ATTEMPTS, STEPS) for task in tasks}
    parts = [flat(await asyncio.gather(*(roots(agent, t, SAMPLES, budgets[t.id]) for t in tasks)))]
    looked: list[Reflection] = []
    for number in range(1, WAVES + 1):
        tree = join(parts)
        made = flat(await asyncio.gather(*(reflect(agent, tree, e, 0) for e in parts[-1])))
        of_task: dict[str, list[Reflection]] = {task.id: [] for task in tasks}
        for reflection in made:
            of_task[reflection.task_id].append(reflection)
        plan = BranchPlan(f"w{number}", per_reflection=1, with_experience=True)
        work = (branch(agent, tree, t, of_task[t.id], budgets[t.id], plan) for t in tasks)
        parts.append(flat(await asyncio.gather(*work)))
        looked += made
    return Explored(join(parts).episodes, tuple(looked))


async def one_by_one(agent: Agent, tasks: Sequence[Task]) -> Explored:
    """As tree-search code does it: one task, one episode, one request after the other."""
    done = [await search(agent, task) for task in tasks]
    return Explored(flat(d.episodes for d in done), flat(d.reflections for d in done))


async def search(agent: Agent, task: Task) -> Explored:
    """One task's tree, by a first-in-first-out queue."""
    budget, looked = Budget(ATTEMPTS, STEPS), list[Reflection]()
    episodes = await roots(agent, task, SAMPLES, budget)
    queue, made = deque(episodes), Counter[str]()
    while queue:
        episode, tree = queue.popleft(), Tree(tuple(episodes))
        wave = f"w{int(episode.wave[1:]) + 1}"
        if wave == f"w{WAVES + 1}":
            break
        for reflection in await reflect(agent, tree, episode, 0):
            looked.append(reflection)
            if reflection.verdict.rollback_step is None or budget.spent:
                continue
            plan = BranchPlan(wave, per_reflection=1, with_experience=True)
            child = await attempt(
                agent,
                task,
                wave=wave,
                sample=made[wave],
                max_steps=budget.steps,
                origin=branch_origin(tree, reflection, plan),
            )
            budget.spend(child)
            made[wave] += 1
            episodes.append(child)
            queue.append(child)
    return Explored(tuple(episodes), tuple(looked))


def flat(lists: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    """All entries, in order."""
    return tuple(entry for entries in lists for entry in entries)


def measure(quick: bool) -> Figures:
    """Medians over the rounds, each of which takes other tasks for the serial side."""
    from leafe.engines.transformers import TransformersEngine

    policy = small_policy(quick)
    desk = Desk(DeskOptions())
    tasks = desk.tasks("train")[: QUICK_TASKS if quick else TASKS]
    one, times = (1, 1) if quick else (SERIAL_TASKS, ROUNDS)

    def agent(rows: int) -> Agent:
        engine = TransformersEngine(policy.model, rows=rows, max_length=CONTEXT)
        return policy.agent(desk, engine)

    rounds = []
    for number in range(times):
        part = tasks[number * one : (number + 1) * one]
        serial = timed(one_by_one(agent(1), part))
        waves = timed(in_waves(agent(ROWS), tasks))
        rounds.append((waves, serial, waves.made.of_tasks({task.id for task in part})))
    return figures(rounds) | {"tasks": len(tasks), "serial_tasks": one}


def figures(
    rounds: Sequence[tuple[Timed[Explored], Timed[Explored], Explored]],
) -> dict[str, object]:
    """Of rounds of (waves, serial, what the waves made of the serial side's tasks)."""

    def speed(side: Timed[Explored]) -> float:
        return side.made.tokens / side.seconds

    def cpu(side: Timed[Explored]) -> float:
        return side.cpu_seconds / side.made.tokens

    return {
        "ratio": round(median(speed(w) / speed(s) for w, s, _ in rounds), 2),
        "cpu_ratio": round(median(cpu(s) / cpu(w) for w, s, _ in rounds), 2),
        "tokens_per_second": round(median(speed(w) for w, _, _ in rounds)),
        "serial_tokens_per_second": round(median(speed(s) for _, s, _ in rounds)),
        "waves_seconds": round(median(w.seconds for w, _, _ in rounds), 1),
        "episodes": len(rounds[0][0].made.episodes),
        "episodes_of_same_tasks": [
            sum(len(same.episodes) for _, _, same in rounds),
            sum(len(s.made.episodes) for _, s, _ in rounds),
        ],
        "tokens_of_same_tasks": [
            sum(same.tokens for _, _, same in rounds),
            sum(s.made.tokens for _, s, _ in rounds),
        ],
    }
