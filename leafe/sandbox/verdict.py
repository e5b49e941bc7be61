"""What a run may use, and how it may end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a program fared; the judges' usual names."""

    OK = "OK"
    """It ended by itself, within its limits, with exit code 0."""
    WA = "WA"
    """Wrong answer: it wrote something else than was expected."""
    RE = "RE"
    """Runtime error: another exit code, or a signal."""
    TLE = "TLE"
    """Time limit exceeded."""
    MLE = "MLE"
    """Memory limit exceeded."""
    OLE = "OLE"
    """Output limit exceeded."""
    XX = "XX"
    """The sandbox itself failed: says nothing about the program."""


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    seconds: float = 2.0
    """CPU time; the wall clock allows twice that, and two seconds more."""
    memory_bytes: int = 256 * 2**20
    output_bytes: int = 2**20
    """Standard output; as much again of standard error."""

    @property
    def wall_seconds(self) -> float:
        """When it is ended however little it computed."""
        return 2 * self.seconds + 2


@dataclass(frozen=True)
class Ran:
    """What came of one run."""

    verdict: Verdict
    """Never WA: what was expected is not known here, nor in the box."""
    stdout: str
    """What it wrote until it ended or was ended."""
    stderr: str
    """The same; where the sandbox failed, how."""
