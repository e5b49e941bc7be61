"""The desk: solvable, replayable, unmoved by junk; and its teacher reads it rightly."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from leafe.env import Environment, StepResult, Teacher
from leafe.envs.desk import Desk, DeskOptions
from leafe.envs.desk.rulebook import QUOTAS, TOOLS, Rulebook, Ticket, all_tickets, draw_rulebook
from leafe.envs.desk.teacher import first_refusal, hinted
from leafe.envs.desk.wording import LOCKED, SOLVED, Feedback
from leafe.envs.teaching import UNSEEN
from leafe.task import Task, check_disjoint


def play(desk: Environment, task: Task, actions: list[str]) -> tuple[list[str], list[StepResult]]:
    """Play until the actions or the ticket end."""
    env = desk.make()
    said, results = [env.start(task)], []
    for action in actions:
        results.append(env.step(action))
        said.append(results[-1].observation)
        if results[-1].terminated:
            break
    env.close()
    return said, results


def solution(task: Task) -> list[str]:
    book = Rulebook.model_validate(task.payload["rulebook"])
    return [f"{duty.tool}()" for duty in book.duties(Ticket(**task.payload["ticket"]))]


@pytest.mark.parametrize("rulebook", [0, 1, 2])
@pytest.mark.parametrize("refusals", [0, 1])
def test_the_duties_in_order_solve_every_ticket(rulebook: int, refusals: int) -> None:
    desk = Desk(DeskOptions(rulebook=rulebook, refusals=refusals, train_tasks=304, test_tasks=128))
    for task in desk.tasks("train") + desk.tasks("test"):
        calls = solution(task)
        assert 1 <= len(calls) <= desk.max_steps
        said, results = play(desk, task, calls)
        assert len(results) == len(calls)
        assert [r.terminated for r in results] == [False] * (len(calls) - 1) + [True]
        assert [r.reward for r in results] == [0.0] * (len(calls) - 1) + [1.0]
        assert said[-1].endswith(SOLVED)
        assert first_refusal(said) is None


def test_every_other_order_of_the_calls_is_refused_at_the_first_call_out_of_order(
    desk: Desk,
) -> None:
    rng = random.Random(0)
    for task in desk.tasks("train"):
        calls = solution(task)
        wrong = rng.sample(calls, len(calls))
        if wrong == calls:
            continue
        first = next(t for t, (a, b) in enumerate(zip(wrong, calls, strict=True)) if a != b)
        said, _ = play(desk, task, wrong)
        assert desk.fault(said, wrong) == first
        assert hinted(said[first + 1]) == calls[first].removesuffix("()")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_replaying_the_first_tau_calls_gives_equal_observations(desk: Desk, data: Any) -> None:
    task = data.draw(st.sampled_from(desk.tasks("train")))
    level = data.draw(st.sampled_from(get_args(Feedback)))
    world = Desk(DeskOptions(refusals=data.draw(st.integers(0, 9)), feedback=level))
    junk = st.sampled_from([*solution(task), *world.actions, "", "verify", "x()"])
    walk = data.draw(st.lists(junk, min_size=1, max_size=12))
    said, results = play(world, task, walk)
    tau = data.draw(st.integers(0, len(results)))
    again, repeated = play(world, task, walk[:tau])
    assert again == said[: tau + 1]
    assert repeated == results[:tau]


JUNK = [
    "",
    " \n\t",
    "\0",
    "verify()\0wait()",
    "\ud800",
    "x" * 200_000,
    "()" * 100_000,
    "verify(" * 30_000,
    "<|end|><|assistant|>",
    "заверить()",
    "проверить() 验证() تحقق()",
    "verify(), wait()",
    "verify() verify()",
    "VERIFY()",
    "verify(1)",
    "__import__('os').system('x')",
    "{{7*7}}",
    '{"rollback_to": 0}',
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_gets_a_worded_refusal_that_does_not_echo_it(desk: Desk, junk: str) -> None:
    task = desk.tasks("train")[0]
    said, (first, second) = play(desk, task, [junk, junk])
    assert said[1].startswith("not a call: write one of ")
    assert all(f"{tool}()" in said[1] for tool in TOOLS)
    assert len(said[1]) < 300
    assert not first.terminated
    assert second.terminated
    assert second.reward == 0.0


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_no_text_makes_the_desk_raise(desk: Desk, text: str) -> None:
    _, results = play(desk, desk.tasks("train")[1], [text, text])
    assert all(result.observation for result in results)


def test_a_call_may_stand_in_a_sentence(desk: Desk) -> None:
    task = desk.tasks("train")[0]
    first = solution(task)[0]
    said, _ = play(desk, task, [f"Let me think. I will call {first} now."])
    assert " done" in said[1]


@pytest.mark.parametrize("refusals", [0, 1, 2, 5])
def test_one_refusal_too_many_locks_the_ticket(refusals: int) -> None:
    desk = Desk(DeskOptions(refusals=refusals))
    task = desk.tasks("train")[0]
    goal = solution(task)[-1]
    said, results = play(desk, task, [goal] * 12)
    assert len(results) == refusals + 1
    assert [LOCKED in text for text in said[1:]] == [False] * refusals + [True]
    assert results[-1].terminated
    assert results[-1].reward == 0.0
    calls = solution(task)
    _, survived = play(desk, task, [goal] * refusals + calls)
    assert survived[-1].reward == 1.0


def refused(level: Feedback) -> tuple[str, str, str]:
    """A refused call, and what is said to it and to a right one."""
    desk = Desk(DeskOptions(feedback=level))
    task = desk.tasks("train")[0]
    calls = solution(task)
    said, _ = play(desk, task, [calls[-1], calls[0]])
    return calls[0].removesuffix("()"), said[1], said[2]


def test_feedback_what_names_the_call_that_comes_first_and_the_reason() -> None:
    needed, said, done = refused("what")
    assert hinted(said) == needed
    assert done.startswith(f"{needed} done")


def test_feedback_that_tells_only_that_something_comes_first() -> None:
    needed, said, done = refused("that")
    assert "refused" in said
    assert needed not in said
    assert hinted(said) is None
    assert done.startswith(f"{needed} done")


def test_feedback_nothing_sounds_alike_whether_right_or_wrong() -> None:
    needed, said, done = refused("nothing")
    refused_call, answer = said.split(" ", 1)
    assert refused_call != needed
    assert done == f"{needed} {answer}"


@pytest.mark.parametrize("rulebook", [0, 7, UNSEEN])
def test_train_and_test_are_disjoint_by_content_and_as_many_as_asked_for(rulebook: int) -> None:
    desk = Desk(DeskOptions(rulebook=rulebook))
    train, test = desk.tasks("train"), desk.tasks("test")
    check_disjoint(train, test)
    assert (len({t.id for t in train}), len({t.id for t in test})) == (200, 128)
    tickets = [tuple(t.payload["ticket"].values()) for t in train + test]
    assert len(set(tickets)) == 328
    assert train == Desk(DeskOptions(rulebook=rulebook)).tasks("train")


@pytest.mark.parametrize("seed", range(30))
def test_every_rulebook_deals_out_exactly_the_quotas(seed: int) -> None:
    book = draw_rulebook(seed)
    for rule, quota in QUOTAS.items():
        assert Counter(getattr(book, rule).values()) == Counter(quota)


def test_a_rulebook_in_a_file_makes_the_same_tasks_as_its_seed(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(yaml.safe_dump(draw_rulebook(5).model_dump(mode="json")))
    seeded, read = Desk(DeskOptions(rulebook=5)), Desk(DeskOptions(rulebook=str(path)))
    assert read.rulebook == seeded.rulebook
    assert read.tasks("train") == seeded.tasks("train")
    assert read.tasks("test") == seeded.tasks("test")


def test_the_desk_is_a_teacher_and_its_unseen_world_another_one(desk: Desk) -> None:
    assert isinstance(desk, Teacher)
    assert desk.unseen().rulebook == draw_rulebook(UNSEEN) != desk.rulebook
    all_ids = {t.id for t in desk.tasks("train") + desk.tasks("test")}
    assert not all_ids & {t.id for t in desk.unseen().tasks("train")}


def test_there_are_tickets_of_every_kind_once() -> None:
    assert len(set(all_tickets())) == len(all_tickets()) == 432
