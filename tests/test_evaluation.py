"""Evaluation: plain episodes only; what the machinery spoiled is reported, never counted."""

from __future__ import annotations

import asyncio
from math import isnan

import pytest
from players import Player, clerk, make_agent

from leafe.chat import Chat
from leafe.envs.desk import Desk
from leafe.episode import Episode, Outcome, with_content_id
from leafe.evaluation import evaluate, sample_task
from leafe.pass_at_k import pass_at_k

ALL = [*Outcome]


def episode(task: str, sample: int, outcome: Outcome) -> Episode:
    bare = Episode(
        "", task, "i1", "eval", sample, "p", None, None, None, "o", (), outcome, replayed_steps=0
    )
    return with_content_id(bare)


def episodes(**outcomes: list[Outcome]) -> list[Episode]:
    return [episode(t, n, o) for t, listed in outcomes.items() for n, o in enumerate(listed)]


S, F = Outcome.SOLVED, Outcome.FAILED


def test_the_curve_is_the_mean_over_tasks_of_the_unbiased_estimate() -> None:
    result = evaluate(episodes(a=[S, F, F, F], b=[F] * 4, c=[S] * 4), (1, 2, 4), seed=0)
    for k in (1, 2, 4):
        assert result.curve[k].value == pytest.approx((pass_at_k(4, 1, k) + 0 + 1) / 3)
    assert result.outcomes == {"failed": 7, "solved": 5}
    assert result.infrastructure_errors == 0
    assert result.tasks_left_out == {1: 0, 2: 0, 4: 0}


def test_infrastructure_errors_are_excluded_and_reported() -> None:
    broken = [o for o in ALL if o.is_infrastructure]
    assert {str(o) for o in broken} == {"env_error", "engine_error", "timeout", "replay_diverged"}
    result = evaluate(episodes(a=[S, F, *broken]), (1,), seed=0)
    assert result.curve[1].value == 0.5
    assert result.infrastructure_errors == len(broken)
    assert sum(result.outcomes.values()) == 2 + len(broken)


def test_the_policys_own_failures_of_every_kind_count_against_it() -> None:
    own = [o for o in ALL if not o.is_infrastructure]
    result = evaluate(episodes(a=own), (1,), seed=0)
    assert result.curve[1].value == pytest.approx(1 / len(own))


def test_a_task_that_lost_samples_is_left_out_where_k_is_too_large_for_it() -> None:
    lost = Outcome.ENGINE_ERROR
    result = evaluate(episodes(a=[S, S, lost], b=[F, F, F], c=[lost] * 3), (1, 2, 3), seed=0)
    assert [result.curve[k].value for k in (1, 2, 3)] == [0.5, 0.5, 0.0]
    assert result.tasks_left_out == {1: 1, 2: 1, 3: 2}
    assert result.infrastructure_errors == 4


def test_with_no_task_left_the_figure_is_not_a_number() -> None:
    result = evaluate(episodes(a=[Outcome.TIMEOUT] * 2), (1,), seed=0)
    assert isnan(result.curve[1].value)
    assert result.tasks_left_out == {1: 1}


def test_samples_are_plain_roots_each_with_draws_of_its_own(desk: Desk, chat: Chat) -> None:
    agent = make_agent(desk, chat, Player(chat._codec.tokenizer, clerk(desk)))
    task = agent.environment.tasks("test")[0]
    made = asyncio.run(sample_task(agent, task, 6))
    assert [e.sample for e in made] == list(range(6))
    assert all(e.parent is None and e.experience is None and e.wave == "eval" for e in made)
    assert len({tuple(s.action for s in e.steps) for e in made}) > 1
    assert made == asyncio.run(sample_task(agent, task, 6))
