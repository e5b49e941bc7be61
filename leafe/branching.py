"""Reflect and branch: one wave of the breadth-first exploration (arXiv 2603.16843, stage 1).

Breadth first is done in waves: all reflections of one depth, then all branches of that depth. The
tree is the same as a first-in first-out queue's, and a wave is one large batch for the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leafe.engine import EngineError, PromptTooLong
from leafe.episode import Episode, Outcome
from leafe.reflection import Parse, Reflection, Verdict, checkpoints, read_verdict, verdict_pattern
from leafe.rollout import Agent, Budget, Origin, attempt
from leafe.task import Task
from leafe.tree import Tree


async def reflect(agent: Agent, tree: Tree, episode: Episode, every: int) -> list[Reflection]:
    """Ask the policy to look back on an episode, every K steps and at a failed end.

    Episodes that the machinery ended are not reflected on: they say nothing about the policy.
    """
    if episode.outcome.is_infrastructure:
        return []
    steps, notes = tree.path(episode), tree.notes(episode)
    solved = episode.outcome is Outcome.SOLVED
    own = range((episode.rollback_step or 0) + 1, len(steps) + 1)
    looked = [at for at in checkpoints(len(steps), solved, every) if at in own]
    return [
        await _look_back(
            agent,
            episode,
            at,
            agent.chat.reflection(tree.first_observation(episode), steps[:at], notes),
        )
        for at in looked
    ]


async def _look_back(agent: Agent, episode: Episode, at: int, prompt: list[int]) -> Reflection:
    """One reflection; where none could be drawn, that is its verdict."""
    place = (episode.id, at, "reflection")
    tokens, pattern = agent.reflection_tokens, verdict_pattern(at)
    sampling = agent.sampling(tokens, episode.task_id, *place, pattern=pattern)
    text: str | None = None
    token_ids: tuple[int, ...] = ()
    try:
        drawn = await agent.engine.generate(prompt, sampling)
    except PromptTooLong:
        verdict = Verdict(Parse.OVERLONG)
    except EngineError:
        verdict = Verdict(Parse.ENGINE_ERROR)
    else:
        token_ids, text = drawn.token_ids, agent.chat.decode(drawn.token_ids)
        if text is None:
            verdict = Verdict(Parse.CONTROL_TOKEN)
        elif drawn.finish == "length":
            verdict = Verdict(Parse.CUT_OFF)
        else:
            verdict = read_verdict(text, at)
    return Reflection(
        id=f"{episode.id}@{at}",
        episode_id=episode.id,
        task_id=episode.task_id,
        checkpoint=at,
        text=text or "",
        token_ids=token_ids,
        verdict=verdict,
    )


@dataclass(frozen=True)
class BranchPlan:
    """How branches are made."""

    wave: str
    per_reflection: int
    """Branches from each (tau, e)."""
    with_experience: bool
    """False is the ablation without e: the same tau, but no note."""
    rolls_back: bool = True
    """False is the ablation with tau = 0: the note, but from the task's start."""


async def branch(
    agent: Agent,
    tree: Tree,
    task: Task,
    reflections: Sequence[Reflection],
    budget: Budget,
    plan: BranchPlan,
) -> list[Episode]:
    """Roll back to each verdict's tau and try again, as far as the task's budget goes."""
    made: list[Episode] = []
    for reflection in reflections:
        if reflection.verdict.rollback_step is None:
            continue
        origin = branch_origin(tree, reflection, plan)
        for _ in range(plan.per_reflection):
            if budget.spent:
                return made
            episode = await attempt(
                agent,
                task,
                wave=plan.wave,
                sample=len(made),
                max_steps=budget.steps,
                origin=origin,
            )
            budget.spend(episode)
            made.append(episode)
    return made


def branch_origin(tree: Tree, reflection: Reflection, plan: BranchPlan) -> Origin:
    """Step tau of the reflected episode, with the notes before tau and e at it."""
    tau, note = reflection.verdict.rollback_step, reflection.verdict.experience
    if tau is None or note is None:
        raise ValueError(f"reflection {reflection.id} does not ask for a rollback")
    if not plan.rolls_back:
        tau = 0
    parent = tree[reflection.episode_id]
    notes = {step: said for step, said in tree.notes(parent).items() if step < tau}
    if plan.with_experience:
        notes[tau] = note
    return Origin(
        parent=parent.id,
        first_observation=tree.first_observation(parent),
        prefix=tree.path(parent)[:tau],
        notes=notes,
    )
