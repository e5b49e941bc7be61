"""ALFWorld: every action that is not done gets a reason, which tells no more than can be seen."""

from __future__ import annotations

import pytest
from households import begin, play, said
from hypothesis import given, settings
from hypothesis import strategies as st

from leafe.fidelity import JUNK

NO_TOASTER = "There is no toaster 1 in this room."
TO_FRIDGE = "go to fridge 1, open fridge 1"
MUG = f"{TO_FRIDGE}, take mug 1 from fridge 1"
TO_COUNTER = "go to countertop 1"
REFUSALS = [
    ("", "go to toaster 1", NO_TOASTER),
    ("", "open toaster 1", NO_TOASTER),
    ("", "open fridge 1", "You are not at the fridge 1: go to fridge 1 first."),
    (TO_COUNTER, "go to coffeemachine 1", "You are at the coffeemachine 1 already: examine"),
    (TO_COUNTER, "open countertop 1", "The countertop 1 cannot be opened."),
    (TO_COUNTER, "close countertop 1", "The countertop 1 cannot be closed."),
    (TO_FRIDGE, "open fridge 1", "The fridge 1 is open already."),
    ("go to fridge 1", "close fridge 1", "The fridge 1 is closed already."),
    ("go to fridge 1", "take mug 1 from fridge 1", "The fridge 1 is closed: open fridge 1 first."),
    ("", "take mug 1 from fridge 1", "You are not at the fridge 1"),
    (TO_FRIDGE, "take plate 1 from fridge 1", "There is no plate 1 in or on the fridge 1."),
    (TO_FRIDGE, "take plate 7 from fridge 1", "There is no plate 7 in or on the fridge 1."),
    (TO_COUNTER, "take desklamp 1 from countertop 1", "The desklamp 1 cannot be taken."),
    (MUG, "take apple 1 from fridge 1", "You carry the mug 1: move it to a receptacle first."),
    ("", "move mug 1 to countertop 1", "You do not carry the mug 1: take it first."),
    (MUG, "move mug 1 to countertop 1", "You are not at the countertop 1"),
    (f"{MUG}, close fridge 1", "move mug 1 to fridge 1", "The fridge 1 is closed"),
    (
        f"{TO_FRIDGE}, take apple 1 from fridge 1, go to coffeemachine 1",
        "move apple 1 to coffeemachine 1",
        "The apple 1 does not belong in or on the coffeemachine 1.",
    ),
    ("go to microwave 1", "heat mug 1 with microwave 1", "You do not carry the mug 1"),
    (MUG, "heat mug 1 with microwave 1", "You are not at the microwave 1"),
    (MUG, "heat mug 1 with fridge 1", "Nothing is heated with the fridge 1: a microwave is needed"),
    (
        f"{TO_COUNTER}, take knife 1 from countertop 1, go to microwave 1",
        "heat knife 1 with microwave 1",
        "The knife 1 cannot be heated.",
    ),
    (MUG, "clean mug 1 with fridge 1", "Nothing is cleaned with the fridge 1: a sinkbasin is need"),
    (f"{MUG}, go to sinkbasin 1", "cool mug 1 with sinkbasin 1", "a fridge is needed"),
    ("", "use desklamp 1", "You see no desklamp 1 here."),
    (TO_COUNTER, "use bread 1", "The bread 1 has no switch."),
    (TO_COUNTER, "slice bread 1 with knife 1", "You do not carry the knife 1: take it first."),
    (MUG, "slice apple 1 with mug 1", "Nothing is sliced with the mug 1: a knife is needed."),
    (
        f"{TO_COUNTER}, take knife 1 from countertop 1",
        "slice apple 1 with knife 1",
        "You see no apple 1 here.",
    ),
    (
        f"{TO_COUNTER}, take knife 1 from countertop 1",
        "slice desklamp 1 with knife 1",
        "The desklamp 1 cannot be sliced.",
    ),
    ("go to fridge 1", "examine mug 1", "You see no mug 1 here."),
    (TO_FRIDGE, "examine mug 1", "Only what you carry can be examined: take mug 1 first."),
    ("", "examine fridge 1", "You are not at the fridge 1"),
    ("", "go to the fridge", "Not the name of a thing: it is a kind and a number"),
    ("", "dance", "Not an action: write one of go to <receptacle>, open <receptacle>"),
]


@pytest.mark.parametrize(("before", "action", "words"), REFUSALS)
def test_it_says_why_nothing_happens(before: str, action: str, words: str) -> None:
    env = begin()
    for result in play(env, *before.split(", ")) if before else ():
        assert not result.observation.startswith("Nothing happens."), "the way there is possible"
    answer = said(env, action)
    assert answer.startswith(f"Nothing happens. {words}" if words[0].isupper() else "Nothing")
    assert words in answer


def test_the_official_answer_alone_can_be_asked_for() -> None:
    for before, action, _ in REFUSALS:
        assert said(begin(feedback="official"), *before.split(", "), action) == "Nothing happens."


def test_nothing_is_told_of_what_lies_unseen() -> None:
    for place in ("", "go to fridge 1"):
        hidden, absent = (
            {said(begin(), *place.split(", "), f"{what} {thing} 1") for what in ("use", "examine")}
            for thing in ("mug", "statue")
        )
        assert {s.replace("mug", "it") for s in hidden} == {
            s.replace("statue", "it") for s in absent
        }


def test_admissible_actions_are_listed_on_request_and_all_do_something() -> None:
    env = begin(show_admissible=True)
    listed = said(env, "go to fridge 1").splitlines()
    assert listed[:-1] == ["You arrive at fridge 1. The fridge 1 is closed."]
    possible = listed[-1].removeprefix("Admissible actions: ").removesuffix(".").split("; ")
    assert {"open fridge 1", "look", "go to microwave 1"} <= set(possible)
    assert "help" not in possible
    for action in possible:
        assert not said(begin(), "go to fridge 1", action).startswith("Nothing happens.")


@pytest.mark.parametrize("junk", [*JUNK.values(), "take from", "go to " * 5000, "go to {r}"])
def test_junk_is_answered_and_not_repeated(junk: str) -> None:
    env = begin()
    assert said(env, junk).startswith("Nothing happens. Not ")
    assert len(said(env, junk)) < 600


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec=None), max_size=40)
        | st.sampled_from([action for _, action, _ in REFUSALS])
        | st.sampled_from([*MUG.split(", "), "go to microwave 1", "help", "inventory"]),
        max_size=8,
    )
)
def test_no_text_makes_it_raise(texts: list[str]) -> None:
    env = begin()
    for text in texts:
        assert env.step(text).observation.strip()
