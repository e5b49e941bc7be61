"""What an exploration cost and what it found; and that no task spent more than it may.

Environment steps are what is bought: every method has the same number for each task and
iteration. Replayed steps and sampled tokens are told beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leafe.episode import Episode, Outcome
from leafe.reflection import Reflection


class OverBudget(RuntimeError):
    """A task spent more than it may: a fault of this program."""


def figures(
    episodes: Sequence[Episode],
    reflections: Sequence[Reflection],
    tasks: int,
    max_steps: int,
) -> dict[str, float | dict[str, int]]:
    """The figures of an iteration's exploration, per training task.

    `max_steps` is the budget: new environment steps per task. Raises OverBudget.
    """
    steps, solved = Counter[str](), set[str]()
    for episode in episodes:
        steps[episode.task_id] += episode.steps_taken
        if episode.outcome is Outcome.SOLVED:
            solved.add(episode.task_id)
    worst = max(steps.values(), default=0)
    if worst > max_steps:
        raise OverBudget(f"a task spent {worst} environment steps; it may spend {max_steps}")
    reflected = sum(len(reflection.token_ids) for reflection in reflections)
    acted = sum(episode.sampled_tokens for episode in episodes)
    return {
        "budget_per_task": max_steps,
        "env_steps_per_task": steps.total() / tasks,
        "unspent_steps_per_task": max_steps - steps.total() / tasks,
        "most_steps_of_a_task": worst,
        "replayed_steps_per_task": sum(e.replayed_steps for e in episodes) / tasks,
        "sampled_tokens_per_task": (acted + reflected) / tasks,
        "reflection_tokens_per_task": reflected / tasks,
        "attempts_per_task": len(episodes) / tasks,
        "tasks_solved_share": len(solved) / tasks,
        "outcomes": dict(sorted(Counter(str(e.outcome) for e in episodes).items())),
    }
