"""The small policy at a large model's cost: its feed-forward layers, padded with zeros.

It says exactly what the small one says, so its episodes stay as they are, but a token takes as much
work as with a model of so many parameters.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from benchmarks.small_policy import SmallPolicy

WIDTH = 32_000
"""Of each layer between its projections: 28 million parameters in three layers."""


def padded(policy: SmallPolicy, width: int = WIDTH) -> SmallPolicy:
    """The same policy with layers of this inner width."""
    from transformers import LlamaForCausalLM

    config = deepcopy(policy.model.config)
    config.intermediate_size = width
    model = LlamaForCausalLM(config)
    large = model.state_dict()
    for name, small in policy.model.state_dict().items():
        large[name].zero_()[tuple(map(slice, small.shape))] = small
    return replace(policy, model=model)
