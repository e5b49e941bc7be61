"""Training examples from LEAFE trees, explored as the stages do it, at the desk.

A clerk stands in for a trained model, for to train one would take longer than to measure: it
knows some of the rules, follows notes and hints, and looks back as a good reader does. All else
is the pipeline's own: rollback, branches, filter, chat.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leafe.branching import BranchPlan, branch, reflect
from leafe.chat import Chat, read_prompts
from leafe.engine import Completion, Sampling
from leafe.envs.desk import Desk, DeskOptions, teacher
from leafe.envs.desk.rulebook import TOOLS
from leafe.episode import Episode
from leafe.example import Example
from leafe.filtering import candidates, keep
from leafe.lessons import words
from leafe.reflection import write_verdict
from leafe.rollout import Agent, Budget, roots
from leafe.task import Task
from leafe.training.small import train_tokenizer
from leafe.tree import join

OPTIONS = DeskOptions(
    rulebook=0, train_tasks=120, test_tasks=1, max_steps=12, refusals=1, feedback="what"
)
KNOWS = 0.6
SAMPLES, WAVES, ATTEMPTS, STEPS, PER_TASK = 3, 3, 12, 40, 8
"""As in the default run."""


@dataclass
class Clerk:
    """An engine that plays one task."""

    tokenizer: Any
    due: Sequence[str]
    """The task's solution."""

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """What the clerk answers."""
        answer = self._answer(self.tokenizer.decode(list(prompt)), random.Random(sampling.seed))
        ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        return Completion((*ids, *sampling.stop_ids), (-1.0,) * (len(ids) + 1), "stop")

    def _answer(self, text: str, rng: random.Random) -> str:
        said = re.findall(r"<\|user\|> ?\d+\. (.*?)<\|end\|>", text, re.DOTALL)
        observations = [turn.partition("\n")[0] for turn in said]
        if "Stop here" in said[-1] or "Reflect." in said[-1]:
            step = teacher.first_refusal(observations)
            needed = None if step is None else teacher.hinted(observations[step + 1])
            return write_verdict(None if step is None else (step, f"call {needed}."))
        noted = re.search(r"(?:Note|step): .*?call (\w+)\.", said[-1])
        if asked := noted.group(1) if noted else teacher.hinted(observations[-1]):
            return f"{asked}()"
        done = sum(" done" in turn for turn in observations)
        return self.due[done] if rng.random() < KNOWS else f"{rng.choice(TOOLS)}()"

    async def close(self) -> None:
        """Nothing is held."""


def examples(style: str) -> tuple[list[Example], Any]:
    """What the filter keeps of an exploration in a style of prompts, and the tokenizer."""
    desk = Desk(OPTIONS)
    prompts = read_prompts(style)
    lessons = list(desk.lessons(300, seed=0))
    texts = [*words(lessons, prompts.turn), prompts.system, desk.instructions, prompts.reflect]
    tokenizer = train_tokenizer([*texts, prompts.experience], vocabulary=640)
    chat = Chat(tokenizer, prompts, desk.instructions)
    kept: list[Example] = []
    for task in desk.tasks("train"):
        tree = join(asyncio.run(explore(desk, chat, tokenizer, task)))
        kept += keep(candidates(tree, chat, "continuation"), PER_TASK, 4096).examples
    return kept, tokenizer


async def explore(desk: Desk, chat: Chat, tokenizer: Any, task: Task) -> list[list[Episode]]:
    """Roots, then waves of reflections and branches."""
    engine = Clerk(tokenizer, desk.solution(task))
    agent = Agent(desk, engine, chat, "clerk", 1.0, 32, 128, 0, "i1")
    budget = Budget(ATTEMPTS, STEPS)
    waves = [await roots(agent, task, SAMPLES, budget)]
    for number in range(1, WAVES + 1):
        tree = join(waves)
        made = [one for e in waves[-1] for one in await reflect(agent, tree, e, 0)]
        plan = BranchPlan(f"w{number}", per_reflection=1, with_experience=True)
        waves.append(await branch(agent, tree, task, made, budget, plan))
    return waves
