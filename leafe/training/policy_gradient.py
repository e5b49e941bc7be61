"""GRPO's update: a clipped policy gradient on sampled episodes, in rounds.

The objective is eq. 3 of arXiv 2402.03300: over episodes, the mean of the mean over action tokens
of min(ratio A, clip(ratio) A) - kl * KL(policy || reference), the clip being eq. 7 of arXiv
1707.06347. Differs: the mean over episodes is over a minibatch, which mixes groups.

Invariant: within a round the old policy is fixed: it is the one whose log-probabilities came with
the episodes. Knows nothing of tasks, rewards or how a round was sampled.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.nn.functional import cross_entropy, pad
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from leafe.advantage import Sampled
from leafe.errors import BadInput
from leafe.store import atomic
from leafe.training.finite import LossIsNotFinite

MAX_NORM = 1.0
"""Gradients are scaled down to this norm."""


@dataclass(frozen=True)
class PolicyGradientSettings:
    """How to update; see the section `grpo` of `params.yaml`."""

    learning_rate: float
    weight_decay: float
    epochs: int
    """Passes over the episodes of a round."""
    batch: int
    """Episodes per step."""
    clip: float
    """How far a ratio may leave 1 and still teach."""
    kl: float
    """Weight of the KL term; 0 leaves it out of the loss."""
    temperature: float
    """At which the episodes were sampled; above 0."""


@dataclass(frozen=True)
class RoundFigures:
    """What a round did: means over its episodes, each a mean over its tokens; NaN over none."""

    loss: float
    clipped: float
    """Share of tokens whose ratio the clip kept from teaching."""
    kl_old: float
    """KL(old || policy), in nats per token, before each step."""
    kl_reference: float
    """KL(policy || reference), likewise; NaN without a reference."""
    steps: int
    """Optimizer steps."""


def token_logprobs(
    model: Any,
    ids: torch.Tensor,
    attention: torch.Tensor,
    mask: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Of each masked token, given the tokens before it; 0 elsewhere.

    All are (episodes, length); padding is on the right. The first token cannot be masked.
    """
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits
    drawn = mask[:, 1:]
    # (episodes, length, vocabulary) is large; the softmax needs the drawn positions only.
    warm = logits[:, :-1][drawn].float() / temperature
    found = -cross_entropy(warm, ids[:, 1:][drawn], reduction="none")
    return pad(found.new_zeros(drawn.shape).masked_scatter(drawn, found), (1, 0))


def k3(logprobs: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """KL(p || q) by a token drawn from p, of log p and log q: q/p - log(q/p) - 1.

    arXiv 2402.03300, eq. 4: unbiased, never negative.
    """
    return (other - logprobs).exp() - (other - logprobs) - 1


def episode_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over episodes of the mean over each one's masked tokens; NaN where one has none."""
    return (values.masked_fill(~mask, 0.0).sum(1) / mask.sum(1)).mean()


def grpo_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    ref_logprobs: torch.Tensor | None,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    clip: float,
    kl: float,
) -> torch.Tensor:
    """The negated objective; (episodes, length) all, but advantages, which are (episodes,).

    Without reference log-probabilities there is no KL term.
    """
    ratio, gain = (logprobs - old_logprobs).exp(), advantages[:, None]
    objective = torch.min(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)
    if ref_logprobs is not None:
        objective = objective - kl * k3(logprobs, ref_logprobs)
    return -episode_mean(objective, mask)


@dataclass(frozen=True)
class Batch:
    """Episodes padded on the right to the longest."""

    ids: torch.Tensor
    """(episodes, length); 0 where padded, which no real token sees."""
    attention: torch.Tensor
    """(episodes, length); 1 on real tokens."""
    mask: torch.Tensor
    """(episodes, length); true on action tokens."""
    old_logprobs: torch.Tensor
    """(episodes, length)."""
    advantages: torch.Tensor
    """(episodes,)."""


def collate(sequences: Sequence[Sampled], device: torch.device | str) -> Batch:
    """One batch of these episodes."""

    def padded(rows: Sequence[Sequence[float]]) -> torch.Tensor:
        return pad_sequence([torch.tensor(row) for row in rows], batch_first=True).to(device)

    return Batch(
        ids=padded([s.token_ids for s in sequences]),
        attention=padded([[1] * len(s.token_ids) for s in sequences]),
        mask=padded([s.loss_mask for s in sequences]),
        old_logprobs=padded([s.old_logprobs for s in sequences]),
        advantages=torch.tensor([s.advantage for s in sequences], device=device),
    )


