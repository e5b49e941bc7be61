"""What the tests share: a desk, a tiny untrained policy, and a workspace to run stages in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

# Hooks are imported under their own names: pytest finds them here.
from sharing import pytest_collection_modifyitems as pytest_collection_modifyitems
from sharing import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

from leafe.chat import Chat, read_prompts
from leafe.envs.desk import Desk, DeskOptions
from leafe.lessons import words
from leafe.plan import update_plan

ROOT = Path(__file__).parents[1]

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# What runs the tests in the background may have Ctrl-C ignored, which programs would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Scripted: acts at random among the tools, and looks back with verdicts good and bad.
SCRIPT = [
    {
        "when": r"Reflect\.",
        "say": [
            '{"rollback_to": 0, "experience": "too early for label, call verify."}',
            '{"rollback_to": 1, "experience": "too early for label, call approve."}',
            '{"rollback_to": null}',
            '{"rollback_to": 99, "experience": "no such step"}',
            "I do not know.",
        ],
    },
    {"say": [f"{tool}()" for tool in ("verify", "label", "inspect", "wait", "refund", "cancel")]},
]


@pytest.fixture(scope="session")
def desk() -> Desk:
    """The default desk."""
    return Desk(DeskOptions())


@pytest.fixture(scope="session")
def policy_dir(tmp_path_factory: pytest.TempPathFactory, desk: Desk) -> Path:
    """A tiny untrained checkpoint with the small model's own tokenizer."""
    from leafe.training.checkpoint import save_policy
    from leafe.training.small import new_model, train_tokenizer

    lessons = list(desk.lessons(300, seed=0))
    tokenizer = train_tokenizer(words(lessons, read_prompts("short").turn), vocabulary=640)
    model = new_model(tokenizer, hidden=32, layers=1, heads=1, context=512, seed=0)
    folder = tmp_path_factory.mktemp("policy") / "tiny"
    save_policy(model, tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer(policy_dir: Path) -> Any:
    """The tiny policy's tokenizer."""
    from leafe.training.checkpoint import load_tokenizer

    return load_tokenizer(policy_dir)


@pytest.fixture(scope="session")
def chat(tokenizer: Any, desk: Desk) -> Chat:
    """The renderer of the small model."""
    return Chat(tokenizer, read_prompts("short"), desk.instructions)


TINY: dict[str, dict[str, Any]] = {
    "env": {"train_tasks": 12, "test_tasks": 6},
    "warm_start": {"probe_tasks": 4},
    "engine": {"name": "scripted", "script": "script.yaml"},
    "sft": {"steps": 4, "batch": 4, "save_every": 2, "warmup": 1},
    "early_experience": {"per_step": 2},
    "grpo": {"group": 4, "tasks": 4, "epochs": 1, "batch": 8},
    "evaluate": {"samples": 4},
}


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """An interpreter that has vLLM; without one, what needs it is skipped, but not in CI."""
    python = Path(os.environ.get("LEAFE_VLLM_PYTHON", ROOT / ".venv-vllm/bin/python"))
    if not python.exists():
        assert os.environ.get("CI") != "true", f"{python} is missing; `make vllm` makes it"
        pytest.skip(f"{python} is missing; `make vllm` makes it")
    return python


@pytest.fixture
def workspace(tmp_path: Path, policy_dir: Path) -> Path:
    """A copy of the project in a git repository of its own, made tiny: one iteration, one wave,
    the scripted engine, the tiny policy as the base model.
    """
    return make_workspace(tmp_path / "project", policy_dir)


def make_workspace(folder: Path, policy_dir: Path) -> Path:
    """Copy what a pipeline needs and commit it."""
    folder.mkdir(parents=True)
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("leafe", "flows", ".dvc"):
        ignore = shutil.ignore_patterns("cache", "tmp") if name == ".dvc" else skip
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", "pyproject.toml", "prefect.yaml"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    shutil.copytree(policy_dir, folder / "tiny")
    (folder / "script.yaml").write_text(yaml.safe_dump(SCRIPT))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, values in TINY.items():
        params[section] |= values
    params["model"]["path"] = "tiny"
    params["iterations"] = {"i1": {"prev": "i0"}}
    params["waves"] = {"w1": {"prev": "w0"}}
    write_params(folder, params)
    update_plan(folder / "params.yaml")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in ((*git, "init", "-q"), (*git, "add", "-A"), (*git, "commit", "-qm", "start")):
        subprocess.run(command, cwd=folder, check=True)
    return folder


def write_params(folder: Path, params: dict[str, Any]) -> None:
    """Write `params.yaml` of a workspace."""
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def change_params(folder: Path, **sections: dict[str, Any]) -> None:
    """Change some keys of some sections of a workspace's `params.yaml`."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for section, values in sections.items():
        params[section] |= values
    write_params(folder, params)


@pytest.fixture(scope="session")
def warm() -> Iterator[dict[str, str]]:
    """Variables with which `python -m leafe.stages.<name>` starts warm (test_warm.py), and without
    MLflow: the two would take most of the time.
    """
    from flows.process import environment
    from flows.warm import SOCKET, warm_stages

    with warm_stages(), pytest.MonkeyPatch.context() as patch:
        found = environment()
        patch.delenv(SOCKET)  # what says nothing of it starts its stages as a user does
        yield {name: found[name] for name in (SOCKET, "PATH", "LEAFE_TRACKING")}


@pytest.fixture(scope="session")
def five_methods(
    tmp_path_factory: pytest.TempPathFactory, policy_dir: Path, warm: dict[str, str]
) -> tuple[Path, str]:
    """A workspace in which DVC has run five methods, and what it said; to be left as it is."""
    from five_methods import run_five_methods

    folder = tmp_path_factory.mktemp("methods") / "project"
    return folder, run_five_methods(folder, policy_dir, warm)


Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_stage_in(warm: dict[str, str]) -> Runner:
    """Run `python -m leafe.stages.<name> ...` in a folder."""

    def run(folder: Path, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["python", "-m", f"leafe.stages.{name}", *options],
            cwd=folder,
            env=os.environ | warm,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def run_stage(workspace: Path, run_stage_in: Runner) -> Runner:
    """Run a stage in the workspace."""
    return partial(run_stage_in, workspace)
