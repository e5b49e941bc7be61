"""`model.generate` on padded batches in lockstep, behind the engine port.

Every episode of a batch waits until all have asked; their prompts are padded on the left, and one
call of `generate` serves them all, as long as the longest answer takes. Nothing else differs from
our engine: the same episodes, prompts, sampling and stop token. It owes no log-probabilities.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from leafe.engine import Completion, EngineError, Finish, PromptTooLong, Sampling


@dataclass
class Asked:
    """A prompt that waits for its batch."""

    prompt: tuple[int, ...]
    sampling: Sampling
    done: asyncio.Future[Completion]


class LockstepEngine:
    """Answers all that wait with one call of `generate`."""

    def __init__(self, model: Any, *, max_length: int) -> None:
        self._model = model.eval()
        self._max_length = max_length
        self._waiting: list[Asked] = []
        self._worker: asyncio.Task[None] | None = None

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """Wait for the others, then for the batch."""
        if len(prompt) + sampling.max_tokens > self._max_length:
            raise PromptTooLong(f"{len(prompt)} prompt tokens are too many")
        loop = asyncio.get_running_loop()
        asked = Asked(tuple(prompt), sampling, loop.create_future())
        self._waiting.append(asked)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await asked.done

    async def close(self) -> None:
        """Nothing is held."""

    async def _work(self) -> None:
        # What was just answered acts and asks again before this goes on.
        while self._waiting:
            await asyncio.sleep(0)
            batch, self._waiting = self._waiting, []
            try:
                drawn = self._draw([asked.prompt for asked in batch], batch[0].sampling)
            except Exception as error:
                for asked in batch:
                    asked.done.set_exception(EngineError(f"{type(error).__name__}: {error}"))
                continue
            for asked, completion in zip(batch, drawn, strict=True):
                asked.done.set_result(completion)
            await asyncio.sleep(0)

    def _draw(self, prompts: list[tuple[int, ...]], sampling: Sampling) -> list[Completion]:
        longest = max(map(len, prompts))
        pads = [longest - len(prompt) for prompt in prompts]
        (stop,) = sampling.stop_ids
        with torch.inference_mode():
            whole = self._model.generate(
                torch.tensor([[stop] * n + list(p) for n, p in zip(pads, prompts, strict=True)]),
                attention_mask=torch.tensor([[0] * n + [1] * (longest - n) for n in pads]),
                generation_config=GenerationConfig(  # type: ignore[no-untyped-call]  # theirs
                    do_sample=True,
                    temperature=sampling.temperature,
                    top_k=0,
                    top_p=1.0,
                    max_new_tokens=sampling.max_tokens,
                    eos_token_id=stop,
                    pad_token_id=stop,
                    use_cache=True,
                ),
            )
        return [completion(row, stop) for row in whole[:, longest:].tolist()]


def completion(row: Sequence[int], stop: int) -> Completion:
    """An answer up to its stop token; what follows is padding."""
    finish: Finish = "stop" if stop in row else "length"
    tokens = tuple(row[: row.index(stop) + 1] if stop in row else row)
    return Completion(tokens, (0.0,) * len(tokens), finish)
