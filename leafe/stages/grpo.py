"""Stage `grpo`: the outcome-driven baseline; rounds of fresh episodes and updates on them.

Our own loop, not TRL's trainer: that one owns the sampling, through experimental hooks for more
than one turn, knows no budget of environment steps, and could not share the episodes, the seeds
and the engine that all other methods have here.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from leafe import layout
from leafe.advantage import Group, make_group
from leafe.chain import ROOTS
from leafe.episode import Episode
from leafe.errors import BadInput
from leafe.exploration import figures
from leafe.journal import Journal
from leafe.layout import BASE, entry
from leafe.params import PARAMS_FILE, Params
from leafe.progress import Progress
from leafe.rollout import Agent, Budget, roots
from leafe.seeds import seed_from
from leafe.stages.acting import ACTING, failures, make_agent
from leafe.stages.stage import Stage, finish_journal, refuse_if_all_failed, run
from leafe.stages.threads import use_threads
from leafe.stages.training import CHECKPOINTS, write_losses
from leafe.store import (
    episode_of,
    episode_row,
    read_tasks,
    write_episodes,
    write_json,
)
from leafe.task import Task, check_trained_on


def main(
    iteration: Annotated[str, typer.Option(help="Iteration, e.g. i1.")],
    policy: Annotated[str, typer.Option(help="Iteration whose policy is trained on, e.g. i0.")],
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = "grpo",
) -> None:
    """Sample groups of episodes, learn from how each did against its group, and again."""
    out, weights = layout.policy(iteration, method), layout.policy(policy, method)
    train, test = layout.tasks("train"), layout.tasks("test")
    base = layout.policy(BASE)
    stage = Stage(
        f"grpo@{entry(method, iteration)}",
        (*ACTING, "rollout", "grpo"),
        (train, test, weights, base),
        record=layout.record(out),
        method=method,
    )
    check_engine(stage.params)
    tasks = read_tasks(train)
    check_trained_on({task.id for task in tasks}, tasks, read_tasks(test), str(train))
    rounds = Rounds(stage, weights, base, iteration)
    done = rounds.run(tasks)
    episodes = [episode_of(row) for unit in done.values() for row in unit["episodes"]]
    refuse_if_all_failed(stage, failures(episodes), "episodes")
    rounds.publish(out)
    write_episodes(layout.episodes(iteration, ROOTS, method), episodes)
    spent = figures(episodes, (), len(tasks), stage.params.rollout.max_steps)
    write_json(layout.exploration(iteration, method), spent)
    write_losses(layout.loss(iteration, method), list(losses(done)))
    rejected = sum((Counter(unit["rejected"]) for unit in done.values()), Counter[str]())
    stage.figures |= {name: value for name, value in last_round(done).items() if value == value}
    stage.publish_record(len(episodes), len(episodes) - rejected.total(), rejected)
    finish_journal(stage)
    shutil.rmtree(checkpoints(stage).parent, ignore_errors=True)  # of other parameters, too
    print(
        f"policy {entry(method, iteration)} in {out}: {len(done)} rounds, {len(episodes)} episodes"
    )


def check_engine(params: Params) -> None:
    """BadInput where the engine is not the policy that is trained, in this process."""
    if params.engine.name != "transformers":
        raise BadInput(
            f"{PARAMS_FILE}: engine.name is {params.engine.name!r}; grpo trains the very policy"
            " that acts, so it needs the engine transformers"
        )
    if params.sampling.temperature == 0:
        raise BadInput(
            f"{PARAMS_FILE}: sampling.temperature is 0; grpo compares different episodes of a"
            " task, so it must be above 0"
        )


def checkpoints(stage: Stage) -> Path:
    """Where the state after each round lies until the policy is published."""
    return CHECKPOINTS / stage.name.replace("@", "-") / stage.fingerprint[:32]


def losses(done: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
    """(round, loss) of every round that had something to learn from."""
    for number, unit in enumerate(done.values(), start=1):
        if unit["figures"]["steps"]:
            yield number, unit["figures"]["loss"]


def last_round(done: Mapping[str, Any]) -> dict[str, float]:
    """The figures of the last round that had something to learn from; empty if none had."""
    told = [unit["figures"] for unit in done.values() if unit["figures"]["steps"]]
    named = {"loss": "final_loss"}  # the curve is called loss
    return {named.get(name, name): value for name, value in told[-1].items()} if told else {}


def can_go_on(journal: Journal, folder: Path) -> bool:
    """Whether a journal has its rounds without a gap, and there is the state after the last."""
    numbers = [str(n) for n in range(1, len(journal.done) + 1)]
    state = folder / f"{len(numbers)}.safetensors"
    return list(journal.done) == numbers and (not numbers or state.exists())


class Rounds:
    """The policy under training, which is also the policy that acts."""

    def __init__(self, stage: Stage, weights: Path, base: Path, iteration: str) -> None:
        from leafe.engines.transformers import TransformersEngine
        from leafe.training.checkpoint import load_model
        from leafe.training.policy_gradient import PolicyGradient, PolicyGradientSettings

        params = stage.params
        self._stage, self._params = stage, params.grpo
        use_threads(params)
        self._model = load_model(weights)
        engine = TransformersEngine(
            self._model, rows=params.engine.rows, max_length=params.model.context
        )
        self._agent = make_agent(params, weights, iteration, engine)
        self._weights = weights
        settings = PolicyGradientSettings(
            **params.grpo.model_dump(exclude={"group", "tasks"}),
            temperature=params.sampling.temperature,
        )
        reference = load_model(base) if params.grpo.kl else None
        self._learner = PolicyGradient(self._model, reference, settings)

    def run(self, tasks: list[Task]) -> dict[str, Any]:
        """Do every round once, journalled; number -> what it gave."""
        stage, folder = self._stage, checkpoints(self._stage)
        seed = seed_from(stage.params.run.seed, stage.name)
        order = random.Random(seed).sample(tasks, len(tasks))
        size = self._params.tasks
        parts = [order[at : at + size] for at in range(0, len(order), size)]
        with Journal(stage.name, stage.fingerprint) as journal:
            if not can_go_on(journal, folder):
                journal.forget()
        with Journal(stage.name, stage.fingerprint) as journal:
            already = len(journal.done)
            if already:
                self._learner.load(folder / f"{already}.safetensors")
            with Progress(stage.name, len(parts), already, unit="rounds") as progress:
                for number, part in enumerate(parts[already:], start=already + 1):
                    unit = self._round(number, part, seed)
                    # The state first: a round counts once it can be gone on from.
                    self._learner.save(folder / f"{number}.safetensors")
                    journal.add(str(number), unit)
                    (folder / f"{number - 1}.safetensors").unlink(missing_ok=True)
                    progress.advance(f"loss {unit['figures']['loss']:.3f}")
            return dict(journal.done)

    def publish(self, out: Path) -> None:
        """Write the policy as it is after the last round."""
        from leafe.training.checkpoint import load_tokenizer, save_policy

        save_policy(self._model, load_tokenizer(self._weights), out)

    def _round(self, number: int, tasks: list[Task], seed: int) -> dict[str, Any]:
        agent = replace(self._agent, policy=f"{self._agent.policy}+{number - 1}")
        groups = asyncio.run(self._sample(agent, tasks))
        made = [self._group(episodes) for episodes in groups]
        sequences = [sequence for group in made for sequence in group.sequences]
        told = self._learner.update(sequences, seed_from(seed, number)) if sequences else None
        return {
            "episodes": [episode_row(episode) for group in groups for episode in group],
            "rejected": sum((Counter(group.rejected) for group in made), Counter[str]()),
            "figures": asdict(told) if told else {"steps": 0, "loss": 0.0},
        }

    async def _sample(self, agent: Agent, tasks: list[Task]) -> list[list[Episode]]:
        """A group of episodes for each task, within its budget; tasks side by side."""
        limits = self._stage.params.rollout

        def budget() -> Budget:
            return Budget(limits.max_attempts, limits.max_steps)

        return await asyncio.gather(
            *(roots(agent, task, self._params.group, budget()) for task in tasks)
        )

    def _group(self, episodes: list[Episode]) -> Group:
        return make_group(episodes, self._agent.chat, self._stage.params.model.context)


if __name__ == "__main__":
    run(main)
