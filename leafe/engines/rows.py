"""The key-value store of the engine `transformers`: a row for each request under way."""

from __future__ import annotations

from typing import Any

import torch
from transformers import Cache


class RowCache(Cache):
    """Keys and values of all rows in one tensor; the model reads and writes it through `update`."""

    def __init__(self, rows: int, length: int, model: Any) -> None:
        super().__init__(layers=[])
        config = model.config
        head = getattr(config, "head_dim", None) or (
            config.hidden_size // config.num_attention_heads
        )
        shape = (config.num_hidden_layers, 2, rows, config.num_key_value_heads, length, head)
        self.store = torch.zeros(shape, dtype=model.dtype, device=model.device)
        self._rows = torch.arange(rows, device=model.device)
        self._prefill = True
        self._at = self._rows
        self._span = 0

    def start_prefill(self, rows: torch.Tensor, length: int) -> None:
        """The next forward pass writes `length` tokens into each of `rows`."""
        self._prefill, self._at, self._span = True, rows, length

    def start_decode(self, lengths: torch.Tensor) -> None:
        """The next forward pass appends one token to each of the first rows."""
        self._prefill, self._at, self._span = False, lengths, int(lengths.max()) + 1

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store the new keys and values (rows, heads, new, head); returns all there are."""
        layer = self.store[layer_idx]
        if self._prefill:
            layer[0, self._at, :, : self._span] = key_states
            layer[1, self._at, :, : self._span] = value_states
            return key_states, value_states
        rows = self._rows[: len(self._at)]
        layer[0, rows, :, self._at] = key_states[:, :, 0]
        layer[1, rows, :, self._at] = value_states[:, :, 0]
        return layer[0, : len(rows), :, : self._span], layer[1, : len(rows), :, : self._span]

    def copy_row(self, source: int, target: int, length: int) -> None:
        """Give one row the first `length` tokens of another."""
        self.store[:, :, target, :, :length] = self.store[:, :, source, :, :length]
