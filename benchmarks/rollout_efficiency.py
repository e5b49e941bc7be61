"""How near rollouts come to what their vLLM server can do at all.

Root episodes at the desk, as the stage `rollout` plays them, are recorded request by request. Then
the same requests go to the same server, as many in flight, from a bare client that has them ready
as bytes, waits for no world and reads no answer before the clock has stopped.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import aiohttp

from benchmarks.benchmark import Figures
from benchmarks.padded import padded
from benchmarks.served import Served, serving
from benchmarks.small_policy import SmallPolicy, small_policy
from benchmarks.timed import Timed, timed
from leafe.engine import Completion, Engine, Sampling
from leafe.envs.desk import Desk, DeskOptions
from leafe.episode import Episode
from leafe.rollout import Budget, roots
from leafe.task import Task

COMPARED = (
    "useful sampled tokens a second in rollouts / of the same requests sent to the same vLLM server"
    " without environments, at the cost of 28 million parameters; `small`: of the small model"
)
TARGET = "at least 0.85"
TASKS, SAMPLES, IN_FLIGHT, ROUNDS = 400, 2, 64, 5
LARGE_TASKS = 200


@dataclass
class Recorded:
    """An engine that notes what it is asked, in order, and when requests become too few for it."""

    engine: Engine
    rows: int
    """Requests that it has in flight when there are enough."""
    asked: list[tuple[Sequence[int], Sampling]] = field(default_factory=list)
    pending: int = 0
    """Asked and not yet answered."""
    drawn: int = 0
    """Tokens."""
    busy_until: float = 0.0
    """When `pending` fell below `rows` for the last time: what follows is the tail."""
    drawn_busy: int = 0
    """Tokens up to then."""

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """Note it and pass it on."""
        self.asked.append((prompt, sampling))
        self.pending += 1
        drawn = await self.engine.generate(prompt, sampling)
        self.drawn += len(drawn.token_ids)
        if self.pending == self.rows:
            self.busy_until, self.drawn_busy = time.perf_counter(), self.drawn
        self.pending -= 1
        return drawn

    async def close(self) -> None:
        """Close what is behind it."""
        await self.engine.close()


@dataclass(frozen=True)
class Round:
    """The same requests with environments and without."""

    played: Timed[Sequence[Episode]]
    raw: Timed[Sequence[bytes]]
    """The server's answers."""
    busy_seconds: float
    """Of the rollouts, before their tail."""
    busy_tokens: int
    """Drawn in these."""

    @property
    def tokens(self) -> int:
        """Those that became actions; others are of no use."""
        return sum(episode.sampled_tokens for episode in self.played.made)

    @property
    def raw_tokens(self) -> int:
        """KeyError where an answer is a refusal."""
        return sum(len(json.loads(a)["choices"][0]["token_ids"]) for a in self.raw.made)


def measure(quick: bool) -> Figures:
    """With the small policy as it is (`small`), and at a large model's cost."""
    small = small_policy(quick)
    return of_policy(padded(small), LARGE_TASKS, quick) | {"small": of_policy(small, TASKS, quick)}


def of_policy(policy: SmallPolicy, tasks: int, quick: bool) -> dict[str, Any]:
    """Medians over the rounds, rollouts and raw requests in turns; a small round warms both up."""
    desk = Desk(DeskOptions(train_tasks=tasks, test_tasks=1))
    tickets = desk.tasks("train")[: 3 if quick else tasks]
    with serving(policy) as server:
        compare(server, desk, tickets[:IN_FLIGHT])
        rounds = [compare(server, desk, tickets) for _ in range(1 if quick else ROUNDS)]
    settings = {"tasks": len(tickets), "samples": SAMPLES, "in_flight": IN_FLIGHT}
    return figures(rounds) | settings | {"parameters": policy.model.num_parameters()}


def figures(rounds: Sequence[Round]) -> dict[str, Any]:
    """Of all rounds; `ratio_before_tail` is of the time when there are requests enough."""
    raw = [r.raw_tokens / r.raw.seconds for r in rounds]
    played = [r.tokens / r.played.seconds for r in rounds]
    busy = [r.busy_tokens / max(r.busy_seconds, 1e-9) for r in rounds]
    ratios = [a / b for a, b in zip(played, raw, strict=True)]
    requests = len(rounds[0].raw.made)
    return {
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "ratio_of_best": round(max(played) / max(raw), 3),
        "ratio_before_tail": round(median(a / b for a, b in zip(busy, raw, strict=True)), 3),
        "tail_share": round(median(1 - r.busy_seconds / r.played.seconds for r in rounds), 3),
        "tokens_per_second": round(median(played)),
        "raw_tokens_per_second": round(median(raw)),
        "milliseconds_of_cpu_per_request": round(
            1000 * median(r.played.cpu_seconds for r in rounds) / requests, 2
        ),
        "raw_milliseconds_of_cpu_per_request": round(
            1000 * median(r.raw.cpu_seconds for r in rounds) / requests, 2
        ),
        "requests": requests,
        "tokens": rounds[0].tokens,
        "raw_tokens": rounds[0].raw_tokens,
    }


def compare(server: Served, desk: Desk, tasks: Sequence[Task]) -> Round:
    """Rollouts, and then their requests; each begins with an empty cache."""
    engine = Recorded(server.engine(IN_FLIGHT), IN_FLIGHT)
    asyncio.run(server.forget())
    began = time.perf_counter()
    played = timed(play(server, engine, desk, tasks, SAMPLES))
    bodies = as_sent(server, engine.asked)
    asyncio.run(server.forget())
    raw = timed(send(server, bodies))
    return Round(played, raw, max(engine.busy_until - began, 0), engine.drawn_busy)


async def play(
    server: Served, engine: Engine, desk: Desk, tasks: Sequence[Task], samples: int
) -> Sequence[Episode]:
    """The stage `rollout`'s work: all tasks side by side."""
    agent = server.policy.agent(desk, engine)
    steps = samples * desk.max_steps
    try:
        made = await asyncio.gather(
            *(roots(agent, task, samples, Budget(samples, steps)) for task in tasks)
        )
    finally:
        await engine.close()
    return [episode for episodes in made for episode in episodes]


def as_sent(server: Served, asked: Sequence[tuple[Sequence[int], Sampling]]) -> list[bytes]:
    """The bodies of our engine's requests."""
    engine = server.engine(rows=1)
    return [json.dumps(engine.request(prompt, sampling)).encode() for prompt, sampling in asked]


async def send(server: Served, bodies: Sequence[bytes]) -> Sequence[bytes]:
    """The answers to requests, so many of them in flight."""
    waiting, answers = iter(bodies), list[bytes]()
    headers = {"Content-Type": "application/json"}

    async def seat(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with session.post("/v1/completions", data=body, headers=headers) as said:
                answers.append(await said.read())

    async with server.session() as session:
        await asyncio.gather(*(seat(session) for _ in range(IN_FLIGHT)))
    return answers
