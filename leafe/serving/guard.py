"""A program with all that it starts: none of it outlives the program, or whoever wanted it.

`python -S guard.py <command>`, as the leader of a process group: its standard input is a pipe that
its owner holds open, and that closes when the owner is gone, however that went.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

GRACE_SECONDS = 5.0
"""For the program to end by itself."""


def main(command: list[str]) -> None:
    """Run the command in the process group that we lead, which ends with it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # Meant for the program. Not SIG_IGN, which it would inherit.
        signal.signal(number, lambda number, frame: None)
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    ended = os.pidfd_open(program.pid)
    if ended not in select.select([sys.stdin.fileno(), ended], [], [])[0]:
        os.killpg(0, signal.SIGTERM)
        select.select([ended], [], [], GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)  # we are one of them


if __name__ == "__main__":
    main(sys.argv[1:])
