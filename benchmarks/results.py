"""`benchmarks/results.json`: every benchmark's figures, and where they are from."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Benchmark, Figures
from leafe.store import write_json

RESULTS = Path(__file__).with_name("results.json")
PACKAGES = ("torch", "transformers")


def machine() -> dict[str, object]:
    """The machine that figures are from, and how busy it was before."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "threads": os.environ.get("OMP_NUM_THREADS", "one a core"),
        "processor": processor(),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := installed(name))},
    }


def processor() -> str:
    """What the cores call themselves."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def installed(package: str) -> str | None:
    """Its version; None where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def entry(benchmark: Benchmark, figures: Figures, where: Mapping[str, object]) -> dict[str, Any]:
    """What is kept of a benchmark that ran."""
    said = {"compared": benchmark.COMPARED, "target": benchmark.TARGET}
    return {**said, **figures, "machine": dict(where)}


def keep(name: str, new: Mapping[str, Any]) -> None:
    """Put a benchmark's entry in place of its old one; all others stay."""
    write_json(RESULTS, {**kept(), name: dict(new)})


def keep_skipped(name: str, reason: str) -> None:
    """Note why a benchmark did not run here; figures that it had from elsewhere stay."""
    keep(name, {**kept().get(name, {}), "skipped": reason})


def kept() -> dict[str, dict[str, Any]]:
    """What the file has."""
    found = RESULTS.exists()
    entries: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if found else {}
    return entries
