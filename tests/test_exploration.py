"""The figures of an exploration: what it cost, what it found, and no task over its budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leafe.episode import Episode, Outcome, Step
from leafe.exploration import OverBudget, figures
from leafe.reflection import Parse, Reflection, Verdict


def episode(task: str, steps: int, outcome: Outcome = Outcome.FAILED, tau: int = 0) -> Episode:
    """A made-up attempt; each of its actions has two tokens."""
    return Episode(
        id="e",
        task_id=task,
        iteration="i1",
        wave="w0",
        sample=0,
        policy="p",
        parent="root" if tau else None,
        rollback_step=tau or None,
        experience=None,
        first_observation="go",
        steps=(Step("x", (1, 2), (0.0, 0.0), "y"),) * steps,
        outcome=outcome,
        replayed_steps=tau,
    )


MADE = [
    episode("a", 4),
    episode("a", 3, Outcome.SOLVED, tau=2),
    episode("a", 1, Outcome.OUT_OF_BUDGET),
    episode("b", 2, Outcome.SOLVED),
    episode("b", 2, Outcome.SOLVED),
    episode("c", 0, Outcome.TIMEOUT),
]
SAID = [Reflection("r", "e", "a", 4, "", (1, 2, 3), Verdict(Parse.NOT_JSON))]


def test_the_figures_are_per_training_task_and_those_never_tried_count() -> None:
    assert figures(MADE, SAID, tasks=4, max_steps=8) == {
        "budget_per_task": 8,
        "env_steps_per_task": 12 / 4,
        "unspent_steps_per_task": 8 - 12 / 4,
        "most_steps_of_a_task": 8,
        "replayed_steps_per_task": 2 / 4,
        "sampled_tokens_per_task": (24 + 3) / 4,
        "reflection_tokens_per_task": 3 / 4,
        "attempts_per_task": 6 / 4,
        "tasks_solved_share": 2 / 4,
        "outcomes": {"failed": 1, "out_of_budget": 1, "solved": 3, "timeout": 1},
    }


def test_one_step_more_than_a_task_may_spend_is_a_fault() -> None:
    with pytest.raises(OverBudget, match="a task spent 8 environment steps; it may spend 7"):
        figures(MADE, SAID, tasks=4, max_steps=7)
    # Steps that others spent, and steps repeated, are not a task's own.
    figures([replace(e, task_id=str(n)) for n, e in enumerate(MADE)], (), tasks=6, max_steps=4)


def test_an_exploration_without_an_episode_cost_nothing() -> None:
    found = figures([], [], tasks=3, max_steps=9)
    assert (found["env_steps_per_task"], found["unspent_steps_per_task"]) == (0, 9)
    assert (found["most_steps_of_a_task"], found["outcomes"]) == (0, {})
