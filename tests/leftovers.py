"""What a pipeline leaves on disk, without the hours: real formats, made-up contents."""

from __future__ import annotations

import csv
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from players import ROOT_EPISODE

from leafe import layout
from leafe.episode import Episode, Outcome, with_content_id
from leafe.evaluation import evaluate
from leafe.example import Example, TrainingSet
from leafe.layout import LEAFE, entry
from leafe.plan import update_plan
from leafe.reflection import Parse, Reflection, Verdict
from leafe.stages.evaluate import figures, write_curve
from leafe.store import (
    atomic,
    write_episodes,
    write_examples,
    write_json,
    write_reflections,
    write_tasks,
)
from leafe.task import Task

ROOT = Path(__file__).parents[1]
KS = (1, 2, 4, 8)
STAGES = ["tasks", "warm_start", "evaluate_i0"] + [
    stage
    for i in ("i1", "i2")
    for stage in (
        f"rollout@{i}",
        f"reflect@{i}-w1",
        f"branch@{i}-w1",
        f"filter@{i}",
        f"sft@{i}",
        f"evaluate@{i}",
    )
]
"""In the order in which DVC runs them."""


GRPO_STAGES = [f"{kind}@grpo-{i}" for i in ("i1", "i2") for kind in ("grpo", "evaluate")]
"""What GRPO has beside them."""


def leave_pipeline(methods: tuple[str, ...] = (LEAFE,)) -> None:
    """Leave in the working directory what a pipeline of two iterations and one wave does; the
    methods are LEAFE alone, or with GRPO.
    """
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["methods"] = [*methods]
    params["overrides"]["grpo"] = {"rollout": {"samples": 2}}
    params["iterations"] = {"i1": {"prev": "i0"}, "i2": {"prev": "i1"}}
    params["waves"] = {"w1": {"prev": "w0"}}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    update_plan(Path("params.yaml"))
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in (("init", "-q"), ("add", "params.yaml"), ("commit", "-qm", "start")):
        subprocess.run((*git, *command), check=True)
    tasks = [Task(f"t{n}", "desk", "test", {"n": n}) for n in range(6)]
    for split in ("train", "test"):
        write_tasks(layout.tasks(split), tasks)
    leave_record(layout.tasks("train").parent, "tasks", {"train_tasks": 6, "test_tasks": 6})
    write_json(Path("metrics/warm_start.json"), {"pass_at_1": 0.2, "experience_ratio": None})
    leave_policy("i0", "warm_start")
    leave_evaluation("i0", None, solved=2)
    for n in (1, 2):
        leave_iteration(f"i{n}", f"i{n - 1}", solved=2 + 2 * n)
        if "grpo" in methods:
            leave_rounds(f"i{n}", f"i{n - 1}", solved=2 + n)


def leave_iteration(iteration: str, prev: str, solved: int) -> None:
    roots = [episode(n, iteration, n % 3 == 0) for n in range(6)]
    write_episodes(layout.episodes(iteration, "w0"), roots)
    leave_record(layout.episodes(iteration, "w0"), f"rollout@{iteration}", {"outcomes/solved": 2})
    looked = [
        Reflection("r", roots[1].id, "t1", 1, "text", (1,), Verdict(Parse.OK, 0, "call verify"))
    ]
    write_reflections(layout.reflections(iteration, "w1"), looked)
    shares = {"parsed_share": 0.75, "right_step_share": 0.5}
    leave_record(layout.reflections(iteration, "w1"), f"reflect@{iteration}-w1", shares)
    write_episodes(layout.episodes(iteration, "w1"), roots)
    leave_record(layout.episodes(iteration, "w1"), f"branch@{iteration}-w1", {"solved_share": 0.25})
    examples = [Example("t1", "e", TrainingSet.REHEARSAL, None, (1, 2), (False, True))]
    write_examples(layout.examples(iteration), examples)
    leave_exploration(iteration, LEAFE)
    leave_record(layout.examples(iteration), f"filter@{iteration}", {"examples/rehearsal": 1})
    leave_policy(iteration, f"sft@{iteration}")
    leave_evaluation(iteration, prev, solved)


def leave_rounds(iteration: str, prev: str, solved: int) -> None:
    """What GRPO leaves of an iteration."""
    roots = [episode(n, iteration, n % 2 == 0) for n in range(6)]
    write_episodes(layout.episodes(iteration, "w0", "grpo"), roots)
    leave_exploration(iteration, "grpo")
    leave_policy(iteration, f"grpo@grpo-{iteration}", "grpo")
    leave_evaluation(iteration, prev, solved, "grpo")


def leave_exploration(iteration: str, method: str) -> None:
    spent = {"env_steps_per_task": 9.5, "replayed_steps_per_task": 2.5}
    tokens = {"sampled_tokens_per_task": 80.0, "outcomes": {"solved": 2, "failed": 4}}
    write_json(layout.exploration(iteration, method), spent | tokens)


def leave_evaluation(iteration: str, prev: str | None, solved: int, method: str = LEAFE) -> None:
    """Eight samples of each of six tasks, of which about so many are solved."""
    episodes = [episode(n, iteration, n // 6 < solved - n % 2) for n in range(48)]
    write_episodes(layout.evaluation(iteration, method), episodes)
    result = evaluate(episodes, KS, seed=0)
    write_curve(layout.curve(iteration, method), result)
    explored: tuple[Path, ...] = ()
    if prev:
        explored = (layout.exploration(iteration, method), layout.metrics(prev, method))
    write_json(layout.metrics(iteration, method), figures(result, explored))
    stage = f"evaluate@{entry(method, iteration)}" if prev else f"evaluate_{iteration}"
    leave_record(layout.evaluation(iteration, method), stage, {})


def leave_policy(iteration: str, stage: str, method: str = LEAFE) -> None:
    folder = layout.policy(iteration, method)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(entry(method, iteration).encode() * 100)
    (folder / "config.json").write_text("{}")
    with atomic(layout.loss(iteration, method)) as path, path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("step", "loss"))
        rows.writerows((step, 3.0 / (step + 1)) for step in range(0, 50, 10))
    leave_record(folder, stage, {})


def leave_record(output: Path, stage: str, found: dict[str, Any]) -> None:
    counts = {"in": 10, "kept": 8, "rejected": {"budget": 2}}
    record = {"stage": stage, "commit": None, "seed": 0, "parameters": {}, "inputs": {}}
    write_json(layout.record(output), record | {"counts": counts, "figures": found})


def episode(number: int, iteration: str, solved: bool) -> Episode:
    return with_content_id(
        replace(
            ROOT_EPISODE,
            id="",
            task_id=f"t{number % 6}",
            iteration=iteration,
            sample=number // 6,
            outcome=Outcome.SOLVED if solved else Outcome.FAILED,
        )
    )
