"""Stage `sft`: distil an iteration's corrections into the weights, the notes left out."""

from __future__ import annotations

from typing import Annotated

import typer

from leafe import layout
from leafe.errors import BadInput
from leafe.example import TrainingSet
from leafe.layout import LEAFE, entry
from leafe.seeds import seed_from
from leafe.stages.stage import Stage, run
from leafe.stages.training import train_stage
from leafe.store import read_examples, read_tasks
from leafe.task import check_trained_on


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy is trained on, e.g. i0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Train the policy on L = L_cf + beta L_reh."""
    from leafe.training.checkpoint import load_model, load_tokenizer, save_policy
    from leafe.training.trainer import weigh

    out, weights = layout.policy(iteration, method), layout.policy(policy, method)
    taught = layout.examples(iteration, method)
    stage = Stage(
        f"sft@{entry(method, iteration)}",
        ("model", "sft", "early_experience"),
        (taught, layout.tasks("train"), layout.tasks("test"), weights),
        record=layout.record(out),
        method=method,
    )
    examples = read_examples(taught)
    if not examples:
        raise BadInput(
            f"{taught} holds no example: no episode of {iteration} succeeded;"
            " raise rollout.samples, or start from a better base model"
        )
    train, test = read_tasks(layout.tasks("train")), read_tasks(layout.tasks("test"))
    check_trained_on({example.task_id for example in examples}, train, test, str(taught))
    model, tokenizer = load_model(weights), load_tokenizer(weights)
    settings = stage.params.sft
    betas = {
        str(TrainingSet.COUNTERFACTUAL): 1.0,
        str(TrainingSet.REHEARSAL): settings.beta,
        str(TrainingSet.WORLD_MODEL): stage.params.early_experience.world_model,
        str(TrainingSet.SELF_REFLECTION): stage.params.early_experience.self_reflection,
    }
    seed = seed_from(stage.params.run.seed, "sft", entry(method, iteration)) % 2**31
    curve = train_stage(stage, model, tokenizer, weigh(examples, betas), settings, seed)
    save_policy(model, tokenizer, out)
    curve.write(layout.loss(iteration, method))
    stage.figures["final_loss"] = curve.last
    stage.publish_record(len(examples), len(examples), {})
    curve.clean()
    print(f"policy {entry(method, iteration)} in {out}: loss {curve.first:.3f} -> {curve.last:.3f}")


if __name__ == "__main__":
    run(main)
