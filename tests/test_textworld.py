"""TextWorld: games are made once and replay exactly; what is no action never reaches them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from leafe.env import Builder, Limited, StepResult, Teacher
from leafe.envs import make_environment
from leafe.envs.textworld import TextWorld, TextWorldOptions, games, teacher, wording
from leafe.errors import BadInput
from leafe.fidelity import play
from leafe.task import Task, make_task


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which a few games are made, for all tests of this module."""
    before = Path.cwd()
    folder = tmp_path_factory.mktemp("kitchen")
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def family(kitchen: Path) -> TextWorld:
    cooking = TextWorld(TextWorldOptions(train_tasks=2, test_tasks=1))
    cooking.build(cooking.tasks("train"), None)
    return cooking


@pytest.fixture(scope="module")
def task(family: TextWorld) -> Task:
    return family.tasks("train")[0]


def results(family: TextWorld, task: Task, *actions: str) -> list[StepResult]:
    return play(family, task, actions)[1]


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_walkthrough_wins_and_each_step_is_told_in_words(family: TextWorld, task: Task) -> None:
    said, steps = play(family, task, family.solution(task))
    assert (steps[-1].reward, steps[-1].terminated) == (1.0, True)
    assert said[-1].endswith("*** The End ***")
    assert said[0].startswith("You are hungry!")
    assert any("Recipe #1" in words for words in said)
    for words in said:
        assert words
        assert not any(sign in words for sign in ("$$", "\n>", "-= Kitchen =-0", "RESTART", "\n\n"))


def test_a_wrong_cut_loses_the_game_for_good(family: TextWorld, task: Task) -> None:
    known = family.solution(task)
    at, right = next((n, c) for n, c in enumerate(known) if c.split()[0] in teacher.CUTS)
    wrong = next(cut for cut in teacher.CUTS if not right.startswith(cut))
    steps = results(family, task, *known[:at], " ".join([wrong, *right.split()[1:]]), "look")
    assert len(steps) == at + 1  # it has ended there
    assert (steps[-1].reward, steps[-1].terminated) == (0.0, True)
    assert steps[-1].observation.endswith("*** You lost! ***")


@pytest.mark.parametrize(
    "action",
    [
        *("save", "SAVE", " script notes", "script /tmp/notes", "transcript", "restore", "restart"),
        *("undo", "quit", "look. save", "look then save", "restrict commands", "tw-trace-actions"),
        *("take knife\nsave", "knife, save", "look; script", "../notes", "superbrief"),
    ],
)
def test_a_command_to_the_interpreter_is_refused_and_writes_no_file(
    family: TextWorld, task: Task, kitchen: Path, action: str
) -> None:
    before = files(kitchen)
    [step] = results(family, task, action)
    assert step == StepResult(wording.say_refused(), 0.0, terminated=False, truncated=False)
    assert files(kitchen) == before


def test_without_the_refusal_the_interpreter_would_write_a_file_of_that_name(
    family: TextWorld, task: Task, kitchen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wording, "read_command", lambda action: action)
    before = files(kitchen)
    results(family, task, "script on")
    written = files(kitchen) - before
    assert written
    for path in written:
        path.unlink()


def test_worlds_that_are_open_side_by_side_do_not_disturb_each_other(
    family: TextWorld, task: Task
) -> None:
    known = family.solution(task)
    alone, _ = play(family, task, known)
    worlds = [family.make() for _ in range(3)]
    first = [world.start(task) for world in worlds]
    assert first == [alone[0]] * 3
    for n, action in enumerate(known):
        said = [world.step(action).observation for world in worlds[: 2 + n % 2]]
        assert said[:2] == [alone[n + 1]] * 2
    for world in worlds:
        world.close()


