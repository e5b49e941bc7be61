"""The planner's own program: Fast Downward, as the package `fast_downward` brings it.

A process of its own: the planner changes `sys.argv`, writes to the standard output, ends its
process on an error, and may search for ever. It reads JSON lines, the domain first, then a problem
a line. It answers each: the domain with what is missing here, empty where nothing is; a problem
with the steps of a plan, or null. It ends with its input.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

SECONDS = 60
"""For one problem; the process is ended after that."""
MEMORY = 4 * 2**30
"""Bytes that it may take."""


def main() -> None:
    """Answer until there is nothing more to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who asks decides when to stop
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    domain = json.loads(sys.stdin.readline())
    try:
        find_plan = _planner(domain)
    except (ImportError, OSError) as error:
        answers.write(f"{json.dumps(str(error))}\n")
        return
    answers.write(f"{json.dumps('')}\n")
    for line in sys.stdin:
        signal.alarm(SECONDS)
        answers.write(f"{json.dumps(find_plan(json.loads(line)))}\n")
        signal.alarm(0)


def _planner(domain: str) -> Callable[[str], list[str] | None]:
    import fast_downward

    library: Any = fast_downward.load_lib()

    def find_plan(problem: str) -> list[str] | None:
        _, translated = fast_downward.pddl2sas(domain, problem, optimize=True)
        if not library.solve_sas(translated.encode(), False):
            return None
        steps = (fast_downward.Operator * library.get_last_plan_length())()
        library.get_last_plan(steps)
        return [step.name for step in steps]

    return find_plan


if __name__ == "__main__":
    main()
