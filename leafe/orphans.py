"""Processes whose parent is gone: who reaps them once they are dead.

In many containers the first process reaps nobody, and every dead orphan stays as a zombie.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36  # of <linux/prctl.h>


def adopt_orphans() -> None:
    """Become the parent of whatever our descendants leave behind, to reap it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def group_is_gone(group: int) -> bool:
    """Whether no process is left in a process group, once those that are ours are reaped."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
