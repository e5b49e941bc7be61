"""A host for worker processes that can do all that goes wrong, for `tests/test_processes.py`."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil


class Host:
    """Counts its calls; has a child process, as a world with a simulator does."""

    def __init__(self) -> None:
        self.calls = 0
        self.child = subprocess.Popen(["sleep", "600"])

    def count(self) -> int:
        self.calls += 1
        return self.calls

    def say(self, what: object) -> object:
        return what

    def pids(self) -> tuple[int, int]:
        return os.getpid(), self.child.pid

    def fail(self) -> None:
        raise ValueError("no such world")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def stop(self, with_child: bool) -> None:
        if with_child:
            self.child.send_signal(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)  # this thread may run on for a moment


class Unmade:
    """A host that cannot be made."""

    def __init__(self) -> None:
        raise FileNotFoundError("no such simulator")


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_within(seconds: float, pids: tuple[int, ...]) -> bool:
    """Whether all of these processes end so soon."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(map(running, pids)):
            return True
        time.sleep(0.02)
    return False
