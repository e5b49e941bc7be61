"""Supervised training, prefixes shared, beside TRL's SFTTrainer: tokens a second.

The same examples (trees explored at the desk, `benchmarks/trees.py`), model, optimizer, batch and
precision; one epoch of each in turns, on one thread, by the clock of the process's own CPU time,
as machines are noisy. Tokens are those of the examples, however many of them a side computes.
All learned tokens weigh the same, for TRL knows no weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from benchmarks.benchmark import CannotRun, Figures
from benchmarks.trees import examples
from leafe.example import Example
from leafe.training.small import new_model
from leafe.training.trainer import TrainSettings, train, weigh

COMPARED = "tokens a second of one core: ours, prefixes shared / TRL's SFTTrainer, its faster way"
TARGET = "above 1.5"
BATCH, ROUNDS = 64, 3
RATE, WARMUP, DECAY = 2e-3, 2, 0.01
PACKED = 512
"""Tokens of TRL's packed rows."""


@dataclass
class Clock(TrainerCallback):
    """CPU seconds from the first step's start to the last step's end."""

    at: list[float] = field(default_factory=list)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A step starts."""
        self.at.append(time.process_time())

    on_step_end = on_step_begin

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return self.at[-1] - self.at[0]


Side = Callable[[Any, Any, Sequence[Example], Path, Clock], None]


def ours(
    model: Any, _: Any, taught: Sequence[Example], folder: Path, clock: Clock, *, share: bool
) -> None:
    """The stage `sft`'s trainer."""
    betas = {str(example.set): 1.0 for example in taught}
    tokens = sum(sum(example.loss_mask) for example in taught)
    alike = [
        type(one)(one.token_ids, tuple((w > 0) / tokens for w in one.weights), one.task)
        for one in weigh(taught, betas)
    ]
    steps = len(taught) // BATCH
    settings = TrainSettings(steps, BATCH, RATE, WARMUP, DECAY, 0, 1000, share_prefixes=share)
    train(model, 0, alike, settings, folder, callbacks=[clock])


def theirs(
    model: Any, tokenizer: Any, taught: Sequence[Example], folder: Path, clock: Clock, **more: Any
) -> None:
    """TRL's trainer."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [
        {
            "input_ids": list(e.token_ids),
            "labels": [i if m else -100 for i, m in zip(e.token_ids, e.loss_mask, strict=True)],
        }
        for e in taught
    ]
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "num_train_epochs": 1,
        "per_device_train_batch_size": BATCH,
        "learning_rate": RATE,
        "warmup_steps": WARMUP,
        "weight_decay": DECAY,
        "lr_scheduler_type": "cosine",
        "adam_beta2": 0.98,
        "max_length": None,
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**settings | more),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def packed(taught: Sequence[Example]) -> dict[str, Any]:
    """TRL's packing; a step takes as many rows as hold a batch of examples, one at a time."""
    mean = sum(len(e.token_ids) for e in taught) / len(taught)
    rows = max(1, round(BATCH * mean / PACKED))
    return {
        "packing": True,
        "max_length": PACKED,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": rows,
    }


def sides(taught: Sequence[Example]) -> dict[str, Side]:
    """Who is measured: ours with and without sharing, TRL in each way that computes the same."""
    return {
        "shared": partial(ours, share=True),
        "plain": partial(ours, share=False),
        "trl_padded": partial(theirs, train_sampling_strategy="group_by_length"),
        "trl_packed": partial(theirs, **packed(taught)),
    }


def rates(taught: Sequence[Example], tokenizer: Any, rounds: int) -> dict[str, float]:
    """Tokens a second of each side: medians over the rounds."""
    taught = taught[: len(taught) // BATCH * BATCH]
    tokens = sum(len(example.token_ids) for example in taught)
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, side in sides(taught).items():
            model = new_model(tokenizer, hidden=96, layers=3, heads=3, context=4096, seed=0)
            clock = Clock()
            with TemporaryDirectory() as folder:
                side(model, tokenizer, taught, Path(folder), clock)
            found.setdefault(name, []).append(tokens / clock.seconds)
    return {name: median(values) for name, values in found.items()}


def measure(quick: bool) -> Figures:
    """`ratio`: ours over TRL's faster way, examples as a language model gets them."""
    if find_spec("trl") is None:
        raise CannotRun("TRL is not installed; `pip install leafe[bench]` brings it")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    results: dict[str, float] = {}
    for style, prefix in (("full", ""), ("short", "short_")):
        taught, tokenizer = examples(style)
        found = rates(taught[: BATCH if quick else None], tokenizer, 1 if quick else ROUNDS)
        best = max(found["trl_padded"], found["trl_packed"])
        results[f"{prefix}ratio"] = round(found["shared"] / best, 3)
        results |= {f"{prefix}{name}_tokens_per_second": round(r) for name, r in found.items()}
    torch.set_num_threads(threads)
    return results
