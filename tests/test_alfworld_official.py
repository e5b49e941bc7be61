"""ALFWorld's official games: read where they are, and nothing in them taken on trust.

The games here are generated scenes in the official form and layout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from households import alfworld, begin, game_file, scenes, write_game

from leafe.envs import make_environment
from leafe.envs.alfworld import Alfworld
from leafe.envs.alfworld.game import rules
from leafe.envs.alfworld.pddl import parse, read_problem
from leafe.errors import BadInput
from leafe.task import check_disjoint, make_task


def official(folder: Path | None, **options: Any) -> Alfworld:
    data = None if folder is None else str(folder)
    return alfworld(scenes="official", data=data, **{"train_tasks": 4, "test_tasks": 2, **options})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve games to learn from, six held-out ones of each sort."""
    for part, count in (("train", 12), ("valid_seen", 6), ("valid_unseen", 6)):
        for scene in scenes(count, part):
            write_game(tmp_path, part, scene)
    return tmp_path


def test_official_games_are_played_and_won_by_the_planners_solution(folder: Path) -> None:
    world = official(folder, train_tasks=12, test_tasks=6)
    wishes = {scene.wish for scene in scenes(12, "train")}
    for task in world.tasks("train"):
        env = world.make()
        begun = env.start(task)
        assert begun.rpartition("Your task is to: ")[2].removesuffix(".") in wishes
        *before, last = [env.step(action) for action in world.solution(task)]
        assert (last.reward, last.terminated) == (1.0, True)
        assert not any(result.terminated for result in before)


def test_its_splits_are_ours(folder: Path) -> None:
    for held_out, part in (("seen", "valid_seen"), ("unseen", "valid_unseen")):
        world = official(folder, held_out=held_out)
        train, test = world.tasks("train"), world.tasks("test")
        check_disjoint(train, test)
        assert {task.payload["game"].split("/")[1] for task in train} == {"train"}
        assert {task.payload["game"].split("/")[1] for task in test} == {part}
        assert official(folder, held_out=held_out, train_tasks=2).tasks("train") == train[:2]
    order = [[t.id for t in official(folder, seed=seed).tasks("train")] for seed in range(4)]
    assert len({tuple(ids) for ids in order}) > 1


def test_a_game_in_both_splits_is_never_learned_from(folder: Path) -> None:
    for scene in scenes(6, "valid_seen"):
        write_game(folder, "train", scene)
    world = official(folder, train_tasks=12, test_tasks=6)
    held_out = {task.payload["sha256"] for task in world.tasks("test")}
    assert held_out.isdisjoint(task.payload["sha256"] for task in world.tasks("train"))
    with pytest.raises(BadInput, match=r"env\.train_tasks is 13, but .* gives only 12 solvable"):
        official(folder, train_tasks=13, test_tasks=6).tasks("train")


def test_games_that_alfworld_leaves_out_are_left_out(tmp_path: Path) -> None:
    good, known, tried, other = scenes(4, "left out")
    write_game(tmp_path, "valid_seen", good)
    write_game(tmp_path, "train", known, solvable=False)
    write_game(tmp_path, "train", good, solvable=None, pddl_problem=without_goal_object(tried))
    wanted = write_game(tmp_path, "train", other, solvable=None)
    sliced = write_game(tmp_path, "train", good)
    sliced.parent.parent.rename(sliced.parents[2] / "pick_and_place_simple-AppleSliced-None-Desk-1")
    world = official(tmp_path, train_tasks=1, test_tasks=1)
    [task] = world.tasks("train")
    assert tmp_path / task.payload["game"] == wanted
    with pytest.raises(BadInput, match="gives only 1 solvable games"):
        official(tmp_path, train_tasks=2, test_tasks=1).tasks("train")


def without_goal_object(scene: Any) -> str:
    problem: str = game_file(scene)["pddl_problem"]
    return problem.replace(f"{scene.object}Type)".lower(), "statuetype)", 1)


