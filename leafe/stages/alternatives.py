"""Stage `alternatives`: Early Experience acts otherwise at the steps of what succeeded."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leafe import layout
from leafe.branching import reflect
from leafe.chain import ROOTS
from leafe.early_experience import alternatives
from leafe.layout import LEAFE, entry
from leafe.planning import ALTERNATIVES
from leafe.rollout import Budget
from leafe.stages.acting import ACTING, failures, make_agent
from leafe.stages.reflect import undrawn
from leafe.stages.stage import Stage, count, finish_journal, refuse_if_all_failed, run, run_units
from leafe.store import (
    episode_of,
    episode_row,
    read_episodes,
    read_tasks,
    reflection_of,
    reflection_row,
    write_episodes,
    write_reflections,
)
from leafe.tree import Tree


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy acts, e.g. i0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. early_experience.")] = LEAFE,
) -> None:
    """Take other actions at the steps of each success, and reflect on each of them."""
    out, weights = layout.episodes(iteration, ALTERNATIVES, method), layout.policy(policy, method)
    roots = layout.episodes(iteration, ROOTS, method)
    stage = Stage(
        f"alternatives@{entry(method, iteration)}",
        (*ACTING, "rollout", "early_experience"),
        (layout.tasks("train"), roots, weights),
        record=layout.record(out),
        method=method,
    )
    tasks = {task.id: task for task in read_tasks(layout.tasks("train"))}
    tree = Tree(tuple(read_episodes(roots)))
    agent = make_agent(stage.params, weights, iteration)
    limits, per_step = stage.params.rollout, stage.params.early_experience.per_step

    async def work(key: str) -> dict[str, list[dict[str, Any]]]:
        # One step each: they are no attempts at the task, and the steps bound their number.
        budget, past = Budget(limits.max_steps, limits.max_steps), tree.of_task(key)
        for episode in past.episodes:
            budget.spend(episode)
        made = await alternatives(agent, past, tasks[key], budget, per_step)
        whole = Tree((*past.episodes, *made))
        said = [r for episode in made for r in await reflect(agent, whole, episode, every=0)]
        return {
            "episodes": [episode_row(episode) for episode in made],
            "reflections": [reflection_row(reflection) for reflection in said],
        }

    done = run_units(stage, list(tree.tasks()), work, engine=agent.engine).values()
    episodes = [episode_of(row) for unit in done for row in unit["episodes"]]
    reflections = [reflection_of(row) for unit in done for row in unit["reflections"]]
    refuse_if_all_failed(stage, failures(episodes), "actions")
    refuse_if_all_failed(stage, undrawn(reflections), "reflections")
    write_episodes(out, episodes)
    write_reflections(layout.reflections(iteration, ALTERNATIVES, method), reflections)
    parsed = count(reflection.verdict.parse for reflection in reflections)
    stage.figures |= {f"parse/{name}": n for name, n in parsed.items()}
    stage.publish_record(len(episodes), len(episodes), {})
    finish_journal(stage)
    print(f"{len(episodes)} other actions in {out}, {len(reflections)} reflections: {parsed}")


if __name__ == "__main__":
    run(main)
