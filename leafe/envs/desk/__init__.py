"""The desk: a support agent's back office with rules that nobody tells (the default environment).

A ticket states a goal and facts. The agent makes calls, one a step, in the order that the
company's rulebook demands. A call out of order is refused in words that name what is needed; one
refusal too many locks the ticket for good. Upstream: none, ours (after tool-use benchmarks such
as tau-bench, arXiv 2406.12045). Licence: this project's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, Lesson, StepResult
from leafe.envs.desk import teacher, wording
from leafe.envs.desk.rulebook import (
    CALLS,
    GOALS,
    TOOLS,
    Rulebook,
    Ticket,
    all_tickets,
    draw_rulebook,
    read_rulebook,
)
from leafe.envs.teaching import UNSEEN
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.seeds import seed_from
from leafe.task import Split, Task, make_task


class DeskOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: desk`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rulebook: Annotated[int, Field(ge=0)] | str = 0
    """Seed of the company's rulebook, or the path of a YAML file with one."""
    train_tasks: int = Field(200, ge=1)
    """Tickets to learn from."""
    test_tasks: int = Field(128, ge=1)
    """Held-out tickets of the same rulebook."""
    max_steps: int = Field(12, ge=1, le=99)
    """Calls that one episode may make."""
    refusals: int = Field(1, ge=0)
    """Refusals that a ticket survives; one more locks it."""
    feedback: wording.Feedback = "what"
    """How much a refusal says: `what` is needed, `that` something is, or `nothing`."""


class Desk:
    """The family of tickets under one rulebook."""

    name = "desk"
    options = DeskOptions
    step_timeout = None
    actions = tuple(f"{tool}()" for tool in TOOLS)

    def __init__(self, options: DeskOptions) -> None:
        if options.train_tasks + options.test_tasks > len(all_tickets()):
            raise BadInput(
                f"{PARAMS_FILE}: env.train_tasks + env.test_tasks is "
                f"{options.train_tasks + options.test_tasks}; it must be at most "
                f"{len(all_tickets())}, the tickets that there are"
            )
        self.settings = options
        self.max_steps = options.max_steps
        book = options.rulebook
        self.rulebook = draw_rulebook(book) if isinstance(book, int) else read_rulebook(Path(book))
        self.instructions = (
            "You work at a support desk. Each ticket needs some calls in the order that the "
            "company's rules demand, and then the call that does what the customer wants. "
            f"Preparing calls: {', '.join(CALLS)}. Closing calls: {', '.join(GOALS)}. Make one "
            "call a turn, written like verify(). A refusal names what comes first; "
            f"{options.refusals + 1} refusals lock the ticket for good."
        )

    def tasks(self, split: Split) -> list[Task]:
        """Disjoint tickets for the two splits, drawn by the rulebook."""
        tickets = list(all_tickets())
        random.Random(seed_from("split", self.rulebook.model_dump_json())).shuffle(tickets)
        sizes = (self.settings.train_tasks, self.settings.test_tasks)
        chosen = tickets[: sizes[0]] if split == "train" else tickets[sizes[0] : sum(sizes)]
        rules = self.rulebook.model_dump(mode="json")
        return [
            make_task(self.name, split, {"ticket": asdict(ticket), "rulebook": rules})
            for ticket in chosen
        ]

    def make(self) -> Env:
        """A fresh desk for one ticket."""
        return DeskEnv(self.settings.refusals, self.settings.feedback)

    def solution(self, task: Task) -> list[str]:
        """The calls that the rulebook demands, the goal last."""
        duties = Rulebook.model_validate(task.payload["rulebook"]).duties(
            Ticket(**task.payload["ticket"])
        )
        return [f"{duty.tool}()" for duty in duties]

    def lessons(self, count: int, seed: int) -> Iterator[Lesson]:
        """Lessons on other companies' rulebooks; see `leafe.envs.desk.teacher`."""
        avoid = (self.rulebook, draw_rulebook(UNSEEN))
        return teacher.lessons(count, seed, avoid=avoid, desk=self)

    def unseen(self) -> Desk:
        """A desk of yet another company."""
        return Desk(self.settings.model_copy(update={"rulebook": UNSEEN}))

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """The step of the first refusal."""
        return teacher.first_refusal(observations)


class DeskEnv:
    """One ticket. Accepts the next due call; refuses everything else."""

    def __init__(self, refusals: int, feedback: wording.Feedback) -> None:
        self._left = refusals
        self._feedback = feedback

    def start(self, task: Task) -> str:
        """Open the ticket."""
        self._ticket = Ticket(**task.payload["ticket"])
        rulebook = Rulebook.model_validate(task.payload["rulebook"])
        self._due = list(rulebook.duties(self._ticket))
        self._step = 0
        return wording.say_ticket(self._ticket)

    def step(self, action: str) -> StepResult:
        """Make one call."""
        self._step += 1
        tool = wording.read_call(action)
        if tool == self._due[0].tool:
            self._due.pop(0)
            if self._due:
                done = wording.say_done(self._ticket, tool, self._feedback)
                return StepResult(done, 0.0, terminated=False, truncated=False)
            solved = f"{tool} done.{wording.SOLVED}"
            return StepResult(solved, 1.0, terminated=True, truncated=False)
        said = (
            wording.say_unknown()
            if tool is None
            else wording.say_refusal(self._ticket, tool, self._due[0], self._step, self._feedback)
        )
        self._left -= 1
        if self._left < 0:
            return StepResult(said + wording.LOCKED, 0.0, terminated=True, truncated=False)
        return StepResult(said, 0.0, terminated=False, truncated=False)

    def close(self) -> None:
        """Nothing is held."""
