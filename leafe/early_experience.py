"""Early Experience, a baseline (arXiv 2510.08558): learn from what other actions lead to.

At each step of a successful episode the policy takes other actions; what the environment says to
them is learned in two ways, neither of which looks at a reward. Implicit world modelling (section
4.2): predict the next observation from the history and the action. Self-reflection (4.3): write
why the other action is worse, and then the action that succeeded.

Differs: the paper starts from an expert's trajectories; here they are the policy's own successes.
The rationale is the policy's own reflection on the other action, where that names it as wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leafe.chat import Chat
from leafe.episode import Episode, Outcome
from leafe.example import Example, TrainingSet
from leafe.filtering import rehearsal
from leafe.planning import ALTERNATIVES
from leafe.reflection import Reflection
from leafe.rollout import Agent, Budget, Origin, attempt
from leafe.task import Task
from leafe.tree import Tree


async def alternatives(
    agent: Agent, roots: Tree, task: Task, budget: Budget, per_step: int
) -> list[Episode]:
    """Other actions at the steps of a task's successes, one new step each, within its budget."""
    made: list[Episode] = []
    for root in roots.episodes:
        if root.outcome is not Outcome.SOLVED:
            continue
        for step in [t for t in range(len(root.steps)) for _ in range(per_step)]:
            if budget.spent:
                return made
            origin = Origin(root.id, root.first_observation, root.steps[:step])
            number = len(made)
            episode = await attempt(
                agent, task, wave=ALTERNATIVES, sample=number, max_steps=1, origin=origin
            )
            budget.spend(episode)
            made.append(episode)
    return made


def candidates(tree: Tree, reflections: Sequence[Reflection], chat: Chat) -> Iterator[Example]:
    """Every example that an exploration offers: successes, their other actions, and why not."""
    of_episode = {reflection.episode_id: reflection for reflection in reflections}
    for episode in tree.episodes:
        if episode.parent is None:
            if episode.outcome is Outcome.SOLVED:
                yield from rehearsal(tree, chat, episode)
        elif episode.steps and is_other(tree, episode):
            yield world_model(tree, chat, episode)
            yield from self_reflection(tree, chat, episode, of_episode)


def is_other(tree: Tree, episode: Episode) -> bool:
    """Whether the action differs from the one that succeeded."""
    parent, step = tree.lineage(episode)[-2], episode.rollback_step or 0
    return parent.steps[step].action != episode.steps[0].action


def world_model(tree: Tree, chat: Chat, episode: Episode) -> Example:
    """Predict what the environment says to the other action."""
    ids, mask = chat.last_observation(tree.first_observation(episode), tree.path(episode))
    return Example(
        episode.task_id,
        episode.id,
        TrainingSet.WORLD_MODEL,
        episode.rollback_step,
        tuple(ids),
        tuple(mask),
    )


def self_reflection(
    tree: Tree, chat: Chat, episode: Episode, of_episode: Mapping[str, Reflection]
) -> Iterator[Example]:
    """Why the other action is worse, and then the action that succeeded, after the history."""
    step, reflection = episode.rollback_step or 0, of_episode.get(episode.id)
    if reflection is None or reflection.verdict.rollback_step != step:
        return
    parent = tree.lineage(episode)[-2]
    succeeded = parent.steps[step]
    if succeeded.token_ids[-1:] != (chat.stop_id,):  # cut off: nobody shall learn to end so
        return
    first = tree.first_observation(episode)
    ids, _ = chat.history(first, parent.steps[:step], notes={})
    answer = chat.encode_reasoned(reflection.verdict.experience or "", succeeded)
    yield Example(
        episode.task_id,
        parent.id,
        TrainingSet.SELF_REFLECTION,
        step,
        (*ids, *answer),
        (*[False] * len(ids), *[True] * len(answer)),
    )
