"""How time and memory grow with the number of tasks: the stages of an exploration, as processes.

`tasks`, `rollout`, `reflect`, `branch` and `filter` run in a temporary project, once with N and
once with 10 N tickets of the desk. The scripted engine answers, so that what is measured is ours:
coroutines, journal, parquet, trees, examples. (With a model the batches of few tasks are smaller,
so 10 N tasks take less than 10 times as long.) What a process takes to load its libraries is left
out, as it would flatter the ratio; `ratio_of_work` also leaves out what one task alone takes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.benchmark import Figures
from benchmarks.small_policy import small_policy
from leafe import layout
from leafe.plan import update_plan
from leafe.store import read_episodes

COMPARED = "time of 10 N tasks / of N tasks, libraries loaded; lower is better"
TARGET = "at most 10.5, memory flat"
TASKS, ROUNDS = 40, 2
EXPLORATION = {"samples": 6, "max_attempts": 24, "max_steps": 80}
"""Twice the default run's, as the desk has no more than 432 tickets."""
WAVE = ("--iteration", "i1", "--policy", "i0", "--wave", "w1", "--prev", "w0")
STAGES: Mapping[str, Sequence[str]] = {
    "tasks": (),
    "rollout": ("--iteration", "i1", "--policy", "i0"),
    "reflect": WAVE,
    "branch": WAVE,
    "filter": ("--iteration", "i1", "--policy", "i0"),
}
QUICK_STAGES = ("tasks", "rollout")
TOOLS = ("verify", "label", "inspect", "wait", "refund", "cancel")
SCRIPT = [
    {
        "when": r"Reflect\.",
        "say": [
            '{"rollback_to": 0, "experience": "too early for label, call verify."}',
            '{"rollback_to": 1, "experience": "too early for label, call approve."}',
            '{"rollback_to": null}',
        ],
    },
    {"say": [f"{tool}()" for tool in TOOLS]},
]


@dataclass(frozen=True)
class Took:
    """What a stage's process took."""

    seconds: float
    cpu_seconds: float
    peak: int
    """Bytes of memory at most."""


@dataclass(frozen=True)
class Explored:
    """What an exploration took."""

    stages: Mapping[str, Took]
    episodes: int

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(took.seconds for took in self.stages.values())

    @property
    def cpu_seconds(self) -> float:
        """Of all stages."""
        return sum(took.cpu_seconds for took in self.stages.values())


def measure(quick: bool) -> Figures:
    """Medians over the rounds."""
    from leafe.training.checkpoint import save_policy

    few, stages = (1, QUICK_STAGES) if quick else (TASKS, tuple(STAGES))
    with TemporaryDirectory() as folder:
        home, policy = Path(folder), small_policy(quick=True)
        save_policy(policy.model, policy.tokenizer, home / layout.policy("i0"))
        rounds = [
            (explore(home, few, stages), explore(home, 10 * few, stages))
            for _ in range(1 if quick else ROUNDS)
        ]
        alone = None if quick else explore(home, 1, stages)
    return {"tasks": [few, 10 * few]} | figures(rounds, alone or rounds[0][0])


def figures(rounds: Sequence[tuple[Explored, Explored]], alone: Explored) -> dict[str, Any]:
    """Of rounds of (N tasks, 10 N tasks), and of one task."""
    small, large = rounds[-1]
    more = large.episodes - small.episodes

    def work(made: Explored) -> float:
        return max(made.cpu_seconds - alone.cpu_seconds, 1e-9)

    def ratio(stage: str) -> float:
        return median(b.stages[stage].cpu_seconds / a.stages[stage].cpu_seconds for a, b in rounds)

    return {
        "ratio": round(median(b.seconds / a.seconds for a, b in rounds), 2),
        "cpu_ratio": round(median(b.cpu_seconds / a.cpu_seconds for a, b in rounds), 2),
        "ratio_of_work": round(median(work(b) / work(a) for a, b in rounds), 2),
        "cpu_ratio_by_stage": {stage: round(ratio(stage), 1) for stage in small.stages},
        "seconds": [round(median(r[n].seconds for r in rounds), 2) for n in (0, 1)],
        "episodes": [small.episodes, large.episodes],
        "peak_megabytes": {
            stage: [round(made.stages[stage].peak / 1e6) for made in (small, large)]
            for stage in small.stages
        },
        "bytes_per_episode": {
            stage: round((large.stages[stage].peak - small.stages[stage].peak) / more)
            for stage in small.stages
        },
    }


def explore(home: Path, tasks: int, names: Sequence[str]) -> Explored:
    """An exploration of so many tasks, anew."""
    for old in ("data", ".leafe", "metrics"):
        shutil.rmtree(home / old, ignore_errors=True)
    write_project(home, tasks)
    stages = {stage: run_stage(home, stage, STAGES[stage]) for stage in names}
    waves = (home / layout.episodes("i1", wave) for wave in ("w0", "w1"))
    return Explored(stages, sum(len(read_episodes(path)) for path in waves if path.exists()))


def write_project(home: Path, tasks: int) -> None:
    """The default parameters but for the sizes and the engine."""
    params = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    params["env"] |= {"name": "desk", "train_tasks": tasks, "test_tasks": 1}
    params["engine"] |= {"name": "scripted", "script": "script.yaml"}
    params["rollout"] |= EXPLORATION
    params |= {"methods": ["leafe"], "iterations": {"i1": {"prev": "i0"}}}
    params["waves"] = {"w1": {"prev": "w0"}}
    (home / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (home / "script.yaml").write_text(yaml.safe_dump(SCRIPT))
    update_plan(home / "params.yaml")


def run_stage(home: Path, stage: str, options: Sequence[str]) -> Took:
    """Run one as a process of its own; raises RuntimeError with what it said where it fails."""
    file, module = home / "took.json", f"leafe.stages.{stage}"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone", str(file), module, *options],
        cwd=home,
        env={
            **os.environ,
            "LEAFE_TRACKING": "flow",  # MLflow would take most of the time
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{module}: {done.stderr}")
    return Took(**json.loads(file.read_text()))
