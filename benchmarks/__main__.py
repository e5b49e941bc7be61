"""Run every benchmark, or those that are named: `python -m benchmarks [NAME ...] [--quick]`.

Figures go to `benchmarks/results.json`; those of benchmarks that did not run stay. With `--quick`
the sizes are tiny, and nothing is kept.
"""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from benchmarks.benchmark import BENCHMARKS, CannotRun, find
from benchmarks.results import entry, keep, keep_skipped, machine


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Try whether they run.")] = False,
) -> None:
    """Measure, show and keep."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in names or ():
        if name not in BENCHMARKS:
            allowed = ", ".join(BENCHMARKS)
            raise typer.BadParameter(f"{name!r} is no benchmark; allowed: {allowed}")
    for name in names or BENCHMARKS:
        run(name, quick)


def run(name: str, quick: bool) -> None:
    """One of them."""
    print(f"{name} ...", flush=True)
    benchmark, where, begun = find(name), machine(), time.monotonic()
    try:
        figures = benchmark.measure(quick)
    except CannotRun as reason:
        print(f"{name}: skipped: {reason}", flush=True)
        if not quick:
            keep_skipped(name, str(reason))
        return
    took = round(time.monotonic() - begun)
    print(f"{name}: {dict(figures)}, in {took} s", flush=True)
    if not quick:
        keep(name, entry(benchmark, {**figures, "seconds": took}, where))


if __name__ == "__main__":
    typer.run(main)
