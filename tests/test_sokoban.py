"""Sokoban: its rules, its generator and planner, what it says, and the files it reads."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafe.env import StepResult, Teacher
from leafe.envs.sokoban import Sokoban, SokobanOptions
from leafe.envs.sokoban.generator import Band, canonical, draw_levels
from leafe.envs.sokoban.level import (
    MOVES,
    Level,
    parse_level,
    read_xsb,
    turned,
    write_xsb,
)
from leafe.envs.sokoban.planner import solve
from leafe.envs.sokoban.wording import LOST, SOLVED, read_board
from leafe.errors import BadInput
from leafe.task import check_disjoint, make_task

SIZES = [(6, 1, 3, 12, 15), (7, 2, 6, 25, 30), (10, 3, 10, 40, 60)]


def draw(text: str) -> Level:
    """A level from a drawing, its rows parted by slashes."""
    return parse_level(text.split("/"))


def play(level: Level, *moves: str) -> list[StepResult]:
    """What a fresh world answers to each move."""
    env = Sokoban(SokobanOptions()).make()
    env.start(make_task("sokoban", "train", {"level": level.rows()}))
    return [env.step(move) for move in moves]


def said(level: Level, *moves: str) -> str:
    """The words, without the board, to the last move."""
    return play(level, *moves)[-1].observation.splitlines()[0]


def fewest_moves(level: Level) -> int | None:
    """By trying everything in order of length: slow, and too plain to be wrong."""
    seen, queue = {level}, deque([(level, 0)])
    while queue:
        here, made = queue.popleft()
        if here.solved:
            return made
        for name in MOVES:
            there = here.move(name)
            if there is not None and there not in seen:
                seen.add(there)
                queue.append((there, made + 1))
    return None


def small_levels(count: int, seed: int) -> Iterator[Level]:
    return islice(draw_levels(6, 1, Band(1, 20), seed), count)


@pytest.mark.parametrize(("size", "boxes", "least", "most", "cap"), SIZES)
def test_every_generated_level_is_solved_by_its_solution_within_the_band(
    size: int, boxes: int, least: int, most: int, cap: int
) -> None:
    sokoban = Sokoban(
        SokobanOptions(
            size=size,
            boxes=boxes,
            least_moves=least,
            most_moves=most,
            max_steps=cap,
            train_tasks=40,
            test_tasks=20,
        )
    )
    tasks = sokoban.tasks("train") + sokoban.tasks("test")
    assert len(tasks) == 60
    for task in tasks:
        level = parse_level(task.payload["level"])
        assert (level.room.height, level.room.width, len(level.boxes)) == (size, size, boxes)
        moves = sokoban.solution(task)
        assert least <= len(moves) <= most
        results = play(level, *moves)
        assert [r.terminated for r in results] == [False] * (len(moves) - 1) + [True]
        assert [r.reward for r in results] == [0.0] * (len(moves) - 1) + [1.0]


def test_solutions_are_shortest_and_missing_only_where_there_is_none() -> None:
    rng = random.Random(0)
    lost = 0
    for level in small_levels(100, seed=7):
        here = level
        for _ in range(rng.randint(0, 8)):
            here = here.move(rng.choice(list(MOVES))) or here
        fewest, found = fewest_moves(here), solve(here, 60)
        assert (None if found is None else len(found)) == fewest
        lost += fewest is None
        if fewest:
            assert solve(here, fewest - 1) is None
    assert lost > 5


def test_what_is_said_to_be_lost_is_lost() -> None:
    rng = random.Random(1)
    lost = 0
    for level in islice(draw_levels(7, 2, Band(3, 20), 3), 150):
        here = level
        for _ in range(25):
            move = rng.choice(list(MOVES))
            [result] = play(here, move)
            here = read_board(result.observation)
            if LOST in result.observation:
                assert fewest_moves(here) is None, result.observation
                lost += 1
            if result.terminated:
                break
    assert lost > 30


def test_train_and_test_levels_differ_however_they_are_turned() -> None:
    sokoban = Sokoban(SokobanOptions())
    train, test = sokoban.tasks("train"), sokoban.tasks("test")
    check_disjoint(train, test)
    names = [canonical(parse_level(task.payload["level"])) for task in (*train, *test)]
    assert len(set(names)) == len(names) == 328
    again = Sokoban(SokobanOptions(train_tasks=20))
    assert again.tasks("test") == test, "more to learn from, the same to be measured on"
    assert again.tasks("train") == train[:20]
    assert Sokoban(SokobanOptions(seed=1)).tasks("test") != test


def test_a_level_has_eight_positions_of_one_name() -> None:
    level = draw("######/#@$-.#/#--#-#/######")
    positions = {tuple(other.rows()) for other in turned(level)}
    assert len(positions) == 8
    assert {canonical(other) for other in turned(level)} == {canonical(level)}
    assert {len(solve(other, 9) or ()) for other in turned(level)} == {2}


@pytest.mark.parametrize(
    ("level", "moves", "words"),
    [
        ("#####/#@--#/#$--#/#.--#/#####", "right", "You go right."),
        ("#####/#@--#/#$--#/#.--#/#####", "up", "You cannot go up: a wall is there."),
        ("#####/#@$-#/#.--#/#####", "right", "It is stuck in a corner."),
        ("######/#@$-.#/######", "right", "You push the box right."),
        ("#####/#@$.#/#####", "right", "It is on a target. Every box is on a target: solved."),
        ("#######/#@*--.#/#--$--#/#######", "right", "It has left its target."),
        (
            "#####/#--*#/#$@.#/#---#/#####",
            "left",
            "push the box left: a wall is behind it",
        ),
        ("######/#@$$-#/#-..-#/######", "right", "You cannot push the box right: another box is"),
        ("#######/#-----#/#--$--#/#--@--#/#--.--#/#######", "up", "no longer leave the wall"),
    ],
)
def test_it_says_what_happened_and_why_it_did_not(level: str, moves: str, words: str) -> None:
    assert words in said(draw(level), *moves.split())


def test_boxes_that_block_each_other_are_lost() -> None:
    level = draw("########/#@$-$-.#/#-----.#/########")
    assert "can never be moved again" in said(level, "right")


def test_a_lost_level_ends_and_says_so_and_shows_the_board() -> None:
    [result] = play(draw("#####/#@$-#/#.--#/#####"), "right")
    words, *board = result.observation.splitlines()
    assert words == f"You push the box right. It is stuck in a corner.{LOST}"
    assert board == ["# # # # #", "# - @ $ #", "# . - - #", "# # # # #"]
    assert (result.terminated, result.truncated, result.reward) == (True, False, 0.0)


JUNK = ["", " \n", "\0", "\ud800", "x" * 200_000, "up " * 70_000, "<|end|>", "上", "U"]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_gets_a_worded_refusal_that_does_not_echo_it(junk: str) -> None:
    level = draw("#####/#@$.#/#####")
    first, second = play(level, junk, "I go RIGHT.")
    assert first.observation.startswith("Not a move: write one of up, down, left, right.")
    assert len(first.observation) < 100
    assert second.observation.splitlines()[0].endswith(SOLVED)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(codec=None)) | st.sampled_from(list(MOVES)), max_size=8))
def test_no_text_makes_it_raise_and_the_board_is_always_a_level(texts: list[str]) -> None:
    level = draw("######/#@$-.#/#---.#/#-$--#/######")
    for result in play(level, *texts):
        board = read_board(result.observation)
        assert board.room == level.room
        assert len(board.boxes) == 2
        assert result.terminated == any(end in result.observation for end in (LOST, SOLVED))


def test_a_file_of_levels_is_read_as_collections_come(tmp_path: Path) -> None:
    path = tmp_path / "levels.xsb"
    path.write_text(
        "; A collection\nLevel 1\n  ####\n###  #\n#@$ .#\n######\nAuthor: someone\n\n"
        "Level 2\n#####\n#+$_#\n#__-#\n#####"
    )
    first, second = read_xsb(path)
    assert (len(solve(first, 9) or ()), second.player in second.room.targets) == (2, True)
    path.write_text(write_xsb([first, second]))
    assert read_xsb(path) == [first, second]


def test_generated_levels_survive_a_file(tmp_path: Path) -> None:
    levels = list(small_levels(30, seed=2))
    (tmp_path / "l.xsb").write_text(write_xsb(levels))
    assert read_xsb(tmp_path / "l.xsb") == levels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing here", "no level in it"),
        ("#####\n#@$-#\n#####", "line 1: of the level there, it has 1 boxes and 0 targets"),
        ("t\n\n#####\n#-$.#\n#####", "line 3: of the level there, it has 0 players"),
        ("####\n#@$.\n####", "its wall has a gap in row 2"),
    ],
)
def test_a_bad_level_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.xsb"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        read_xsb(path)


def test_levels_of_ones_own_are_split_and_their_twins_dropped(tmp_path: Path) -> None:
    levels = list(small_levels(12, seed=4))
    path = tmp_path / "own.xsb"
    path.write_text(write_xsb([*levels, *(next(iter(turned(level))) for level in levels)]))
    own = Sokoban(SokobanOptions(levels=str(path), train_tasks=8, test_tasks=4))
    assert (len(own.tasks("train")), len(own.tasks("test"))) == (8, 4)
    many = Sokoban(SokobanOptions(levels=str(path), train_tasks=9, test_tasks=4))
    with pytest.raises(BadInput, match=r"is 13, but .*own\.xsb has only 12 different levels"):
        many.tasks("train")


def test_bounds_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(BadInput, match=r"env\.most_moves is 30; it must be at least"):
        Sokoban(SokobanOptions(most_moves=30))
    hard = SokobanOptions(size=5, boxes=4, least_moves=15, most_moves=15)
    with pytest.raises(BadInput, match=r"env\.size 5 and env\.boxes 4 give only \d+ different"):
        Sokoban(hard).tasks("train")


def test_its_teacher_looks_back_to_the_first_detour_and_notes_a_better_move() -> None:
    sokoban = Sokoban(SokobanOptions())
    assert isinstance(sokoban, Teacher)
    known = {canonical(parse_level(t.payload["level"])) for t in sokoban.tasks("train")}
    told = 0
    for lesson in islice(sokoban.lessons(400, seed=0), 400):
        assert canonical(read_board(lesson.observations[0])) not in known
        assert len(lesson.observations) == len(lesson.actions) + 1
        reached = read_board(lesson.observations[-1])
        left = sokoban.max_steps - len(lesson.actions)
        in_reach = solve(reached, left) is not None
        assert (lesson.verdict is None) == in_reach
        if lesson.verdict is None:
            continue
        told += 1
        step, note = lesson.verdict
        before = read_board(lesson.observations[step])
        better = note.removesuffix(".").rsplit(" ", 1)[1]
        there = before.move(better)
        assert there is not None
        assert fewest_moves(there) == (fewest_moves(before) or 0) - 1
        assert note.startswith(f"not {lesson.actions[step]}, go ")
    assert told > 40


def test_lessons_on_other_levels_only_and_equal_for_equal_seeds() -> None:
    sokoban = Sokoban(SokobanOptions())
    first, again, other = (list(islice(sokoban.lessons(30, seed), 30)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
