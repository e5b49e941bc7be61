"""Supervised training on weighted tokens, by transformers' Trainer.

The loss is L = sum over sets of beta_s * (sum of token losses in s) / (tokens in s): each term a
mean over its own tokens, whatever the sizes of the sets. A token of set s thus weighs
beta_s / tokens(s) in the whole, and a batch is scaled by examples / batch examples, so that its
expectation is L.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from leafe.example import Example
from leafe.training.checkpoint import saving
from leafe.training.finite import LossIsNotFinite, StopWhenNotFinite
from leafe.training.prefix import collate_shared, even_length, shared_loss
from leafe.training.resuming import MarkWhole
from leafe.training.sharing import order_together

ALIKE = 50
"""Batches, at most, among which sequences are sorted by length."""


@dataclass(frozen=True)
class TrainSettings:
    """How to train; see the sections `warm_start` and `sft` of `params.yaml`."""

    steps: int
    batch: int
    learning_rate: float
    warmup: int
    weight_decay: float
    seed: int
    save_every: int
    """Steps between checkpoints to resume from."""
    micro_batch: int | None = None
    """Sequences in memory at a time, per process; None for all of its share of the batch."""
    checkpointing: bool = False
    """Compute activations again in the backward pass, to save memory."""
    share_prefixes: bool = False
    """Where it is exact and cheaper; takes the sequences of a task together."""


def token_weights(examples: Sequence[Example], betas: Mapping[str, float]) -> dict[str, float]:
    """Weight of one supervised token of each set: beta / tokens of the set.

    >>> one = Example("t", "e", "rehearsal", None, (1, 2), (False, True))
    >>> two = Example("t", "e", "counterfactual", 0, (1, 2, 3), (False, True, True))
    >>> token_weights([one, one, two], {"rehearsal": 0.5, "counterfactual": 1.0})
    {'rehearsal': 0.25, 'counterfactual': 0.5}
    """
    tokens: Counter[str] = Counter()
    for example in examples:
        tokens[str(example.set)] += sum(example.loss_mask)
    return {name: betas[name] / count for name, count in tokens.items() if count}


@dataclass(frozen=True)
class WeightedTokens:
    """A sequence, and how much the loss of predicting each of its tokens counts."""

    token_ids: tuple[int, ...]
    weights: tuple[float, ...]
    task: str = ""
    """Sequences of one task are likely to begin alike."""


def weigh(examples: Sequence[Example], betas: Mapping[str, float]) -> list[WeightedTokens]:
    """Examples with the weights that make their sum of losses L."""
    weight = token_weights(examples, betas)
    return [
        WeightedTokens(
            e.token_ids,
            tuple(weight[str(e.set)] if learn else 0.0 for learn in e.loss_mask),
            e.task_id,
        )
        for e in examples
    ]


def schedule(lengths: Sequence[int], batch: int, steps: int, seed: int) -> list[int]:
    """Which sequence comes when: `steps` batches, epoch after epoch in new random orders.

    Batches are made of sequences of like length, to pad little: those that come within some
    batches of each other, at most an epoch, are sorted by length, and their batches mixed again.

    >>> sorted(schedule([3, 1, 2], batch=1, steps=3, seed=0))
    [0, 1, 2]
    """
    rng = random.Random(seed)
    order: list[int] = []
    while len(order) < batch * steps:
        order += rng.sample(range(len(lengths)), len(lengths))
    stretch = batch * min(ALIKE, max(1, len(lengths) // batch))
    mixed: list[int] = []
    for start in range(0, batch * steps, stretch):
        near = sorted(order[start : min(start + stretch, batch * steps)], key=lengths.__getitem__)
        batches = [near[at : at + batch] for at in range(0, len(near), batch)]
        rng.shuffle(batches)
        mixed += [n for group in batches for n in group]
    return mixed


def collate(rows: Sequence[Mapping[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Pad to the longest row on the right; weights of padding are 0."""
    length = max(len(row["input_ids"]) for row in rows)

    def padded(key: str, fill: float) -> torch.Tensor:
        return torch.tensor([[*row[key], *[fill] * (length - len(row[key]))] for row in rows])

    ids = padded("input_ids", pad)
    real = [[1] * len(row["input_ids"]) + [0] * (length - len(row["input_ids"])) for row in rows]
    return {
        "input_ids": ids,
        "attention_mask": torch.tensor(real),
        "weights": padded("weights", 0.0),
    }


