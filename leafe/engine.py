"""The engine port: token ids in, token ids out.

Episodes are coroutines that await `generate`; an engine batches whatever is waiting. An engine
knows nothing of environments, episodes or text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Sampling:
    """How to draw one completion."""

    temperature: float
    """0 means greedy."""
    max_tokens: int
    """Tokens to draw at most, the stop token included."""
    seed: int
    """Seed of this request's own generator: its draws do not depend on its batch mates."""
    stop_ids: tuple[int, ...]
    """Drawing ends with any of these; it is part of the completion."""


Finish = Literal["stop", "length"]
"""Why drawing ended: a stop token, or the token limit."""


@dataclass(frozen=True)
class Completion:
    """What was drawn."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Log-probability of each drawn token at the sampling temperature (nats)."""
    finish: Finish


class EngineError(RuntimeError):
    """The engine failed, through no fault of the request; the episode ends as `engine_error`."""


class PromptTooLong(ValueError):
    """The prompt and its completion do not fit the model's context."""


class Engine(Protocol):
    """Draws completions from one policy."""

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """Draw one completion; raises PromptTooLong or EngineError."""
        ...

    async def close(self) -> None:
        """Stop working; requests still waiting fail with EngineError."""
        ...
