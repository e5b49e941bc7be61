"""Early Experience: other actions at the steps of what succeeded, and what is learned from them."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from players import Player, clerk, make_agent

from leafe.branching import reflect
from leafe.chat import Chat
from leafe.early_experience import alternatives, candidates, is_other
from leafe.envs.desk import Desk
from leafe.episode import Episode, Outcome
from leafe.example import Example, TrainingSet
from leafe.filtering import rehearsal
from leafe.reflection import Reflection
from leafe.rollout import Agent, Budget, roots
from leafe.tree import Tree

PER_STEP = 3
REH, WORLD, SELF = (
    TrainingSet.REHEARSAL,
    TrainingSet.WORLD_MODEL,
    TrainingSet.SELF_REFLECTION,
)


@pytest.fixture(scope="module")
def agent(desk: Desk, chat: Chat, tokenizer: Any) -> Agent:
    return make_agent(desk, chat, Player(tokenizer, clerk(desk, knows=0.7)))


Explored = tuple[Tree, list[Reflection]]


@pytest.fixture(scope="module")
def explored(agent: Agent) -> Explored:
    """Roots, other actions and reflections on these, as the stages make them."""

    async def run() -> Explored:
        tasks = agent.environment.tasks("train")[:50]
        made = [e for task in tasks for e in await roots(agent, task, 2, Budget(9, 99))]
        for task in tasks:
            past = Tree(tuple(e for e in made if e.task_id == task.id))
            made += await alternatives(agent, past, task, Budget(999, 999), PER_STEP)
        tree = Tree(tuple(made))
        said = [r for e in others(tree) for r in await reflect(agent, tree, e, every=0)]
        return tree, said

    return asyncio.run(run())


def others(tree: Tree) -> list[Episode]:
    return [episode for episode in tree.episodes if episode.parent is not None]


def test_other_actions_are_one_step_each_from_every_step_of_each_success(
    explored: Explored, desk: Desk
) -> None:
    tree, _ = explored
    tasks = {task.id: task for task in desk.tasks("train")}
    found = Counter[tuple[str, int]]()
    for episode in others(tree):
        parent, step = tree[str(episode.parent)], episode.rollback_step
        assert step is not None
        assert (parent.outcome, parent.parent) == (Outcome.SOLVED, None)
        assert len(episode.steps) == 1
        assert tree.path(episode)[:-1] == parent.steps[:step]
        assert episode.replayed_steps == step
        assert episode.wave == "alternatives"
        env = desk.make()  # real play, not only said to be
        env.start(tasks[episode.task_id])
        for played in tree.path(episode):
            assert env.step(played.action).observation == played.feedback
        found[parent.id, step] += 1
    solved = [e for e in tree.episodes if e.parent is None and e.outcome is Outcome.SOLVED]
    assert len(solved) > 20
    assert found == {(e.id, step): PER_STEP for e in solved for step in range(len(e.steps))}


def test_no_note_is_in_view_of_any_of_them(agent: Agent, explored: Explored) -> None:
    tree, _ = explored
    assert all(episode.experience is None for episode in others(tree))
    prompts = agent.engine.prompts  # type: ignore[attr-defined]
    texts = [agent.engine.tokenizer.decode(list(p)) for p in prompts]  # type: ignore[attr-defined]
    assert not any("Note:" in text for text in texts)


def test_the_policy_may_choose_anew_each_time(explored: Explored) -> None:
    tree, _ = explored
    actions: dict[tuple[str, int], set[str]] = {}
    for episode in others(tree):
        place = (str(episode.parent), episode.rollback_step or 0)
        actions.setdefault(place, set()).add(episode.steps[0].action)
    assert max(map(len, actions.values())) == PER_STEP
    samples = Counter((e.task_id, e.sample) for e in others(tree))
    assert set(samples.values()) == {1}, "no two share their seeds"


@pytest.mark.parametrize("left", [0, 1, 7])
def test_they_stop_with_the_budget(agent: Agent, explored: Explored, left: int) -> None:
    tree, _ = explored
    task_id = next(e.task_id for e in others(tree) if (e.rollback_step or 0) > 2)
    task = next(t for t in agent.environment.tasks("train") if t.id == task_id)
    past = Tree(tuple(e for e in tree.of_task(task_id).episodes if e.parent is None))
    budget = Budget(999, left)
    made = asyncio.run(alternatives(agent, past, task, budget, PER_STEP))
    assert [len(made), budget.steps] == [left, 0]


def test_an_unsolved_root_has_no_alternatives(agent: Agent, explored: Explored) -> None:
    tree, _ = explored
    task = agent.environment.tasks("train")[0]
    lost = Tree(
        tuple(replace(e, outcome=Outcome.OUT_OF_BUDGET) for e in tree.of_task(task.id).episodes)
    )
    assert asyncio.run(alternatives(agent, lost, task, Budget(99, 99), PER_STEP)) == []


def offered(explored: Explored, chat: Chat, kind: TrainingSet) -> list[Example]:
    return [example for example in candidates(*explored, chat) if example.set is kind]


def test_successes_are_rehearsed_as_by_the_other_methods(explored: Explored, chat: Chat) -> None:
    tree, _ = explored
    solved = [e for e in tree.episodes if e.parent is None and e.outcome is Outcome.SOLVED]
    assert offered(explored, chat, REH) == [x for e in solved for x in rehearsal(tree, chat, e)]


def test_an_action_equal_to_the_one_that_succeeded_teaches_nothing(
    explored: Explored, chat: Chat
) -> None:
    tree, _ = explored
    same = {
        e.id
        for e in others(tree)
        if e.steps[0].action == tree[str(e.parent)].steps[e.rollback_step or 0].action
    }
    assert len(same) > 20
    assert not any(is_other(tree, tree[i]) for i in same)
    taught = [*offered(explored, chat, WORLD), *offered(explored, chat, SELF)]
    assert not same & {example.episode_id for example in taught}
    assert {e.episode_id for e in offered(explored, chat, WORLD)} == {
        e.id for e in others(tree) if e.id not in same
    }


def test_a_rationale_is_learned_only_where_the_verdict_names_the_other_action(
    explored: Explored, chat: Chat
) -> None:
    tree, reflections = explored
    naming = [
        r
        for r in reflections
        if r.verdict.rollback_step == tree[r.episode_id].rollback_step
        and is_other(tree, tree[r.episode_id])
    ]
    elsewhere = [r for r in reflections if r.verdict.rollback_step not in (None, *_steps(tree, r))]
    assert len(naming) > 20
    assert len(elsewhere) > 5, "verdicts that name an earlier step, too"
    learned = offered(explored, chat, SELF)
    assert [(e.episode_id, e.step) for e in learned] == [
        (tree[r.episode_id].parent, r.verdict.rollback_step) for r in naming
    ]
    for example, reflection in zip(learned, naming, strict=True):
        parent = tree[example.episode_id]
        before, _ = chat.history(parent.first_observation or "", parent.steps[: example.step], {})
        thought = chat.encode_answer(reflection.verdict.experience or "")[:-1]
        answer = (*thought, *parent.steps[example.step or 0].token_ids)
        assert example.token_ids == (*before, *answer)
        assert example.loss_mask == (*[False] * len(before), *[True] * len(answer))


def _steps(tree: Tree, reflection: Reflection) -> tuple[int | None]:
    return (tree[reflection.episode_id].rollback_step,)


def test_what_the_world_says_is_learned_in_the_history_of_the_other_action(
    explored: Explored, chat: Chat
) -> None:
    tree, _ = explored
    learned = offered(explored, chat, WORLD)
    assert len(learned) > 50
    for example in learned:
        episode = tree[example.episode_id]
        whole, actions = chat.history(tree.first_observation(episode), tree.path(episode), {})
        assert list(example.token_ids) == whole[: len(example.token_ids)]
        assert not any(m and a for m, a in zip(example.loss_mask, actions, strict=False))
        assert (example.task_id, example.step) == (episode.task_id, episode.rollback_step)
