"""The worked example of README.md in a workspace."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, change_params, write_params

WAVE = ("--iteration", "i1", "--policy", "i0", "--wave", "w1", "--prev", "w0")
STAGES = (
    ("tasks",),
    ("warm_start",),
    ("rollout", "--iteration", "i1", "--policy", "i0"),
    ("reflect", *WAVE),
    ("branch", *WAVE),
    ("filter", "--iteration", "i1", "--policy", "i0"),
    ("evaluate", "--iteration", "i0"),
)


def play_safes(folder: Path, **env: Any) -> None:
    """Put the example in a workspace, as README.md says."""
    shutil.copytree(ROOT / "examples", folder / "examples", dirs_exist_ok=True)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["env"] = {"name": "examples.safe:Safe", "numbers": 2, **env}
    write_params(folder, params)
    change_params(
        folder,
        model={"prompts": "full", "context": 1024},
        sampling={"action_tokens": 64, "reflection_tokens": 256},
    )
