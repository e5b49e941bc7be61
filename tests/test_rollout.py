"""One attempt: budgets are exact, every failure is an outcome, and replay is compared."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from players import Player, clerk, explore, make_agent

from leafe.chat import Chat
from leafe.engine import Completion, EngineError, PromptTooLong, Sampling
from leafe.env import Env, StepResult
from leafe.envs.desk import Desk, DeskEnv, DeskOptions
from leafe.episode import Episode, Outcome
from leafe.rollout import Agent, Budget, Origin, attempt, roots
from leafe.task import Task


@pytest.fixture
def agent(desk: Desk, chat: Chat, tokenizer: Any) -> Agent:
    return make_agent(desk, chat, Player(tokenizer, clerk(desk)))


def play(agent: Agent, **how: Any) -> Episode:
    task = agent.environment.tasks("train")[0]
    how = {"wave": "w0", "sample": 0, "max_steps": 99} | how
    return asyncio.run(attempt(agent, task, **how))


def saying(agent: Agent, text: str) -> Agent:
    player = Player(agent.engine.tokenizer, lambda *_: text)  # type: ignore[attr-defined]
    return replace(agent, engine=player)


def test_an_episode_is_named_by_all_that_it_holds(agent: Agent) -> None:
    episode = play(agent)
    content = json.dumps(asdict(replace(episode, id="")), sort_keys=True, separators=(",", ":"))
    assert len(episode.steps) > 1
    assert episode.id == hashlib.sha256(content.encode()).hexdigest()[:20]


def test_an_attempt_records_what_was_sampled_and_what_was_said(agent: Agent, desk: Desk) -> None:
    episode = play(agent)
    task = desk.tasks("train")[0]
    env = desk.make()
    assert episode.first_observation == env.start(task)
    for step in episode.steps:
        assert step.feedback == env.step(step.action).observation
        assert agent.chat.decode(step.token_ids) == step.action
        assert len(step.logprobs) == len(step.token_ids)
    assert episode.outcome in (Outcome.SOLVED, Outcome.FAILED)
    assert (episode.parent, episode.rollback_step, episode.replayed_steps) == (None, None, 0)


def test_an_attempt_hangs_on_nothing_but_its_place_in_the_run(agent: Agent) -> None:
    assert play(agent) == play(agent)
    others = [play(agent, sample=1), play(agent, wave="w1"), play(replace(agent, seed=1))]
    seeds = {tuple(e.steps) for e in (play(agent), *others)}
    assert len(seeds) > 1


def test_each_prompt_is_the_history_so_far(agent: Agent) -> None:
    episode = play(agent)
    asked = agent.engine.prompts  # type: ignore[attr-defined]
    assert len(asked) == len(episode.steps)
    for t, prompt in enumerate(asked):
        ids, _ = agent.chat.history(episode.first_observation or "", episode.steps[:t], {})
        assert list(prompt) == ids


class Failing:
    """An engine that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def generate(self, prompt: Any, sampling: Sampling) -> Completion:
        raise self.error

    async def close(self) -> None:
        """Nothing is held."""


class World(Desk):
    """A desk whose `DeskEnv` can be swapped."""

    env: type[DeskEnv] = DeskEnv

    def make(self) -> Env:
        return self.env(1, "what")


class Raises(DeskEnv):
    def step(self, action: str) -> StepResult:
        raise OSError("the world broke")


class Hangs(DeskEnv):
    def step(self, action: str) -> StepResult:
        time.sleep(0.5)
        return super().step(action)


class Truncates(DeskEnv):
    def step(self, action: str) -> StepResult:
        return replace(super().step(action), terminated=False, truncated=True)


def in_world(agent: Agent, env: type[DeskEnv], step_timeout: float | None = None) -> Agent:
    world = World(DeskOptions())
    world.env, world.step_timeout = env, step_timeout  # type: ignore[assignment]
    return replace(agent, environment=world)


