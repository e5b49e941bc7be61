"""The small model that benchmarks act with: the default one's architecture, trained for a minute.

So long it takes until its episodes are about as long as the default base policy's; how well it
plays does not matter. Made anew in every run, offline, and not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from leafe.chat import Chat, read_prompts
from leafe.engine import Engine
from leafe.envs.desk import Desk, DeskOptions
from leafe.lessons import render, words
from leafe.rollout import Agent

LESSONS, BATCH = 3000, 32
STEPS = 150
CONTEXT = 512


@dataclass(frozen=True)
class SmallPolicy:
    """A model with its tokenizer and renderer."""

    model: Any
    tokenizer: Any
    chat: Chat

    def agent(self, desk: Desk, engine: Engine) -> Agent:
        """This policy at the default run's sampling."""
        return Agent(
            environment=desk,
            engine=engine,
            chat=self.chat,
            policy="small",
            temperature=1.0,
            action_tokens=32,
            reflection_tokens=48,
            seed=0,
            iteration="i1",
        )


@cache
def small_policy(quick: bool) -> SmallPolicy:
    """Train it, or leave it at its first weights and tiny; the same within a run."""
    from leafe.training.small import new_model, train_tokenizer

    desk, prompts = Desk(DeskOptions()), read_prompts("short")
    count = LESSONS // 10 if quick else LESSONS
    lessons = list(islice(desk.lessons(count, seed=0), count))
    texts = [*words(lessons, prompts.turn), prompts.experience, prompts.reflect]
    tokenizer = train_tokenizer(texts, vocabulary=640)
    chat = Chat(tokenizer, prompts, desk.instructions)
    hidden, layers, heads = (32, 1, 1) if quick else (96, 3, 3)
    model = new_model(tokenizer, hidden=hidden, layers=layers, heads=heads, context=CONTEXT, seed=0)
    if not quick:
        learn(model, tokenizer, [s for lesson in lessons for s in render(chat, lesson)])
    return SmallPolicy(model, tokenizer, chat)  # engines call eval()


def learn(
    model: Any, tokenizer: Any, sequences: list[tuple[tuple[int, ...], tuple[bool, ...]]]
) -> None:
    """From lessons as token ids, with what is to be written; shorter than the warm start."""
    from leafe.training.trainer import TrainSettings, WeightedTokens, train

    weight = 1 / sum(len(mask) for _, mask in sequences)
    weighted = [
        WeightedTokens(ids, tuple(weight if learn else 0.3 * weight for learn in mask))
        for ids, mask in sequences
    ]
    settings = TrainSettings(
        steps=STEPS,
        batch=BATCH,
        learning_rate=3e-3,
        warmup=10,
        weight_decay=0.01,
        seed=0,
        save_every=10**6,
    )
    with TemporaryDirectory() as folder:
        train(model, tokenizer.pad_token_id, weighted, settings, Path(folder))
