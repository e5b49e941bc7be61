"""What vLLM's workers learn from us: to take the weights of another folder, all of them.

It runs in vLLM's own environment (`--worker-extension-cls`), where there is no leafe.
"""

from __future__ import annotations

from typing import Any


class GivesWeights:
    """Becomes a base of the worker's class."""

    def give_weights(self: Any, folder: str) -> None:
        """Put the weights of a checkpoint in the place of those that are there.

        `reload_weights` forgets one copy: on the CPU, an output layer that shares the embedding's
        weights has them packed for oneDNN, and goes on with the old ones (vLLM 0.32).
        """
        self.reload_weights(weights_path=folder)
        head = getattr(self.get_model(), "lm_head", None)
        method = getattr(head, "quant_method", None)
        if method is not None:
            method.process_weights_after_loading(head)
