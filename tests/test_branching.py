"""Waves: rollback by replay that is compared, notes where they belong, breadth first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from players import Explored, Player, clerk, explore, make_agent
from test_rollout import Failing, World, in_world

from leafe.branching import BranchPlan, branch, branch_origin, reflect
from leafe.chat import Chat
from leafe.engine import EngineError, PromptTooLong
from leafe.env import StepResult
from leafe.envs.desk import Desk, DeskEnv, DeskOptions
from leafe.envs.desk.teacher import first_refusal
from leafe.episode import Episode, Outcome
from leafe.filtering import candidates
from leafe.reflection import Parse
from leafe.rollout import Agent, Budget, attempt
from leafe.tree import Tree


@pytest.fixture(scope="module")
def agent(desk: Desk, chat: Chat, tokenizer: Any) -> Agent:
    return make_agent(desk, chat, Player(tokenizer, clerk(desk, knows=0.4)))


@pytest.fixture(scope="module")
def explored(agent: Agent) -> Explored:
    return explore(agent, agent.environment.tasks("train")[:40], waves=3)


def branches(explored: Explored) -> list[Episode]:
    return [e for e in explored.tree.episodes if e.parent is not None]


def test_waves_are_breadth_first(explored: Explored) -> None:
    waves = [set(ids) for ids in explored.waves]
    assert all(waves[:3])
    for number, wave in enumerate(waves):
        for episode in (explored.tree[i] for i in wave):
            assert episode.wave == f"w{number}"
            assert len(explored.tree.lineage(episode)) == number + 1
            assert number == 0 or episode.parent in waves[number - 1]


def test_a_branch_starts_where_the_reflection_says_with_its_note(explored: Explored) -> None:
    usable = {
        (r.episode_id, r.verdict.rollback_step, r.verdict.experience)
        for r in explored.reflections
        if r.verdict.rollback_step is not None
    }
    made = branches(explored)
    assert len(made) > 30
    assert {(e.parent, e.rollback_step, e.experience) for e in made} <= usable


def test_the_path_of_a_branch_is_real_play_from_the_start(explored: Explored, desk: Desk) -> None:
    tasks = {task.id: task for task in desk.tasks("train")}
    for episode in branches(explored):
        env = desk.make()
        assert env.start(tasks[episode.task_id]) == explored.tree.first_observation(episode)
        for step in explored.tree.path(episode):
            assert env.step(step.action).observation == step.feedback
        assert episode.replayed_steps == episode.rollback_step


def test_reflections_are_made_on_failed_ends_only(explored: Explored) -> None:
    tree = explored.tree
    reflected = {r.episode_id for r in explored.reflections}
    for ids in explored.waves[:-1]:
        for episode in (tree[i] for i in ids):
            assert (episode.id in reflected) == (episode.outcome is not Outcome.SOLVED)
    for reflection in explored.reflections:
        episode = tree[reflection.episode_id]
        path = tree.path(episode)
        assert reflection.checkpoint == len(path)
        assert reflection.verdict.parse is Parse.OK
        said = [tree.first_observation(episode), *(s.feedback for s in path)]
        assert reflection.verdict.rollback_step == first_refusal(said)


def test_a_branch_of_a_branch_sees_the_notes_on_its_way(agent: Agent, explored: Explored) -> None:
    deep = [e for e in branches(explored) if len(explored.tree.revisions(e)) > 1]
    assert deep
    for episode in deep:
        notes, tau = explored.tree.notes(episode), episode.rollback_step
        assert list(notes) == list(explored.tree.revisions(episode))
        prompt, _ = agent.chat.history(
            explored.tree.first_observation(episode), explored.tree.path(episode)[:tau], notes
        )
        assert tuple(prompt) in set(agent.engine.prompts)  # type: ignore[attr-defined]


def test_without_experience_the_note_is_left_out_but_tau_is_the_same(agent: Agent) -> None:
    tasks = agent.environment.tasks("train")[:20]
    told = explore(agent, tasks, waves=1)
    silent = Player(agent.engine.tokenizer, agent.engine.act)  # type: ignore[attr-defined]
    plain = explore(replace(agent, engine=silent), tasks, waves=1, with_experience=False)
    assert [(e.parent, e.rollback_step) for e in branches(told)] == [
        (e.parent, e.rollback_step) for e in branches(plain)
    ]
    assert all(e.experience for e in branches(told))
    assert all(e.experience is None for e in branches(plain))
    texts = [agent.engine.tokenizer.decode(list(p)) for p in silent.prompts]  # type: ignore[attr-defined]
    assert not any("Note:" in text for text in texts)


def test_without_experience_no_prompt_of_any_wave_has_a_note(agent: Agent) -> None:
    silent = Player(agent.engine.tokenizer, agent.engine.act)  # type: ignore[attr-defined]
    tasks = agent.environment.tasks("train")[:20]
    made = explore(replace(agent, engine=silent), tasks, waves=3, with_experience=False)
    assert any(len(made.tree.revisions(e)) > 1 for e in branches(made)), "branches of branches"
    assert all(made.tree.notes(e) == {} for e in branches(made))
    taus = {(r.episode_id, r.verdict.rollback_step) for r in made.reflections}
    assert {(e.parent, e.rollback_step) for e in branches(made)} <= taus
    texts = [silent.tokenizer.decode(list(prompt)) for prompt in silent.prompts]
    assert not any("Note:" in text for text in texts)


def test_a_restart_has_the_note_in_view_from_the_first_step_and_replays_nothing(
    agent: Agent,
) -> None:
    player = Player(agent.engine.tokenizer, agent.engine.act)  # type: ignore[attr-defined]
    tasks = agent.environment.tasks("train")[:20]
    made = explore(replace(agent, engine=player), tasks, waves=3, rolls_back=False)
    notes = {r.episode_id: r.verdict.experience for r in made.reflections}
    later = [r for r in made.reflections if (r.verdict.rollback_step or 0) > 0]
    assert len(later) > 5, "verdicts that would go back to a later step"
    seen = {tuple(prompt) for prompt in player.prompts}
    for episode in branches(made):
        note = notes[str(episode.parent)]
        assert (episode.rollback_step, episode.replayed_steps) == (0, 0)
        assert made.tree.notes(episode) == {0: note}, "of its parent's notes none is left"
        assert made.tree.path(episode) == episode.steps
        first = made.tree.first_observation(episode)
        for t in range(len(episode.steps)):
            prompt, _ = agent.chat.history(first, episode.steps[:t], {0: str(note)})
            assert tuple(prompt) in seen
    corrections = [e for e in candidates(made.tree, agent.chat, "continuation") if e.step == 0]
    assert corrections, "the whole attempt is the correction"


@pytest.mark.parametrize("every", [1, 2, 3])
def test_every_k_steps_the_policy_looks_back_once(agent: Agent, every: int) -> None:
    made = explore(agent, agent.environment.tasks("train")[:10], waves=2, every=every)
    tree = made.tree
    looked: dict[str, list[int]] = {}
    for r in made.reflections:
        looked.setdefault(r.episode_id, []).append(r.checkpoint)
    for ids in made.waves[:-1]:
        for episode in (tree[i] for i in ids):
            length, first = len(tree.path(episode)), (episode.rollback_step or 0) + 1
            expected = {n for n in range(first, length) if n % every == 0}
            # Steps that the parent took were looked at there.
            expected |= {length} if episode.outcome is not Outcome.SOLVED else set()
            assert looked.get(episode.id, []) == sorted(expected)


class Lies(DeskEnv):
    """Says something else than before, to every second call."""

    calls = 0

    def step(self, action: str) -> StepResult:
        Lies.calls += 1
        result = super().step(action)
        return replace(result, observation=f"{result.observation} {Lies.calls}")


class LiesAtTheStart(DeskEnv):
    starts = 0

    def start(self, task: Any) -> str:
        LiesAtTheStart.starts += 1
        return f"{super().start(task)} {LiesAtTheStart.starts}"


class EndsEarly(DeskEnv):
    """Ends on the second visit where it went on on the first."""

    visits = 0

    def step(self, action: str) -> StepResult:
        EndsEarly.visits += 1
        return replace(super().step(action), terminated=EndsEarly.visits > 2)


def diverged(agent: Agent, lying: type[DeskEnv]) -> tuple[Tree, Episode]:
    """A root of two steps in a lying world, and a branch from its step 1."""
    liar = in_world(agent, lying)
    assert isinstance(liar.environment, World)
    liar.environment.settings = DeskOptions(refusals=9)
    task = liar.environment.tasks("train")[0]
    first = asyncio.run(attempt(liar, task, wave="w0", sample=0, max_steps=2))
    tree = Tree((first,))
    [looked] = asyncio.run(reflect(liar, tree, first, 0))
    verdict = replace(looked.verdict, parse=Parse.OK, rollback_step=1, experience="call verify.")
    plan, budget = BranchPlan("w1", 1, with_experience=True), Budget(5, 20)
    [made] = asyncio.run(branch(liar, tree, task, [replace(looked, verdict=verdict)], budget, plan))
    assert (budget.attempts, budget.steps) == (4, 20)
    return Tree((first, made)), made


@pytest.mark.parametrize("lying", [Lies, LiesAtTheStart, EndsEarly])
def test_a_world_that_lies_on_replay_is_found_out(agent: Agent, lying: type[DeskEnv]) -> None:
    tree, made = diverged(agent, lying)
    assert made.outcome is Outcome.REPLAY_DIVERGED
    assert made.outcome.is_infrastructure
    assert made.steps == ()
    assert made.id not in {e.episode_id for e in candidates(tree, agent.chat, "continuation")}
    assert asyncio.run(reflect(agent, tree, made, 0)) == []


def test_an_origin_holds_the_note_at_tau_and_needs_a_verdict_that_names_one(
    agent: Agent, explored: Explored
) -> None:
    usable = [r for r in explored.reflections if r.verdict.rollback_step is not None]
    plan = BranchPlan("w1", 1, with_experience=True)
    origin = branch_origin(explored.tree, usable[0], plan)
    assert origin.notes[len(origin.prefix)] == usable[0].verdict.experience
    on_track = replace(usable[0], verdict=replace(usable[0].verdict, rollback_step=None))
    with pytest.raises(ValueError, match="does not ask for a rollback"):
        branch_origin(explored.tree, on_track, plan)


def test_a_reflection_that_could_not_be_drawn_is_counted_under_its_reason(
    agent: Agent, explored: Explored
) -> None:
    failed = next(e for e in explored.tree.episodes if e.outcome is Outcome.FAILED)
    for error, parse in ((EngineError("x"), "engine_error"), (PromptTooLong("x"), "overlong")):
        broken = replace(agent, engine=Failing(error))
        [looked] = asyncio.run(reflect(broken, explored.tree, failed, 0))
        assert looked.verdict.parse == parse
        assert looked.verdict.rollback_step is None


def test_a_reflection_is_rejected_where_it_was_cut_off_or_holds_a_control_token(
    agent: Agent, explored: Explored
) -> None:
    failed = next(e for e in explored.tree.episodes if e.outcome is Outcome.FAILED)
    for text, parse in (("x " * 200, Parse.CUT_OFF), ("<|user|>{}", Parse.CONTROL_TOKEN)):
        player = Player(agent.engine.tokenizer, lambda *_, text=text: text)  # type: ignore[attr-defined]
        [looked] = asyncio.run(reflect(replace(agent, engine=player), explored.tree, failed, 0))
        assert looked.verdict.parse is parse
