"""ALFWorld: generated scenes, each proved, and played as TextWorld plays them."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from households import alfworld, begin, game_file, kitchen, play, said, scenes

from leafe.envs.alfworld import Alfworld, AlfworldOptions, packaged, planner
from leafe.envs.alfworld.floor_plans import floor_plan
from leafe.envs.alfworld.game import Game, name_things, rules
from leafe.envs.alfworld.generator import KINDS, ideas_for
from leafe.envs.alfworld.pddl import read_problem, write_problem
from leafe.envs.alfworld.planner import Planner
from leafe.envs.alfworld.scene import Scene, spell
from leafe.errors import BadInput
from leafe.task import check_disjoint

LARGE = {"receptacles": 25, "objects": 50}


@pytest.mark.parametrize("size", [{}, LARGE], ids=["small", "large"])
def test_every_kind_of_task_is_handed_out_and_solved_by_the_planner(size: dict[str, int]) -> None:
    world = alfworld(**size)
    for split in ("train", "test"):
        tasks = world.tasks(split)
        assert [task.payload["kind"] for task in tasks] == list(KINDS)
        for task in tasks:
            results = play(begin(task), *alfworld().solution(task))
            assert [r.terminated for r in results] == [False] * (len(results) - 1) + [True]
            assert [r.reward for r in results] == [0.0] * (len(results) - 1) + [1.0]
            assert len(results) < 20


def test_what_the_planner_solves_without_the_rest_is_proved_with_it() -> None:
    """The planner itself, asked for the whole scene, agrees."""
    for scene in scenes(6, "whole"):
        assert Planner().find_plan(write_problem(scene.problem))


def unsolvable() -> Scene:
    """A household whose only mug is gone."""
    payload = dict(kitchen().payload)
    objects = {n: place for n, place in payload["objects"].items() if not n.startswith("Mug")}
    return Scene(**{**payload, "objects": objects})


def test_a_scene_without_a_plan_has_no_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planner.solve(unsolvable().problem) is None
    good = scenes(1)[0]
    drawn = iter([unsolvable(), good, good, *scenes(4, "others")])
    monkeypatch.setattr("leafe.envs.alfworld.draw_scenes", lambda *_: drawn)
    handed_out = alfworld(test_tasks=3).tasks("test")
    assert [task.payload["wish"] for task in handed_out] == [
        scene.wish for scene in (good, *scenes(2, "others"))
    ], "what cannot be solved, and what was there before, is left out"


def test_a_planner_that_dies_is_named_and_started_anew() -> None:
    asked = Planner()
    problem = write_problem(Scene(**kitchen().payload).problem)
    steps = asked.find_plan(problem)
    assert steps
    assert asked._process is not None
    asked._process.kill()
    with pytest.raises(BadInput, match="the planner of ALFWorld ended without an answer"):
        asked.find_plan(problem)
    assert asked.find_plan(problem) == steps


ORACLE = """
import json, sys
given = json.load(sys.stdin)
import textworld
from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
said = []
for path, commands in given:
    infos = textworld.EnvInfos(won=True, admissible_commands=True)
    env = textworld.start(path, wrappers=[AlfredDemangler()], request_infos=infos)
    states = [env.reset()] + [env.step(command)[0] for command in commands]
    said.append([[s.feedback, s["won"], s["admissible_commands"]] for s in states])
