"""The in-process engine: continuous batching of whatever waits, on any transformers causal model.

Requests take a row of one key-value store as soon as one is free, are prefilled together, and
then all rows draw a token per forward pass; a finished row is given away at once, so nobody waits
for the longest. Each request draws from its own generator. Works on the CPU and on a GPU.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from leafe.engine import Completion, EngineError, Finish, PromptTooLong, Sampling
from leafe.engines.rows import RowCache

PREFILL = (2**11, 2**16)
"""Tokens, padding included, that one forward pass over prompts has at most: on a CPU, whose caches
more would leave, and on a GPU."""


@dataclass
class Request:
    """A prompt on its way to a completion."""

    prompt: tuple[int, ...]
    sampling: Sampling
    done: asyncio.Future[Completion]
    draws: np.ndarray
    """One uniform number per token that may be drawn, from the request's own generator."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def add(self, token: int, logprob: float) -> bool:
        """Take a drawn token; true once the completion is whole, or nobody waits for it."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        whole = token in self.sampling.stop_ids or len(self.tokens) == self.sampling.max_tokens
        return whole or self.done.done()

    def finish(self) -> None:
        """Hand the completion to whoever awaits it."""
        if not self.done.done():
            stopped = self.tokens[-1] in self.sampling.stop_ids
            finish: Finish = "stop" if stopped else "length"
            self.done.set_result(Completion(tuple(self.tokens), tuple(self.logprobs), finish))


class TransformersEngine:
    """Draws from one model; rows [0, active) of the cache are the requests under way."""

    def __init__(self, model: Any, *, rows: int, max_length: int) -> None:
        self._model = model.eval()
        self._max_length = min(max_length, model.config.max_position_embeddings)
        self._rows = rows
        self._cache = RowCache(rows, self._max_length, model)
        self._waiting: list[Request] = []
        self._active: list[Request] = []
        self._lengths = torch.zeros(rows, dtype=torch.long, device=model.device)
        self._last = torch.zeros(rows, dtype=torch.long, device=model.device)
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """Queue a request and wait for its completion."""
        if len(prompt) + sampling.max_tokens > self._max_length:
            raise PromptTooLong(
                f"{len(prompt)} prompt tokens and {sampling.max_tokens} to draw exceed"
                f" {self._max_length}"
            )
        if self._closed:
            raise EngineError("the engine was closed")
        loop = asyncio.get_running_loop()
        draws = np.random.default_rng(sampling.seed).random(sampling.max_tokens)
        request = Request(tuple(prompt), sampling, loop.create_future(), draws)
        self._waiting.append(request)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await request.done

    async def close(self) -> None:
        """Stop; whoever still waits gets an EngineError."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
        self._fail(EngineError("the engine was closed"))

    async def _work(self) -> None:
        try:
            while self._waiting or self._active:
                # Let every episode that just got its action ask for its next one first.
                await asyncio.sleep(0)
                with torch.inference_mode():
                    self._admit()
                    self._decode()
        except Exception as error:
            self._fail(EngineError(f"{type(error).__name__}: {error}"))

    def _fail(self, error: EngineError) -> None:
        for request in (*self._waiting, *self._active):
            if not request.done.done():
                request.done.set_exception(error)
        self._waiting, self._active = [], []

    def _admit(self) -> None:
        """Prefill waiting requests into free rows; equal prompts are computed once."""
        self._waiting = [request for request in self._waiting if not request.done.done()]
        batch = self._waiting[: self._rows - len(self._active)]
        if not batch:
            return
        first = len(self._active)
        owner: dict[tuple[int, ...], int] = {}
        for row, request in enumerate(batch, first):
            owner.setdefault(request.prompt, row)
        logits = self._prefill(list(owner), torch.tensor(list(owner.values())))
        of_prompt = {prompt: n for n, prompt in enumerate(owner)}
        for row, request in enumerate(batch, first):
            if owner[request.prompt] != row:
                self._cache.copy_row(owner[request.prompt], row, len(request.prompt))
        # Not before the model has done its part: where it fails, they still wait and are told.
        self._active += batch
        del self._waiting[: len(batch)]
        self._lengths[first : len(self._active)] = torch.tensor([len(r.prompt) for r in batch])
        self._draw(first, logits[[of_prompt[request.prompt] for request in batch]])

    def _prefill(self, prompts: list[tuple[int, ...]], rows: torch.Tensor) -> torch.Tensor:
        """Logits after each prompt, shape (prompts, vocabulary)."""
        most = PREFILL[self._lengths.device.type != "cpu"]
        groups = list(alike([len(prompt) for prompt in prompts], most))
        parts = [self._read([prompts[n] for n in group], rows[group]) for group in groups]
        order = torch.tensor([n for group in groups for n in group], device=parts[0].device)
        return torch.cat(parts)[order.argsort()]

    def _read(self, prompts: list[tuple[int, ...]], rows: torch.Tensor) -> torch.Tensor:
        """Logits after each of some prompts of like length, in one forward pass."""
        device = self._lengths.device
        longest = max(map(len, prompts))
        ids = torch.tensor([[*p, *[0] * (longest - len(p))] for p in prompts], device=device)
        causal = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
        self._cache.start_prefill(rows.to(device), longest)
        hidden = self._model.get_decoder()(
            input_ids=ids,
            attention_mask=causal[None, None].expand(len(prompts), 1, -1, -1),
            position_ids=torch.arange(longest, device=device).expand(len(prompts), -1),
            past_key_values=self._cache,
        ).last_hidden_state
        last = torch.tensor([len(p) - 1 for p in prompts], device=device)
        logits: torch.Tensor = self._model.lm_head(
            hidden[torch.arange(len(prompts), device=device), last]
        )
        return logits

    def _decode(self) -> None:
        """One token for every active row."""
        n = len(self._active)
        if not n:
            return
        lengths = self._lengths[:n]
        self._cache.start_decode(lengths)
        span = int(lengths.max()) + 1
        seen = torch.arange(span, device=lengths.device)[None] <= lengths[:, None]
        hidden = self._model.get_decoder()(
            input_ids=self._last[:n, None],
            attention_mask=seen[:, None, None],
            position_ids=lengths[:, None],
            past_key_values=self._cache,
        ).last_hidden_state
        self._lengths[:n] += 1
        self._draw(0, self._model.lm_head(hidden[:, 0]))

    def _draw(self, first: int, logits: torch.Tensor) -> None:
        """Draw a token for the rows from `first` on; finished rows leave."""
        requests = self._active[first:]
        tokens, logprobs = draw(
            logits.float(),
            [request.sampling.temperature for request in requests],
            [request.draws[len(request.tokens)] for request in requests],
        )
        self._last[first : first + len(requests)] = tokens
        drawn = zip(requests, tokens.tolist(), logprobs.tolist(), strict=True)
        finished = [first + n for n, (r, token, lp) in enumerate(drawn) if r.add(token, lp)]
        for row in reversed(finished):
            self._release(row)

    def _release(self, row: int) -> None:
        self._active[row].finish()
        last = len(self._active) - 1
        if row != last:
            self._cache.copy_row(last, row, int(self._lengths[last]) + 1)
            self._lengths[row], self._last[row] = self._lengths[last], self._last[last]
            self._active[row] = self._active[last]
        self._active.pop()


def alike(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Numbers of the prompts in groups of like length, each of `most` padded tokens at most.

    >>> list(alike([5, 1, 4, 2], most=8))
    [[1, 3], [2], [0]]
    """
    group: list[int] = []
    for n in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[n] > most:
            yield group
            group = []
        group.append(n)
    yield group


def draw(
    logits: torch.Tensor, temperatures: list[float], uniforms: list[float]
) -> tuple[torch.Tensor, torch.Tensor]:
    """A token per row by inverting its distribution at a uniform number, and its log-probability.

    Logits are (rows, vocabulary). Temperature 0 takes the most likely token; its log-probability
    is then that at temperature 1.
    """
    warm = torch.tensor(temperatures, device=logits.device)
    logprobs = (logits / torch.where(warm > 0, warm, 1.0)[:, None]).log_softmax(-1)
    mass = logprobs.double().exp().cumsum(-1)
    at = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)[:, None] * mass[:, -1:]
    drawn = torch.searchsorted(mass, at, right=True).clamp(max=logits.shape[-1] - 1)[:, 0]
    tokens = torch.where(warm > 0, drawn, logits.argmax(-1))
    return tokens, logprobs.gather(-1, tokens[:, None])[:, 0]
