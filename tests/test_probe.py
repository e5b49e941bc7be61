"""The probe tells a good reader from a bad one, on a world it has never seen."""

from __future__ import annotations

import asyncio
from math import isnan
from typing import Any

import pytest
from players import Act, Player, clerk, make_agent

from leafe.chat import Chat
from leafe.envs.desk import Desk
from leafe.lessons import render, words
from leafe.probe import Probe, probe
from leafe.reflection import Parse, read_verdict


def measure(desk: Desk, chat: Chat, tokenizer: Any, act: Act) -> Probe:
    agent = make_agent(desk, chat, Player(tokenizer, act))
    return asyncio.run(probe(agent, desk.tasks("train")[:30], samples=2))


@pytest.fixture(scope="module")
def world(desk: Desk) -> Desk:
    return desk.unseen()


def test_a_good_reader_and_weak_actor_is_seen_as_one(
    world: Desk, chat: Chat, tokenizer: Any
) -> None:
    figures = measure(world, chat, tokenizer, clerk(world, knows=0.5))
    assert figures["parsed_share"] == 1.0
    assert figures["right_step_share"] == 1.0
    assert 0.0 < figures["pass_at_1"] < 0.9
    told, plain = (figures[f"branch_success_{way}_experience"] for way in ("with", "without"))  # type: ignore[literal-required]
    assert told > plain
    assert figures["experience_ratio"] == told / plain


def test_one_who_names_the_wrong_step_and_writes_rubbish_is_found_out(
    world: Desk, chat: Chat, tokenizer: Any
) -> None:
    good = clerk(world, knows=0.5)

    def act(text: str, sampling: Any) -> str:
        answer = good(text, sampling)
        if "Reflect." not in text:
            return answer
        step = read_verdict(answer, 99).rollback_step
        wrong = 0 if step else 1
        return "hm" if sampling.seed % 2 else f'{{"rollback_to": {wrong}, "experience": "x"}}'

    figures = measure(world, chat, tokenizer, act)
    assert 0.2 < figures["parsed_share"] < 0.8
    assert figures["right_step_share"] == 0.0


def test_where_nothing_can_be_told_the_figures_are_not_numbers(
    world: Desk, chat: Chat, tokenizer: Any
) -> None:
    figures = measure(world, chat, tokenizer, clerk(world, knows=1.0))
    assert figures["pass_at_1"] == 1.0
    assert isnan(figures["parsed_share"])
    assert isnan(figures["experience_ratio"])


def test_a_lesson_is_learned_on_chosen_actions_and_the_verdict(desk: Desk, chat: Chat) -> None:
    seen = 0
    for lesson in desk.lessons(60, seed=3):
        [(ids, mask)] = render(chat, lesson)
        learned = [t for t, m in zip(ids, mask, strict=True) if m]
        chosen = [chat.encode_answer(a) for a in lesson.actions[lesson.learn_from :]]
        actions = [token for answer in chosen for token in answer]
        assert learned[: len(actions)] == actions
        verdict = read_verdict(chat.decode(learned[len(actions) :]) or "", len(lesson.actions))
        assert verdict.parse is Parse.OK
        step, note = lesson.verdict or (None, None)
        assert (verdict.rollback_step, verdict.experience) == (step, note)
        seen += lesson.learn_from > 0
    assert seen


def test_the_tokenizers_words_hold_all_that_a_lesson_says(desk: Desk) -> None:
    lesson = next(le for le in desk.lessons(200, seed=3) if le.notes and le.verdict)
    said = "\n".join(words([lesson], "$step. $observation"))
    for text in (*lesson.observations, *lesson.actions, *lesson.notes.values()):
        assert text in said
