"""Players for the tests: engines that answer by a function of the prompt's text, no model."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from leafe.branching import BranchPlan, branch, reflect
from leafe.chat import Chat
from leafe.engine import Completion, Finish, Sampling
from leafe.env import Environment
from leafe.envs.desk import Desk, teacher
from leafe.envs.desk.rulebook import GOALS, KINDS, PAYMENTS, REGIONS, STATUSES, TOOLS, Ticket
from leafe.episode import Episode, Outcome
from leafe.reflection import Reflection, write_verdict
from leafe.rollout import Agent, Budget, roots
from leafe.task import Task
from leafe.tree import Tree, join

ROOT_EPISODE = Episode(
    id="root",
    task_id="t",
    iteration="i1",
    wave="w0",
    sample=0,
    policy="p",
    parent=None,
    rollback_step=None,
    experience=None,
    first_observation="go",
    steps=(),
    outcome=Outcome.SOLVED,
    replayed_steps=0,
)
"""An attempt from a task's start, to be given steps by `replace`."""

Act = Callable[[str, Sampling], str]


@dataclass
class Player:
    """An engine: answers what `act` says of the prompt's text; remembers its prompts."""

    tokenizer: Any
    act: Act
    prompts: list[tuple[int, ...]] = field(default_factory=list)

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        self.prompts.append(tuple(prompt))
        await asyncio.sleep(0)
        answer = self.act(self.tokenizer.decode(list(prompt)), sampling)
        ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        tokens = (*ids, *sampling.stop_ids[:1])[: sampling.max_tokens]
        finish: Finish = "stop" if tokens[-1] in sampling.stop_ids else "length"
        return Completion(tokens, (-1.0,) * len(tokens), finish)

    async def close(self) -> None:
        """Nothing is held."""


def clerk(desk: Desk, knows: float = 0.6) -> Act:
    """Plays the desk as a trained model would: follows notes and hints, knows some of the rules,
    and looks back as a good reader does.
    """

    def act(text: str, sampling: Sampling) -> str:
        said = re.findall(r"<\|user\|> ?\d+\. (.*?)<\|end\|>", text, re.DOTALL)
        observations = [turn.partition("\n")[0] for turn in said]
        if "Reflect." in said[-1]:
            step = teacher.first_refusal(observations)
            needed = None if step is None else teacher.hinted(observations[step + 1])
            return write_verdict(None if step is None else (step, f"call {needed}."))
        noted = re.search(r"Note: .*call (\w+)\.", said[-1])
        hint = teacher.hinted(observations[-1])
        rng = random.Random(sampling.seed)
        if noted or hint:
            return f"{noted.group(1) if noted else hint}()"
        done = sum(" done" in turn for turn in observations)
        due = [duty.tool for duty in desk.rulebook.duties(ticket_of(observations[0]))][done]
        return f"{due if rng.random() < knows else rng.choice(TOOLS)}()"

    return act


def ticket_of(observation: str) -> Ticket:
    """The ticket that a first observation tells of."""
    words = set(re.findall(r"\w+", observation))

    def one(names: Sequence[str]) -> str:
        return next(name for name in names if name in words)

    return Ticket(one(GOALS), one(STATUSES), one(KINDS), one(PAYMENTS), one(REGIONS))


def make_agent(
    desk: Environment, chat: Chat, engine: Any, *, seed: int = 0, iteration: str = "i1"
) -> Agent:
    """An agent at temperature 1 with room for every answer."""
    return Agent(desk, engine, chat, "p0", 1.0, 24, 64, seed, iteration)


@dataclass(frozen=True)
class Explored:
    """What an exploration made."""

    tree: Tree
    reflections: tuple[Reflection, ...]
    waves: tuple[tuple[str, ...], ...]
    """Episode ids by wave."""


def explore(
    agent: Agent,
    tasks: Sequence[Task],
    *,
    samples: int = 2,
    attempts: int = 12,
    steps: int = 60,
    waves: int = 2,
    every: int = 0,
    with_experience: bool = True,
    rolls_back: bool = True,
    per_reflection: int = 1,
) -> Explored:
    """Roots, then waves of reflections and branches, as the stages do it."""

    async def run() -> Explored:
        budgets = {task.id: Budget(attempts, steps) for task in tasks}
        parts = [
            [e for t in tasks for e in await roots(agent, t, samples, budgets[t.id])],
        ]
        looked: list[Reflection] = []
        for number in range(1, waves + 1):
            tree = join(parts)
            made = [r for e in parts[-1] for r in await reflect(agent, tree, e, every)]
            looked += made
            plan = BranchPlan(f"w{number}", per_reflection, with_experience, rolls_back)
            wave = []
            for task in tasks:
                own = [r for r in made if r.task_id == task.id]
                wave += await branch(agent, tree, task, own, budgets[task.id], plan)
            parts.append(wave)
        ids = tuple(tuple(e.id for e in part) for part in parts)
        return Explored(join(parts), tuple(looked), ids)

    return asyncio.run(run())
