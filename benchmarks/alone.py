"""Run a stage as `python -m` does, and write what it took: time without its imports, and memory.

`python -m benchmarks.alone FILE MODULE [OPTION ...]`. The clock starts once the libraries that
stages load are there, as a process loads them once, whatever it does. Memory is `VmHWM`: what the
kernel tells a parent (`ru_maxrss`) includes the parent's own size.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
import time
from pathlib import Path

STATUS = Path("/proc/self/status")
LIBRARIES = (
    "leafe.engines.scripted",
    "leafe.envs.desk",
    "leafe.stages.acting",
    "leafe.training.checkpoint",
    "pandas",
    "pyarrow.dataset",
    "transformers.models.llama.modeling_llama",
)


def peak() -> int:
    """Bytes of memory that this process held at most."""
    (line,) = (row for row in STATUS.read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main(file: Path, module: str) -> None:
    """Run the module; what it took is written however it ends."""
    for library in LIBRARIES:
        importlib.import_module(library)
    clock, cpu = time.perf_counter(), time.process_time()
    try:
        runpy.run_module(module, run_name="__main__")
    finally:
        took = {
            "seconds": time.perf_counter() - clock,
            "cpu_seconds": time.process_time() - cpu,
            "peak": peak(),
        }
        file.write_text(json.dumps(took))


if __name__ == "__main__":
    out, name = sys.argv[1:3]
    sys.argv = [name, *sys.argv[3:]]
    main(Path(out), name)
