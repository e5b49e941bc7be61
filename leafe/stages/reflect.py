"""Stage `reflect`: the policy looks back on the episodes of a wave; verdicts for the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from leafe import layout
from leafe.branching import reflect
from leafe.layout import LEAFE, entry
from leafe.params import Params
from leafe.planning import waves_of
from leafe.probe import right_step_share
from leafe.reflection import Parse, Reflection
from leafe.stages.acting import ACTING, make_agent
from leafe.stages.stage import Stage, count, finish_journal, refuse_if_all_failed, run, run_units
from leafe.store import read_episodes, reflection_of, reflection_row, write_reflections
from leafe.tree import Tree, join


def tree_before(params: Params, iteration: str, wave: str, method: str) -> Tree:
    """All episodes of the waves before this one.

    Only the last of them is a dependency for DVC; episodes vouch for their ancestors by their
    ids (`leafe/episode.py`), so the others cannot have changed when it has not.
    """
    waves = waves_of(method, params.waves)
    earlier = waves[: waves.index(wave)]
    return join(read_episodes(layout.episodes(iteration, w, method)) for w in earlier)


def undrawn(reflections: Sequence[Reflection]) -> list[str | None]:
    """What the engine failed with, reflection by reflection; None where it held."""
    parses = [reflection.verdict.parse for reflection in reflections]
    return [parse if parse is Parse.ENGINE_ERROR else None for parse in parses]


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy reflects, e.g. i0.")],
    wave: Annotated[str, typer.Option(help="Wave that will branch, e.g. w1.")],
    prev: Annotated[str, typer.Option(help="Wave that is reflected on, e.g. w0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Ask the policy to look back on every failed episode of the wave before."""
    out, weights = layout.reflections(iteration, wave, method), layout.policy(policy, method)
    stage = Stage(
        f"reflect@{entry(method, iteration, wave)}",
        (*ACTING, "reflect"),
        (layout.episodes(iteration, prev, method), weights),
        record=layout.record(out),
        method=method,
    )
    tree = tree_before(stage.params, iteration, wave, method)
    seen = [episode for episode in tree.episodes if episode.wave == prev]
    agent = make_agent(stage.params, weights, iteration)

    async def work(key: str) -> list[dict[str, Any]]:
        made = await reflect(agent, tree, tree[key], stage.params.reflect.every)
        return [reflection_row(reflection) for reflection in made]

    done = run_units(stage, [episode.id for episode in seen], work, engine=agent.engine)
    reflections = [reflection_of(row) for rows in done.values() for row in rows]
    refuse_if_all_failed(stage, undrawn(reflections), "reflections")
    write_reflections(out, reflections)
    usable = [r for r in reflections if r.verdict.rollback_step is not None]
    refused = count(
        r.verdict.parse if r.verdict.parse != "ok" else "on_track"
        for r in reflections
        if r.verdict.rollback_step is None
    )
    if reflections:
        parsed = [r for r in reflections if r.verdict.parse == "ok"]
        stage.figures["parsed_share"] = len(parsed) / len(reflections)
        stage.figures["right_step_share"] = right_step_share(agent.environment, tree, parsed)
    stage.publish_record(len(reflections), len(usable), refused)
    finish_journal(stage)
    print(f"{len(usable)} of {len(reflections)} reflections name a step, in {out}; {refused}")


if __name__ == "__main__":
    run(main)
