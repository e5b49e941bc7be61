"""Five methods run by DVC in one workspace, and how to read what they left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from conftest import change_params, make_workspace, write_params
from test_pipeline import PLAYS, commit

from leafe import layout
from leafe.episode import Episode
from leafe.plan import update_plan
from leafe.reflection import Reflection
from leafe.store import read_episodes, read_reflections
from leafe.tree import Tree, join

BRANCHING = ["leafe", "leafe_no_experience", "leafe_restart"]
METHODS = [*BRANCHING, "rejection_sampling", "early_experience"]
WAVES = {method: ["w0", "w1"] for method in BRANCHING} | {
    "rejection_sampling": ["w0"],
    "early_experience": ["w0", "alternatives"],
}
STEPS = 30
"""The budget: too small for all that is wanted."""
NOTES = [(0, "verify"), (0, "label"), (1, "inspect"), (2, "wait"), (3, "label")]
SCRIPT = [
    {
        "when": r"Reflect\.<",
        "say": [
            *(f'{{"rollback_to": {t}, "experience": "too early, call {x}."}}' for t, x in NOTES),
            '{"rollback_to": null}',
        ],
    },
    *PLAYS[1:],
]


def run_five_methods(folder: Path, policy_dir: Path, warm: dict[str, str]) -> str:
    """Make the workspace and run `dvc repro` in it; returns what DVC said."""
    make_workspace(folder, policy_dir)
    (folder / "script.yaml").write_text(yaml.safe_dump(SCRIPT))
    change_params(
        folder,
        env={"refusals": 3},
        warm_start={"probe_tasks": 2},
        rollout={"max_steps": STEPS},
    )
    set_top(folder, methods=METHODS)
    commit(folder)
    said = repro(folder, warm)
    commit(folder)
    return said


def repro(folder: Path, warm: dict[str, str]) -> str:
    """`dvc repro` with stages that start warm; what DVC said."""
    command = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | warm, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def set_top(folder: Path, **entries: Any) -> None:
    """Change whole sections, and what follows from them."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    write_params(folder, params | entries)
    update_plan(folder / "params.yaml")


def explored(method: str) -> tuple[Tree, list[Reflection]]:
    """All that a method's iteration tried and said, as it lies on disk."""
    waves = WAVES[method]
    tree = join(read_episodes(layout.episodes("i1", wave, method)) for wave in waves)
    said = [read_reflections(layout.reflections("i1", wave, method)) for wave in waves[1:]]
    return tree, [reflection for part in said for reflection in part]


def branches(tree: Tree) -> list[Episode]:
    return [episode for episode in tree.episodes if episode.parent is not None]
