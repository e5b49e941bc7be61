"""The client of vLLM's servers: what it asks, what it takes for an answer, and how it insists.

Only the model is faked: the server is one, in this process.
"""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from leafe.engine import Completion, EngineError, EngineLost, PromptTooLong, Sampling
from leafe.engines import vllm
from leafe.engines.vllm import VllmEngine

STOP = 9
SAMPLING = Sampling(0.7, 5, seed=2**63 - 1, stop_ids=(STOP, 8), affinity="task")
Behave = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(vllm, "LONGEST_PAUSE", 0.02)


def answer(
    token_ids: Sequence[Any] = (1, 2, STOP), reason: str = "stop", logprobs: Any = None
) -> dict[str, Any]:
    """As vLLM writes it."""
    values = [-0.5] * len(token_ids) if logprobs is None else logprobs
    choice = {
        "token_ids": list(token_ids),
        "logprobs": {"token_logprobs": values},
        "finish_reason": reason,
    }
    return {"choices": [choice]}


@dataclass
class Server:
    """Says its lines one after the other, and the last of them for ever; remembers the asked."""

    lines: Sequence[Any]
    """Answers, statuses, or functions of the request."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    async def complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        line = self.lines[min(len(self.asked), len(self.lines) - 1)]
        self.asked.append(asked)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.01)
            if callable(line):
                said: web.StreamResponse = await line(request, asked)
                return said
            if isinstance(line, int):
                return web.Response(status=line, text="the reason")
            return web.json_response(line)
        finally:
            self.under_way -= 1

    async def listen(self, stack: AsyncExitStack, path: Path) -> None:
        app = web.Application()
        app.router.add_post("/v1/completions", self.complete)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.UnixSite(runner, str(path)).start()


@dataclass
class Word:
    """Given for servers that somebody keeps."""

    lost: str | None = None
    closed: bool = False

    def trouble(self) -> str | None:
        return self.lost

    def close(self) -> None:
        self.closed = True


SETTINGS: dict[str, Any] = {
    "max_length": 100,
    "rows": 8,
    "timeout": 5.0,
    "tries": 3,
    "structured": True,
    "kept": None,
}


def talk(
    folder: Path,
    servers: Sequence[Server],
    work: Callable[[VllmEngine], Awaitable[Any]],
    **options: Any,
) -> Any:
    """Have an engine work with servers."""
    sockets = [str(folder / f"{n}.sock") for n in range(len(servers))]

    async def run() -> Any:
        engine = VllmEngine(sockets, "policy", **SETTINGS | options)
        async with AsyncExitStack() as stack:
            for server, path in zip(servers, sockets, strict=True):
                await server.listen(stack, Path(path))
            try:
                return await work(engine)
            finally:
                await engine.close()

    return asyncio.run(run())


def draw(
    folder: Path, *lines: Any, sampling: Sampling = SAMPLING, **options: Any
) -> tuple[Completion, list[dict[str, Any]]]:
    """One completion from a server that says these lines, and what it was asked."""
    server = Server(lines)
    drawn = talk(folder, [server], lambda engine: engine.generate([4, 5], sampling), **options)
    return drawn, server.asked


def test_the_request_says_all_that_the_drawing_hangs_on(tmp_path: Path) -> None:
    drawn, (asked,) = draw(tmp_path, answer())
    assert asked == {
        "model": "policy",
        "prompt": [4, 5],
        "max_tokens": 5,
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": 2**63 - 1,
        "stop_token_ids": [STOP, 8],
        "ignore_eos": True,
        "skip_special_tokens": False,
        "logprobs": 0,
        "return_token_ids": True,
    }
    assert drawn == Completion((1, 2, STOP), (-0.5, -0.5, -0.5), "stop")


@pytest.mark.parametrize("structured", [True, False])
def test_the_form_of_an_answer_is_asked_for_where_the_server_sees_to_it(
    tmp_path: Path, structured: bool
) -> None:
    wanted = Sampling(1.0, 5, 0, (STOP,), pattern="a+")
    _, (asked,) = draw(tmp_path, answer(), sampling=wanted, structured=structured)
    assert asked.get("structured_outputs") == ({"regex": "a+"} if structured else None)


async def hang(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError("nobody waits so long")


async def hang_up(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def break_off(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    assert request.transport is not None
    said = web.StreamResponse(headers={"Content-Type": "application/json"})
    said.content_length = 1000
    await said.prepare(request)
    await said.write(b'{"choices": [')
    request.transport.abort()
    return said


async def torn(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text='{"choices": [{"token_', content_type="application/json")


async def no_text(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    return web.Response(body=b"\xff\xfe", content_type="application/json", status=502)


BAD = {
    "a logprob too few": answer(logprobs=[-0.5, -0.5]),
    "a logprob is null": answer(logprobs=[-0.5, None, -0.5]),
    "no logprobs": answer() | {"choices": [{"token_ids": [1, STOP], "finish_reason": "stop"}]},
    "cut off without a reason": answer((1, 2), "length"),
    "stopped by another token": answer((1, 2), "stop"),
    "a reason of its own": answer((1, 2), "abort"),
    "a reason that is not so": answer((1, 2, STOP), "length"),
    "too many tokens": answer((1, 2, 3, 4, 5, 6), "length"),
    "words for tokens": answer(("one", STOP)),
    "no choice": {"choices": []},
    "another form": {"text": "hello"},
    "no mapping": [1],
    "torn JSON": torn,
    "no text": no_text,
    "500": 500,
    "503": 503,
    "404": 404,
    "hangs up": hang_up,
    "breaks off": break_off,
    "hangs": hang,
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_what_is_no_whole_answer_is_asked_for_again_with_the_same_seed(
    tmp_path: Path, bad: Any
) -> None:
    drawn, asked = draw(tmp_path, bad, bad, answer((3, STOP)), timeout=0.3 if bad is hang else 5.0)
    assert drawn.token_ids == (3, STOP)
    assert len(asked) == 3
    assert asked[0] == asked[1] == asked[2]


NO_ANSWERS = {"500": 500, "cut off": answer((1, 2), "length"), "hung up": hang_up}


@pytest.mark.parametrize("bad", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_after_so_many_tries_the_engine_is_lost_and_nothing_is_made_up(
    tmp_path: Path, bad: Any
) -> None:
    server = Server([bad])
    with pytest.raises(EngineLost, match=r"0\.sock gave no answer in 3 tries \("):
        talk(tmp_path, [server], lambda engine: engine.generate([4], SAMPLING))
    assert len(server.asked) == 3


def test_a_request_that_is_refused_fails_alone(tmp_path: Path) -> None:
    async def picky(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        if asked["prompt"] == [4]:
            return web.Response(status=400, text="no such token")
        return web.json_response(answer())

    async def two(engine: VllmEngine) -> Any:
        both = (engine.generate([n], SAMPLING) for n in (4, 5))
        return await asyncio.gather(*both, return_exceptions=True)

    server = Server([picky])
    refused, drawn = talk(tmp_path, [server], two)
    assert isinstance(refused, EngineError)
    assert "no such token" in str(refused)
    assert isinstance(drawn, Completion)
    assert len(server.asked) == 2


def test_what_does_not_fit_the_context_is_not_even_sent(tmp_path: Path) -> None:
    server = Server([answer()])
    with pytest.raises(PromptTooLong, match="96 prompt tokens and 5 to draw exceed 100"):
        talk(tmp_path, [server], lambda engine: engine.generate([1] * 96, SAMPLING))
    talk(tmp_path, [server], lambda engine: engine.generate([1] * 95, SAMPLING))
    assert len(server.asked) == 1


def test_a_completion_may_end_with_its_limit_or_with_a_stop_token_in_the_last_place(
    tmp_path: Path,
) -> None:
    assert draw(tmp_path, answer((1, 2, 3, 4, 5), "length"))[0].finish == "length"
    assert draw(tmp_path, answer((1, 2, 3, 4, STOP)))[0].finish == "stop"


def test_a_tasks_requests_go_to_one_server_and_tasks_to_all(tmp_path: Path) -> None:
    keys = [f"task {n}" for n in range(30)]

    async def all_of_them(engine: VllmEngine) -> None:
        for n in range(3):
            drawing = (
                engine.generate([int(key.split()[1]) + 1], Sampling(1.0, 5, n, (STOP,), key))
                for key in keys
            )
            await asyncio.gather(*drawing)

    servers = [Server([answer()]) for _ in range(3)]
    talk(tmp_path, servers, all_of_them)
    went = [{asked["prompt"][0] for asked in server.asked} for server in servers]
    assert sum(map(len, went)) == len(keys)
    assert min(map(len, went)) >= 3


def test_no_more_requests_are_under_way_than_rows(tmp_path: Path) -> None:
    server = Server([answer()])

    async def many(engine: VllmEngine) -> Any:
        return await asyncio.gather(*(engine.generate([n], SAMPLING) for n in range(1, 21)))

    assert len(talk(tmp_path, [server], many, rows=4)) == 20
    assert server.most == 4


def test_a_server_that_is_started_anew_is_waited_for_longer_than_any_tries(tmp_path: Path) -> None:
    async def run() -> tuple[Completion, Word]:
        word = Word()
        engine = VllmEngine(
            [str(tmp_path / "late.sock")], "policy", **SETTINGS | {"tries": 2, "kept": word}
        )
        waiting = asyncio.create_task(engine.generate([4], SAMPLING))
        await asyncio.sleep(0.3)  # pauses of a hundredth: many more than two tries
        async with AsyncExitStack() as stack:
            await Server([answer()]).listen(stack, tmp_path / "late.sock")
            drawn = await waiting
            await engine.close()
        return drawn, word

    drawn, word = asyncio.run(run())
    assert drawn.finish == "stop"
    assert word.closed


def test_that_a_server_is_away_and_that_it_is_back_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def many(engine: VllmEngine) -> Any:
        return await asyncio.gather(*(engine.generate([n], SAMPLING) for n in range(8)))

    talk(tmp_path, [Server([*[500] * 8, answer()])], many)
    silent, back = capsys.readouterr().err.splitlines()
    assert silent == (
        f"engine: {tmp_path}/0.sock does not answer (status 500: the reason); it is asked again"
    )
    assert back == f"engine: {tmp_path}/0.sock answers again, after 0 s"


def test_a_server_that_nobody_keeps_is_lost_when_nobody_listens(tmp_path: Path) -> None:
    async def run(replica: str) -> None:
        engine = VllmEngine([replica], "policy", **SETTINGS | {"tries": 2, "kept": None})
        try:
            await engine.generate([4], SAMPLING)
        finally:
            await engine.close()

    for replica in (str(tmp_path / "none.sock"), "http://127.0.0.1:1"):
        with pytest.raises(EngineLost, match="gave no answer in 2 tries"):
            asyncio.run(run(replica))


def test_where_the_servers_are_gone_for_good_their_keepers_word_ends_it(tmp_path: Path) -> None:
    server = Server([500])
    with pytest.raises(EngineLost, match="engine: vLLM died too often"):
        talk(
            tmp_path,
            [server],
            lambda engine: engine.generate([4], SAMPLING),
            kept=Word("vLLM died too often"),
        )
    assert server.asked == []


def test_closing_leaves_no_connection_open(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        draw(tmp_path, answer())
        gc.collect()
    assert [w for w in caught if issubclass(w.category, ResourceWarning)] == []
