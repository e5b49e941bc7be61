"""Does the sandbox hold on this machine? Tried before anything runs in it."""

from __future__ import annotations

import shutil
from functools import cache

from leafe.errors import BadInput
from leafe.orphans import adopt_orphans
from leafe.sandbox import Limits, Verdict, run

CANARY = """
import os, socket
tried = {}
def attempt(name, do):
    try:
        do()
        tried[name] = True
    except Exception:
        tried[name] = False
attempt("network", lambda: socket.create_connection(("127.0.0.1", 22), 1).close() or 1)
attempt("interfaces", lambda: [name for _, name in socket.if_nameindex() if name != "lo"][0])
attempt("files", lambda: open("/etc/passwd"))
attempt("environment", lambda: os.environ["HOME"])
attempt("memory", lambda: bytearray(2**30))
attempt("processes", lambda: [os.fork() or os._exit(0) for _ in range(64)])
print(*[name for name, done in tried.items() if done])
"""


@cache
def check_sandbox() -> None:
    """Once a process: BadInput where programs cannot be run safely here, saying why."""
    needed = ("bwrap", "prlimit", "setpriv")
    missing = [name for name in needed if shutil.which(name, path="/usr/bin") is None]
    if missing:
        raise BadInput(
            f"programs that a model writes run in a sandbox only, and {missing[0]} is missing;"
            " `make system` installs it, or install the packages bubblewrap and util-linux"
        )
    adopt_orphans()  # a box leaves its first process behind, dead
    ran = run(CANARY, "", Limits(seconds=5))
    if ran.verdict is not Verdict.OK:
        raise BadInput(
            "programs that a model writes run in a sandbox only, and it cannot be made here:"
            f" {ran.stderr.strip() or ran.verdict}; user namespaces must be allowed"
        )
    if ran.stdout.strip():
        raise BadInput(
            f"the sandbox does not hold here: from within, {ran.stdout.strip()} can be reached"
        )
