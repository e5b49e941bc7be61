"""How many CPU threads torch uses."""

from __future__ import annotations

from leafe.params import Params


def use_threads(params: Params) -> None:
    """Let torch use as many as `run.threads` says; 0 leaves it to torch."""
    import torch

    if params.run.threads:
        torch.set_num_threads(params.run.threads)
