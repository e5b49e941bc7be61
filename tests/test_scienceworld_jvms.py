"""ScienceWorld's JVMs: what dies or hangs is replaced, nothing is left, and no Java is told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import ROOT
from hosts import end_within
from players import Player, make_agent
from sciences import QUICK, like, need_java, scienceworld

from leafe.chat import Chat
from leafe.envs.scienceworld import ScienceWorld
from leafe.envs.scienceworld.jvm import java_options
from leafe.episode import Episode, Outcome
from leafe.rollout import attempt


@pytest.fixture(scope="module", autouse=True)
def java() -> None:
    need_java()


def is_java(process: psutil.Process) -> bool:
    """Whether a process is a JVM that has not ended."""
    try:
        return process.name() == "java" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def javas(pid: int | None = None) -> set[psutil.Process]:
    """The JVMs below a process; this one, if none is named."""
    return set(filter(is_java, psutil.Process(pid).children(recursive=True)))


def episode(
    world: ScienceWorld, chat: Chat, tokenizer: Any, harm: Callable[[], object] | None = None
) -> Episode:
    """An attempt of three steps; the harm is done before its second."""
    steps = iter(range(9))

    def act(*_: object) -> str:
        if next(steps) == 1 and harm is not None:
            harm()
        return "look around"

    agent = make_agent(world, chat, Player(tokenizer, act))
    task = world.tasks("train")[0]
    return asyncio.run(attempt(agent, task, wave="w0", sample=0, max_steps=3))


@pytest.fixture(scope="module")
def world() -> ScienceWorld:
    """One that has a JVM from the first test to the last, though not the same."""
    return scienceworld(tasks=QUICK, train_tasks=4, test_tasks=4)


def javas_of(world: ScienceWorld) -> set[psutil.Process]:
    """Its JVMs that are idle."""
    return {java for worker in world._workers._idle for java in javas(worker._process.pid)}


@pytest.mark.parametrize(
    ("harm", "outcome", "error"),
    [
        (signal.SIGKILL, Outcome.ENV_ERROR, "WorkerFailed"),
        (signal.SIGSTOP, Outcome.TIMEOUT, "no answer within"),
    ],
)
def test_a_jvm_that_dies_or_hangs_ends_its_episode_and_is_replaced(
    world: ScienceWorld,
    chat: Chat,
    tokenizer: Any,
    harm: signal.Signals,
    outcome: Outcome,
    error: str,
) -> None:
    before = episode(world, chat, tokenizer)
    assert before.outcome is Outcome.OUT_OF_BUDGET
    [java], patient = javas_of(world), world.settings
    world.settings = patient.model_copy(update={"step_timeout": 3.0})
    begun = time.monotonic()
    failed = episode(world, chat, tokenizer, lambda: java.send_signal(harm))
    assert time.monotonic() - begun < 3 + 5
    world.settings = patient
    assert (failed.outcome, len(failed.steps)) == (outcome, 1)
    assert error in (failed.error or "")
    assert end_within(2, (java.pid,))
    assert episode(world, chat, tokenizer) == before
    assert java not in javas_of(world)


def test_a_jvm_that_died_between_episodes_harms_none(
    world: ScienceWorld, chat: Chat, tokenizer: Any
) -> None:
    before = episode(world, chat, tokenizer)
    [java] = javas_of(world)
    java.kill()
    assert end_within(2, (java.pid,))
    time.sleep(0.5)  # its worker ends with it
    assert episode(world, chat, tokenizer) == before


def test_no_more_worlds_are_open_than_may_be(
    world: ScienceWorld, chat: Chat, tokenizer: Any
) -> None:
    others = javas() - javas_of(world)
    world = like(world, tasks=QUICK, worlds=2, train_tasks=4, test_tasks=4)
    seen: set[psutil.Process] = set()

    def act(*_: object) -> str:
        seen.update(javas() - others)
        return "look around"

    agent = make_agent(world, chat, Player(tokenizer, act))

    async def play_all() -> list[Episode]:
        how: dict[str, Any] = {"wave": "w0", "max_steps": 2}
        tasks = world.tasks("train")
        return await asyncio.gather(
            *(attempt(agent, task, sample=n, **how) for n in range(2) for task in tasks)
        )

    episodes = asyncio.run(play_all())
    assert {(e.outcome, len(e.steps)) for e in episodes} == {(Outcome.OUT_OF_BUDGET, 2)}
    assert len({e.first_observation for e in episodes}) == 4
    assert len(seen) == 2


PLAYS = """
import os, signal, sys
from leafe.envs import make_environment
from leafe.errors import BadInput
try:
    world = make_environment({"name": "scienceworld"})
except BadInput as error:
    sys.exit(f"{error}")
env = world.make()
print(env.start(world.tasks("train")[0]).partition(chr(10))[0], flush=True)
if sys.argv[1:] == ["stay"]: signal.pause()
"""


def plays(folder: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """A program that starts a world in a folder, and stays or ends."""
    return subprocess.Popen(
        [sys.executable, "-c", PLAYS, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_nothing_is_left_of_a_program_that_is_killed_and_nothing_is_said_or_written_beside_it(
    tmp_path: Path,
) -> None:
    with plays(tmp_path, "stay", JAVA_TOOL_OPTIONS="-Dleafe.test=kept") as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "Task Description:\n"
        [java] = javas(program.pid)
        assert java.environ()["JAVA_TOOL_OPTIONS"] == "-Dleafe.test=kept"
        assert set(java_options(768)) <= set(java.cmdline())
        assert java.memory_info().rss < 768e6
        assert Path(java.cwd()).name == "scienceworld", "the jar writes a table where it finds none"
        below = tuple(p.pid for p in psutil.Process(program.pid).children(recursive=True))
        program.kill()
        assert program.stderr.read() == ""
    assert end_within(5, below)
    assert not list(tmp_path.iterdir())


def said_by(folder: Path, **environment: str) -> str:
    """What the program ends with where no world can start."""
    with plays(folder, **environment) as program:
        out, error = program.communicate()
    assert (out, program.returncode) == ("", 1)
    return error.rstrip()


def test_without_a_java_that_can_run_it_it_says_what_to_install(tmp_path: Path) -> None:
    needs = "params.yaml: env.name is 'scienceworld', which needs Java"
    missing = said_by(tmp_path, PATH=str(tmp_path), JAVA_HOME="")
    assert missing.startswith(f"{needs}, but [Errno 2] No such file or directory: 'java'; install")
    assert missing.endswith("`make system`, or apt-get install openjdk-17-jre-headless")
    assert "No such file" in said_by(tmp_path, JAVA_HOME=str(tmp_path))
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'java version \"1.7.0_80\"' >&2\n")
    old.chmod(0o755)
    assert said_by(tmp_path, JAVA_HOME=str(tmp_path)).startswith(f"{needs} 8 or later, but ")
    refused = said_by(tmp_path, JAVA_TOOL_OPTIONS="-XX:+UseG1GC")
    assert "says: Error occurred during initialization of VM" in refused
    assert "multiple" in refused.lower() or "conflicting" in refused.lower()
