"""Stage `sft`: distil an iteration's corrections into the weights, the notes left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from leafe import layout
from leafe.errors import BadInput
from leafe.example import Example, TrainingSet
from leafe.layout import LEAFE, entry
from leafe.params import PARAMS_FILE
from leafe.seeds import seed_from
from leafe.stages.stage import Stage, run
from leafe.stages.training import distil_stage
from leafe.store import read_examples, read_tasks
from leafe.task import check_trained_on
from leafe.training.adapter import in_words


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy is trained on, e.g. i0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Train the policy on L = L_cf + beta L_reh."""
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
    short = refuse_overlong(stage, examples)
    settings = stage.params.sft
    betas = {
        str(TrainingSet.COUNTERFACTUAL): 1.0,
        str(TrainingSet.REHEARSAL): settings.beta,
        str(TrainingSet.WORLD_MODEL): stage.params.early_experience.world_model,
        str(TrainingSet.SELF_REFLECTION): stage.params.early_experience.self_reflection,
    }
    seed = seed_from(stage.params.run.seed, "sft", entry(method, iteration)) % 2**31
    curve = distil_stage(stage, weights, weigh(short, betas), seed, out)
    curve.write(layout.loss(iteration, method))
    stage.figures["final_loss"] = curve.last
    overlong = len(examples) - len(short)
    rejected = {"overlong": overlong} if overlong else {}
    stage.publish_record(len(examples), len(short), rejected)
    curve.clean()
    print(
        f"policy {entry(method, iteration)} in {out}: {in_words(out)}, loss {curve.first:.3f} ->"
        f" {curve.last:.3f}"
    )


def refuse_overlong(stage: Stage, examples: Sequence[Example]) -> list[Example]:
    """The examples that fit the model's context, whole; BadInput where none does."""
    context = stage.params.model.context
    short = [example for example in examples if len(example.token_ids) <= context]
    if overlong := len(examples) - len(short):
        print(
            f"{overlong} of {len(examples)} examples are longer than model.context ({context}"
            " tokens) and are not trained on"
        )
    if not short:
        raise BadInput(
            f"{PARAMS_FILE}: model.context is {context}; all {len(examples)} examples are longer"
        )
    return short


if __name__ == "__main__":
    run(main)
