"""The command that runs a program in a box: what is in it, and what it may use."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

from leafe.sandbox.verdict import Limits

PROCESSES = 4
"""Processes and threads that may live in a box at once, its own first one among them."""
FILE_BYTES = 8 * 2**20
"""The largest file that a program may write."""
TMP_BYTES = 16 * 2**20
"""All that it may keep in its `/tmp`, which is memory."""
INTERPRETER_BYTES = 64 * 2**20
"""Memory that Python itself takes, on top of what a program is allowed."""
NOBODY = 61000
"""The user that a box is started as where we are root: a limit of processes binds no root."""
PYTHON = ("-s", "-B", "-X", "int_max_str_digits=0", "main.py")
"""How Python starts: without the user's packages, and with integers of any length."""


def command(script: str, status: int, limits: Limits) -> list[str]:
    """The whole command; bwrap tells on the file descriptor `status` how the program ended."""
    return [*_as_nobody(), *_walls(script, status), *_limited(limits), _python(), *PYTHON]


def _walls(script: str, status: int) -> list[str]:
    """Each option is one thing that a program cannot do."""
    usr = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64"):
        outside = Path("/", name)
        if outside.is_symlink():
            usr += ["--symlink", f"usr/{name}", f"/{name}"]
        elif outside.is_dir():
            usr += ["--ro-bind", f"/{name}", f"/{name}"]
    places = ["--proc", "/proc", "--dev", "/dev", "--size", "1048576", "--tmpfs", "/dev/shm"]
    places += ["--remount-ro", "/dev", "--size", str(TMP_BYTES), "--tmpfs", "/tmp"]
    places += ["--ro-bind", script, "/tmp/main.py"]
    alone = ["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"]
    alone += ["--disable-userns", "--assert-userns-disabled", "--cap-drop", "ALL"]
    alone += ["--hostname", "box", "--die-with-parent", "--new-session", "--chdir", "/tmp"]
    # Equal programs write equal outputs: the order of a set hangs on the hash seed.
    told = ["--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "PYTHONHASHSEED", "0"]
    return ["/usr/bin/bwrap", "--json-status-fd", str(status), *usr, *places, *alone, *told]


def _limited(limits: Limits) -> list[str]:
    """Sets the limits from within: outside they would count other boxes, too."""
    memory, cpu = limits.memory_bytes + INTERPRETER_BYTES, ceil(limits.seconds)
    return [
        "/usr/bin/prlimit",
        f"--nproc={PROCESSES}:{PROCESSES}",
        f"--as={memory}:{memory}",
        f"--cpu={cpu}:{cpu + 1}",
        f"--fsize={FILE_BYTES}:{FILE_BYTES}",
        "--nofile=64:64",
        "--core=0:0",
    ]


def _as_nobody() -> list[str]:
    if os.getuid():
        return []
    user = str(NOBODY)
    return ["/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups"]


def _python() -> str:
    return next(p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(p).exists())
