"""How several processes share the tests (`pytest -n 2`): file by file, the longest first.

A file stays whole, so that what its tests share is made once; so do the files of a group.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

FIVE_METHODS = ("test_methods.py", "test_held_out.py", "test_ablations.py")
"""One group, as they share a fixture of the session."""
LONGEST = (
    *FIVE_METHODS,
    "test_vllm_real.py",
    "test_flow.py",
    "test_deployment.py",
    "test_compare.py",
    "test_restart.py",
    "test_pipeline.py",
    "test_grpo.py",
    "test_grpo_restart.py",
    "test_fidelity.py",
    "test_textworld.py",
    "test_scienceworld.py",
    "test_scienceworld_jvms.py",
    "test_training_processes.py",
    "test_served_flow.py",
    "test_keeper.py",
)
"""Begun first, so that no process is left with one of them in the end."""

SHARED = "PYTEST_XDIST_WORKER" in os.environ
if SHARED:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the other cores have tests of their own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SHARED:
        order = {name: at for at, name in enumerate(LONGEST)}
        items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadgroup` would do, but xdist 3.8 cannot tell pytest 9 which test is of a group."""
    from xdist.scheduler import LoadFileScheduling

    class WholeFiles(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return FIVE_METHODS[0] if file.rpartition("/")[2] in FIVE_METHODS else file

    config.option.loadscopereorder = False  # keep the order above
    return WholeFiles(config, log)
