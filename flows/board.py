"""The progress of a comparison: how far its stages are, at all points together."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flows.process import NOISE
from flows.terminal import say

STARTED = re.compile(r"Running stage '(.+)':")
PASSED_OVER = re.compile(r"Stage '(.+)' (didn't change|is cached)")
WORTH_SHOWING = re.compile(r"\S+: Pass@1 |Error: |ERROR: |MLflow: ")
"""Of what a point says, what is shown at once; the rest is in its log."""


class Board:
    """Counts stages, from several threads."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._began = time.monotonic()
        self._ran: set[tuple[str, str]] = set()
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def of(self, point: str, log: Path) -> Callable[[str], None]:
        """What takes the lines of a point: each goes to its log, and some to the terminal."""

        def take(line: str) -> None:
            with log.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            started, over = STARTED.match(line), PASSED_OVER.match(line)
            with self._lock:
                if over:
                    self._seen.add((point, over[1]))
                if started:
                    self._seen.add((point, started[1]))
                    self._ran.add((point, started[1]))
                    say(f"[{self._far()}] {point}: {started[1]}")
                elif WORTH_SHOWING.match(line) and not NOISE.match(line):
                    say(f"{point}: {line}")

        return take

    def _far(self) -> str:
        """How far, and how long still, at the pace so far."""
        share = f"{100 * len(self._seen) / max(self._total, 1):.0f} %"
        if len(self._ran) < 5:
            return share
        pace = (time.monotonic() - self._began) / len(self._ran)
        left = timedelta(seconds=round(pace * max(self._total - len(self._seen), 0)))
        return f"{share}, {left} left"
