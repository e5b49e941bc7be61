"""What a policy's training starts from: all of its weights, or an adapter on the base policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from leafe.errors import BadInput
from leafe.training import adapter
from leafe.training.checkpoint import check_policy, load_model, load_plain, policy_version
from leafe.training_sections import Lora


def load_for_training(folder: Path, lora: Lora | None, base: Path, seed: int) -> Any:
    """The policy, to be trained: all of its weights, or an adapter on the base policy's.

    BadInput where a policy to go on from is neither the base nor an adapter of that kind on it.
    """
    if lora is None:
        return load_model(folder)
    check_policy(folder)
    continued = adapter.is_adapter(folder)
    if not continued and policy_version(folder) != policy_version(base):
        raise BadInput(
            f"{folder} has weights of its own, but sft.lora trains an adapter on {base}; set"
            " sft.lora for every iteration, or for none"
        )
    torch.manual_seed(seed)  # which the first weights of an adapter are drawn from
    version = policy_version(base)
    model = adapter.start(load_plain(base, frozen=True), lora, base)
    if continued and not lora.fresh:
        before, now = adapter.read_config(folder), adapter.config_of(model, version)
        if not before.fits(now):
            raise BadInput(
                f"{folder / adapter.CONFIG} is of another kind than sft.lora (rank, alpha or"
                " targets), so it cannot be trained on; set sft.lora.fresh: true"
            )
        adapter.load_weights(model, folder)
    return model