def test_the_folder_is_that_of_the_option_or_of_the_variable(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALFWORLD_DATA", str(folder))
    assert len(official(None).tasks("train")) == 4
    assert "game" not in alfworld(test_tasks=1).tasks("test")[0].payload, "unless it is asked for"
    with pytest.raises(BadInput, match=r"env\.data .* is .*nowhere, which has no folder json_2"):
        official(tmp_path / "nowhere")
    monkeypatch.delenv("ALFWORLD_DATA")
    with pytest.raises(BadInput, match=r"env\.data is null and \$ALFWORLD_DATA is not set"):
        official(None)


def test_a_game_that_has_changed_or_gone_is_refused(folder: Path) -> None:
    world = official(folder)
    first, second = world.tasks("test")
    path = folder / first.payload["game"]
    path.write_text(path.read_text() + "\n")
    with pytest.raises(BadInput, match=r"game\.tw-pddl: it has changed since the tasks were made"):
        world.make().start(first)
    (folder / second.payload["game"]).unlink()
    with pytest.raises(BadInput, match=r"game\.tw-pddl: No such file"):
        world.make().start(second)


@pytest.mark.parametrize(
    "game",
    ["../game.tw-pddl", "/etc/game.tw-pddl", "json_2.1.1/../../game.tw-pddl", "json_2.1.1/passwd"],
)
def test_a_task_never_leads_out_of_the_folder(folder: Path, game: str) -> None:
    (folder.parent / "game.tw-pddl").write_text("{}")
    task = make_task("alfworld", "test", {"game": game, "sha256": "0"})
    with pytest.raises(BadInput, match="is no game within"):
        official(folder).make().start(task)


EMPTY = "(define (:objects a - agent) (:init)"
BAD_GAMES: list[tuple[dict[str, Any], str]] = [
    ({"pddl_problem": None}, "pddl_problem is missing"),
    ({"pddl_problem": 3}, "pddl_problem is 3; it must be a text"),
    ({"pddl_problem": "(define"}, "a bracket is not closed"),
    ({"pddl_problem": ")"}, "a bracket closes that was not opened"),
    ({"pddl_problem": "(" * 99}, "more than 30 lists within lists"),
    ({"pddl_problem": ""}, "it has no :objects"),
    ({"pddl_problem": "(define (:objects a b) (:init))"}, "'a' has no type"),
    ({"pddl_problem": "(define (:objects a - object) (:init))"}, "it declares no agent"),
    ({"pddl_problem": f"(define (:objects {'a' * 300} - agent))"}, "is no name"),
    ({"pddl_problem": "(define (:objects a - agent) (:init (flies a)))"}, "'flies a' is no fact"),
    ({"pddl_problem": "(define (:objects a - agent) (:init (holds a b)))"}, "'b' is not declared"),
    ({"pddl_problem": f"{EMPTY} (:goal))"}, "its goal does not have"),
    ({"pddl_problem": f"{EMPTY} (:goal (forall (?o) (holds a ?o))))"}, "where a fact should"),
    ({"grammar": "Your task is to win."}, "its grammar does not say 'Your task is to: ...'"),
]


def begin_first(world: Alfworld) -> str:
    return world.make().start(world.tasks("test")[0])


@pytest.mark.parametrize(("changes", "words"), BAD_GAMES)
def test_a_bad_game_is_refused_with_its_file(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    (tmp_path / "json_2.1.1" / "train").mkdir(parents=True)
    path = write_game(tmp_path, "valid_seen", scenes(1)[0], **changes)
    world = official(tmp_path, test_tasks=1)
    with pytest.raises(BadInput) as caught:
        begin_first(world)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json_2.1.1" / "train").mkdir(parents=True)
    path = write_game(tmp_path, "valid_seen", scenes(1)[0])
    path.write_text("{")
    with pytest.raises(BadInput, match=r"game\.tw-pddl: it is .*Invalid JSON"):
        official(tmp_path, test_tasks=1).tasks("test")


def test_a_games_own_grammar_is_never_run(tmp_path: Path) -> None:
    """TextWorld evaluates what stands in its braces."""
    (tmp_path / "json_2.1.1" / "train").mkdir(parents=True)
    [scene] = scenes(1)
    evil = f"{{__import__('pathlib').Path('{tmp_path}/run').touch()}}"
    grammar = game_file(scene)["grammar"].replace("{r.name}", evil)
    write_game(tmp_path, "valid_seen", scene, grammar=grammar.replace(scene.wish, f"do {evil}"))
    world = official(tmp_path, test_tasks=1)
    env = world.make()
    begun = env.start(world.tasks("test")[0])
    assert begun.endswith(f"Your task is to: do {evil}.")
    assert env.step("go to cabinet 1").observation.count("__import__") == 0
    assert not (tmp_path / "run").exists()


def test_the_first_of_several_agents_plays_and_the_others_are_left_out() -> None:
    text = game_file(scenes(1)[0])["pddl_problem"]
    place = next(fact[2] for fact in facts_of(text) if fact[0] == "atlocation")
    others = text.replace("agent1 - agent", "agent1 - agent bob carol - agent")
    crowded = others.replace("(:init", f"(:init (atLocation bob {place}) (holds bob nothing)")
    crowded = crowded.replace("(:objects", "(:objects nothing - object")
    alone, among = (read_problem(told, rules().arity) for told in (text, crowded))
    assert among.init == alone.init
    assert among.agent == "agent1"
    assert "bob" not in among.objects


def facts_of(text: str) -> list[Any]:
    [whole] = parse(text)
    return next(part[1:] for part in whole if part[0] == ":init")


def test_the_section_of_params_takes_lists_and_refuses_what_is_no_kind() -> None:
    section = {"name": "alfworld", "kinds": ["pick_and_place_simple"]}
    assert make_environment(section).name == "alfworld"
    with pytest.raises(BadInput, match=r"env\.kinds"):
        make_environment({**section, "kinds": ["cook"]})
    with pytest.raises(BadInput, match=r"env\.kinds"):
        make_environment({**section, "kinds": []})


def test_a_task_of_generated_scenes_needs_no_folder() -> None:
    task = alfworld(test_tasks=1).tasks("test")[0]
    payload = json.loads(json.dumps(task.payload))
    assert make_task("alfworld", "test", payload) == task, "it survives a file"
    assert begin(task).step("look").observation.startswith("You are in the middle of a room.")
