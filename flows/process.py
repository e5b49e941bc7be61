"""A stage as a process: `dvc repro --single-item`, in a process group that ends with us."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from dvc.lock import LockError

from flows.mending import mend
from flows.stopping import signals_wait
from flows.warm import SOCKET

PATIENCE = ((signal.SIGINT, 2.5), (signal.SIGTERM, 1.5), (signal.SIGKILL, 2.0))
"""How a process group is ended: the signal, and the seconds that it gets. On SIGINT the stage
ends, and DVC takes its locks back; after the others they would name a dead process."""

# What DVC says that is nothing to the reader of a pipeline.
NOISE = re.compile(
    r"\s*$|!$|Updating lock file|Generating lock file|To track the changes with git|"
    r"\s*git add |To enable auto staging|\s*dvc config core.autostage|Use `dvc push`|"
    r"Data and pipelines are up to date|.*\d+%\|"
)
BUSY = ("Unable to acquire lock", "it is being blocked by")
"""DVC's words for a project that another dvc command holds."""


class StageFailed(Exception):
    """A stage ended badly, and will again if nothing changes."""

    def __init__(self, stage: str, reason: str, code: int = 1) -> None:
        super().__init__(f"stage {stage} failed: {reason}")
        self.code = code
        """Exit code for the whole pipeline; 2 is bad input."""


class StageInterrupted(StageFailed):
    """A stage could not work or was killed, through no fault of its own: worth another try."""


RUNNING: set[subprocess.Popen[str]] = set()
"""The processes under way, each watched by a thread of its own or the main one."""


STOPPED = threading.Event()
"""Set once nothing more may start."""


def stop_running() -> None:
    """End all that is under way, from a thread that watches none of them, for good."""
    STOPPED.set()
    for process in tuple(RUNNING):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(2.0)
                break


@dataclass
class Output:
    """What a stage process said, as far as it says how the stage went."""

    executed: bool = False
    """Whether DVC ran the stage's command; it does not where nothing changed."""
    stage_error: str = ""
    """The stage's own last word on what went wrong."""
    dvc_errors: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Take note of a line."""
        self.executed |= line.startswith("Running stage ")
        if line.startswith("Error: "):
            self.stage_error = line.removeprefix("Error: ")
        if line.startswith("ERROR: "):
            self.dvc_errors.append(line.removeprefix("ERROR: "))

    def failure(self, stage: str, code: int) -> StageFailed:
        """Why a process that ended with an exit code other than 0 failed."""
        said = " ".join(self.dvc_errors)
        if any(words in said for words in BUSY):
            return StageInterrupted(stage, "another dvc command holds the project")
        ended = re.search(r"exited with (-?\d+)", said)
        code = int(ended[1]) if ended else code
        if code < 0 or code > 128:
            killed = f"its process was killed by signal {abs(code) % 128}"
            return StageInterrupted(stage, killed)
        reason = self.stage_error or said or f"dvc ended with exit code {code}"
        return StageFailed(stage, reason, code=2 if code == 2 else 1)


def run_stage(name: str, show: Callable[[str], None], *, force: bool = False) -> bool:
    """Let DVC bring one stage up to date; returns whether it ran the stage's command.

    `show` gets every line of output. Raises StageFailed, or StageInterrupted where another try may
    do. However this ends, no process of the stage is left.
    """
    options = ["--force"] if force else []
    return run_dvc(name, ["--single-item", *options, name], show)


def run_dvc(
    name: str, options: Sequence[str], show: Callable[[str], None], folder: Path = Path()
) -> bool:
    """`dvc repro` with some options, in a folder; as `run_stage`. `name` is for messages."""
    command = [sys.executable, "-m", "dvc", "repro", *options]
    output = Output()
    process: subprocess.Popen[str] | None = None
    if STOPPED.is_set():
        raise StageFailed(name, "it was stopped")
    mend_if_free(folder)
    try:
        with signals_wait():
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        RUNNING.add(process)
        assert process.stdout is not None
        for line in map(str.rstrip, process.stdout):
            output.read(line)
            if not NOISE.match(line):
                show(line)
        code = process.wait()
    finally:
        if process is not None:
            RUNNING.discard(process)
            with signals_wait():
                end_group(process)
                mend_if_free(folder)
    if STOPPED.is_set():  # not worth another try
        raise StageFailed(name, "it was stopped")
    if code != 0:
        raise output.failure(name, code)
    return output.executed


def mend_if_free(folder: Path) -> None:
    """Mend what a killed dvc command left half written; the next run does it where one works."""
    with suppress(LockError):
        mend(folder)


def environment() -> dict[str, str]:
    """The stage's environment: `python` is this interpreter, and MLflow is the flow's business."""
    first = [Path(sys.executable).parent]
    if SOCKET in os.environ:
        first.insert(0, Path(os.environ[SOCKET]).parent)  # its `python` starts stages warm
    return {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, first), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "LEAFE_TRACKING": "flow",
    }


def end_group(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started; its output closes when the last of them is gone."""
    if process.returncode is not None:
        return
    assert process.stdout is not None
    for number, seconds in PATIENCE:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if closes(process.stdout, seconds):
            break
    process.wait()


def closes(pipe: IO[str], seconds: float) -> bool:
    """Whether a pipe's last writer goes within some seconds."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([pipe], [], [], left)
        if readable and not os.read(pipe.fileno(), 2**16):
            return True
    return False
