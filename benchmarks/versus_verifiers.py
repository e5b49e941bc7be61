"""How much faster episodes are played by us than by `verifiers`, on the same vLLM server.

Theirs is a process of its own (`verifiers_desk.py`) with packages of its own, in `.venv-verifiers`,
which is made here on demand. Both play an episode of each of the same tickets, as many at a time,
with the same model, words, sampling and chat template; ours sends token ids, theirs messages. Both
get every token's id and log-probability, as training needs them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.benchmark import CannotRun, Figures
from benchmarks.rollout_efficiency import play
from benchmarks.served import ROOT, Served, serving
from benchmarks.small_policy import small_policy
from benchmarks.timed import timed
from leafe.chat import read_prompts
from leafe.envs.desk import Desk, DeskOptions

COMPARED = "episodes a second of ours / of `verifiers` 0.1.14, on the same vLLM server"
TARGET = "above 1.3"
TASKS, IN_FLIGHT, ROUNDS = 200, 64, 3
VENV, PINS = ROOT / ".venv-verifiers", ROOT / "constraints-verifiers.txt"


@dataclass(frozen=True)
class Pass:
    """All tickets, played once by one side."""

    seconds: float
    cpu_seconds: float
    """Of the process that plays, the server apart."""
    episodes: int
    steps: int
    tokens: int
    """Drawn for the steps."""
    errors: int
    """Episodes that the machinery ended."""
    solved: float


def measure(quick: bool) -> Figures:
    """Medians over the rounds, both sides in turns; one round before them warms both up."""
    python = python_of_verifiers()
    desk = Desk(DeskOptions(train_tasks=TASKS, test_tasks=1))
    tasks = 3 if quick else TASKS
    rounds = []
    with (
        serving(small_policy(quick)) as server,
        verifiers(python, settings(server, tasks)) as theirs,
    ):
        for _ in range(2 if quick else 1 + ROUNDS):
            asyncio.run(server.forget())
            mine = ours(server, desk, tasks)
            asyncio.run(server.forget())
            rounds.append((mine, theirs.play()))
    return figures(rounds[1:]) | {"in_flight": IN_FLIGHT}


def figures(rounds: Sequence[tuple[Pass, Pass]]) -> dict[str, Any]:
    """Of rounds of (ours, theirs)."""
    mine, theirs = zip(*rounds, strict=True)
    ratios = [speed(a) / speed(b) for a, b in rounds]
    return {
        "ratio": round(median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "cpu_ratio": round(
            median(b.cpu_seconds / b.steps * a.steps / a.cpu_seconds for a, b in rounds), 2
        ),
        **said("", mine),
        **said("verifiers_", theirs),
    }


def said(prefix: str, passes: Sequence[Pass]) -> dict[str, float]:
    """What one side did, and whether it was the same as the other's."""
    episodes, steps = sum(p.episodes for p in passes), sum(p.steps for p in passes)
    told = {
        "episodes_per_second": round(median(map(speed, passes)), 1),
        "milliseconds_of_cpu_per_step": round(1000 * sum(p.cpu_seconds for p in passes) / steps, 2),
        "steps_per_episode": round(steps / episodes, 2),
        "tokens_per_step": round(sum(p.tokens for p in passes) / steps, 2),
        "solved": round(sum(p.solved for p in passes) / episodes, 3),
        "errors": sum(p.errors for p in passes),
    }
    return {prefix + name: value for name, value in told.items()}


def speed(one: Pass) -> float:
    """Episodes a second."""
    return one.episodes / one.seconds


def ours(server: Served, desk: Desk, tasks: int) -> Pass:
    """A root episode of each ticket."""
    tickets = desk.tasks("train")[:tasks]
    done = timed(play(server, server.engine(IN_FLIGHT), desk, tickets, samples=1))
    episodes = done.made
    return Pass(
        seconds=done.seconds,
        cpu_seconds=done.cpu_seconds,
        episodes=len(episodes),
        steps=sum(len(e.steps) for e in episodes),
        tokens=sum(e.sampled_tokens for e in episodes),
        errors=sum(e.outcome.is_infrastructure for e in episodes),
        solved=sum(e.outcome == "solved" for e in episodes),
    )


def settings(server: Served, tasks: int) -> Mapping[str, Any]:
    """What theirs needs to do the same."""
    agent = server.policy.agent(Desk(DeskOptions()), server.engine(rows=1))
    return {
        "socket": server.socket,
        "model": server.model,
        "turn": read_prompts("short").turn,
        "tickets": TASKS,
        "tasks": tasks,
        "in_flight": IN_FLIGHT,
        "sampling": {
            "temperature": agent.temperature,
            "max_tokens": agent.action_tokens,
            "logprobs": True,
            "extra_body": {
                "return_token_ids": True,
                "stop_token_ids": list(agent.chat.stop_ids),
                "ignore_eos": True,
            },
        },
    }


class Verifiers:
    """Their process; it plays when asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def heard(self) -> Any:
        """What it says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("verifiers ended; what it said is above")
        return json.loads(line)

    def play(self) -> Pass:
        """All tickets once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Pass(**self.heard())


@contextmanager
def verifiers(python: str, told: Mapping[str, Any]) -> Iterator[Verifiers]:
    """Their process, ready to play."""
    with subprocess.Popen(
        [python, "-m", "benchmarks.verifiers_desk", json.dumps(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        theirs = Verifiers(process)
        try:
            theirs.heard()
            yield theirs
        finally:
            process.kill()


def python_of_verifiers() -> str:
    """An interpreter that has it, installed if need be; CannotRun where it cannot be had."""
    python, done = VENV / "bin" / "python", VENV / ".installed"
    if not done.exists() or done.stat().st_mtime < PINS.stat().st_mtime:
        install = ["pip", "install", "-qq", "--constraint", str(PINS), "verifiers"]
        try:
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
            subprocess.run([str(python), "-m", *install], check=True)
        except (subprocess.CalledProcessError, OSError) as error:
            raise CannotRun(f"verifiers cannot be installed: {error}") from error
        done.touch()
    return str(python)
