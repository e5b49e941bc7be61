"""ScienceWorld behind our port: its own tasks and solutions, exact replays, JVMs that may fail."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import ROOT
from hosts import end_within
from players import Player, make_agent

from leafe.chat import Chat
from leafe.env import StepResult
from leafe.envs import make_environment
from leafe.envs.scienceworld import ScienceWorld, ScienceWorldOptions, kinds
from leafe.envs.scienceworld.jvm import java_options
from leafe.envs.scienceworld.wording import DROPPED, LOST, MENU, SOLVED
from leafe.episode import Episode, Outcome
from leafe.errors import BadInput
from leafe.fidelity import play
from leafe.rollout import attempt
from leafe.task import Task, check_disjoint, make_task

QUICK = ["find-animal", "lifespan-longest-lived", "use-thermometer", "power-component"]
"""Tasks whose solutions are short."""


def scienceworld(**options: Any) -> ScienceWorld:
    return ScienceWorld(ScienceWorldOptions(**options))


@pytest.fixture(scope="module")
def world() -> ScienceWorld:
    """One for most tests: a JVM that has played before is one more thing to stand."""
    return scienceworld()


def task_of(name: str, variation: int = 0, simplifications: str = "easy") -> Task:
    payload = {"task": name, "variation": variation, "simplifications": simplifications}
    return make_task("scienceworld", "train", payload)


def told(world: ScienceWorld, task: Task, *actions: str) -> list[StepResult]:
    return play(world, task, actions)[1]


def javas(pid: int | None = None) -> list[psutil.Process]:
    """The JVMs below a process; this one, if none is named."""
    below = psutil.Process(pid).children(recursive=True)
    return [p for p in below if p.status() != psutil.STATUS_ZOMBIE and p.name() == "java"]


def test_the_known_solutions_of_all_30_tasks_score_100(world: ScienceWorld) -> None:
    def solve(task: Task) -> StepResult:
        *before, last = told(world, task, *world.solution(task))
        assert {(r.reward, r.terminated, r.truncated) for r in before} == {(0.0, False, False)}
        assert last.observation.endswith(f"\n{SOLVED}")
        return replace(last, observation="")

    slow_first = sorted(kinds.KINDS, key=lambda name: -kinds.KINDS[name].gold)
    with ThreadPoolExecutor(2) as threads:
        ends = list(threads.map(solve, map(task_of, slow_first)))
    assert ends == [StepResult("", 1.0, terminated=True, truncated=False)] * 30


def test_the_table_of_tasks_is_that_of_the_jar() -> None:
    from scienceworld import ScienceWorldEnv

    jar = ScienceWorldEnv()
    assert sorted(jar.get_task_names()) == sorted(jar.task_names) == sorted(kinds.KINDS)
    assert set(jar.get_possible_simplifications()) == set(kinds.SIMPLIFICATIONS)
    for name, kind in kinds.KINDS.items():
        assert jar.get_max_variations(name) == kind.variations
        jar.load(name, 0)
        assert jar.get_variations_train() == list(kinds.part(name, "train"))
        assert jar.get_variations_dev() == list(kinds.part(name, "dev"))
        assert jar.get_variations_test() == list(kinds.part(name, "test"))
    assert sum(kind.variations for kind in kinds.KINDS.values()) == 7207
    jar.close()


def test_train_and_test_tasks_are_of_the_jars_own_lists_and_spread_over_the_tasks() -> None:
    for held_out in ("test", "dev"):
        world = scienceworld(held_out=held_out, train_tasks=70, test_tasks=50)
        train, test = world.tasks("train"), world.tasks("test")
        check_disjoint(train, test)
        for tasks, which, count in ((train, "train", 70), (test, held_out, 50)):
            places = [(t.payload["task"], t.payload["variation"]) for t in tasks]
            assert len(set(places)) == count
            assert all(v in kinds.part(name, which) for name, v in places)  # type: ignore[arg-type]
            names = [name for name, _ in places]
            assert max(map(names.count, names)) - min(map(names.count, names)) <= 1
    more = scienceworld(train_tasks=90, test_tasks=90)
    assert more.tasks("train")[:70] == train
    assert scienceworld(seed=1).tasks("train") != scienceworld().tasks("train")


def test_chosen_tasks_are_all_that_is_taken() -> None:
    world = scienceworld(tasks=["boil", "melt"], train_tasks=28, test_tasks=18)
    assert {task.payload["task"] for task in world.tasks("train")} == {"boil", "melt"}
    assert len(world.tasks("test")) == 18


def test_no_jvm_runs_before_a_world_has_started() -> None:
    world = scienceworld()
    world.tasks("train")
    env = world.make()
    assert not world._workers._idle
    env.close()


def test_what_is_not_understood_is_answered_with_the_form_of_the_action(
    world: ScienceWorld,
) -> None:
    said = told(world, task_of("boil"), "xyzzy", "Open the moon", "connect a to b", "use sun on")
    unknown, form, missing, use = (result.observation for result in said)
    assert unknown.startswith("No known action matches that input. Known actions: activate OBJ, ")
    assert "The form is: open OBJ. OBJ is a thing that is here: write objects" in form
    assert "Known actions: " in missing, "there is no connect where nothing is electrical"
    assert "The form is: use OBJ on OBJ." in use
    electrical = told(world, task_of("power-component"), "connect a to b")
    assert "The form is: connect OBJ to OBJ." in electrical[0].observation


def test_a_menu_is_answered_by_a_number_or_dropped_and_replays_are_exact(
    world: ScienceWorld,
) -> None:
    task = task_of("find-animal")
    actions = ("teleport to greenhouse", "close door", "1", "look around", "close door", "jug")
    said, results = play(world, task, [*actions, "look around"])
    _, asked, closed, looked, _, dropped, after = (result.observation for result in results)
    assert asked.startswith(MENU)
    assert "\n1:\tclose door between greenhouse and outside" in asked
    assert closed == "The door is now closed."
    assert "A door to the outside (that is closed)" in looked
    assert dropped == DROPPED
    assert after == looked
    assert play(world, task, actions)[0] == said[:-1]


def test_the_wrong_focus_loses_the_task(world: ScienceWorld) -> None:
    looked, lost = told(world, task_of("find-living-thing"), "look around", "focus on air")
    assert (looked.reward, looked.terminated) == (0.0, False)
    assert lost == StepResult(f"You focus on the air.\n{LOST}", 0.0, True, truncated=False)


def test_the_score_is_told_only_where_it_is_wanted(world: ScienceWorld) -> None:
    task, actions = task_of("find-animal"), ("look around", "teleport to outside", "focus on dove")
    silent = [result.observation for result in told(world, task, *actions)]
    telling = [r.observation for r in told(scienceworld(tell_score=True), task, *actions)]
    assert telling[0] == silent[0]
    assert telling[1:] == [
        "You teleport to the outside.\nScore: 17 of 100.",
        "You focus on the dove egg.\nScore: 67 of 100.",
    ]
    assert "core" not in "".join(silent)


def test_each_task_has_its_own_limit_of_steps() -> None:
    world = scienceworld(steps="eto", tasks=["lifespan-longest-lived", "boil"])
    assert world.max_steps == 100
    results = told(world, task_of("lifespan-longest-lived"), *["inventory"] * 12)
    assert [r.truncated for r in results] == [False] * 9 + [True]
    assert not results[-1].terminated
    assert len(told(scienceworld(max_steps=3), task_of("boil"), *["inventory"] * 9)) == 3
    for name, kind in kinds.KINDS.items():
        assert kinds.most_steps(name, "gold") >= max(1.25 * kind.gold, kind.eto or 0)


def test_worlds_that_are_open_together_do_not_disturb_each_other(world: ScienceWorld) -> None:
    tasks = [task_of(name, 2) for name in QUICK[:3]]
    alone = [play(world, task, world.solution(task)) for task in tasks]
    envs = [world.make() for _ in tasks]
    said = [[env.start(task)] for env, task in zip(envs, tasks, strict=True)]
    left = {n: list(world.solution(task)) for n, task in enumerate(tasks)}
    rng = random.Random(0)
    while left:
        n = rng.choice(sorted(left))
        said[n].append(envs[n].step(left[n].pop(0)).observation)
        if len(said[n]) == len(alone[n][0]):
            del left[n]
    assert said == [whole for whole, _ in alone]
    for env in envs:
        env.close()


def test_equal_actions_give_equal_observations_in_any_jvm_and_after_any_other_task(
    world: ScienceWorld,
) -> None:
    """60 walks, each in two JVMs that have played other tasks before."""
    walks = []
    rng = random.Random(0)
    short = [name for name, kind in kinds.KINDS.items() if kind.gold < 100]
    for n in range(60):
        name = short[n % len(short)]
        variation = rng.choice(kinds.part(name, "train"))
        simplifications = rng.choice(["easy", "easy", "", "openDoors"])
        actions = rng.choices([*world.actions, "1", "objects", "close door", "wait"], k=12)
        walks.append((task_of(name, variation, simplifications), actions))

    def play_all(order: int) -> list[Any]:
        other = scienceworld()
        shuffled = random.Random(order).sample(range(len(walks)), len(walks))
        said = {n: play(other, *walks[n]) for n in shuffled}
        return [said[n] for n in range(len(walks))]

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(play_all, (1, 2))
    assert first == second
    assert sum(said.startswith(MENU) for walk in first for said in walk[0]) > 5


def test_a_known_solution_does_not_hang_on_what_was_played_before(world: ScienceWorld) -> None:
    """The simulator draws its ways through the house, once for all that follows."""
    world.solution(task_of("melt", 20))
    assert world.solution(task_of("melt", 25)) == scienceworld().solution(task_of("melt", 25))


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


@pytest.mark.parametrize(
    ("harm", "outcome", "error"),
    [
        (signal.SIGKILL, Outcome.ENV_ERROR, "WorkerFailed"),
        (signal.SIGSTOP, Outcome.TIMEOUT, "no answer within"),
    ],
)
def test_a_jvm_that_dies_or_hangs_ends_its_episode_and_is_replaced(
    chat: Chat, tokenizer: Any, harm: signal.Signals, outcome: Outcome, error: str
) -> None:
    others = set(javas())
    world = scienceworld(tasks=QUICK, step_timeout=10.0, train_tasks=4, test_tasks=4)
    before = episode(world, chat, tokenizer)
    assert before.outcome is Outcome.OUT_OF_BUDGET
    [java] = set(javas()) - others
    begun = time.monotonic()
    failed = episode(world, chat, tokenizer, lambda: java.send_signal(harm))
    assert time.monotonic() - begun < 10 + 5
    assert (failed.outcome, len(failed.steps)) == (outcome, 1)
    assert error in (failed.error or "")
    assert end_within(2, (java.pid,))
    assert episode(world, chat, tokenizer) == before
    [fresh] = set(javas()) - others
    assert fresh != java


def test_a_jvm_that_died_between_episodes_harms_none(chat: Chat, tokenizer: Any) -> None:
    others = set(javas())
    world = scienceworld(tasks=QUICK, train_tasks=4, test_tasks=4)
    before = episode(world, chat, tokenizer)
    [java] = set(javas()) - others
    java.kill()
    assert end_within(2, (java.pid,))
    time.sleep(0.5)  # its worker ends with it
    assert episode(world, chat, tokenizer) == before


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


def plays(*options: str, **environment: str) -> subprocess.Popen[str]:
    """A program that starts a world, and stays or ends."""
    return subprocess.Popen(
        [sys.executable, "-c", PLAYS, *options],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_nothing_is_left_of_a_program_that_is_killed_and_nothing_is_said_beside_it() -> None:
    with plays("stay", JAVA_TOOL_OPTIONS="-Dleafe.test=kept") as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "Task Description:\n"
        [java] = javas(program.pid)
        assert java.environ()["JAVA_TOOL_OPTIONS"] == "-Dleafe.test=kept"
        assert set(java_options(768)) <= set(java.cmdline())
        assert java.memory_info().rss < 768e6
        below = tuple(p.pid for p in psutil.Process(program.pid).children(recursive=True))
        program.kill()
        assert program.stderr.read() == ""
    assert end_within(5, below)


def said_by(**environment: str) -> str:
    """What the program ends with where no world can start."""
    with plays(**environment) as program:
        out, error = program.communicate()
    assert (out, program.returncode) == ("", 1)
    return error.rstrip()


def test_without_a_java_that_can_run_it_it_says_what_to_install(tmp_path: Path) -> None:
    needs = "params.yaml: env.name is 'scienceworld', which needs Java"
    missing = said_by(PATH=str(tmp_path), JAVA_HOME="")
    assert missing.startswith(f"{needs}, but [Errno 2] No such file or directory: 'java'; install")
    assert missing.endswith("`make system`, or apt-get install openjdk-17-jre-headless")
    assert "No such file" in said_by(JAVA_HOME=str(tmp_path))
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'java version \"1.7.0_80\"' >&2\n")
    old.chmod(0o755)
    assert said_by(JAVA_HOME=str(tmp_path)).startswith(f"{needs} 8 or later, but ")
    refused = said_by(JAVA_TOOL_OPTIONS="-XX:+UseG1GC")
    assert "says: Error occurred during initialization of VM" in refused
    assert "multiple" in refused.lower() or "conflicting" in refused.lower()


def test_without_the_package_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['scienceworld'] = None\n"
        "from leafe.envs import make_environment\n"
        "from leafe.errors import BadInput\n"
        "try: make_environment({'name': 'scienceworld'})\n"
        "except BadInput as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("; install leafe[scienceworld]")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tasks": ["boill"]}, r"env\.tasks has 'boill'; did you mean boil\?"),
        ({"tasks": []}, r"env\.tasks is a list; .* at least 1"),
        (
            {"simplifications": "hard"},
            r"env\.simplifications is 'hard'; allowed: easy, noth",
        ),
        ({"simplifications": "easy,openDoors"}, "allowed: easy, nothing, or some of no"),
        (
            {"simplifications": "noElectricalAction"},
            "but env.tasks has power-component, which needs electrical actions",
        ),
        ({"held_out": "train"}, "env.held_out is 'train'; it must be 'test' or 'dev'"),
        ({"test_tasks": 1841}, r"env\.test_tasks is 1841, but the test lists .* only 18\d\d var"),
        ({"heap_mb": 16}, "env.heap_mb is 16; it must be at least 128"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        make_environment({"name": "scienceworld", **options}).tasks("test")
