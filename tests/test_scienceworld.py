"""ScienceWorld behind our port: its own tasks, lists and solutions, its words, exact replays."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sciences import QUICK, SOONEST, like, need_java, scienceworld, task_of, told

from leafe.env import StepResult
from leafe.envs import make_environment
from leafe.envs.scienceworld import ScienceWorld, kinds
from leafe.envs.scienceworld.wording import DROPPED, LOST, MENU, SOLVED
from leafe.errors import BadInput
from leafe.fidelity import play
from leafe.task import check_disjoint


@pytest.fixture(scope="module", autouse=True)
def java() -> None:
    need_java()


@pytest.fixture(scope="module")
def world() -> ScienceWorld:
    """One for most tests: its JVMs have played other tasks before."""
    return scienceworld()


def test_the_known_solutions_of_all_30_tasks_score_100(world: ScienceWorld) -> None:
    assert SOONEST.keys() == kinds.KINDS.keys()
    for name, variation in SOONEST.items():
        task = task_of(name, variation)
        *before, last = told(world, task, *world.solution(task))
        assert not any(result.reward or result.terminated for result in before)
        assert last.observation.endswith(f"\n{SOLVED}"), name
        assert (last.reward, last.terminated, last.truncated) == (1.0, True, False)


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


def test_no_task_is_made_of_a_variation_that_the_jar_cannot_solve(world: ScienceWorld) -> None:
    left_out = {(name, v) for name, numbers in kinds.UNSOLVED.items() for v in numbers}
    parts: tuple[kinds.Part, ...] = ("train", "dev", "test")
    drawn = [pair for which in parts for pair in kinds.draw(list(kinds.KINDS), which, 0)]
    assert len(drawn) == len(set(drawn)) == 7207 - len(left_out)
    assert not left_out & set(drawn)
    lost = task_of("test-conductivity", 616)
    assert told(world, lost, *world.solution(lost))[-1].observation.endswith(LOST)


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
    assert "The form is: open OBJ. OBJ is a thing in view: write objects" in form
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
    telling = [r.observation for r in told(like(world, tell_score=True), task, *actions)]
    assert telling[0] == silent[0]
    assert telling[1:] == [
        "You teleport to the outside.\nScore: 17 of 100.",
        "You focus on the dove egg.\nScore: 67 of 100.",
    ]
    assert "core" not in "".join(silent)


def test_each_task_has_its_own_limit_of_steps(world: ScienceWorld) -> None:
    short = like(world, steps="eto", tasks=["lifespan-longest-lived", "boil"])
    assert short.max_steps == 100
    results = told(short, task_of("lifespan-longest-lived"), *["inventory"] * 12)
    assert [r.truncated for r in results] == [False] * 9 + [True]
    assert not results[-1].terminated
    assert len(told(like(world, max_steps=3), task_of("boil"), *["inventory"] * 9)) == 3
    for name, kind in kinds.KINDS.items():
        assert kinds.most_steps(name, "gold") >= max(1.25 * kind.gold, kind.eto or 0)


def test_worlds_that_are_open_together_do_not_disturb_each_other(world: ScienceWorld) -> None:
    tasks = [task_of(name, 2) for name in QUICK[:2]]
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
    """8 walks, each in a JVM that has played most tasks and in one that has played few."""
    walks = []
    rng = random.Random(0)
    for name in rng.sample(list(kinds.KINDS), 8):
        variation = rng.choice(kinds.part(name, "train"))
        simplifications = rng.choice(["easy", "easy", "", "openDoors"])
        actions = rng.choices([*world.actions, "1", "objects", "close door", "wait"], k=12)
        walks.append((task_of(name, variation, simplifications), actions))
    other = scienceworld()
    backwards = [play(other, *walk) for walk in reversed(walks)]
    first = [play(world, *walk) for walk in walks]
    assert first == backwards[::-1]
    assert any(said.startswith(MENU) for walk in first for said in walk[0])


def test_a_known_solution_does_not_hang_on_what_was_played_before(world: ScienceWorld) -> None:
    """The simulator draws its ways through the house, and would keep those of the first task."""
    world.solution(task_of("melt", 20))
    assert len(world.solution(task_of("melt", 25))) == 144, "it is 150 with the ways of 20"


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
