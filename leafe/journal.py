"""A stage's journal: what it has finished, so that a killed stage goes on where it was.

One line per finished unit, flushed to disk before the next one counts: a digest, a space, JSON.
It is keyed by the fingerprint of the stage's inputs: a journal of other inputs is never used. A
torn last line is cut off; a damaged line is dropped, counted, and its unit done again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

JOURNALS = Path(".leafe") / "journal"


class Journal:
    """Finished units by key, in memory and on disk; use as a context manager."""

    def __init__(self, stage: str, fingerprint: str, folder: Path = JOURNALS) -> None:
        home = folder / stage.replace("@", "-")
        self._path = home / f"{fingerprint[:32]}.jsonl"
        home.mkdir(parents=True, exist_ok=True)
        for other in home.glob("*.jsonl"):
            if other != self._path:
                other.unlink()
        self.damaged = 0
        """Lines that could not be read back; their units are done again."""
        self._done: dict[str, Any] = {}
        self._recover()
        self.resumed = len(self._done)
        """Units that an earlier, interrupted run had finished."""
        self._file = self._path.open("ab", buffering=0)

    def _recover(self) -> None:
        if not self._path.exists():
            return
        raw = self._path.read_bytes()
        whole, _, torn = raw.rpartition(b"\n")
        for line in whole.split(b"\n") if whole else []:
            digest, _, body = line.partition(b" ")
            if digest.decode("ascii", "replace") == _digest(body):
                record = json.loads(body)
                self._done[record["key"]] = record["value"]
            else:
                self.damaged += 1
        if torn:
            with self._path.open("r+b") as file:
                file.truncate(len(raw) - len(torn))

    @property
    def done(self) -> Mapping[str, Any]:
        """Finished units: key -> value."""
        return self._done

    def add(self, key: str, value: Any) -> None:
        """Note a finished unit; it is on disk when this returns. OSError names the journal."""
        body = json.dumps({"key": key, "value": value}, separators=(",", ":")).encode()
        left = memoryview(_digest(body).encode() + b" " + body + b"\n")
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fdatasync(self._file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._done[key] = value

    def forget(self) -> None:
        """The stage's output is published: the journal has done its work."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]
