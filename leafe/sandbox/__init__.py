"""Where a program that a model wrote may run: bubblewrap, with nothing of this machine in it.

A program sees a read-only `/usr`, an empty `/tmp` and its standard input; no network, no other
process, no file of the host, no variable of the environment. What it may use is bounded from
outside. Without bubblewrap or user namespaces nothing runs at all.

Known residue: memory is bounded for each process, not for all (at most `PROCESSES` of them), as a
memory cgroup is seldom writable; empty files in its `/tmp` are not counted, and vanish with it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from leafe.sandbox.box import command
from leafe.sandbox.verdict import Limits, Ran, Verdict
from leafe.sandbox.watch import Watched
from leafe.text import storable

__all__ = ["Limits", "Ran", "Verdict", "run"]


def run(program: str, stdin: str, limits: Limits) -> Ran:
    """Run a Python program in a box of its own; returns when no process of it is left."""
    with _files(program, stdin) as (script, given), _pipe() as (status, told):
        try:
            process = subprocess.Popen(
                command(script, told.fileno(), limits),
                cwd="/",
                env={},
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[told.fileno()],
            )
        except OSError as error:
            return Ran(Verdict.XX, "", str(error))
        told.close()
        watched = Watched(process, status, limits)
        watched.wait()
        return watched.ran()


@contextmanager
def _files(program: str, stdin: str) -> Iterator[tuple[str, IO[bytes]]]:
    """The path of the script, readable by anybody, and an open file with the input."""
    with (
        tempfile.TemporaryDirectory(prefix="leafe-box-") as folder,
        tempfile.TemporaryFile() as given,
    ):
        script = Path(folder, "main.py")
        script.write_bytes(storable(program).encode())
        Path(folder).chmod(0o755)
        script.chmod(0o644)
        given.write(storable(stdin).encode())
        given.seek(0)
        yield str(script), given


@contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """(reading end, writing end)."""
    reading, writing = os.pipe()
    with open(reading, "rb", 0) as status, open(writing, "wb", 0) as told:
        yield status, told
