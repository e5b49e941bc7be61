"""A stage that was killed or stopped, at any point, goes on where it was."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import SCRIPT, change_params, make_workspace
from staging import (
    BRANCH,
    EVALUATE,
    REFLECT,
    ROLLOUT,
    SFT,
    complete,
    finish,
    hashes,
    journal_bytes,
    journal_keys,
    kill_when,
    set_up,
    start,
)

from leafe.example import Example, TrainingSet
from leafe.store import read_tasks, write_examples

PARTS = {
    ROLLOUT: "data/leafe/i1/tree/w0/episodes",
    REFLECT: "data/leafe/i1/tree/w1/reflections",
    BRANCH: "data/leafe/i1/tree/w1/episodes",
    EVALUATE: "data/leafe/i0/evaluation",
}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, policy_dir: Path) -> Path:
    """A workspace with the slow desk and 60 tickets of each split."""
    folder = make_workspace(tmp_path_factory.mktemp("restart") / "project", policy_dir)
    change_params(
        folder,
        run={"threads": 1},
        env={"name": "slow:SlowDesk", "train_tasks": 60, "test_tasks": 60},
        sft={"steps": 40, "save_every": 8, "batch": 4, "warmup": 2},
    )
    set_up(folder, yaml.safe_dump(SCRIPT))
    complete(folder, ("tasks",))
    return folder


@pytest.fixture(scope="module")
def undisturbed(slow: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same workspace after all its stages ran in peace."""
    folder = tmp_path_factory.mktemp("undisturbed") / "project"
    shutil.copytree(slow, folder)
    for stage in PARTS:
        complete(folder, stage)
    return folder


@pytest.fixture
def fresh(slow: Path, tmp_path: Path) -> Path:
    """A copy of the workspace in which no stage but `tasks` has run."""
    return shutil.copytree(slow, tmp_path / "project")


def starts(folder: Path) -> list[list[str]]:
    """Process and ticket of every ticket that the slow desk was asked to start."""
    log = folder / "started.log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def kill_often(folder: Path, stage: tuple[str, ...], times: int, rng: random.Random) -> int:
    """Kill a stage again and again while it does its units; returns how often that was done."""
    kills = 0
    for _ in range(times):
        done = journal_keys(folder)
        # Any byte may be the last one that the killed process writes.
        limit = len(journal_bytes(folder)) + rng.randint(1, 12_000)
        process = start(folder, stage)
        kills += kill_when(process, lambda limit=limit: len(journal_bytes(folder)) >= limit)
        after = journal_keys(folder)
        assert len(set(after)) == len(after), "a unit was done twice"
        assert after[: len(done)] == done, "a finished unit was lost"
        again = {task for pid, task in starts(folder) if pid == str(process.pid)}
        assert stage[0] in {"reflect"} or not again & set(done), "a finished unit was done again"
    return kills


def kill_while_publishing(folder: Path, stage: tuple[str, ...]) -> int:
    """Kill a stage as each file of its output begins to appear, and as it has appeared."""
    kills = 0
    for name in (f"{PARTS[stage]}.parquet", f"{PARTS[stage]}.record.json"):
        path = folder / name

        def begun(path: Path = path) -> bool:
            return any(path.parent.glob(f".{path.name}.*.part"))

        kills += kill_when(start(folder, stage), begun)
        before = path.stat().st_ino if path.exists() else None

        def appeared(path: Path = path, before: int | None = before) -> bool:
            return path.exists() and path.stat().st_ino != before

        kills += kill_when(start(folder, stage), appeared)
    return kills


def test_a_stage_killed_anywhere_ends_with_the_same_bytes(fresh: Path, undisturbed: Path) -> None:
    rng = random.Random(0)
    working = publishing = 0
    for stage, times in zip(PARTS, (8, 6, 5, 6), strict=True):
        working += kill_often(fresh, stage, times, rng)
        publishing += kill_while_publishing(fresh, stage)
        complete(fresh, stage)
        assert not journal_keys(fresh)
    assert working >= 20
    assert publishing >= 4
    assert hashes(fresh) == hashes(undisturbed)


def examples(folder: Path) -> list[Example]:
    """Forty examples that are said to be about a training task."""
    rng = random.Random(1)
    task = read_tasks(folder / "data/tasks/train.parquet")[0].id
    made = []
    for n in range(40):
        ids = tuple(rng.randrange(4, 300) for _ in range(rng.randint(5, 40)))
        mask = tuple(at > 2 for at in range(len(ids)))
        made.append(Example(task, f"e{n}", list(TrainingSet)[n % 2], None, ids, mask))
    return made


def done_before(said: str) -> int:
    """Training steps that a run says it found done."""
    line = next(line for line in said.splitlines() if "steps" in line)
    return int(line.split(", ")[1].split()[0]) if "done before" in line else 0


