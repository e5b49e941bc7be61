"""Training in two processes: the same policy as in one, and no process left behind."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest
from conftest import change_params, make_workspace
from safetensors.torch import load_file
from staging import SFT, complete, finish, set_up, start
from test_training_steps import examples

from leafe.errors import BadInput
from leafe.store import write_examples
from leafe.training.processes import in_processes

LORA = {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": "all-linear", "fresh": False}
WEIGHTS = "policies/leafe/i1/adapter_model.safetensors"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, policy_dir: Path) -> Path:
    """A workspace with examples to train on."""
    folder = make_workspace(tmp_path_factory.mktemp("processes") / "project", policy_dir)
    change_params(
        folder,
        run={"threads": 1},
        sft={"steps": 60, "batch": 4, "save_every": 20, "warmup": 2, "processes": 2, "lora": LORA},
    )
    set_up(folder, (folder / "script.yaml").read_text())
    complete(folder, ("tasks",))
    lengths = [5 + n for n in range(20)]
    write_examples(folder / "data/leafe/i1/examples.parquet", examples(folder, lengths))
    return folder


@pytest.fixture(scope="module")
def trained(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same after training in two processes, and what that said."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(project, folder)
    return folder, complete(folder, SFT)


def losses(folder: Path) -> list[float]:
    with (folder / "plots/leafe/i1.loss.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_two_processes_make_the_policy_of_one(
    project: Path, trained: tuple[Path, str], tmp_path: Path
) -> None:
    one, (two, said) = shutil.copytree(project, tmp_path / "project"), trained
    change_params(one, sft={"processes": 1})
    expected = complete(one, SFT)
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)
    assert len(losses(one)) == 60
    ours, theirs = (load_file(folder / WEIGHTS) for folder in (one, two))
    assert ours.keys() == theirs.keys()
    for name, weights in ours.items():
        assert (weights - theirs[name]).abs().max() < 1e-4
    # Only the first of them says anything, and what it says is what one process does.
    kept = [[s for s in text.splitlines() if "/60" not in s] for text in (expected, said)]
    assert kept[0] == kept[1]
    assert said.count("60/60 steps in") == 1


def processes() -> set[psutil.Process]:
    """All that this one has started, near and far."""
    return set(psutil.Process().children(recursive=True))


def left(started: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after what a Python full of torch takes to end, on a busy machine."""
    until, still = time.monotonic() + 60, [*started]
    while still and time.monotonic() < until:
        still = [p for p in still if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        time.sleep(0.05)
    return still


def wait_for(folder: Path, name: str) -> None:
    """Until training has come so far."""
    until = time.monotonic() + 120
    while not list(folder.glob(f".leafe/training/*/*/{name}/whole.json")):
        assert time.monotonic() < until, (folder / "said.txt").read_text()
        time.sleep(0.01)


def test_killed_or_stopped_training_leaves_no_process_and_resumes_to_the_same_bytes(
    project: Path, trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(project, tmp_path / "project")
    program = subprocess.Popen([sys.executable, "-m", "leafe.stages.sft", *SFT[1:]], cwd=folder)
    wait_for(folder, "checkpoint-20")
    others = psutil.Process(program.pid).children(recursive=True)
    assert len(others) >= 3
    program.kill()
    program.wait(10)
    assert not left(others)
    before = processes()
    process = start(folder, SFT)
    wait_for(folder, "checkpoint-40")
    started = processes() - before
    assert len(started) >= 4
    for one in started:  # Ctrl-C reaches all of a terminal's processes
        one.send_signal(signal.SIGINT)
    assert finish(process, 30) == 128 + signal.SIGINT
    assert not left(started)
    said = (folder / "said.txt").read_text()
    assert "Traceback" not in said
    assert "Interrupted; run the same" in said
    assert "40 done before" in complete(folder, SFT)
    for name in (WEIGHTS, "plots/leafe/i1.loss.csv"):
        assert (folder / name).read_bytes() == (trained[0] / name).read_bytes()


def test_diverging_in_two_processes_ends_both_with_one_sentence(
    project: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(project, tmp_path / "project")
    change_params(folder, sft={"learning_rate": 1e30, "warmup": 0, "lora": None})
    assert finish(start(folder, SFT)) == 2
    said = (folder / "said.txt").read_text()
    assert said.count("Error: ") == said.count("lower the learning rate") == 1
    assert "Traceback" not in said
    assert not (folder / "policies/leafe/i1").exists()


def fail(how: str) -> int:
    """What a process does, by its number: the second one fails."""
    from torch import distributed

    rank = distributed.get_rank()
    if rank == 1 and how == "told":
        raise BadInput("it was bad")
    if rank == 1 and how == "raised":
        raise KeyError("x")
    if rank == 1 and how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how != "nothing":
        time.sleep(600)
    return rank + 10


def test_a_process_that_fails_ends_the_others(tmp_path: Path) -> None:
    assert in_processes(2, tmp_path, fail, "nothing") == 10
    before = processes()
    for how, error, words in (
        ("told", BadInput, "it was bad"),
        ("raised", RuntimeError, "KeyError: 'x'"),
        ("killed", RuntimeError, "training process 1 was killed"),
    ):
        with pytest.raises(error, match=words):
            in_processes(2, tmp_path, fail, how)
    assert not left(processes() - before)
    assert not list(tmp_path.iterdir())
