"""A box under way: reads what it says, and ends it where it goes beyond a limit."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from typing import IO

from leafe.sandbox.verdict import Limits, Ran, Verdict

CHUNK = 65536


class Watched:
    """Its output is read, its time and its output are bounded."""

    def __init__(self, process: subprocess.Popen[bytes], status: IO[bytes], limits: Limits) -> None:
        self._process, self._status, self._limits = process, status, limits
        self._said = {"stdout": bytearray(), "stderr": bytearray()}
        self._told = bytearray()
        self._inner: int | None = None
        """The box's first process, as a pidfd: it ends when all others in there have ended."""
        self._open = ExitStack()
        self._ended_for: Verdict | None = None
        self._took = 0.0

    def wait(self) -> None:
        """Read until all ends; beyond a limit, end it."""
        begun = time.monotonic()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with selectors.DefaultSelector() as selector, self._process, self._open:
            selector.register(self._process.stdout, selectors.EVENT_READ, self._said["stdout"])
            selector.register(self._process.stderr, selectors.EVENT_READ, self._said["stderr"])
            selector.register(self._status, selectors.EVENT_READ, self._told)
            while selector.get_map():
                left = begun + self._limits.wall_seconds - time.monotonic()
                for key, _ in selector.select(None if self._ended_for else max(left, 0.0)):
                    self._read(selector, key)
                if left <= 0:
                    self._end(Verdict.TLE)
        self._took = time.monotonic() - begun
        # bwrap leaves its first process to whoever reaps orphans: in some containers, nobody.
        with suppress(ChildProcessError):
            os.waitpid(self._status_of("child-pid") or self._process.pid, 0)

    def _read(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        chunk = b"" if key.fd == self._inner else os.read(key.fd, CHUNK)
        if not chunk:
            selector.unregister(key.fileobj)
            return
        key.data.extend(chunk)
        if key.data is self._told:
            self._meet_the_inner(selector)
        elif len(key.data) > self._limits.output_bytes:
            del key.data[self._limits.output_bytes :]
            self._end(Verdict.OLE)

    def _meet_the_inner(self, selector: selectors.BaseSelector) -> None:
        pid = self._status_of("child-pid")
        if self._inner is None and pid is not None:
            with suppress(ProcessLookupError):
                self._inner = os.pidfd_open(pid)
                self._open.callback(os.close, self._inner)
                selector.register(self._inner, selectors.EVENT_READ)

    def _end(self, reason: Verdict) -> None:
        """End the first process of the box, and so every other: bwrap then ends by itself."""
        if self._ended_for is not None:
            return
        self._ended_for = reason
        with suppress(ProcessLookupError):
            if self._inner is None:
                self._process.kill()
            else:
                signal.pidfd_send_signal(self._inner, signal.SIGKILL)

    def _status_of(self, name: str) -> int | None:
        """A number that bwrap has told; a program cannot write there."""
        whole = self._told[: self._told.rfind(b"\n") + 1]
        told = [json.loads(line) for line in whole.splitlines()]
        return next((int(one[name]) for one in told if name in one), None)

    def ran(self) -> Ran:
        """What came of it."""
        out, err = (bytes(said).decode("utf-8", "replace") for said in self._said.values())
        return Ran(self._verdict(err), out, err)

    def _verdict(self, stderr: str) -> Verdict:
        code = self._status_of("exit-code")
        if self._ended_for is not None:
            return self._ended_for
        if code is None:  # it never began
            return Verdict.XX
        killed = code == 128 + signal.SIGKILL and self._took > self._limits.seconds
        if code == 128 + signal.SIGXCPU or killed:  # the second where it ignores the first
            return Verdict.TLE
        if code and stderr.rstrip().rpartition("\n")[2].startswith("MemoryError"):
            return Verdict.MLE
        return Verdict.RE if code else Verdict.OK
