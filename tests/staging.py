"""Stages as real processes that cost little: forked from one that has imported what is heavy."""

from __future__ import annotations

import hashlib
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

SLOW_DESK = '''
"""A desk that takes its time, and notes every start of a ticket."""
import os, time
from leafe.envs.desk import Desk, DeskEnv

class SlowDesk(Desk):
    def make(self):
        return SlowDeskEnv(self.settings.refusals, self.settings.feedback)

class SlowDeskEnv(DeskEnv):
    def start(self, task):
        with open("started.log", "a") as log:
            log.write(f"{os.getpid()} {task.id}\\n")
        return super().start(task)

    def step(self, action):
        time.sleep(float(os.environ.get("PAUSE", "0.002")))
        return super().step(action)
'''
ROLLOUT = ("rollout", "--iteration", "i1", "--policy", "i0")
WAVE = ("--iteration", "i1", "--policy", "i0", "--wave", "w1", "--prev", "w0")
REFLECT, BRANCH = ("reflect", *WAVE), ("branch", *WAVE)
EVALUATE = ("evaluate", "--iteration", "i0")
SFT = ("sft", "--iteration", "i1", "--policy", "i0")
GRPO = ("grpo", "--method", "grpo", "--iteration", "i1", "--policy", "i0")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        *(f"leafe.stages.{name}" for name in ("rollout", "reflect", "branch", "evaluate")),
        *(f"leafe.stages.{name}" for name in ("alternatives", "filter", "sft", "grpo")),
        "leafe.engines.scripted",
        "leafe.engines.transformers",
        "leafe.envs.desk",
        "leafe.stages.training",
        "leafe.training.trainer",
        "leafe.training.policy_gradient",
        "transformers.models.llama.modeling_llama",
        "pandas",
        "pyarrow.dataset",
    ]
)


def set_up(folder: Path, script: str) -> Path:
    """Give a workspace the slow desk, that script for its engine, and the tiny policy as i0."""
    (folder / "slow.py").write_text(SLOW_DESK)
    (folder / "script.yaml").write_text(script)
    shutil.copytree(folder / "tiny", folder / "policies/leafe/i0", dirs_exist_ok=True)
    return folder


def start(folder: Path, stage: tuple[str, ...], **environment: str) -> ForkServerProcess:
    """Begin `python -m leafe.stages.<stage>` in a folder; what it says goes to `said.txt`."""
    process = _context.Process(target=_main, args=(folder, stage, environment))
    process.start()
    return process


def _main(folder: Path, stage: tuple[str, ...], environment: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.update({"LEAFE_TRACKING": "flow"} | environment)  # not the time of MLflow
    sys.path.insert(0, str(folder))
    log = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = list(stage)
    module = importlib.import_module(f"leafe.stages.{stage[0]}")
    importlib.import_module("leafe.stages.stage").run(module.main)


def finish(process: ForkServerProcess, seconds: float = 120) -> int:
    """Wait for its end; the exit code, negative for a signal."""
    process.join(seconds)
    assert process.exitcode is not None, "still running"
    return process.exitcode


def complete(folder: Path, stage: tuple[str, ...], **environment: str) -> str:
    """Run a stage to its end, which must be a good one; returns what it said."""
    code = finish(start(folder, stage, **environment))
    said = (folder / "said.txt").read_text()
    assert code == 0, said
    return said


def kill_when(process: ForkServerProcess, reached: Callable[[], bool]) -> bool:
    """SIGKILL as soon as a point is reached; false where the process had ended before."""
    while process.is_alive() and not reached():
        time.sleep(0)
    process.kill()
    return finish(process) == -signal.SIGKILL


def journal_bytes(folder: Path) -> bytes:
    """All that the journals of a workspace hold."""
    return b"".join(path.read_bytes() for path in folder.glob(".leafe/journal/*/*.jsonl"))


def journal_keys(folder: Path) -> list[str]:
    """The units that the journals have whole, in order."""
    lines = journal_bytes(folder).split(b"\n")[:-1]
    return [json.loads(line.partition(b" ")[2])["key"] for line in lines]


def hashes(folder: Path, names: Iterable[str] = ("data", "metrics", "plots")) -> dict[str, str]:
    """Path -> sha256 of every file under some folders of a workspace."""
    files = (path for name in names for path in (folder / name).rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
