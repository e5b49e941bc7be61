"""The small policy at a large model's cost: its feed-forward layers, padded with zeros.

It says exactly what the small one says, so its episodes stay as they are, but a token takes as much
work as with a model of so many parameters.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from benchmarks.small_policy import SmallPolicy

WIDTH = 32_000
"""Of each layer between its projections: 28 million parameters in three layers."""
PROJECTIONS = ("gate_proj", "up_proj", "down_proj")


def padded(policy: SmallPolicy, width: int = WIDTH) -> SmallPolicy:
    """The same policy with layers of this inner width."""
    from transformers import LlamaForCausalLM

    config = deepcopy(policy.model.config)
    config.intermediate_size = width
    model = LlamaForCausalLM(config)
    state = model.state_dict()
    for name, small in policy.model.state_dict().items():
        state[name].copy_(_with_zeros(small, state[name].shape) if _is_padded(name) else small)
    return replace(policy, model=model)


def _is_padded(name: str) -> bool:
    return any(projection in name for projection in PROJECTIONS)


def _with_zeros(weights: Any, shape: Any) -> Any:
    """Zeros after the last row or column: what is there adds nothing to the output."""
    whole = weights.new_zeros(shape)
    whole[: weights.shape[0], : weights.shape[1]] = weights
    return whole
