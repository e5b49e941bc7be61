"""Training that diverges ends before it spoils a weight: no policy and no checkpoint come of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from transformers import TrainerCallback

from leafe.errors import BadInput


class LossIsNotFinite(BadInput):
    """Training diverged; the weights are not to be used."""

    def __str__(self) -> str:
        return f"{super().__str__()}: no policy comes of it; lower the learning rate"


class StopWhenNotFinite(TrainerCallback):
    """Ends training before a step that would spoil the weights, in every process alike."""

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        """Look at each gradient; the processes have shared them by now."""
        if not all_finite(w.grad for w in model.parameters() if w.grad is not None):
            raise LossIsNotFinite(f"the gradient is not finite at step {state.global_step + 1}")


def all_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether none holds a NaN or an infinity; on a GPU, asked once."""
    return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())
