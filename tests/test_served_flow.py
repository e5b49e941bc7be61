"""A flow's stages behind one server: started once, kept from stage to stage, gone with the flow.

Flow, stages and keeper are real; vLLM is stood in for.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import change_params
from running import Program
from serving import HERE, Place, make_python, wait_for

ACTING = ["warm_start", "evaluate_i0"]


@pytest.fixture
def place(workspace: Path) -> Iterator[Place]:
    place = Place(workspace)
    python = make_python(workspace)
    change_params(
        workspace,
        env={"train_tasks": 3, "test_tasks": 2},
        warm_start={"probe_tasks": 1},
        evaluate={"samples": 1},
        engine={"name": "vllm", "script": None, "python": str(python), "rows": 8},
    )
    try:
        yield place
    finally:
        for process in place.processes():
            process.kill()


def flow(place: Place, *stages: str) -> Program:
    env = {
        "PREFECT_HOME": str(place.folder.parent / "prefect"),
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
    }
    return Program(["served_flow", *stages], place.folder, env)


def test_a_flow_starts_its_server_once_and_leaves_none_behind(place: Place) -> None:
    slow = place.folder / "starts_slowly"
    slow.touch()
    interrupted = flow(place, "tasks", *ACTING)
    try:
        wait_for(place.starts, seconds=120)
        interrupted.process.send_signal(signal.SIGINT)
        assert interrupted.end() == 130, interrupted.text
    finally:
        interrupted.kill()
    wait_for(lambda: not place.processes())
    slow.unlink()

    finished = flow(place, "tasks", *ACTING)
    try:
        assert finished.end() == 0, finished.text
    finally:
        finished.kill()
    ready = [line for line in finished.lines if line.startswith("vLLM: ready after")]
    assert len(ready) == len(ACTING)
    assert len(place.starts()) == 1 + 1
    wait_for(lambda: not place.processes())
