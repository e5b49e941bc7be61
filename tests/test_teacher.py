"""The desk's teacher: true lessons, on no rulebook that will be played."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from test_desk import play

from leafe.env import Lesson
from leafe.envs.desk import Desk, DeskOptions
from leafe.envs.desk.rulebook import Rulebook, Ticket, draw_rulebook
from leafe.envs.desk.teacher import REFUSED, first_refusal, hinted
from leafe.envs.desk.wording import SOLVED, Feedback
from leafe.envs.teaching import UNSEEN


@pytest.fixture(scope="module")
def lessons(desk: Desk) -> list[Lesson]:
    return list(desk.lessons(1500, seed=0))


def done_calls(observations: Sequence[str], actions: Sequence[str]) -> list[str]:
    """The calls that were not refused, in order."""
    answered = zip(actions, observations[1:], strict=True)
    return [action[:-2] for action, said in answered if not REFUSED.match(said)]


def fits(lesson: Lesson, ticket: Ticket, book: Rulebook) -> bool:
    """Whether a rulebook would have said the same to every call of a lesson."""
    done = done_calls(lesson.observations, lesson.actions)
    due = [duty.tool for duty in book.duties(ticket)]
    for t, said in enumerate(lesson.observations[1:]):
        so_far = done_calls(lesson.observations[: t + 2], lesson.actions[: t + 1])
        hint = hinted(said)
        if hint and due[len(so_far) : len(so_far) + 1] != [hint]:
            return False
    return due[: len(done)] == done


def test_no_lesson_uses_the_target_rulebook_or_the_unseen_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from leafe.envs.desk import teacher

    desk = Desk(DeskOptions())
    forbidden = (desk.rulebook, desk.unseen().rulebook)
    drawn: list[Rulebook] = []
    asked: list[Rulebook] = []
    duties = Rulebook.duties

    def draw(seed: int | str) -> Rulebook:
        # Every third draw is a forbidden rulebook: none may come through.
        drawn.append(draw_rulebook((0, UNSEEN, seed)[len(drawn) % 3]))
        return drawn[-1]

    def watch(self: Rulebook, ticket: Ticket) -> Any:
        asked.append(self)
        return duties(self, ticket)

    monkeypatch.setattr(teacher, "draw_rulebook", draw)
    monkeypatch.setattr(Rulebook, "duties", watch)
    assert len(list(desk.lessons(100, seed=0))) >= 100
    assert all(book in drawn for book in forbidden)
    assert asked
    assert not any(book in forbidden for book in {id(b): b for b in asked}.values())


def test_lessons_contradict_the_target_rulebook_as_often_as_any_other(
    desk: Desk, lessons: list[Lesson]
) -> None:
    by_wording = {
        play(desk, task, [])[0][0]: Ticket(**task.payload["ticket"])
        for task in Desk(DeskOptions(train_tasks=432 - 128)).tasks("train") + desk.tasks("test")
    }
    known = [
        (le, by_wording[le.observations[0]]) for le in lessons if le.observations[0] in by_wording
    ]
    assert len(known) > 1000

    def share(book: Rulebook) -> float:
        return sum(fits(lesson, ticket, book) for lesson, ticket in known) / len(known)

    strangers = [share(draw_rulebook(f"stranger {n}")) for n in range(12)]
    assert share(desk.rulebook) <= max(strangers) * 1.25


@pytest.mark.parametrize("level", ["that", "nothing"])
def test_there_are_lessons_however_little_a_refusal_says(level: Feedback) -> None:
    made = list(Desk(DeskOptions(feedback=level)).lessons(1500, seed=0))
    assert len(made) >= 1500
    looked_back = [lesson for lesson in made if lesson.verdict is not None]
    assert bool(looked_back) == (level == "that")
    assert not any(hinted(said) for lesson in made for said in lesson.observations)


def test_every_lesson_is_true_of_the_desk(lessons: list[Lesson]) -> None:
    seen: Counter[str] = Counter()
    for lesson in lessons:
        assert len(lesson.observations) == len(lesson.actions) + 1
        assert 0 <= lesson.learn_from < len(lesson.actions)
        assert all(0 <= t < len(lesson.observations) for t in lesson.notes)
        fault = first_refusal(lesson.observations)
        if lesson.verdict is None:
            assert fault is None
            seen["on track"] += 1
        else:
            assert lesson.verdict[0] == fault
            needed = hinted(lesson.observations[fault + 1]) if fault is not None else None
            seen["names what was needed"] += needed is not None and needed in lesson.verdict[1]
            seen["with a note" if lesson.notes else "first attempt"] += 1
        seen["solved"] += SOLVED in lesson.observations[-1]
    verdicts = seen["with a note"] + seen["first attempt"]
    assert seen["names what was needed"] > 0.9 * verdicts
    # A base model must have seen each kind.
    kinds = ("on track", "with a note", "first attempt", "solved")
    assert min(seen[kind] for kind in kinds) > 20, seen


def test_lessons_are_the_same_for_the_same_seed(desk: Desk) -> None:
    first = list(desk.lessons(50, seed=1))
    assert first == list(desk.lessons(50, seed=1))
    assert first != list(desk.lessons(50, seed=2))
