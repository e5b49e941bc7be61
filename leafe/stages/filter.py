"""Stage `filter`: from an iteration's tree to its training examples, and the tree's figures."""

from __future__ import annotations

from typing import Annotated

import typer

from leafe import layout
from leafe.chain import ROOTS, chain
from leafe.envs import make_environment
from leafe.episode import Outcome
from leafe.filtering import candidates, keep
from leafe.stages.acting import make_chat
from leafe.stages.stage import Stage, count, run
from leafe.store import read_episodes, read_tasks, write_examples, write_json
from leafe.tree import Tree, join


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy explored, e.g. i0.")],
) -> None:
    """Keep the examples worth learning from."""
    from leafe.training.checkpoint import load_tokenizer

    out, weights = layout.examples(iteration), layout.policy(policy)
    stage = Stage(
        f"filter@{iteration}",
        ("env", "model", "filter"),
        (layout.tree(iteration), layout.tasks("train"), weights),
        record=layout.record(out),
    )
    params = stage.params
    waves = [ROOTS, *chain("waves", params.waves, ROOTS)]
    tree = join(read_episodes(layout.episodes(iteration, wave)) for wave in waves)
    chat = make_chat(params, load_tokenizer(weights), make_environment(params.env))
    offered = list(candidates(tree, chat, params.filter.counterfactual))
    kept = keep(iter(offered), params.filter.max_per_task, params.model.context)
    write_examples(out, kept.examples)
    tasks = len(read_tasks(layout.tasks("train")))
    write_json(layout.exploration(iteration), figures(tree, tasks))
    sets = count(example.set for example in kept.examples)
    stage.figures |= {f"examples/{name}": n for name, n in sets.items()}
    stage.publish_record(len(offered), len(kept.examples), kept.rejected)
    print(f"{sets} in {out}; left out: {dict(kept.rejected)}")


def figures(tree: Tree, tasks: int) -> dict[str, float | dict[str, int]]:
    """What an exploration cost and what it found."""
    solved = {e.task_id for e in tree.episodes if e.outcome is Outcome.SOLVED}
    return {
        "env_steps_per_task": sum(e.steps_taken for e in tree.episodes) / tasks,
        "replayed_steps_per_task": sum(e.replayed_steps for e in tree.episodes) / tasks,
        "sampled_tokens_per_task": sum(e.sampled_tokens for e in tree.episodes) / tasks,
        "attempts_per_task": len(tree.episodes) / tasks,
        "tasks_solved_share": len(solved) / tasks,
        "outcomes": count(e.outcome for e in tree.episodes),
    }


if __name__ == "__main__":
    run(main)
