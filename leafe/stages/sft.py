"""Stage `sft`: distil an iteration's corrections into the weights, the notes left out."""

from __future__ import annotations

from typing import Annotated

import typer

from leafe import layout
from leafe.errors import BadInput
from leafe.example import TrainingSet
from leafe.seeds import seed_from
from leafe.stages.stage import Stage, run
from leafe.stages.training import train_stage
from leafe.store import read_examples


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy is trained on, e.g. i0.")],
) -> None:
    """Train the policy on L = L_cf + beta L_reh."""
    from leafe.training.checkpoint import load_model, load_tokenizer, save_policy
    from leafe.training.trainer import weigh

    out, weights = layout.policy(iteration), layout.policy(policy)
    stage = Stage(
        f"sft@{iteration}",
        ("model", "sft"),
        (layout.examples(iteration), weights),
        record=layout.record(out),
    )
    examples = read_examples(layout.examples(iteration))
    if not examples:
        raise BadInput(
            f"{layout.examples(iteration)} holds no example: no episode of {iteration} succeeded;"
            " raise rollout.samples, or start from a better base model"
        )
    model, tokenizer = load_model(weights), load_tokenizer(weights)
    settings = stage.params.sft
    betas = {str(TrainingSet.COUNTERFACTUAL): 1.0, str(TrainingSet.REHEARSAL): settings.beta}
    seed = seed_from(stage.params.run.seed, "sft", iteration) % 2**31
    curve = train_stage(stage, model, tokenizer, weigh(examples, betas), settings, seed)
    save_policy(model, tokenizer, out)
    curve.write(layout.loss(iteration))
    stage.figures["final_loss"] = curve.last
    stage.publish_record(len(examples), len(examples), {})
    curve.clean()
    print(f"policy {iteration} in {out}: loss {curve.first:.3f} -> {curve.last:.3f}")


if __name__ == "__main__":
    run(main)
