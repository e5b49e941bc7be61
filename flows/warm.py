"""Stages that start warm: forked from a process that has loaded torch and transformers.

A comparison has hundreds of short stages, and loading these takes each of them four seconds. DVC
still runs `python -m leafe.stages.<stage>`; a program named `python`, first on its path, hands the
command to the server here, which forks. Without a server it runs the command itself.

The server knows nothing of leafe: a stage imports that from the folder that it runs in.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn

SOCKET = "LEAFE_WARM"
"""The environment variable with the server's path."""
PRELOADED = (
    "torch",
    "transformers.trainer",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
    "pyarrow.parquet",
    "pydantic",
    "typer",
)
LONGEST = 1_000_000
"""Bytes of a request: a command and its environment."""


@contextmanager
def warm_stages() -> Iterator[None]:
    """Let the stages that this process starts, by whatever way, start warm."""
    with TemporaryDirectory(prefix="leafe-warm-") as folder:
        python = Path(folder) / "python"
        this = shlex.quote(str(Path(__file__).resolve()))
        # -S: the few milliseconds of a bare interpreter
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S {this} "$@"\n')
        python.chmod(0o755)
        path = Path(folder) / "socket"
        command = [sys.executable, __file__, "serve", str(path)]
        # Out of a terminal's reach: Ctrl-C is ours to pass on.
        server = subprocess.Popen(command, start_new_session=True)
        try:
            while not path.exists() and server.poll() is None:
                time.sleep(0.05)
            os.environ[SOCKET] = str(path)
            yield
        finally:
            os.environ.pop(SOCKET, None)
            server.kill()
            server.wait()


def serve(path: str) -> NoReturn:
    """Load what is heavy, then fork for every request until killed."""
    import importlib

    for name in PRELOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            os._exit(watch(connection))
        connection.close()


def watch(connection: socket.socket) -> int:
    """Run one request, passing signals on to it and its end back; it ends with its client."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 3)
    child = os.fork()
    if child == 0:
        connection.close()
        work(json.loads(message), descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    ended = os.pidfd_open(child)
    while True:
        readable = select.select([connection.fileno(), ended], [], [])[0]
        if ended in readable:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with suppress(OSError):
                connection.sendall(str(code).encode())
            return 0
        number = connection.recv(1)
        os.kill(child, number[0] if number else signal.SIGKILL)


def work(request: dict[str, object], descriptors: list[int]) -> NoReturn:
    """Become the command of a request."""
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(dict(request["environment"]))  # type: ignore[call-overload]  # our own JSON
    os.chdir(str(request["folder"]))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _, module, *arguments = list(request["arguments"])  # type: ignore[call-overload]  # our own JSON
    for name in [name for name in sys.modules if name.partition(".")[0] == "flows"]:
        del sys.modules[name]
    sys.argv = [module, *arguments]
    sys.path[0] = os.getcwd()
    code: object = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def ask(arguments: list[str]) -> int:
    """Have the server run a command here; its exit code, negative for a signal.

    Raises OSError where no server answers.
    """
    server = socket.socket(socket.AF_UNIX)
    server.connect(os.environ[SOCKET])
    request = {
        "arguments": arguments,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }

    def pass_on(number: int, frame: FrameType | None) -> None:
        server.sendall(bytes([number]))

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
    return int(server.recv(16) or b"1")


def is_stage(arguments: list[str]) -> bool:
    """Whether this is a command that a server takes."""
    return arguments[:1] == ["-m"] and arguments[1].startswith("leafe.stages.")


def main(arguments: list[str]) -> NoReturn:
    """As a server (`serve PATH`), or as `python`."""
    if arguments[:1] == ["serve"]:
        serve(arguments[1])
    if SOCKET in os.environ and is_stage(arguments):
        with suppress(ConnectionError, FileNotFoundError):
            code = ask(arguments)
            if code < 0:
                signal.signal(-code, signal.SIG_DFL)
                os.kill(os.getpid(), -code)
            sys.exit(code)
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
