"""Stage `rollout`: the root episodes of an iteration, by the policy of the one before."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leafe import layout
from leafe.chain import ROOTS
from leafe.layout import LEAFE, entry
from leafe.rollout import Budget, roots
from leafe.stages.acting import ACTING, failures, make_agent
from leafe.stages.stage import Stage, count, finish_journal, refuse_if_all_failed, run, run_units
from leafe.store import episode_of, episode_row, read_tasks, write_episodes


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy acts, e.g. i0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Sample root episodes for every training task."""
    out, weights = layout.episodes(iteration, ROOTS, method), layout.policy(policy, method)
    stage = Stage(
        f"rollout@{entry(method, iteration)}",
        (*ACTING, "rollout"),
        (layout.tasks("train"), weights),
        record=layout.record(out),
        method=method,
    )
    tasks = {task.id: task for task in read_tasks(layout.tasks("train"))}
    agent = make_agent(stage.params, weights, iteration)
    limits = stage.params.rollout

    async def work(key: str) -> list[dict[str, Any]]:
        budget = Budget(limits.max_attempts, limits.max_steps)
        made = await roots(agent, tasks[key], limits.samples, budget)
        return [episode_row(episode) for episode in made]

    done = run_units(stage, list(tasks), work, engine=agent.engine)
    episodes = [episode_of(row) for rows in done.values() for row in rows]
    refuse_if_all_failed(stage, failures(episodes), "episodes")
    write_episodes(out, episodes)
    outcomes = count(episode.outcome for episode in episodes)
    stage.figures |= {f"outcomes/{name}": n for name, n in outcomes.items()}
    wanted = limits.samples * len(tasks)
    rejected = {"budget": wanted - len(episodes)} if wanted > len(episodes) else {}
    stage.publish_record(wanted, len(episodes), rejected)
    finish_journal(stage)
    print(f"{len(episodes)} episodes in {out}: {outcomes}")


if __name__ == "__main__":
    run(main)
