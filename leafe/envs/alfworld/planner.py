"""The bundled planner, Fast Downward: it proves that a scene can be solved, and tells how.

It runs in a process of its own, `planning.py`, started when it is first asked and anew where it has
died. A plan is played in the scene before it is believed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock

from leafe.envs.alfworld import packaged
from leafe.envs.alfworld.game import Game, rules
from leafe.envs.alfworld.pddl import Expression, Problem, write_problem
from leafe.envs.alfworld.planning import MEMORY, SECONDS
from leafe.errors import BadInput

TYPES = ("objecttype", "receptacletype")
"""Facts that tell a thing's type."""
PROGRAM = Path(__file__).with_name("planning.py")


def solve(problem: Problem) -> list[str] | None:
    """Commands that solve a problem; None where the planner finds none."""
    for asked in (_essence(problem), problem):
        steps = _planner().find_plan(write_problem(asked))
        if steps is not None:
            game = Game(problem, "")
            commands = game.commands(steps)
            for command in commands:
                game.act(command)
            if game.won:
                return commands
    return None


def _essence(problem: Problem) -> Problem:
    """Things of the types that the goal or an action names, and the receptacles that hold them.

    What can be done without all else can be done with it, and it is found much sooner.
    """
    conditions = [action.condition for action in rules().actions.values()]
    named = {*_words([problem.goal, *conditions])}
    types = {fact[1]: fact[2] for fact in problem.init if fact[0] in TYPES}
    kept = {name for name in problem.objects if types.get(name, name) in named}
    kept |= {fact[2] for fact in problem.init if fact[0] == "inreceptacle" and fact[1] in kept}
    kept |= {types[name] for name in kept if name in types}
    kept |= {name for name, kind in problem.objects.items() if kind in ("agent", "location")}
    init = tuple(fact for fact in problem.init if kept.issuperset(fact[1:]))
    objects = {name: kind for name, kind in problem.objects.items() if name in kept}
    return Problem(objects, init, problem.goal)


def _words(expression: Expression) -> Iterator[str]:
    if isinstance(expression, str):
        yield expression
    else:
        for part in expression:
            yield from _words(part)


class Planner:
    """The process, kept open."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None

    def find_plan(self, problem: str) -> list[str] | None:
        """The steps of a plan, None where there is none; BadInput where the process dies of it."""
        with self._lock:
            if self._process is None:
                self._process = _start()
            answer = _ask(self._process, problem)
            if not answer:
                self._process.kill()
                self._process.wait()
                self._process = None
                raise BadInput(
                    f"the planner of ALFWorld ended without an answer; it may search {SECONDS} s"
                    f" and take {MEMORY // 2**30} GiB"
                )
        steps: list[str] | None = json.loads(answer)
        return steps


@cache
def _planner() -> Planner:
    return Planner()


def _start() -> subprocess.Popen[str]:
    # -P: the modules beside the program are not what other packages mean by their names.
    process = subprocess.Popen(
        [sys.executable, "-P", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    answer = _ask(process, packaged.domain())
    missing = json.loads(answer) if answer else "its process ends at once"
    if missing:
        raise BadInput(
            f"the planner of ALFWorld does not start: {missing}; install leafe[alfworld]"
        )
    return process


def _ask(process: subprocess.Popen[str], question: str) -> str:
    """The line that answers a question; empty where the process is no more."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{json.dumps(question)}\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()
