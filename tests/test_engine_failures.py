"""The in-process engine when things go wrong: nobody waits for ever, nobody else is hurt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import torch
from test_transformers_engine import CONTEXT, NEVER, prompts, together

from leafe.engine import Completion, EngineError, Sampling
from leafe.engines.transformers import TransformersEngine
from leafe.training.checkpoint import load_model


@pytest.fixture(scope="module")
def model(policy_dir: Path) -> Any:
    """The tiny policy."""
    # Threads that wait for one another are slower than one, on a model as small as this.
    torch.set_num_threads(1)
    return load_model(policy_dir)


@pytest.fixture
def engine(model: Any) -> TransformersEngine:
    """Room for three requests at a time."""
    return TransformersEngine(model, rows=3, max_length=CONTEXT)


def asked_and_then(
    engine: TransformersEngine,
    model: Any,
    then: Callable[[list[asyncio.Task[Completion]]], Coroutine[Any, Any, None]],
    requests: int = 10,
) -> list[Completion | BaseException]:
    """Ask for much, do something after a few tokens, and wait for what comes of it."""

    async def run() -> list[Completion | BaseException]:
        waiting = [
            asyncio.create_task(engine.generate(p, Sampling(1.0, 20, n, NEVER)))
            for n, p in enumerate(prompts(model, requests))
        ]
        for _ in range(5):
            await asyncio.sleep(0)
        await then(waiting)
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)

    return asyncio.run(run())


def test_closing_fails_whoever_waits_and_whoever_comes_later(
    model: Any, engine: TransformersEngine
) -> None:
    late: list[BaseException] = []

    async def close(_: object) -> None:
        await engine.close()
        try:
            await asyncio.wait_for(engine.generate([5], Sampling(0.0, 2, 0, NEVER)), 10)
        except EngineError as error:
            late.append(error)

    results = asked_and_then(engine, model, close)
    assert len(results) == 10
    assert all(isinstance(r, EngineError) and "closed" in str(r) for r in results)
    assert len(late) == 1


def test_a_cancelled_request_does_not_disturb_the_others(
    model: Any, engine: TransformersEngine
) -> None:
    async def leave(_: object) -> None:
        """Nothing happens."""

    async def cancel(waiting: list[asyncio.Task[Completion]]) -> None:
        # One that is being drawn, one that waits for a row.
        waiting[1].cancel()
        waiting[8].cancel()

    whole = asked_and_then(engine, model, leave)
    results = asked_and_then(engine, model, cancel)
    for n, (result, undisturbed) in enumerate(zip(results, whole, strict=True)):
        if n in (1, 8):
            assert isinstance(result, asyncio.CancelledError)
        else:
            assert isinstance(result, Completion)
            assert isinstance(undisturbed, Completion)
            assert result.token_ids == undisturbed.token_ids


@pytest.mark.parametrize("call", [1, 2, 5])
def test_a_failing_model_fails_every_request_and_the_engine_can_go_on(
    model: Any, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    decoder, calls = model.get_decoder(), []

    def failing(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) >= call:
            raise RuntimeError("out of memory")
        return decoder(*args, **kwargs)

    async def nothing(_: object) -> None:
        """Wait."""

    with monkeypatch.context() as patch:
        patch.setattr(model, "get_decoder", lambda: failing)
        results = asked_and_then(engine, model, nothing)
    assert all(isinstance(r, EngineError) and "out of memory" in str(r) for r in results)
    asked = [(p, Sampling(0.0, 5, 0, NEVER)) for p in prompts(model, 5)]
    assert [d.token_ids for d in together(engine, asked)] == [
        d.token_ids for d in together(TransformersEngine(model, rows=3, max_length=CONTEXT), asked)
    ]
