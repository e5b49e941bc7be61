"""Stage `branch`: back to each verdict's step, and another try with the note in view."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any

import typer

from leafe import layout
from leafe.branching import BranchPlan, branch
from leafe.episode import Outcome
from leafe.layout import LEAFE, entry
from leafe.method import METHODS
from leafe.reflection import Reflection
from leafe.rollout import Budget
from leafe.stages.acting import ACTING, failures, make_agent
from leafe.stages.reflect import tree_before
from leafe.stages.stage import Stage, count, finish_journal, refuse_if_all_failed, run, run_units
from leafe.store import (
    episode_of,
    episode_row,
    read_reflections,
    read_tasks,
    write_episodes,
)


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy acts, e.g. i0.")],
    wave: Annotated[str, typer.Option(help="This wave, e.g. w1.")],
    prev: Annotated[str, typer.Option(help="Wave that is branched from, e.g. w0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Branch from every reflection that names a step, within each task's budget."""
    out, weights = layout.episodes(iteration, wave, method), layout.policy(policy, method)
    verdicts = layout.reflections(iteration, wave, method)
    stage = Stage(
        f"branch@{entry(method, iteration, wave)}",
        (*ACTING, "rollout", "branch"),
        (layout.tasks("train"), layout.episodes(iteration, prev, method), verdicts, weights),
        record=layout.record(out),
        method=method,
    )
    tasks = {task.id: task for task in read_tasks(layout.tasks("train"))}
    tree = tree_before(stage.params, iteration, wave, method)
    of_task: dict[str, list[Reflection]] = defaultdict(list)
    for reflection in read_reflections(verdicts):
        if reflection.verdict.rollback_step is not None:
            of_task[reflection.task_id].append(reflection)
    agent = make_agent(stage.params, weights, iteration)
    limits, how = stage.params.rollout, METHODS[method]
    each = stage.params.branch.per_reflection
    plan = BranchPlan(wave, each, how.with_experience, how.rolls_back)

    async def work(key: str) -> list[dict[str, Any]]:
        budget = Budget(limits.max_attempts, limits.max_steps)
        past = tree.of_task(key)
        for episode in past.episodes:
            budget.spend(episode)
        made = await branch(agent, past, tasks[key], of_task[key], budget, plan)
        return [episode_row(episode) for episode in made]

    done = run_units(stage, list(of_task), work, engine=agent.engine)
    episodes = [episode_of(row) for rows in done.values() for row in rows]
    refuse_if_all_failed(stage, failures(episodes), "branches")
    write_episodes(out, episodes)
    outcomes = count(episode.outcome for episode in episodes)
    stage.figures |= {f"outcomes/{name}": n for name, n in outcomes.items()}
    if episodes:
        solved = sum(episode.outcome is Outcome.SOLVED for episode in episodes)
        stage.figures["solved_share"] = solved / len(episodes)
    wanted = sum(map(len, of_task.values())) * plan.per_reflection
    rejected = {"budget": wanted - len(episodes)} if wanted > len(episodes) else {}
    stage.publish_record(wanted, len(episodes), rejected)
    finish_journal(stage)
    print(f"{len(episodes)} branches in {out}: {outcomes}")


if __name__ == "__main__":
    run(main)