def test_a_game_made_again_is_the_same_and_one_that_is_there_is_not_made_again(
    family: TextWorld, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = games.game_file(task).resolve()
    monkeypatch.chdir(tmp_path)
    again = games.game_file(task)
    assert again.read_bytes() == made.read_bytes()
    assert {path.name for path in files(tmp_path)} == {f"{task.id}.z8", f"{task.id}.json"}
    monkeypatch.undo()
    before = made.stat().st_mtime_ns
    family.build(family.tasks("train"), None)
    assert made.stat().st_mtime_ns == before


def test_the_stage_s_folder_gets_the_games_and_they_are_found_there(
    family: TextWorld, kitchen: Path
) -> None:
    tasks = family.tasks("test")
    family.build(tasks, Path("data/tasks"))
    kept = kitchen / "data/tasks/games" / f"{tasks[0].id}.z8"
    assert kept.is_file()
    assert games.game_file(tasks[0]).resolve() == kept


def test_two_tasks_with_the_same_game_are_refused(family: TextWorld, task: Task) -> None:
    twin = make_task("textworld", "train", {**task.payload, "note": "only its name differs"})
    with pytest.raises(BadInput, match=r"env\.seed 0 gives the same game twice"):
        family.build([task, twin], None)


def test_games_that_take_more_steps_than_allowed_are_refused(task: Task) -> None:
    short = TextWorld(TextWorldOptions(train_tasks=2, test_tasks=1, max_steps=5))
    with pytest.raises(BadInput, match=r"env\.max_steps is 5, but the known solution .* takes"):
        short.build([task], None)


def test_games_of_ones_own_are_played_with_or_without_what_textworld_knows_of_them(
    family: TextWorld, task: Task, tmp_path: Path
) -> None:
    known = family.solution(task)
    for n, made in enumerate(map(games.game_file, family.tasks("train"))):
        shutil.copy(made, tmp_path / f"adventure {n}.z8")
    shutil.copy(games.game_file(task).with_suffix(".json"), tmp_path / "adventure 0.json")
    options = {"name": "textworld", "games": str(tmp_path), "train_tasks": 1, "test_tasks": 1}
    own = make_environment(options)
    tasks = {t.payload["file"]: t for t in (*own.tasks("train"), *own.tasks("test"))}
    assert set(tasks) == {"adventure 0.z8", "adventure 1.z8"}
    assert own.solution(tasks["adventure 0.z8"]) == known
    assert play(own, tasks["adventure 0.z8"], known)[1][-1].reward == 1.0
    with pytest.raises(BadInput, match="comes without a walkthrough"):
        own.solution(tasks["adventure 1.z8"])
    [step] = play(own, tasks["adventure 1.z8"], ["examine cookbook"])[1]
    assert "Recipe #1" in step.observation
    (tmp_path / "adventure 1.z8").write_bytes(b"another")
    with pytest.raises(BadInput, match=r"adventure 1\.z8 is gone or changed"):
        play(own, tasks["adventure 1.z8"], ["look"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"challenge": "treasure_hunter", "level": 31}, "it must be at most 30"),
        ({"challenge": "chess"}, "env.challenge is 'chess'"),
        ({"games": "nowhere"}, "env.games is 'nowhere', which is no folder"),
        ({"games": "."}, ". has only 0 games"),
        ({"rooms": 2}, "env.rooms is 2"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_a_sentence(
    options: dict[str, object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as refused:
        make_environment({"name": "textworld", **options}).tasks("train")
    assert words in str(refused.value)


def test_other_challenges_are_made_and_solved(kitchen: Path) -> None:
    for challenge in ("coin_collector", "treasure_hunter"):
        other = TextWorld(TextWorldOptions.model_validate({"challenge": challenge, "level": 3}))
        task = other.tasks("train")[0]
        assert play(other, task, other.solution(task))[1][-1].reward == 1.0


def test_lessons_are_of_other_games_under_other_names_and_their_notes_lead_on(
    family: TextWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(family, Teacher)
    assert isinstance(family, Builder)
    assert isinstance(family, Limited)
    monkeypatch.setattr(teacher, "LESSON_GAMES", 2)
    lessons = list(islice(family.lessons(60, seed=3), 60))
    own = {play(family, t, [])[0][0] for t in family.tasks("train")}
    assert own.isdisjoint(lesson.observations[0] for lesson in lessons)
    assert len({lesson.observations[0] for lesson in lessons}) > 2  # two games, many names
    lost = [lesson for lesson in lessons if teacher.LOST in lesson.observations[-1]]
    assert lost
    for lesson in lost:
        assert lesson.verdict is not None
        assert lesson.verdict[0] == len(lesson.actions) - 1
    heeded = [
        (lesson.observations[step + 1], note)
        for lesson in lessons
        for step, note in lesson.notes.items()
        if step < len(lesson.actions) and note.endswith(f", but {lesson.actions[step]}.")
    ]
    assert len(heeded) > 10
    assert [told for told in heeded if not teacher.LED_ON.match(told[0])] == []


def test_lessons_are_only_of_games_that_the_teacher_knows(kitchen: Path) -> None:
    other = TextWorld(TextWorldOptions(challenge="coin_collector"))
    with pytest.raises(BadInput, match=r"no lessons on coin_collector.*set model\.path"):
        next(other.lessons(1, seed=0))
