"""The benchmarks on a vLLM server count what they should; a small stand-in answers, no model."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiohttp import web

from benchmarks import rollout_efficiency, versus_verifiers
from benchmarks.benchmark import CannotRun
from benchmarks.padded import padded
from benchmarks.rollout_efficiency import Recorded, Round, compare, figures
from benchmarks.served import Served, serving
from benchmarks.small_policy import small_policy
from benchmarks.timed import Timed
from benchmarks.versus_verifiers import Pass
from leafe.engine import Completion, Sampling
from leafe.envs.desk import Desk, DeskOptions

ANSWER = "verify()"


class Server:
    """Always answers the same; remembers the bodies of the requests and what else it was told."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = list(tokens)
        self.bodies: list[dict[str, Any]] = []
        self.flights: list[int] = []
        self.open = 0
        self.forgotten: list[int] = []

    async def complete(self, request: web.Request) -> web.Response:
        self.open += 1
        self.bodies.append(await request.json())
        self.flights.append(self.open)
        await asyncio.sleep(0.005)
        self.open -= 1
        logprobs = {"token_logprobs": [-1.0] * len(self.tokens)}
        choice = {"token_ids": self.tokens, "logprobs": logprobs, "finish_reason": "stop"}
        return web.json_response({"choices": [choice]})

    async def forget(self, _: web.Request) -> web.Response:
        self.forgotten.append(len(self.bodies))
        return web.json_response({"success": True})


@contextmanager
def running(server: Server, socket: Path) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_post("/v1/completions", server.complete)
    app.router.add_post("/reset_prefix_cache", server.forget)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.UnixSite(runner, socket).start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.close()


def test_the_raw_pass_sends_what_the_rollouts_sent_as_many_at_a_time_and_counts_the_same_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout_efficiency, "IN_FLIGHT", 4)
    policy = small_policy(quick=True)
    server = Server(policy.chat.encode_action(ANSWER))
    desk = Desk(DeskOptions(train_tasks=6, test_tasks=1))
    with running(server, tmp_path / "s"):
        done = compare(Served(policy, str(tmp_path / "s"), "policy"), desk, desk.tasks("train"))
    half = len(server.bodies) // 2
    sent = [json.dumps(body) for body in server.bodies]
    assert half > 12
    assert sorted(sent[:half]) == sorted(sent[half:])
    assert len(set(sent[:half])) == half  # each with a seed of its own
    assert server.forgotten == [0, half]
    assert max(server.flights[:half]) == max(server.flights[half:]) == 4
    assert len(done.played.made) == 6 * rollout_efficiency.SAMPLES
    assert done.tokens == done.raw_tokens == half * len(server.tokens)
    assert 0 < done.busy_seconds < done.played.seconds
    assert 0 < done.busy_tokens < done.tokens


def test_the_tail_begins_when_requests_are_fewer_than_the_server_takes() -> None:
    class Gate:
        def __init__(self) -> None:
            self.waiting: list[asyncio.Future[None]] = []

        async def generate(self, _: Sequence[int], sampling: Sampling) -> Completion:
            self.waiting.append(asyncio.get_running_loop().create_future())
            await self.waiting[-1]
            return Completion((1, 2, 3), (0.0, 0.0, 0.0), "stop")

        async def close(self) -> None: ...

    async def four() -> Recorded:
        gate = Gate()
        engine = Recorded(gate, rows=2)
        asked = [engine.generate([n], Sampling(1.0, 4, n, (3,))) for n in range(4)]
        tasks = [asyncio.create_task(one) for one in asked]
        await asyncio.sleep(0)
        for future, task in zip(gate.waiting, tasks, strict=True):
            future.set_result(None)
            await task
        return engine

    engine = asyncio.run(four())
    assert [prompt for prompt, _ in engine.asked] == [[0], [1], [2], [3]]
    assert (engine.drawn, engine.drawn_busy, engine.pending) == (12, 9, 0)


def test_the_ratio_is_of_tokens_a_second_and_tokens_that_became_no_action_do_not_count() -> None:
    class Played:
        sampled_tokens = 30

    answer = json.dumps({"choices": [{"token_ids": [1, 2]}]}).encode()
    played: Any = Timed([Played(), Played()], 10.0, 1.0)
    told = figures([Round(played, Timed([answer] * 40, 8.0, 0.4), 6.0, 48)])
    assert (told["ratio"], told["ratio_before_tail"], told["tail_share"]) == (0.6, 0.8, 0.4)


def test_both_sides_are_compared_by_episodes_a_second_and_shown_to_do_the_same() -> None:
    ours = Pass(10.0, 1.0, episodes=200, steps=1000, tokens=3000, errors=0, solved=100)
    theirs = Pass(40.0, 8.0, episodes=200, steps=800, tokens=2480, errors=1, solved=90)
    told = versus_verifiers.figures([(ours, theirs)])
    assert told["ratio"] == 4.0
    assert told["cpu_ratio"] == 10.0  # by step
    assert (told["steps_per_episode"], told["verifiers_steps_per_episode"]) == (5.0, 4.0)
    assert (told["tokens_per_step"], told["verifiers_tokens_per_step"]) == (3.0, 3.1)
    assert (told["errors"], told["verifiers_errors"]) == (0, 1)


def test_without_vllm_or_verifiers_their_benchmarks_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = (Path(__file__).parents[1] / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(re.sub(r"(\n  python: ).*", r"\1nowhere/python", params))
    monkeypatch.setattr("benchmarks.served.ROOT", tmp_path)
    with (
        pytest.raises(CannotRun, match="nowhere/python"),
        serving(small_policy(quick=True)),
    ):
        pass
    monkeypatch.setattr(versus_verifiers, "VENV", tmp_path / "venv")
    monkeypatch.setattr(versus_verifiers.sys, "executable", "/bin/false")
    with pytest.raises(CannotRun, match="verifiers cannot be installed"):
        versus_verifiers.python_of_verifiers()


def test_a_padded_policy_says_what_the_small_one_says() -> None:
    import torch

    policy = small_policy(quick=True)
    large = padded(policy, width=500)
    prompt = torch.tensor([policy.chat.encode_action(ANSWER)])
    assert large.model.num_parameters() > 2 * policy.model.num_parameters()
    with torch.inference_mode():
        assert torch.allclose(large.model(prompt).logits, policy.model(prompt).logits, atol=1e-6)
