"""A program under test: its lines as they come, its processes, and what ended it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from conftest import change_params

EXPLORING = ["rollout@i1", "reflect@i1-w1", "branch@i1-w1", "filter@i1"]
STAGES = ["tasks", "warm_start", "evaluate_i0", *EXPLORING, "sft@i1", "evaluate@i1"]
"""Of a workspace, in the order of the flow."""


def make_quick(folder: Path) -> None:
    """Change a workspace so that its whole pipeline runs in half a minute: every episode of the
    random player has room to succeed, and there are few of them.
    """
    change_params(
        folder,
        env={"train_tasks": 6, "test_tasks": 4, "max_steps": 40, "refusals": 90},
        warm_start={"probe_tasks": 2},
        rollout={"max_steps": 500, "samples": 2},
        evaluate={"samples": 2},
    )


@dataclass
class Program:
    """`python -m <module> ...` in a session of its own, as a terminal starts it."""

    module: list[str]
    cwd: Path
    env: dict[str, str]
    log: Path | None = None
    """Where its output goes; None to read it here."""
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.module],
            cwd=self.cwd,
            env=os.environ | self.env,
            stdout=self.log.open("w") if self.log else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, pattern: str) -> None:
        """Read on to the line that matches; fails with all that was said if none does."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if re.search(pattern, line):
                return
        raise AssertionError(f"no {pattern!r} in:\n{self.text}")

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def working_on(self, *words: str) -> list[psutil.Process]:
        """Its descendants with any of these words in their command lines."""
        return [p for p in self.descendants() if any(word in command_line(p) for word in words)]

    def wait_for_process(self, words: str) -> psutil.Process:
        """Its descendant with these words in its command line, as soon as there is one."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if found := self.working_on(words):
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no process with {words!r}")

    def end(self) -> int:
        """Read to the end; returns the exit code."""
        assert self.process.stdout is not None
        self.lines += [line.rstrip() for line in self.process.stdout]
        return self.process.wait()

    def interrupt(self) -> None:
        """Ctrl-C: the terminal signals every process of the foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        if self.process.poll() is None:
            for process in [*self.descendants(), psutil.Process(self.process.pid)]:
                process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def command_line(process: psutil.Process) -> str:
    """Empty for one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def alive(processes: list[psutil.Process]) -> list[Any]:
    """Those of them that still run, a moment later."""
    _, left = psutil.wait_procs(processes, timeout=1)
    return [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