class PolicyGradient:
    """A policy under training, and its optimizer: all that goes on from round to round."""

    def __init__(self, model: Any, reference: Any | None, settings: PolicyGradientSettings) -> None:
        if settings.kl and reference is None:
            raise ValueError(f"kl is {settings.kl}, but there is no reference to stay close to")
        # Dropout stays off: the ratio must be one of the policies that act.
        self._model = model.eval()
        self._reference = reference if reference is None else reference.eval()
        self._settings = settings
        self._optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=settings.learning_rate,
            # Short runs: the second moment must follow quickly.
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
        )

    def update(self, sequences: Sequence[Sampled], seed: int) -> RoundFigures:
        """Learn from a round's episodes; without any, nothing happens. Raises LossIsNotFinite."""
        rng = random.Random(seed)
        total, seen, steps = torch.zeros(4), 0, 0
        for _ in range(self._settings.epochs):
            order = rng.sample(sequences, len(sequences))
            for at in range(0, len(order), self._settings.batch):
                part = order[at : at + self._settings.batch]
                total += len(part) * self._step(collate(part, self._model.device))
                seen += len(part)
                steps += 1
        loss, clipped, kl_old, kl_reference = (total / seen).tolist()
        return RoundFigures(loss, clipped, kl_old, kl_reference, steps)

    def _step(self, batch: Batch) -> torch.Tensor:
        """One optimizer step; the figures of `RoundFigures` before it, shape (4,)."""
        settings, reference = self._settings, None
        of_tokens = (batch.ids, batch.attention, batch.mask, settings.temperature)
        if self._reference is not None:
            with torch.no_grad():
                reference = token_logprobs(self._reference, *of_tokens)
        logprobs = token_logprobs(self._model, *of_tokens)
        loss = grpo_loss(
            logprobs,
            batch.old_logprobs,
            reference,
            batch.advantages,
            batch.mask,
            settings.clip,
            settings.kl,
        )
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # theirs
        norm = clip_grad_norm_(self._model.parameters(), MAX_NORM)
        if not (loss + norm).isfinite():
            raise LossIsNotFinite(f"the loss is {loss.item()}, the gradient's norm {norm.item()}")
        self._optimizer.step()
        return self._figures(batch, loss, logprobs.detach(), reference)

    def _figures(
        self,
        batch: Batch,
        loss: torch.Tensor,
        logprobs: torch.Tensor,
        reference: torch.Tensor | None,
    ) -> torch.Tensor:
        ratio, clip = (logprobs - batch.old_logprobs).exp(), self._settings.clip
        good = batch.advantages[:, None] > 0
        clipped = torch.where(good, ratio > 1 + clip, ratio < 1 - clip)
        values = [clipped.float(), k3(batch.old_logprobs, logprobs)]
        values.append(logprobs * math.nan if reference is None else k3(logprobs, reference))
        means = [episode_mean(value, batch.mask) for value in values]
        return torch.stack([loss.detach(), *means]).cpu()

    def save(self, path: Path) -> None:
        """Write all that the next round goes on from: one file, there whole or not at all."""
        tensors = {f"weight/{name}": w.detach() for name, w in self._model.named_parameters()}
        for n, entry in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{n}/{key}": value for key, value in entry.items()}
        with atomic(path) as temporary:
            temporary.write_bytes(save({key: t.contiguous() for key, t in tensors.items()}))

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote; BadInput where that is broken, or of another model."""
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise BadInput(f"{path} is not a safetensors file: {error}") from error
        weights = {f"weight/{name}": w for name, w in self._model.named_parameters()}
        held = {key: t.shape for key, t in tensors.items() if key.startswith("weight/")}
        if held != {key: weight.shape for key, weight in weights.items()}:
            raise BadInput(f"{path} holds the state of another model")
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key in tensors.keys() - weights.keys():
            _, n, name = key.split("/")
            state.setdefault(int(n), {})[name] = tensors[key]
        with torch.no_grad():
            for key, weight in weights.items():
                weight.copy_(tensors[key])
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