def test_killed_training_resumes_from_a_whole_checkpoint_to_the_same_policy(fresh: Path) -> None:
    write_examples(fresh / "data/leafe/i1/examples.parquet", examples(fresh))
    peaceful = fresh.parent / "peaceful"
    shutil.copytree(fresh, peaceful)
    complete(peaceful, SFT)
    checkpoints = ".leafe/training/sft-i1/*"

    def found(name: str) -> Path | None:
        return next(iter(fresh.glob(f"{checkpoints}/{name}")), None)

    assert kill_when(start(fresh, SFT), lambda: found("checkpoint-16/whole.json") is not None)
    # Now in the middle of writing one: its folder is there, the last of its files is not.
    assert kill_when(
        start(fresh, SFT), lambda: found("checkpoint-24/model.safetensors") is not None
    )
    assert found("checkpoint-24/whole.json") is None
    assert kill_when(start(fresh, SFT), lambda: found("checkpoint-32/whole.json") is not None)
    said = (fresh / "said.txt").read_text()
    assert done_before(said) == 16, said
    newest = found("checkpoint-32")
    assert newest is not None
    os.truncate(newest / "model.safetensors", 1000)
    said = complete(fresh, SFT)
    assert done_before(said) == 24, said
    names = ("data", "plots", "policies")
    assert hashes(fresh, names) == hashes(peaceful, names)
    assert not list(fresh.glob(checkpoints))


def test_a_kill_while_the_policy_is_saved_leaves_nothing_half(fresh: Path) -> None:
    write_examples(fresh / "data/leafe/i1/examples.parquet", examples(fresh))
    policies = fresh / "policies/leafe"
    while not kill_when(start(fresh, SFT), lambda: any(policies.glob(".i1.*.part/policy/*"))):
        shutil.rmtree(policies / "i1")  # a busy machine looked away for those milliseconds
    assert not (policies / "i1").exists()
    assert done_before(complete(fresh, SFT)) == 40
    assert sorted(path.name for path in policies.iterdir()) == ["i0", "i1", "i1.record.json"]


def program(stage: tuple[str, ...]) -> list[str]:
    """The command of a stage, as `dvc.yaml` has it."""
    return [sys.executable, "-m", f"leafe.stages.{stage[0]}", *stage[1:]]


STOPS = [
    pytest.param(ROLLOUT, signal.SIGINT, "0.05", "scripted", id="rollout-int"),
    pytest.param(ROLLOUT, signal.SIGTERM, "0.05", "scripted", id="rollout-term"),
    pytest.param(ROLLOUT, signal.SIGINT, "60", "scripted", id="rollout-int-in-a-hung-step"),
    pytest.param(ROLLOUT, signal.SIGTERM, "0.01", "transformers", id="rollout-term-in-the-model"),
    pytest.param(SFT, signal.SIGINT, "0", "scripted", id="sft-int"),
    pytest.param(SFT, signal.SIGTERM, "0", "scripted", id="sft-term"),
]


@pytest.mark.parametrize(("stage", "number", "pause", "engine"), STOPS)
def test_a_stopped_stage_is_soon_gone_and_resumes(
    fresh: Path, stage: tuple[str, ...], number: signal.Signals, pause: str, engine: str
) -> None:
    change_params(fresh, engine={"name": engine}, sft={"steps": 80, "save_every": 5})
    write_examples(fresh / "data/leafe/i1/examples.parquet", examples(fresh))
    # As `python -m` does, and in a process group of its own, so that a child left is seen.
    process = subprocess.Popen(
        program(stage),
        cwd=fresh,
        env={**os.environ, "PAUSE": pause},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    hung = pause == "60"
    while process.poll() is None and not (
        journal_bytes(fresh)
        or list(fresh.glob(".leafe/training/*/*/*/whole.json"))
        or (hung and starts(fresh))
    ):
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + number, said
    assert "Interrupted; run the same command again" in said
    assert "Traceback" not in said
    assert "Error" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    if not hung:
        assert "done before" in complete(fresh, stage)


def test_a_second_process_of_a_stage_is_sent_away(fresh: Path, undisturbed: Path) -> None:
    first = start(fresh, ROLLOUT, PAUSE="0.01")
    while first.is_alive() and not journal_bytes(fresh):
        time.sleep(0.01)
    output = PARTS[ROLLOUT]
    second = subprocess.run(
        program(ROLLOUT), cwd=fresh, capture_output=True, text=True, check=False
    )
    assert first.is_alive()
    assert second.returncode == 2
    assert second.stderr.startswith("Error: rollout@i1 is already running in this folder")
    assert f"process {first.pid} on " in second.stderr
    assert second.stderr.count("\n") == 1
    assert finish(first) == 0
    for name in (f"{output}.parquet", f"{output}.record.json"):
        assert (fresh / name).read_bytes() == (undisturbed / name).read_bytes()
