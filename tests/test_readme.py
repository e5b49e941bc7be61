"""README.md says what is so: files, commands, keys, snippets and the transcript."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Runner, change_params
from typer.main import get_command

from leafe.cli import app
from leafe.envs.desk import Desk
from leafe.reflection import read_verdict
from leafe.task import Task

README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
"""Everything set as code, blocks aside."""


def block(language: str) -> str:
    """The one fenced block of a language."""
    found = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    assert len(found) == 1, f"{len(found)} blocks of {language}"
    return str(found[0])


def test_every_module_is_on_the_map() -> None:
    listed = re.search(r"<!-- map -->(.*?)<!-- /map -->", README, flags=re.DOTALL)
    assert listed is not None
    named = re.findall(r"^\| `([^`]+)`", listed[1], flags=re.MULTILINE)
    modules = {
        str(path.relative_to(ROOT))
        for folder in ("leafe", "flows", "examples")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py" or path.read_text().count("\n") > 1
    }
    # A folder stands for all that is in it.
    folders = tuple(name for name in named if name.endswith("/"))
    assert all((ROOT / folder).is_dir() for folder in folders)
    alone = {module for module in modules if not module.startswith(folders)}
    assert sorted(named) == sorted({*alone, *folders})


def test_every_file_it_names_exists() -> None:
    files = re.compile(r"(?:leafe|flows|tests|examples)/[\w/.]+|[\w.]+\.(?:ya?ml|toml)|Makefile")
    named = {name for name in CODE if files.fullmatch(name)}
    made = {name for name in named if name.startswith("leafe/") and name.endswith("/journal")}
    assert len(named) > 40
    assert [name for name in named - made if not (ROOT / name).exists()] == []


def test_every_make_target_it_names_exists() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = {words.split()[1] for words in CODE if words.startswith("make ")}
    assert {"run", "test"} <= named <= set(targets)


def test_it_names_every_command_of_leafe_and_no_other() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = {words.split()[1] for words in CODE if words.startswith("leafe ")}
    assert named == commands


@pytest.mark.parametrize("tool", ["dvc", "mlflow"])
def test_every_command_of_other_tools_exists(tool: str) -> None:
    for words in {tuple(said.split()) for said in CODE if said.startswith(f"{tool} ")}:
        options = [word for word in words if word.startswith("-")]
        command = words[1 : 3 if words[1] in {"exp", "metrics", "plots", "queue"} else 2]
        program = Path(sys.executable).with_name(tool)
        shown = subprocess.run(
            [program, *command, "--help"], capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, words
        assert [option for option in options if option not in shown.stdout] == []


def test_every_parameter_it_names_exists() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    sections = "|".join(params)
    keys = [name for name in CODE if re.fullmatch(rf"({sections})\.\w+", name)]
    keys += [words[2:] for said in CODE for words in re.findall(r"-S [\w.]+", said)]
    assert len(keys) > 15
    for key in (key.strip() for key in keys):
        section, name = key.split(".")
        assert name in params[section], key


def test_the_defaults_in_the_table_of_models_are_those_of_the_parameters() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    rows = re.findall(r"^\| `(\w+)\.(\w+)`(.*?) \| (.*?) \| .* \|$", README, flags=re.MULTILINE)
    checked = 0
    for section, first, others, defaults in rows:
        keys = [first, *(name.split(".")[-1] for name in re.findall(r"`([\w.]+)`", others))]
        values = [json.dumps(params[section][key]).strip('"') for key in keys]
        if len(values) == len(defaults.split(", ")):
            shown = [default.strip("`") for default in defaults.split(", ")]
            assert [float(v) if v[0].isdigit() else v for v in values] == [
                float(v) if v[0].isdigit() else v for v in shown
            ]
            checked += 1
    assert checked == 8


def test_the_transcript_is_what_the_desk_says(desk: Desk) -> None:
    first, looked, again = block("text").strip().split("\n\n")
    task = find_task(desk, first.splitlines()[0].removeprefix("0. "))
    seen, actions = told(first)
    assert play(desk, task, actions) == seen
    assert seen[-1].endswith("Ticket locked.")
    verdict = read_verdict(looked.split("> ")[1], steps=len(actions))
    tau, note = verdict.rollback_step, verdict.experience
    assert tau is not None
    assert f"\nNote: {note}\n" in again
    seen_again, revised = told(again.replace(f"Note: {note}\n", ""))
    assert play(desk, task, [*actions[:tau], *revised])[tau:] == seen_again
    assert seen_again[-1].endswith("Ticket solved.")


def find_task(desk: Desk, ticket: str) -> Task:
    """The training task that begins so."""
    return next(task for task in desk.tasks("train") if desk.make().start(task) == ticket)


def told(part: str) -> tuple[list[str], list[str]]:
    """Observations and actions of a part of the transcript."""
    observations = re.findall(r"^\d+\. (.*)$", part, flags=re.MULTILINE)
    return observations, re.findall(r"> (.*)$", part, flags=re.MULTILINE)


def play(desk: Desk, task: Task, actions: list[str]) -> list[str]:
    """All observations of an episode."""
    env = desk.make()
    return [env.start(task), *(env.step(action).observation for action in actions)]


def test_the_pandas_example_works(workspace: Path, run_stage: Runner) -> None:
    change_params(workspace, env={"train_tasks": 4, "test_tasks": 1})
    shutil.copytree(workspace / "tiny", workspace / "policies/leafe/i0")
    at = ("--iteration", "i1", "--policy", "i0")
    wave = (*at, "--wave", "w1", "--prev", "w0")
    for stage in (("tasks",), ("rollout", *at), ("reflect", *wave), ("branch", *wave)):
        done = run_stage(*stage)
        assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"^w0 +failed +\d+$", shown.stdout, flags=re.MULTILINE)
    assert "rollback_step" in shown.stdout


def test_the_example_of_parameters_is_one(workspace: Path) -> None:
    said: dict[str, Any] = yaml.safe_load(block("yaml").replace(", ...", ""))
    assert said["env"].pop("name") == "examples.safe:Safe"
    from examples.safe import SafeOptions

    assert SafeOptions.model_validate(said["env"]).numbers == said["env"]["numbers"]
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    assert set(said["model"]) <= set(params["model"])
