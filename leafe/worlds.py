"""Worlds: how many are open at a time, and calls of them that may raise or hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import TypeVar

from leafe.env import Env, Environment, Limited, StepResult
from leafe.episode import Outcome
from leafe.text import storable

Result = TypeVar("Result")


class WorldFailed(Exception):
    """An environment raised or hung; carries the outcome to record."""

    def __init__(self, outcome: Outcome, error: str) -> None:
        super().__init__(error)
        self.outcome = outcome


def places(environment: Environment) -> AbstractAsyncContextManager[object]:
    """To be held while a world is open: waits while as many are as may be."""
    if isinstance(environment, Limited):
        return asyncio.Semaphore(environment.worlds)
    return nullcontext()


def act(env: Env, action: str) -> StepResult:
    """Do one action; what the world says is made fit to store."""
    result = env.step(action)
    return replace(result, observation=storable(result.observation))


async def call(environment: Environment, what: Callable[[], Result]) -> Result:
    """One call of a world; what it raises, and a call that hangs, become outcomes."""
    limit = environment.step_timeout
    try:
        if limit is None:
            return what()
        return await asyncio.wait_for(_in_thread(what), limit)
    except TimeoutError as error:
        raise WorldFailed(Outcome.TIMEOUT, f"no answer within {limit} s") from error
    except Exception as error:
        said = storable(f"{type(error).__name__}: {error}")
        raise WorldFailed(Outcome.ENV_ERROR, said) from error


def _in_thread(what: Callable[[], Result]) -> asyncio.Future[Result]:
    """Run a call in a thread of its own, which a hung call cannot keep from others.

    `asyncio.to_thread` has few threads, and waits for them all before the program may end.
    """
    done: Future[Result] = Future()

    def work() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(what())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return asyncio.wrap_future(done)
