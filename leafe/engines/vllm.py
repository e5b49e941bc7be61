"""The engine of vLLM servers, over their OpenAI-compatible API: token ids in, token ids out.

A request that fails is sent again, with the same seed, after a pause that doubles each time; an
answer is taken only if it is whole. Which replica it goes to follows from its `affinity`, so that
a task's histories are in one cache.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from leafe.engine import (
    Completion,
    EngineError,
    EngineLost,
    Finish,
    PromptTooLong,
    Sampling,
)

SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two tries."""
IDLE_SECONDS = 2.0
"""For which a connection is kept: vLLM closes it after five, at worst as it is used again."""
PLAIN = {
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Nothing but the temperature changes the model's distribution: said with each request, as a server
that others started has the model's folder recommend what is not said (Qwen2.5's: top_k 20)."""
REFUSED = (400, 413, 422)
"""What is said to one request and not to others."""


class Unanswered(Exception):
    """No whole answer came; another try may do better."""


class Away(Unanswered):
    """Nobody listens at a server's place."""


class Kept(Protocol):
    """Somebody's word that the servers are there, or will be again."""

    def trouble(self) -> str | None:
        """Why they are gone for good; None while they are not."""
        ...

    def close(self) -> None:
        """Do without them."""
        ...


class VllmEngine:
    """Draws from one policy on one or more servers that all have it."""

    def __init__(
        self,
        replicas: Sequence[str],
        model: str,
        *,
        max_length: int,
        rows: int,
        timeout: float,
        tries: int,
        structured: bool,
        kept: Kept | None,
    ) -> None:
        """`replicas` are URLs or paths of Unix sockets; without `kept`, nobody restarts them."""
        self._replicas = replicas
        self._model = model
        self._max_length = max_length
        self._places = asyncio.Semaphore(rows)
        self._timeout = aiohttp.ClientTimeout(timeout)
        self._tries = tries
        self._structured = structured
        self._kept = kept
        self._sessions: dict[int, aiohttp.ClientSession] = {}
        self._silent: dict[int, float] = {}
        """Replicas that do not answer, and since when."""

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """Ask for one completion; raises EngineLost where no server answers any more."""
        if len(prompt) + sampling.max_tokens > self._max_length:
            raise PromptTooLong(
                f"{len(prompt)} prompt tokens and {sampling.max_tokens} to draw exceed"
                f" {self._max_length}"
            )
        async with self._places:
            return await self._insist(self._replica(sampling), prompt, sampling)

    async def close(self) -> None:
        """Close the connections, and do without the servers."""
        for session in self._sessions.values():
            await session.close()
        self._sessions = {}
        if self._kept is not None:
            self._kept.close()

    async def _insist(self, replica: int, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """Ask until there is an answer, with growing pauses."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Unanswered),
            stop=stop_after_attempt(self._tries),
            wait=wait_exponential(SHORTEST_PAUSE, max=LONGEST_PAUSE),
            reraise=True,
        )
        try:
            return await retrying(self._ask_when_there, replica, prompt, sampling)
        except Unanswered as failed:
            raise EngineLost(
                f"engine: {self._replicas[replica]} gave no answer in {self._tries} tries"
                f" ({failed}); put that right, and the same command goes on from here"
            ) from failed

    async def _ask_when_there(
        self, replica: int, prompt: Sequence[int], sampling: Sampling
    ) -> Completion:
        """Ask once, waiting for a server that its keeper starts anew: the keeper bounds that."""
        while True:
            try:
                drawn = await self._ask(replica, prompt, sampling)
            except Unanswered as failed:
                self._say_silent(replica, failed)
                if self._kept is None or not isinstance(failed, Away):
                    raise
            else:
                self._say_back(replica)
                return drawn
            await asyncio.sleep(SHORTEST_PAUSE)

    def _say_silent(self, replica: int, why: Unanswered) -> None:
        """Say once, however many requests wait, why a replica is asked again and again."""
        if replica not in self._silent:
            self._silent[replica] = time.monotonic()
            _say(f"{self._replicas[replica]} does not answer ({why}); it is asked again")

    def _say_back(self, replica: int) -> None:
        since = self._silent.pop(replica, None)
        if since is not None:
            took = time.monotonic() - since
            _say(f"{self._replicas[replica]} answers again, after {took:.0f} s")

    def _replica(self, sampling: Sampling) -> int:
        """Always the same for one key."""
        digest = hashlib.sha256(sampling.affinity.encode()).digest()
        return int.from_bytes(digest[:8], "big") % len(self._replicas)

    async def _ask(self, replica: int, prompt: Sequence[int], sampling: Sampling) -> Completion:
        if self._kept is not None and (trouble := self._kept.trouble()):
            raise EngineLost(f"engine: {trouble}")
        asked = self.request(prompt, sampling)
        session, base = self._session(replica)
        try:
            async with session.post(f"{base}/v1/completions", json=asked) as said:
                if said.status in REFUSED:
                    raise EngineError(f"the server refused it: {(await said.text())[:300]}")
                if said.status != 200:
                    raise Unanswered(f"status {said.status}: {(await said.text())[:300]}")
                return read_completion(json.loads(await said.read()), sampling)
        except (aiohttp.ClientConnectorError, FileNotFoundError) as error:
            raise Away(f"{type(error).__name__} {error}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # no JSON is a ValueError
            raise Unanswered(f"{type(error).__name__} {error}".strip()) from error

    def _session(self, replica: int) -> tuple[aiohttp.ClientSession, str]:
        """The connections to a replica, and the URL before its paths."""
        address = self._replicas[replica]
        remote = address.startswith(("http://", "https://"))
        if replica not in self._sessions:
            connector: aiohttp.BaseConnector = (
                aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
                if remote
                else aiohttp.UnixConnector(address, limit=0, keepalive_timeout=IDLE_SECONDS)
            )
            session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
            self._sessions[replica] = session
        return self._sessions[replica], address.rstrip("/") if remote else "http://vllm"

    def request(self, prompt: Sequence[int], sampling: Sampling) -> dict[str, Any]:
        """What is asked of the server."""
        asked: dict[str, Any] = {
            "model": self._model,
            "prompt": list(prompt),
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            **PLAIN,
            "seed": sampling.seed,
            "stop_token_ids": list(sampling.stop_ids),
            "ignore_eos": True,  # drawing ends with our stop tokens, and no others
            "skip_special_tokens": False,
            "logprobs": 0,
            "return_token_ids": True,
        }
        if self._structured and sampling.pattern is not None:
            asked["structured_outputs"] = {"regex": sampling.pattern}
        return asked


def _say(text: str) -> None:
    print(f"engine: {text}", file=sys.stderr, flush=True)


def read_completion(said: Any, sampling: Sampling) -> Completion:
    """A server's answer; raises Unanswered where it is not a whole one to this request."""
    try:
        choice = said["choices"][0]
        token_ids = tuple(int(token) for token in choice["token_ids"])
        logprobs = tuple(float(value) for value in choice["logprobs"]["token_logprobs"])
        reason = choice["finish_reason"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Unanswered(f"an answer of another form: {str(said)[:200]}") from error
    stopped = bool(token_ids) and token_ids[-1] in sampling.stop_ids
    finish: Finish = "stop" if stopped else "length"
    whole = stopped or len(token_ids) == sampling.max_tokens
    if reason != finish or not whole or len(logprobs) != len(token_ids):
        raise Unanswered(f"{len(token_ids)} tokens, {len(logprobs)} logprobs, ended by {reason}")
    return Completion(token_ids, logprobs, finish)
