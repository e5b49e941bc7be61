"""Progress of long work: what, how far, how fast, how long still; a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

EVERY = 3.0
"""Seconds between two lines."""


class Progress:
    """Counts units; prints a line every few seconds and one at the end."""

    def __init__(self, what: str, total: int, already: int = 0, unit: str = "units") -> None:
        self._what, self._total, self._unit = what, total, unit
        self.done = self._already = already
        self._start = self._last = time.monotonic()
        self._note = ""

    def advance(self, note: str = "", by: int = 1) -> None:
        """Some more units are done; `note` is shown beside the count."""
        self.done += by
        self._note = note or self._note
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self.say(self._line(now))

    def say(self, text: str) -> None:
        """Print a line under this work's name."""
        print(f"{self._what}: {text}", file=sys.stderr, flush=True)

    def _line(self, now: float) -> str:
        rate = (self.done - self._already) / max(now - self._start, 1e-9)
        left = (self._total - self.done) / rate if rate else float("inf")
        note = f", {self._note}" if self._note else ""
        return f"{self.done}/{self._total} {self._unit}, {rate:.1f}/s, {_duration(left)} left{note}"

    def __enter__(self) -> Self:
        resumed = f", {self._already} done before" if self._already else ""
        self.say(f"{self._total} {self._unit}{resumed}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            took = time.monotonic() - self._start
            note = f", {self._note}" if self._note else ""
            self.say(f"{self.done}/{self._total} {self._unit} in {_duration(took)}{note}")


def _duration(seconds: float) -> str:
    """A duration as people say it.

    >>> _duration(4.2), _duration(75), _duration(float("inf"))
    ('4 s', '1 min 15 s', '?')
    """
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