def weighted_loss(logits: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum of weight * token loss; logits (batch, length, vocabulary), weights (batch, length).

    The weight of a token belongs to its being predicted from the tokens before it.
    """
    learned = weights[:, 1:] != 0
    losses = cross_entropy(logits[:, :-1][learned].float(), ids[:, 1:][learned], reduction="none")
    return (losses * weights[:, 1:][learned]).sum()


class WeightedTrainer(Trainer):
    """Trainer whose loss is the weighted sum above, scaled to the whole training set."""

    def __init__(self, examples: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._examples = examples
        # The weights carry the normalisation; Trainer must not divide by a token count too.
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The loss of a batch; its expectation over batches is L."""
        if "ends" in inputs:  # tries
            head: Any = self.model.get_output_embeddings()  # type: ignore[union-attr, operator]
            return self._examples / inputs["sequences"] * shared_loss(model, head, inputs)
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        scale = self._examples / len(inputs["input_ids"])
        loss = scale * weighted_loss(outputs.logits, inputs["input_ids"], inputs["weights"])
        return (loss, outputs) if return_outputs else loss

    def training_step(self, *arguments: Any, **keywords: Any) -> torch.Tensor:
        """The gradients of a micro-batch; raises LossIsNotFinite before any weight is changed."""
        loss = super().training_step(*arguments, **keywords)
        if not loss.isfinite():
            raise LossIsNotFinite(f"the loss is {loss.item()} at step {self.state.global_step + 1}")
        return loss


def train(
    model: Any,
    pad: int,
    sequences: Sequence[WeightedTokens],
    settings: TrainSettings,
    folder: Path,
    resume: Path | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[tuple[int, float]]:
    """Train in place; returns the curve of (step, loss). Checkpoints go into `folder`.

    `resume` is the checkpoint to go on from; None starts anew. Raises LossIsNotFinite.
    """
    rows = [{"input_ids": list(s.token_ids), "weights": list(s.weights)} for s in sequences]
    lengths = [len(s.token_ids) for s in sequences]
    order = schedule(lengths, settings.batch, settings.steps, settings.seed)
    cuda, together = torch.cuda.is_available(), torch.distributed.is_initialized()
    processes = torch.distributed.get_world_size() if together else 1
    micro = settings.micro_batch or settings.batch // processes
    shared = None
    if settings.share_prefixes:
        shared = order_together(model, sequences, order, settings, micro)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        # The mean of the micro-batches' gradients is that of the batch: they are equally large.
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=settings.batch // (micro * processes),
        activation_checkpointing=settings.checkpointing,
        ddp_find_unused_parameters=False,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        lr_scheduler_type="cosine",
        # Short runs: the second moment must follow quickly.
        adam_beta2=0.98,
        train_sampling_strategy="sequential",
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=cuda,
        use_cpu=not cuda,
        # A mean over steps must not straddle a checkpoint: a resumed run would log another.
        logging_steps=math.gcd(max(1, settings.steps // 50), settings.save_every),
        logging_nan_inf_filter=False,
        save_steps=settings.save_every,
        save_total_limit=2,  # the one before must outlive a kill while the newest is written
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    if processes == 1:
        arguments._n_gpu = min(1, arguments.n_gpu)  # else it would copy the model to every GPU
    trainer = WeightedTrainer(
        len(rows),
        model=model,
        args=arguments,
        train_dataset=[rows[n] for n in shared or order],
        data_collator=lambda batch: (
            collate_shared(batch, pad, even_length(model)) if shared else collate(batch, pad)
        ),
        callbacks=[StopWhenNotFinite(), MarkWhole(), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    with saving(folder):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    return [(int(row["step"]), row["loss"]) for row in trainer.state.log_history if "loss" in row]