def test_every_failure_is_an_outcome_with_what_was_said(agent: Agent) -> None:
    cases = {
        Outcome.ENGINE_ERROR: replace(agent, engine=Failing(EngineError("no GPU"))),
        Outcome.OVERLONG: replace(agent, engine=Failing(PromptTooLong("too long"))),
        Outcome.INVALID_ACTION: saying(agent, "verify<|user|>()"),
        Outcome.ENV_ERROR: in_world(agent, Raises),
        Outcome.TIMEOUT: in_world(agent, Hangs, step_timeout=0.05),
        Outcome.FAILED: saying(agent, "gibberish"),
    }
    errors = {}
    for outcome, failing in cases.items():
        episode = play(failing)
        assert episode.outcome is outcome
        errors[outcome] = episode.error
    assert errors[Outcome.ENGINE_ERROR] == "no GPU"
    assert errors[Outcome.ENV_ERROR] == "OSError: the world broke"
    assert "0.05 s" in (errors[Outcome.TIMEOUT] or "")
    assert errors[Outcome.FAILED] is errors[Outcome.OVERLONG] is None


def test_the_steps_run_out_by_the_cap_the_budget_or_the_world(agent: Agent) -> None:
    patient = replace(agent, environment=Desk(DeskOptions(refusals=99, max_steps=5)))
    capped, unpaid = Outcome.OUT_OF_STEPS, Outcome.OUT_OF_BUDGET
    # Both at once is the cap: more budget would not have changed the end.
    for budget, outcome, steps in ((99, capped, 5), (5, capped, 5), (4, unpaid, 4), (1, unpaid, 1)):
        episode = play(saying(patient, "gibberish"), max_steps=budget)
        assert (episode.outcome, episode.steps_taken) == (outcome, steps)
    whole = play(saying(patient, "gibberish"))
    # Replayed steps are no new ones: the budget is for what comes after them.
    from_third = Origin("root", whole.first_observation, whole.steps[:3])
    for budget, outcome, steps in ((2, capped, 2), (1, unpaid, 1)):
        branch = play(saying(patient, "gibberish"), max_steps=budget, origin=from_third)
        assert (branch.outcome, branch.steps_taken) == (outcome, steps)
        assert branch.replayed_steps == 3
    assert play(in_world(agent, Truncates)).steps_taken == 1
    assert play(in_world(agent, Truncates)).outcome is Outcome.OUT_OF_STEPS


def test_the_world_is_closed_whatever_happens(agent: Agent) -> None:
    closed: list[str] = []

    class Notes(Raises):
        def close(self) -> None:
            closed.append("closed")

    play(in_world(agent, Notes))
    assert closed == ["closed"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    samples=st.integers(1, 5),
    attempts=st.integers(1, 9),
    steps=st.integers(1, 40),
    every=st.sampled_from([0, 2]),
    per_reflection=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_the_budget_is_never_exceeded_and_steps_are_charged_exactly(
    agent: Agent,
    samples: int,
    attempts: int,
    steps: int,
    every: int,
    per_reflection: int,
    seed: int,
) -> None:
    tasks = agent.environment.tasks("train")[:3]
    made = explore(
        replace(agent, seed=seed),
        tasks,
        samples=samples,
        attempts=attempts,
        steps=steps,
        every=every,
        per_reflection=per_reflection,
    )
    for task in tasks:
        own = made.tree.of_task(task.id).episodes
        spent = sum(episode.steps_taken for episode in own)
        assert 1 <= len(own) <= attempts
        assert spent <= steps
        # Roots stop early only because the budget was spent.
        roots_made = sum(episode.parent is None for episode in own)
        assert roots_made == samples or len(own) == attempts or spent == steps
        for episode in own:
            path = made.tree.path(episode)
            assert len(path) == (episode.rollback_step or 0) + episode.steps_taken
            assert episode.replayed_steps == (episode.rollback_step or 0)


def test_a_budget_books_new_steps_and_attempts(agent: Agent, desk: Desk) -> None:
    task: Task = desk.tasks("train")[0]
    budget = Budget(attempts=5, steps=40)
    made = asyncio.run(roots(agent, task, 3, budget))
    assert budget.attempts == 5 - len(made)
    assert budget.steps == 40 - sum(e.steps_taken for e in made)
    branch = replace(made[0], parent="x", rollback_step=2, replayed_steps=2)
    before = budget.steps
    budget.spend(branch)
    assert budget.steps == before - len(branch.steps)
