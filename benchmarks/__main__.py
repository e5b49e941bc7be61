"""Run every benchmark, or those that are named: `python -m benchmarks [NAME ...]`.

Figures go to `benchmarks/results.json`; those of benchmarks that did not run stay.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import sandbox, sft_versus_trl

BENCHMARKS = {"sandbox": sandbox.measure, "sft_versus_trl": sft_versus_trl.measure}
RESULTS = Path(__file__).with_name("results.json")


def main(names: list[str]) -> None:
    """Measure, show and keep."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"Error: {unknown[0]!r} is no benchmark; allowed: {', '.join(BENCHMARKS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or BENCHMARKS:
        print(f"{name} ...", flush=True)
        results[name] = BENCHMARKS[name]()
        print(f"{name}: {results[name]}")
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
