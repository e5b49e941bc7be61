"""Servers and their keeper, quick: a stand-in for vLLM, and a keeper that does not wait long.

`python serving.py keep` is that keeper; `python serving.py hold <demand>` is a stage: it says
`ready` once it has what it demands, or why not, and stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from leafe.engine import Sampling
from leafe.engines.vllm import VllmEngine
from leafe.errors import BadInput
from leafe.serving import keeper, lease
from leafe.serving.demand import FOLDER, Demand, Setup, Weights, server_socket

HERE = Path(__file__).parent
LINGER = 0.6


def quick_keeper() -> subprocess.Popen[bytes]:
    """In place of `lease.start_keeper`."""
    with (FOLDER / "keeper.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, __file__, "keep"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def make_python(folder: Path, home: Path | None = None) -> Path:
    """An interpreter whose vLLM is the stand-in, and notes what happens to it in `home`."""
    python = folder / "python"
    stand_in = HERE / "stand_in_vllm.py"
    python.write_text(
        f'#!/bin/sh\nshift 2\nexport STAND_IN="{home or folder}"\n'
        f'exec "{sys.executable}" "{stand_in}" "$@"\n'
    )
    python.chmod(0o755)
    return python


class Place:
    """A folder with policies `a` and `b`, and what goes on in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = make_python(folder)
        for name in "ab":
            (folder / name).mkdir(exist_ok=True)
            (folder / name / "model.safetensors").write_text(name)

    def demand(
        self, policy: str = "a", adapter: str | None = None, timeout: float = 20, length: int = 512
    ) -> Demand:
        setup = Setup(
            python=str(self.python),
            arguments=(),
            replicas=1,
            length=length,
            rank=8 if adapter else None,
            timeout=timeout,
            family="f",
        )
        version = adapter or policy
        weights = Weights(version=version, base=policy, base_version=policy, adapter=adapter)
        return Demand(setup=setup, weights=weights)

    @contextlib.contextmanager
    def lease(self, *asked: Any, **options: Any) -> Iterator[lease.Lease]:
        held = lease.Lease(self.demand(*asked, **options))
        try:
            yield held
        finally:
            held.close()

    def notes(self, *events: str) -> list[dict[str, Any]]:
        path = self.folder / "notes.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [said for said in map(json.loads, lines) if said["event"] in events]

    def starts(self) -> list[dict[str, Any]]:
        return self.notes("start")

    def server(self) -> int:
        """The process of the last server."""
        return int(self.starts()[-1]["pid"])

    def processes(self) -> list[psutil.Process]:
        """Of the keeper and its servers, their children included."""
        noted = {pid for said in self.starts() for pid in (said["pid"], said["child"])}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.cwd() == str(self.folder) and process.pid != os.getpid()
                if (ours or process.pid in noted) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def holder(self, demand: Demand) -> subprocess.Popen[str]:
        """A stage in a process of its own."""
        return subprocess.Popen(
            [sys.executable, __file__, "hold", demand.model_dump_json()],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )


def wait_for(what: Callable[[], Any], seconds: float = 30) -> Any:
    """Until it is true; its value."""
    until = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)
    return value


def ask(kept: lease.Lease, model: str = "policy", tries: int = 20) -> tuple[int, ...]:
    """What the servers of a lease draw, which with the stand-in tells their weights."""
    engine = VllmEngine(
        [str(server_socket(0))],
        model,
        max_length=512,
        rows=4,
        timeout=20,
        tries=tries,
        structured=True,
        kept=kept,
    )

    async def one() -> tuple[int, ...]:
        drawn = await engine.generate([1, 2], Sampling(1.0, 5, seed=7, stop_ids=(300,)))
        for session in engine._sessions.values():
            await session.close()
        return drawn.token_ids[:-1]

    return asyncio.run(one())


def main() -> None:
    if sys.argv[1] == "keep":
        keeper.LINGER_SECONDS = LINGER
        keeper.PROBE_SECONDS = 1
        keeper.PAUSE_SECONDS = 0.05
        keeper.main()
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lease.start_keeper = quick_keeper
    try:
        held = lease.Lease(Demand.model_validate_json(sys.argv[2]))
        print("ready", flush=True)
        time.sleep(60)
        held.close()
    except BadInput as error:
        print(error, flush=True)


if __name__ == "__main__":
    main()
