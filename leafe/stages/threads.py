"""How many CPU threads torch uses."""

from __future__ import annotations

from leafe.params import Params


def use_threads(params: Params, processes: int = 1) -> None:
    """Let torch use as many as `run.threads` says, in each of so many processes.

    0 leaves it to torch, whose threads several processes share.
    """
    import torch

    if params.run.threads:
        torch.set_num_threads(params.run.threads)
    elif processes > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // processes))
