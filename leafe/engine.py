"""The engine port: token ids in, token ids out.

Episodes are coroutines that await `generate`; an engine batches whatever is waiting. An engine
knows nothing of environments, episodes or text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from leafe.errors import BadInput


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
    affinity: str = ""
    """Requests of one affinity have much of their prompts in common."""
    pattern: str | None = None
    """Regular expression of the answers wanted; an engine that cannot see to it ignores it."""


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


class EngineLost(BadInput):
    """No answer will come any more: what ends a stage, which goes on from its journal later."""


class PromptTooLong(ValueError):
    """The prompt and its completion do not fit the model's context."""


class Engine(Protocol):
    """Draws completions from one policy."""

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """Draw one completion; raises PromptTooLong, EngineError or EngineLost."""
        ...

    async def close(self) -> None:
        """Stop working; requests still waiting fail with EngineError."""
        ...
