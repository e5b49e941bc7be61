"""Is a base model ready for LEAFE? A decent reader of feedback, and a weak actor, is.

Measured on a world it has never seen: how often it succeeds, whether its reflections parse and
name the right step, and whether branches with e succeed more often than the same without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import nan
from typing import TypedDict

from leafe.branching import BranchPlan, branch, reflect
from leafe.env import Teacher
from leafe.episode import Episode, Outcome
from leafe.reflection import Reflection
from leafe.rollout import Agent, Budget, roots
from leafe.task import Task
from leafe.tree import Tree

UNLIMITED = 10**9


class Probe(TypedDict):
    """What `metrics/warm_start.json` says."""

    pass_at_1: float
    parsed_share: float
    """Reflections that parse."""
    right_step_share: float
    """Parsed reflections that name the right tau; NaN where the environment cannot tell."""
    branch_success_with_experience: float
    branch_success_without_experience: float
    experience_ratio: float
    """The first over the second."""


async def probe(agent: Agent, tasks: Sequence[Task], samples: int) -> Probe:
    """Measure a policy by one wave of exploration, done twice: with e and without."""
    played = await asyncio.gather(
        *(roots(agent, task, samples, Budget(UNLIMITED, UNLIMITED)) for task in tasks)
    )
    tree = Tree(tuple(episode for episodes in played for episode in episodes))
    looked = await asyncio.gather(*(reflect(agent, tree, e, every=0) for e in tree.episodes))
    reflections = [reflection for made in looked for reflection in made]
    parsed = [r for r in reflections if r.verdict.parse == "ok"]
    usable = [r for r in reflections if r.verdict.rollback_step is not None]
    with_e = await _branch(agent, tree, tasks, usable, with_experience=True)
    without = await _branch(agent, tree, tasks, usable, with_experience=False)
    return Probe(
        pass_at_1=_solved(tree.episodes),
        parsed_share=len(parsed) / len(reflections) if reflections else nan,
        right_step_share=right_step_share(agent.environment, tree, parsed),
        branch_success_with_experience=_solved(with_e),
        branch_success_without_experience=_solved(without),
        experience_ratio=_solved(with_e) / _solved(without) if _solved(without) else nan,
    )


async def _branch(
    agent: Agent,
    tree: Tree,
    tasks: Sequence[Task],
    reflections: Sequence[Reflection],
    *,
    with_experience: bool,
) -> list[Episode]:
    plan = BranchPlan("w1", per_reflection=1, with_experience=with_experience)
    made = await asyncio.gather(
        *(
            branch(
                agent,
                tree,
                task,
                [r for r in reflections if r.task_id == task.id],
                Budget(UNLIMITED, UNLIMITED),
                plan,
            )
            for task in tasks
        )
    )
    return [episode for episodes in made for episode in episodes]


def right_step_share(environment: object, tree: Tree, parsed: Sequence[Reflection]) -> float:
    """Share of verdicts that say what a perfect reader would: that step, or that all is well.

    NaN where nobody can tell.
    """
    if not isinstance(environment, Teacher):
        return nan
    right = []
    for reflection in parsed:
        episode = tree[reflection.episode_id]
        steps = tree.path(episode)[: reflection.checkpoint]
        said = [tree.first_observation(episode), *(step.feedback for step in steps)]
        fault = environment.fault(said, [step.action for step in steps])
        right.append(fault == reflection.verdict.rollback_step)
    return _share(right)


def _solved(episodes: Sequence[Episode]) -> float:
    return _share([episode.outcome is Outcome.SOLVED for episode in episodes])


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else nan
