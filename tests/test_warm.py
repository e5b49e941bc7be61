"""Stages that start warm do what they do cold: output, files, exit code, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import change_params
from staging import hashes, set_up

from flows.warm import SOCKET

TASKS = ("-m", "leafe.stages.tasks")
ROLLOUT = ("-m", "leafe.stages.rollout", "--iteration", "i1", "--policy", "i0")


def python(folder: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["python", *arguments],
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_warm_stage_leaves_the_same_files_as_a_cold_one(
    workspace: Path, warm: dict[str, str]
) -> None:
    assert python(workspace, warm, *TASKS).returncode == 0
    first = hashes(workspace, ["data"])
    assert first
    done = python(workspace, {**warm, SOCKET: "/nowhere/socket"}, *TASKS)  # no server there: cold
    assert done.returncode == 0, done.stderr
    assert "328 tasks" not in done.stdout
    assert "18 tasks in data/tasks" in done.stdout
    assert hashes(workspace, ["data"]) == first


def test_a_warm_stage_runs_the_code_of_its_own_folder(
    workspace: Path, warm: dict[str, str]
) -> None:
    stage = workspace / "leafe/stages/tasks.py"
    stage.write_text(stage.read_text().replace("tasks in {folder}", "of our own"))
    assert "18 of our own" in python(workspace, warm, *TASKS).stdout


def test_bad_input_has_the_exit_code_and_the_sentence(
    workspace: Path, warm: dict[str, str]
) -> None:
    change_params(workspace, run={"seed": -1})
    done = python(workspace, warm, *TASKS)
    assert done.returncode == 2
    assert "run.seed is -1" in done.stderr


def test_other_commands_run_as_ever(workspace: Path, warm: dict[str, str]) -> None:
    done = python(workspace, warm, "-c", "import sys; print(sys.executable); sys.exit(7)")
    assert (done.returncode, done.stdout.strip()) == (7, sys.executable)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_signal_ends_the_stage_with_its_client(
    workspace: Path, warm: dict[str, str], number: signal.Signals, code: int
) -> None:
    set_up(workspace, (workspace / "script.yaml").read_text())
    change_params(workspace, env={"name": "slow:SlowDesk"})
    env = os.environ | warm | {"PAUSE": "0.2"}
    assert python(workspace, env, *TASKS).returncode == 0
    process = subprocess.Popen(["python", *ROLLOUT], cwd=workspace, env=env)
    started = workspace / "started.log"
    while not started.exists():
        time.sleep(0.05)
    worker = psutil.Process(int(started.read_text().split()[0]))
    assert worker.pid != process.pid
    os.kill(process.pid, number)
    assert process.wait(20) == code
    worker.wait(10)
