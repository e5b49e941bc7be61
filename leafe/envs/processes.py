"""Worlds in processes of their own: one that hangs or dies is ended and replaced by a fresh one.

A worker (`leafe.envs.worker`) has a host: an object that plays one world after another, as starting
one may take seconds. Each call of it has a deadline. A worker that misses one, dies or raises is
killed with all that it started, and never used again. What a host does, nothing here knows.

Plain processes, not `multiprocessing`: that runs the main module of its owner again, and tells of
an owner's death by the end of the thread that started it. A group of its own, but the owner's
session: the kernel then wakes and ends a stopped worker whose owner is gone.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Lock, Timer
from typing import Any
from weakref import finalize

GRACE_SECONDS = 2.0
"""For a worker to end by itself."""


class WorkerFailed(RuntimeError):
    """A host raised, or its process is gone; nothing can be said of the world in it."""


class Worker:
    """A process with a host. One call at a time; `kill` may come from any thread."""

    def __init__(self, make: Callable[[], object]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "leafe.envs.worker", str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        self._pipe = Connection(ours.detach())
        self._pipe.send_bytes(pickle.dumps(make))
        self._killing = Lock()
        self._sound = True
        """Whether every call so far has ended well."""
        self._late = False
        """Whether a call has missed its deadline."""

    @property
    def free(self) -> bool:
        """Whether it can be given another world: no call is open, none went wrong, it lives."""
        return self._sound and not self._pipe.poll()

    def call(self, seconds: float, method: str, *given: object) -> Any:
        """Call a method of the host, which is made at the first call.

        Raises TimeoutError after so many seconds, and WorkerFailed; the process is then gone.
        """
        self._sound = False
        deadline = Timer(seconds, self._miss)
        deadline.daemon = True
        deadline.start()
        try:
            self._pipe.send((method, given))
            self._sound, said = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.kill()
            if self._late:
                raise TimeoutError(f"no answer within {seconds:g} s") from error
            raise WorkerFailed("the process of this world is gone") from error
        finally:
            deadline.cancel()
        if not self._sound:
            self.kill()
            raise WorkerFailed(said)
        return said

    def _miss(self) -> None:
        self._late = True
        self.kill()

    def kill(self) -> None:
        """End it and all that it has started, running or stopped."""
        with self._killing:
            if self._process.returncode is not None:
                return
            with socket.socket(fileno=os.dup(self._pipe.fileno())) as ours, suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)  # it then ends by itself, if it can
            ended = os.pidfd_open(self._process.pid)
            select.select([ended], [], [], GRACE_SECONDS)
            os.close(ended)
            # Not yet waited for, so that its number, and its group's, is no other's.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Workers:
    """Workers with one kind of host, used again and again. May be used by many threads."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        """Makes the host, in the worker: something that can be pickled."""
        self._idle: list[Worker] = []
        self._lock = Lock()
        finalize(self, _kill_all, self._idle)

    def take(self) -> Worker:
        """One that is free: used before, or fresh."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.free:
                    return worker
                worker.kill()
        return Worker(self._make)

    def give_back(self, worker: Worker) -> None:
        """Keep it for another world, or kill it where it is not fit for one."""
        if not worker.free:
            worker.kill()
            return
        with self._lock:
            self._idle.append(worker)


def _kill_all(workers: list[Worker]) -> None:
    for worker in workers:
        worker.kill()


class Seat:
    """The place of one world: it has a worker from its first call until it is left.

    It may be left in the midst of a call that another thread makes; that worker is then killed.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._worker: Worker | None = None
        self._left = False
        self._lock = Lock()

    def call(self, seconds: float, method: str, *given: object) -> Any:
        """What the host's method says; raises as `Worker.call` does."""
        with self._lock:
            if self._left:
                raise WorkerFailed("this world is closed")
            if self._worker is None:
                self._worker = self._workers.take()
            worker = self._worker
        return worker.call(seconds, method, *given)

    def leave(self) -> None:
        """Give the worker back; more than once is fine."""
        with self._lock:
            self._left = True
            worker, self._worker = self._worker, None
        if worker is not None:
            self._workers.give_back(worker)