print(json.dumps(said))
"""


def walk(scene: Scene, steps: int, rng: random.Random) -> tuple[list[str], list[list[object]]]:
    """The solution of a scene among other actions, and what our game says to each."""
    game = Game(scene.problem, scene.wish)
    told, actions = [game.begin()], []
    seen: list[list[object]] = [[told[0], game.won, game.admissible()]]
    plan = planner.solve(scene.problem) or []
    for _ in range(steps):
        possible = game.admissible()
        here = [action for action in possible if not action.startswith("go to")]
        action = rng.choice([*here, *possible, "dance"])
        if plan and plan[0] in possible and rng.random() < 0.8:
            action = plan.pop(0)
        actions.append(action)
        seen.append([game.act(action), game.won, game.admissible()])
    return actions, seen


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="TextWorld 1.7 speaks no PDDL there")
def test_words_goals_and_admissible_actions_are_those_of_textworld(tmp_path: Path) -> None:
    rng = random.Random(5)
    games, ours = [], []
    for number, scene in enumerate([*scenes(6, "oracle"), Scene(**kitchen().payload)]):
        path = tmp_path / f"{number}.tw-pddl"
        path.write_text(json.dumps(game_file(scene)))
        actions, seen = walk(scene, 35, rng)
        games.append([str(path), actions])
        ours.append(seen)
    done = subprocess.run(
        [sys.executable, "-c", ORACLE],
        env={**os.environ, "HOME": str(tmp_path), "ALFWORLD_DATA": str(tmp_path)},
        input=json.dumps(games),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == ours
    assert sum(any(won for _, won, _ in seen) for seen in ours) > 3


def test_a_task_begins_as_in_alfworld_and_can_be_done_by_hand() -> None:
    env = alfworld().make()
    assert env.start(kitchen()) == (
        "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly"
        " around you, you see a cabinet 1, a coffeemachine 1, a countertop 1, a fridge 1, a"
        " microwave 1, and a sinkbasin 1.\n\nYour task is to: put a hot mug in countertop."
    )
    ways = ("Go to  FRIDGE 1.", "open fridge 1", "take mug 1 from fridge 1", "go to microwave 1")
    results = [env.step(action) for action in (*ways, "heat mug 1 with microwave 1")]
    assert [r.observation for r in results] == [
        "You arrive at fridge 1. The fridge 1 is closed.",
        "You open the fridge 1. The fridge 1 is open. In it, you see a apple 1, and a mug 1.",
        "You pick up the mug 1 from the fridge 1.",
        "You arrive at microwave 1. The microwave 1 is closed.",
        "You heat the mug 1 using the microwave 1.",
    ]
    env.step("go to countertop 1")
    end = env.step("move mug 1 to countertop 1")
    assert (end.reward, end.terminated, end.truncated) == (1.0, True, False)


def test_worlds_that_are_open_at_once_do_not_disturb_one_another() -> None:
    rng = random.Random(2)
    tasks = [kitchen(), *alfworld().tasks("train")]
    ways = [(task, [*alfworld().solution(task), "look"]) for task in tasks for _ in range(20)]
    alone = [[r.observation for r in play(begin(task), *way)] for task, way in ways]
    envs = [begin(task) for task, _ in ways]
    together: list[list[str]] = [[] for _ in ways]
    turns = [number for number, (_, way) in enumerate(ways) for _ in way]
    rng.shuffle(turns)
    for number in turns:
        step = len(together[number])
        together[number].append(said(envs[number], ways[number][1][step]))
    assert together == alone


def test_train_and_test_differ_and_more_to_learn_from_changes_neither() -> None:
    train, test = alfworld().tasks("train"), alfworld().tasks("test")
    check_disjoint(train, test)
    again = alfworld(train_tasks=3)
    assert (again.tasks("test"), again.tasks("train")) == (test, train[:3])
    assert alfworld(seed=1).tasks("test") != test
    only = alfworld(kinds=["look_at_obj_in_light"])
    assert {task.payload["kind"] for task in only.tasks("test")} == {"look_at_obj_in_light"}


@pytest.mark.parametrize("held_out", ["seen", "unseen"])
def test_held_out_tasks_are_in_other_rooms_if_so_asked(held_out: str) -> None:
    world = alfworld(held_out=held_out)
    to_learn_from = set(packaged.floor_plans(held_out=False))
    rooms = {task.payload["floor_plan"] for task in world.tasks("test")}
    assert rooms.isdisjoint(to_learn_from) == (held_out == "unseen")
    assert {task.payload["floor_plan"] for task in world.tasks("train")} <= to_learn_from


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held_out", [True, False])
def test_every_kind_of_task_has_rooms_in_both_splits(kind: str, held_out: bool) -> None:
    rooms = [n for n in packaged.floor_plans(held_out=held_out) if ideas_for(kind, floor_plan(n))]
    assert len(rooms) > 3


def test_things_are_called_by_their_type_in_every_room() -> None:
    for number in (
        n for held_out in (True, False) for n in packaged.floor_plans(held_out=held_out)
    ):
        places = floor_plan(number).receptacles
        kinds = {name.split()[0] for name in name_things(map(spell, places)).values()}
        assert kinds <= {kind.lower() for kind in packaged.receptacle_types()}


def test_a_scene_holds_what_its_task_needs_and_is_not_done_already() -> None:
    for scene in scenes(60, "needs", receptacles=4, objects=4):
        assert len(scene.receptacles) <= 4
        assert len(scene.objects) <= 4
        assert set(scene.objects.values()) <= set(scene.receptacles)
        assert scene.start not in scene.receptacles.values()
        assert not Game(scene.problem, "").won


def test_without_the_package_it_says_what_to_install() -> None:
    assert run_python("import sys; sys.modules['alfworld'] = None; " + START).endswith(
        "No module named 'alfworld'; install leafe[alfworld]"
    )


START = """
import os
from leafe.envs import make_environment
from leafe.errors import BadInput
try: world = make_environment({'name': 'alfworld', 'train_tasks': 1, 'test_tasks': 1})
except BadInput as error: print(error)
else: world.tasks('train'); print('alfworld' in sys.modules, 'ALFWORLD_DATA' in os.environ)
"""


def run_python(program: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "ALFWORLD_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_nothing_is_made_in_the_users_home(tmp_path: Path) -> None:
    assert run_python("import sys" + START, HOME=str(tmp_path)) == "False False"
    assert list(tmp_path.iterdir()) == []


def test_a_planner_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "PROGRAM", Path("nothing.py"))
    with pytest.raises(BadInput, match=r"does not start: its process ends at once; install leafe"):
        Planner().find_plan("")


def test_a_problem_is_the_same_after_it_was_written() -> None:
    for scene in scenes(6, "written"):
        problem = scene.problem
        again = read_problem(write_problem(problem), rules().arity)
        assert (again.objects, again.init) == (problem.objects, problem.init)
        assert again.goal == problem.goal


def test_its_page_shows_the_settings_and_what_is_said() -> None:
    page = (ROOT / "leafe/envs/alfworld/README.md").read_text()
    section = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])["env"]
    assert section.pop("name") == "alfworld"
    assert section == AlfworldOptions().model_dump()
    shown = page.partition("```text\n")[2].partition("\n```")[0]
    few = AlfworldOptions(train_tasks=12, test_tasks=1)
    [task] = [t for t in Alfworld(few).tasks("train") if f"{t.payload['wish']}." in shown]
    env = Alfworld(few).make()
    told = [env.start(task)]
    for action in re.findall("^> (.*)", shown, flags=re.MULTILINE):
        told += [f"> {action}", env.step(action).observation]
    assert "\n".join(told) == shown
