"""Stage `filter`: from an iteration's tree to its training examples, and the tree's figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from leafe import early_experience, filtering, layout
from leafe.chat import Chat
from leafe.envs import make_environment
from leafe.example import Example
from leafe.exploration import figures
from leafe.filtering import keep
from leafe.layout import LEAFE, entry
from leafe.method import METHODS
from leafe.params import Params
from leafe.planning import waves_of
from leafe.reflection import Reflection
from leafe.stages.acting import make_chat
from leafe.stages.stage import Stage, count, run
from leafe.store import (
    read_episodes,
    read_reflections,
    read_tasks,
    write_examples,
    write_json,
)
from leafe.task import check_trained_on
from leafe.tree import Tree, join


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy explored, e.g. i0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Keep the examples worth learning from."""
    from leafe.training.checkpoint import load_tokenizer

    out, weights = layout.examples(iteration, method), layout.policy(policy, method)
    train, test = layout.tasks("train"), layout.tasks("test")
    stage = Stage(
        f"filter@{entry(method, iteration)}",
        ("env", "model", "filter", "rollout", "waves"),
        (layout.tree(iteration, method), train, test, weights),
        record=layout.record(out),
        method=method,
    )
    params = stage.params
    tree, reflections = read_exploration(params, iteration, method)
    chat = make_chat(params, load_tokenizer(weights), make_environment(params.env))
    offered = list(offer(params, tree, reflections, chat, method))
    kept = keep(iter(offered), params.filter.max_per_task, params.model.context)
    tasks = read_tasks(train)
    check_trained_on({e.task_id for e in kept.examples}, tasks, read_tasks(test), str(out))
    write_examples(out, kept.examples)
    spent = figures(tree.episodes, reflections, len(tasks), params.rollout.max_steps)
    write_json(layout.exploration(iteration, method), spent)
    sets = count(example.set for example in kept.examples)
    stage.figures |= {f"examples/{name}": n for name, n in sets.items()}
    stage.publish_record(len(offered), len(kept.examples), kept.rejected)
    print(f"{sets} in {out}; left out: {dict(kept.rejected)}")


def read_exploration(params: Params, iteration: str, method: str) -> tuple[Tree, list[Reflection]]:
    """All episodes of an iteration, wave by wave, and all reflections on them."""
    waves = waves_of(method, params.waves)
    tree = join(read_episodes(layout.episodes(iteration, wave, method)) for wave in waves)
    looked = (layout.reflections(iteration, wave, method) for wave in waves[1:])
    return tree, [reflection for path in looked for reflection in read_reflections(path)]


def offer(
    params: Params, tree: Tree, reflections: list[Reflection], chat: Chat, method: str
) -> Iterator[Example]:
    """What the method learns from its exploration."""
    if METHODS[method].explores == "alternatives":
        return early_experience.candidates(tree, reflections, chat)
    return filtering.candidates(tree, chat, params.filter.counterfactual)


if __name__ == "__main__":
    run(main)
