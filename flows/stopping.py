"""How the pipeline stops on a signal: once, in order, and within seconds."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import NoReturn

import psutil

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end the pipeline; those ignored from outside, as under nohup, stay ignored."""
LIMIT = 9.0
"""Seconds until whatever still hangs is cut off."""


def run_program(main: Callable[[], int]) -> NoReturn:
    """Run a program's main function, stopped by signals, and exit with the code it returns."""
    code = 1  # unless main returns

    def leave() -> None:
        with suppress(OSError):  # whoever read us may be gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    # First in, last out. It spares us the teardown of some thousand modules, which the kernel does
    # at once and which takes seconds of the few that a person waits after Ctrl-C.
    atexit.register(leave)
    stop_on_signals()
    code = main()
    sys.exit(code)


def stop_on_signals() -> None:
    """Let the first of these signals end this program, cleaning up; further ones change nothing.

    Raises, wherever the program is then, KeyboardInterrupt for SIGINT, and SystemExit for others.
    """
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, partial(_give_up, 128 + number))
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _give_up(code: int, number: int, frame: FrameType | None) -> None:
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(code)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Signals to stop that come inside are delivered on leaving.

    Otherwise one between a process's start and our taking note of it would leave it behind, and a
    second Ctrl-C would stop the cleaning up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread alone
        return
    came: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {
        number: signal.signal(number, remember)
        for number in STOPPING
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        for number in came:
            signal.raise_signal(number)
