"""How a clerk at another company plays, reads refusals and writes notes: warm-start lessons.

A small model that starts from nothing must learn to act, to read a refusal, to write a note and
to follow one. It learns that here, on rulebooks drawn apart from the one it will be put before,
so that by construction it cannot know that one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from leafe.env import Lesson
from leafe.envs.desk.rulebook import TOOLS, Rulebook, Ticket, all_tickets, draw_rulebook
from leafe.envs.teaching import lessons_on
from leafe.seeds import seed_from
from leafe.task import make_task

if TYPE_CHECKING:
    from leafe.envs.desk import Desk

RIGHT = 0.7
"""Share of moves that are right; the rest are guesses from other companies' rules."""
HINTS_FOLLOWED = 0.97
NOTES_FOLLOWED = 0.97
SLIPS = 0.02
"""Share of moves that are any tool at all: a clerk who never slips is never refused oddly."""
EPISODES_PER_RULEBOOK = 8

REFUSED = re.compile(r"^(?:no )?(\w+) (?:refused:|yet:)")
NEEDED = re.compile(r"needs (\w+) first|: (\w+) comes first")


def first_refusal(observations: Sequence[str]) -> int | None:
    """The step whose action was the first to be refused; observation t+1 answers action t."""
    refused = (t for t, said in enumerate(observations[1:]) if REFUSED.match(said))
    return next(refused, None)


def hinted(observation: str) -> str | None:
    """The tool that a refusal asks for; None where it asks for none."""
    match = NEEDED.search(observation)
    return next(filter(None, match.groups())) if match else None


def write_note(observation: str) -> str:
    """What a good reader notes down of a refusal: the call that was wrong, and what to do."""
    refused, needed = REFUSED.match(observation), hinted(observation)
    wrong = refused.group(1) if refused else "that"
    return f"too early for {wrong}, call {needed}." if needed else f"not {wrong}, try another."


def lessons(count: int, seed: int, avoid: Sequence[Rulebook], desk: Desk) -> Iterator[Lesson]:
    """At least `count` lessons; rulebooks that are to be avoided are passed over."""
    rng = random.Random(seed_from("lessons", seed))
    tickets = all_tickets()
    drawn = (draw_rulebook(f"other {seed} {n}") for n in range(64))
    others = [routine(rulebook) for rulebook in drawn if rulebook not in avoid]
    made, number = 0, 0
    while made < count:
        number += 1
        rulebook = draw_rulebook(f"lesson {seed} {number}")
        if rulebook in avoid:
            continue
        for _ in range(EPISODES_PER_RULEBOOK):
            ticket = rng.choice(tickets)
            payload = {"ticket": vars(ticket), "rulebook": rulebook.model_dump(mode="json")}
            clerk = Clerk(rulebook, ticket, others, rng)
            task = make_task(desk.name, "train", payload)
            for lesson in lessons_on(task, desk, clerk, rng):
                made += 1
                yield lesson


Routine = Mapping[Ticket, list[str]]
"""Ticket -> the calls it needs under some rulebook."""


def routine(rulebook: Rulebook) -> Routine:
    """What a clerk of that company would do with every ticket."""
    return {t: [duty.tool for duty in rulebook.duties(t)] for t in all_tickets()}


class Clerk:
    """Plays one ticket: by its rules, or as another company's would be played."""

    def __init__(
        self, rulebook: Rulebook, ticket: Ticket, others: Sequence[Routine], rng: random.Random
    ) -> None:
        self._ticket, self._others, self._rng = ticket, others, rng
        self._duties = [duty.tool for duty in rulebook.duties(ticket)]

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """The step of the first refusal."""
        return first_refusal(observations)

    def write_note(self, observations: Sequence[str], actions: Sequence[str], step: int) -> str:
        """What the refusal says to do."""
        return write_note(observations[step + 1])

    def move(
        self, observations: Sequence[str], actions: Sequence[str], notes: Mapping[int, str]
    ) -> str:
        """A note's call, or a refusal's; otherwise the right one, or a guess."""
        draw = self._rng.random
        noted = re.search(r"call (\w+)", notes.get(len(actions), ""))
        hint = hinted(observations[-1])
        if noted and draw() < NOTES_FOLLOWED:
            tool = noted.group(1)
        elif hint and draw() < HINTS_FOLLOWED:
            tool = hint
        elif draw() < SLIPS:
            tool = self._rng.choice(TOOLS)
        elif draw() < RIGHT:
            tool = self._duties[len(self._done(actions))]
        else:
            tool = self._guess(self._done(actions))
        return f"{tool}()"

    def _done(self, actions: Sequence[str]) -> list[str]:
        """The calls that were accepted, in order: whatever the desk says of them."""
        done: list[str] = []
        for action in actions:
            if action == f"{self._duties[len(done)]}()":
                done.append(self._duties[len(done)])
        return done

    def _guess(self, done: list[str]) -> str:
        """The next call at another company whose rules have asked for the same so far."""
        for other in self._rng.sample(self._others, min(24, len(self._others))):
            duties = other[self._ticket]
            if duties[: len(done)] == done and len(duties) > len(done):
                return duties[len(done)]
        return self._duties[len(done)]
