"""The use of servers: a connection to their keeper, which ends at the latest with its process."""

from __future__ import annotations

import fcntl
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from leafe.errors import BadInput
from leafe.serving.demand import FOLDER, KEEPER, Answer, Demand

KEEPER_SECONDS = 30.0
"""For the keeper to listen; it loads nothing heavy."""
SAID_EVERY = 15.0
"""Seconds between two lines that servers are still awaited."""
GONE = f"the keeper of the servers is gone; see {FOLDER}"


class Lease:
    """Servers as demanded, until it is closed."""

    def __init__(self, demand: Demand) -> None:
        """Wait for the servers; BadInput says why there are none."""
        self._connection = connect()
        self._trouble: str | None = None
        with suppress(ConnectionError):
            self._connection.sendall(demand.model_dump_json().encode() + b"\n")
        self._wait()
        answer = heard(self._connection)
        if answer is None or not answer.ready:
            self.close()
            raise BadInput(f"engine: {answer.error if answer else GONE}")

    def _wait(self) -> None:
        """Until the keeper says something, which may take as long as a large model's start."""
        began = time.monotonic()
        while not select.select([self._connection], [], [], SAID_EVERY)[0]:
            print(
                f"vLLM: not ready yet, {time.monotonic() - began:.0f} s; its log is in {FOLDER}",
                file=sys.stderr,
                flush=True,
            )

    def trouble(self) -> str | None:
        """Why the servers are gone for good; None while they are there or on their way back."""
        if self._trouble is None and self._says_something():
            answer = heard(self._connection)
            self._trouble = (answer and answer.error) or GONE
        return self._trouble

    def _says_something(self) -> bool:
        try:
            self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        """Do without the servers from now on."""
        self._trouble = "its use has ended"
        self._connection.close()


def heard(connection: socket.socket) -> Answer | None:
    """What the keeper says next; None where it is gone."""
    line = b""
    with suppress(ConnectionError):
        while not line.endswith(b"\n") and (more := connection.recv(65536)):
            line += more
    return Answer.model_validate_json(line) if line.endswith(b"\n") else None


@contextmanager
def kept() -> Iterator[None]:
    """Keep servers that stages start, from stage to stage."""
    connection = connect()
    try:
        yield
    finally:
        connection.close()


def connect() -> socket.socket:
    """A connection to the keeper here, which is started if there is none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    deadline = time.monotonic() + KEEPER_SECONDS
    with (FOLDER / "starting.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keeper: subprocess.Popen[bytes] | None = None
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(KEEPER_SECONDS)
            with suppress(ConnectionError, FileNotFoundError, TimeoutError):
                connection.connect(str(KEEPER))
                if heard(connection) is not None:  # not one that is about to end
                    connection.settimeout(None)
                    return connection
            connection.close()
            if keeper is None or keeper.poll() is not None:
                keeper = start_keeper()
            if time.monotonic() > deadline:
                raise BadInput(f"engine: no keeper of servers started; see {FOLDER}/keeper.log")
            time.sleep(0.1)


def start_keeper() -> subprocess.Popen[bytes]:
    """The keeper as a process that outlives this one."""
    with (FOLDER / "keeper.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "leafe.serving.keeper"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
