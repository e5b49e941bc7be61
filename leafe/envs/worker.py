"""A process that hosts worlds for `leafe.envs.processes`: `python -m leafe.envs.worker FD`.

It ends, with all that its host has started, as soon as the other side of its pipe is closed: when
its owner closes it, and when its owner is gone, by whatever way.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, NoReturn

Request = tuple[str, tuple[Any, ...]]
"""A method of the host, and what it is given."""


def serve(pipe: Connection) -> NoReturn:
    """Answer requests until the pipe is closed, then end this process's group.

    Requests are answered in another thread, so that the end of the pipe is noticed at any time.
    """
    requests: SimpleQueue[Request] = SimpleQueue()
    with suppress(EOFError, OSError):
        make = pipe.recv_bytes()
        Thread(target=_answer, args=(make, requests, pipe), daemon=True).start()
        while True:
            requests.put(pipe.recv())
    end()


def end() -> NoReturn:
    """End all that this process has started, then this process.

    Its children are waited for: else they would be left to the first process of the machine, and
    that of a container may never do so.
    """
    with suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            for child in (thread / "children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
        while True:
            os.wait()
    os.killpg(0, signal.SIGKILL)
    os._exit(1)  # not reached: the signal is for this process, too


def _answer(make: bytes, requests: SimpleQueue[Request], pipe: Connection) -> None:
    """Make the host, then call its methods; an answer is (whether it went well, what was said)."""
    method, given = requests.get()
    with suppress(OSError):
        try:
            host = pickle.loads(make)()
            while True:
                pipe.send((True, getattr(host, method)(*given)))
                method, given = requests.get()
        except Exception as error:
            pipe.send((False, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
