"""Stage `evaluate`: Pass@k of an iteration's policy on the held-out tasks."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from leafe import layout
from leafe.evaluation import Evaluation, evaluate, sample_task
from leafe.layout import LEAFE, entry
from leafe.seeds import seed_from
from leafe.stages.acting import ACTING, failures, make_agent
from leafe.stages.stage import Stage, finish_journal, refuse_if_all_failed, run, run_units
from leafe.store import (
    atomic,
    episode_of,
    episode_row,
    read_json,
    read_tasks,
    write_episodes,
    write_json,
)
from leafe.training.adapter import in_words, is_adapter

POWERS = tuple(2**n for n in range(12))


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1; i0 is the base policy.")],
    prev: Annotated[str | None, typer.Option(help="The iteration before; none for i0.")] = None,
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Sample plain episodes on every held-out task and measure Pass@k."""
    out, weights = layout.evaluation(iteration, method), layout.policy(iteration, method)
    explored: tuple[Path, ...] = ()
    if prev is not None:
        explored = (layout.exploration(iteration, method), layout.metrics(prev, method))
    stage = Stage(
        f"evaluate@{entry(method, iteration)}" if prev else f"evaluate_{iteration}",
        (*ACTING, "evaluate"),
        (layout.tasks("test"), weights, *explored),
        record=layout.record(out),
        method=method,
    )
    tasks = {task.id: task for task in read_tasks(layout.tasks("test"))}
    agent = make_agent(stage.params, weights, iteration)
    samples = stage.params.evaluate.samples

    async def work(key: str) -> list[dict[str, Any]]:
        made = await sample_task(agent, tasks[key], samples)
        return [episode_row(episode) for episode in made]

    done = run_units(stage, list(tasks), work, engine=agent.engine)
    episodes = [episode_of(row) for rows in done.values() for row in rows]
    refuse_if_all_failed(stage, failures(episodes), "episodes")
    write_episodes(out, episodes)
    ks = [k for k in POWERS if k <= samples]
    seed = seed_from(stage.params.run.seed, "bootstrap") % 2**31
    result = evaluate(episodes, ks, seed)
    write_curve(layout.curve(iteration, method), result)
    told = figures(result, explored)
    if is_adapter(weights):
        told["weights"] = in_words(weights)
    write_json(layout.metrics(iteration, method), told)
    lost = {"infrastructure": result.infrastructure_errors} if result.infrastructure_errors else {}
    stage.publish_record(len(episodes), len(episodes) - sum(lost.values()), lost)
    finish_journal(stage)
    curve = ", ".join(f"Pass@{k} {estimate.value:.3f}" for k, estimate in result.curve.items())
    print(f"{entry(method, iteration)}: {curve}")


def write_curve(path: Path, result: Evaluation) -> None:
    """Pass@k against k as CSV, for `dvc plots`."""
    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("k", "pass_at_k", "low", "high"))
        rows.writerows((k, *estimate) for k, estimate in result.curve.items())


def figures(result: Evaluation, explored: tuple[Path, ...]) -> dict[str, Any]:
    """All figures of an iteration: Pass@k, and what it spent.

    `explored` are the figures of its exploration and of the policy before; none for the base.
    """
    spent = {"env_steps_per_task": 0.0, "env_steps_per_task_so_far": 0.0}
    if explored:
        now, before = map(read_json, explored)
        so_far = before["env_steps_per_task_so_far"] + now["env_steps_per_task"]
        spent = {
            "env_steps_per_task": now["env_steps_per_task"],
            "env_steps_per_task_so_far": so_far,
        }
    return {
        **{f"pass_at_{k}": estimate.value for k, estimate in result.curve.items()},
        "ci95": {f"pass_at_{k}": [e.low, e.high] for k, e in result.curve.items()},
        "outcomes": result.outcomes,
        "infrastructure_errors": result.infrastructure_errors,
        "tasks_left_out": {f"pass_at_{k}": n for k, n in result.tasks_left_out.items()},
        **spent,
    }


if __name__ == "__main__":
    run(main)
