"""Stage `warm_start`: the base policy, iteration 0; given, or small and made from nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from leafe import layout
from leafe.chat import read_prompts
from leafe.env import Builder, Environment, Lesson, Teacher
from leafe.envs import make_environment
from leafe.errors import BadInput, show_value
from leafe.layout import BASE
from leafe.lessons import render, words
from leafe.params import PARAMS_FILE
from leafe.probe import Probe, probe
from leafe.progress import Progress
from leafe.rollout import Agent
from leafe.seeds import seed_from
from leafe.stages.acting import ACTING, make_agent, make_chat
from leafe.stages.stage import Stage, in_use, run
from leafe.stages.training import Curve, train_stage
from leafe.store import write_json
from leafe.task import Task
from leafe.training.adapter import is_adapter

TOKENIZER_LESSONS = 3000
"""Lessons whose words the tokenizer is trained on."""


def main() -> None:
    """Make the base policy, or take the one at `model.path`; measure it on an unseen world."""
    out = layout.policy(BASE)
    stage = Stage("warm_start", (*ACTING, "warm_start", "rollout"), (), record=layout.record(out))
    environment = make_environment(stage.params.env)
    given = stage.params.model.path
    curve = make_small(stage, environment, out) if given is None else take(Path(given), out)
    curve.write(layout.loss(BASE))
    world = environment.unseen() if isinstance(environment, Teacher) else environment
    agent = replace(make_agent(stage.params, out, BASE), environment=world)
    tasks = world.tasks("train")[: stage.params.warm_start.probe_tasks]
    if isinstance(world, Builder):
        world.build(tasks, None)
    print(f"measuring it on {len(tasks)} tasks of an unseen world")
    figures = asyncio.run(measure(agent, tasks, stage.params.rollout.samples))
    write_json(layout.warm_start(), figures)
    stage.figures |= {name: float(str(value)) for name, value in figures.items()}
    stage.publish_record(len(tasks), len(tasks), {})
    curve.clean()
    print(f"base policy in {out}:", ", ".join(f"{k} {v:.3f}" for k, v in stage.figures.items()))


async def measure(agent: Agent, tasks: Sequence[Task], samples: int) -> Probe:
    """The probe's figures; the engine is closed."""
    async with in_use(agent.engine):
        return await probe(agent, tasks, samples)


def make_small(stage: Stage, environment: Environment, out: Path) -> Curve:
    """Train a small model on lessons about other worlds."""
    from leafe.training.checkpoint import save_policy
    from leafe.training.small import new_model, train_tokenizer
    from leafe.training.trainer import WeightedTokens

    if not isinstance(environment, Teacher):
        raise BadInput(
            f"params.yaml: model.path is null, but the environment {environment.name} gives no"
            " lessons to train a small model on; set model.path to a checkpoint folder"
        )
    model_params, section = stage.params.model, stage.params.warm_start
    seed = seed_from(stage.params.run.seed, "warm_start") % 2**31
    lessons = collect(environment.lessons(section.lessons, seed), section.lessons)
    prompts = read_prompts(model_params.prompts)
    texts = [*words(lessons[:TOKENIZER_LESSONS], prompts.turn), prompts.experience, prompts.reflect]
    tokenizer = train_tokenizer(texts, model_params.vocabulary)
    chat = make_chat(stage.params, tokenizer, environment)
    sequences = [sequence for lesson in lessons for sequence in render(chat, lesson)]
    written = sum(sum(mask) for _, mask in sequences)
    read = sum(len(mask) for _, mask in sequences) - written
    whole = written + section.reading * read
    weights = {True: 1 / whole, False: section.reading / whole}
    model = new_model(
        tokenizer,
        hidden=model_params.hidden,
        layers=model_params.layers,
        heads=model_params.heads,
        context=model_params.context,
        seed=seed,
    )
    print(
        f"{model.num_parameters():,} parameters, {len(lessons)} lessons, {written} tokens to write"
    )
    weighted = [WeightedTokens(ids, tuple(weights[m] for m in mask)) for ids, mask in sequences]
    curve = train_stage(stage, model, tokenizer, weighted, section, seed)
    save_policy(model, tokenizer, out)
    return curve


def collect(lessons: Iterator[Lesson], count: int) -> list[Lesson]:
    """The first `count`; some environments play each of them."""
    collected = []
    with Progress("lessons", count, unit="lessons") as progress:
        for lesson in islice(lessons, count):
            collected.append(lesson)
            progress.advance()
    return collected


def take(given: Path, out: Path) -> Curve:
    """Copy a checkpoint that was brought along; it appears whole or not at all."""
    from leafe.training.checkpoint import check_policy, load_tokenizer

    key = f"{PARAMS_FILE}: model.path is {show_value(str(given))}"
    if not given.is_dir():
        raise BadInput(f"{key}, which is no folder; allowed: a checkpoint folder, or null")
    if given.resolve().is_relative_to(out.resolve()):
        raise BadInput(f"{key}, which this stage writes to; put the checkpoint elsewhere")
    if is_adapter(given):
        raise BadInput(
            f"{key}, which is an adapter; allowed: all weights, as `leafe policy merge` writes them"
        )
    check_policy(given)
    load_tokenizer(given)  # says now, not after the copy, whether it can be read
    out.parent.mkdir(parents=True, exist_ok=True)
    for stale in out.parent.glob(f".{out.name}.*.part"):  # a killed process left it
        shutil.rmtree(stale)
    with TemporaryDirectory(".part", f".{out.name}.", out.parent) as temporary:
        new = Path(temporary) / "policy"
        shutil.copytree(given, new, ignore=shutil.ignore_patterns(".*"))
        shutil.rmtree(out, ignore_errors=True)
        new.rename(out)
    return Curve((), None)


if __name__ == "__main__":
    run(main)
