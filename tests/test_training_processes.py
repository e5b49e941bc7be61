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

LORA = {"rank": 2, "alpha": 4, "dropout": 0.1, "targets": "all-linear", "fresh": False}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, policy_dir: Path) -> Path:
    """A workspace with examples to train on."""
    folder = make_workspace(tmp_path_factory.mktemp("processes") / "project", policy_dir)
    change_params(
        folder,
        run={"threads": 1},
        sft={"steps": 24, "batch": 4, "save_every": 8, "warmup": 2, "processes": 2},
    )
    set_up(folder, (folder / "script.yaml").read_text())
    complete(folder, ("tasks",))
    lengths = [5 + n for n in range(20)]
    write_examples(folder / "data/leafe/i1/examples.parquet", examples(folder, lengths))
    return folder


def losses(folder: Path) -> list[float]:
    with (folder / "plots/leafe/i1.loss.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_two_processes_make_the_policy_of_one(project: Path, tmp_path: Path) -> None:
    said = {}
    for processes, micro in ((1, None), (2, 1)):
        folder = tmp_path / str(processes)
        shutil.copytree(project, folder)
        change_params(folder, sft={"processes": processes, "micro_batch": micro})
        said[processes] = complete(folder, SFT)
    one, two = tmp_path / "1", tmp_path / "2"
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)
    assert len(losses(one)) == 24
    ours, theirs = (load_file(f / "policies/leafe/i1/model.safetensors") for f in (one, two))
    assert ours.keys() == theirs.keys()
    for name, weights in ours.items():
        assert (weights - theirs[name]).abs().max() < 1e-4
    # Only the first of them says anything, and what it says is what one process does.
    kept = [[s for s in text.splitlines() if "/24" not in s] for text in said.values()]
    assert kept[0] == kept[1]
    assert said[2].count("24/24 steps") == 1


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
    project: Path, tmp_path: Path
) -> None:
    peaceful, folder = tmp_path / "peaceful", tmp_path / "project"
    shutil.copytree(project, peaceful)
    change_params(peaceful, sft={"lora": LORA, "steps": 80, "save_every": 20, "processes": 2})
    shutil.copytree(peaceful, folder)
    complete(peaceful, SFT)
    program = subprocess.Popen([sys.executable, "-m", "leafe.stages.sft", *SFT[1:]], cwd=folder)
    wait_for(folder, "checkpoint-20")
    others = psutil.Process(program.pid).children(recursive=True)
    assert len(others) >= 3
    program.kill()
    program.wait(10)
    assert not left(others)
    for number, reached in ((signal.SIGTERM, "checkpoint-40"), (signal.SIGINT, "checkpoint-60")):
        before = processes()
        process = start(folder, SFT)
        wait_for(folder, reached)
        started = processes() - before
        assert len(started) >= 4
        # Ctrl-C reaches all of a terminal's processes.
        for one in started if number == signal.SIGINT else [psutil.Process(process.pid)]:
            one.send_signal(number)
        assert finish(process, 10) == 128 + number
        assert not left(started)
        said = (folder / "said.txt").read_text()
        assert "Traceback" not in said
        assert "Interrupted; run the same" in said
    said = complete(folder, SFT)
    assert "0 done before" in said
    for name in ("policies/leafe/i1/adapter_model.safetensors", "plots/leafe/i1.loss.csv"):
        assert (folder / name).read_bytes() == (peaceful / name).read_bytes()


def test_diverging_in_two_processes_ends_both_with_one_sentence(
    project: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(project, tmp_path / "project")
    change_params(folder, sft={"learning_rate": 1e30, "warmup": 0})
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
