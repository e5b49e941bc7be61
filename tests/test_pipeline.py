"""The whole pipeline by DVC alone, for real but tiny: it runs, rests, grows, and is compared."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import change_params, make_workspace, write_params

from leafe.envs.desk.rulebook import GOALS, TOOLS
from leafe.plan import update_plan

pytestmark = pytest.mark.timeout(1500)

ASKED = r"[^<]*<\|end\|><\|assistant\|>$"
# Follows hints and notes, else makes a guess: some episodes succeed, and some branches.
PLAYS = [
    {
        "when": r"Reflect\.<",
        "say": [
            '{"rollback_to": 0, "experience": "too early, call verify."}',
            '{"rollback_to": 0, "experience": "too early, call label."}',
            '{"rollback_to": null}',
            "I do not know.",
        ],
    },
    *(
        {
            "when": rf"(?:needs {tool} first|: {tool} comes first|call {tool}\.){ASKED}",
            "say": [f"{tool}()"],
        }
        for tool in TOOLS
    ),
    *(
        {"when": rf"{goal} (?:my|a) ", "say": [f"{goal}()", *["verify()", "inspect()"] * 2]}
        for goal in GOALS
    ),
]


def dvc(folder: Path, *command: str, **environment: str) -> str:
    """Run DVC as a person would, with the tests' Python first on the path, but without MLflow,
    which would take half of the time.
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command],
        cwd=folder,
        env={**os.environ, "PATH": path, "LEAFE_TRACKING": "flow", **environment},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, f"dvc {' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def commit(folder: Path) -> None:
    for command in (("add", "-A"), ("commit", "-qm", "ran")):
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(("git", *who, *command), cwd=folder, check=True)


def stages_run(output: str) -> list[str]:
    lines = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1] for line in lines]


FIRST = ["tasks", "warm_start", "rollout@i1", "reflect@i1-w1", "branch@i1-w1", "filter@i1"]
FIRST += ["sft@i1", "evaluate_i0", "evaluate@i1"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, policy_dir: Path) -> tuple[Path, str]:
    """A workspace in which the pipeline has run once; and what DVC said."""
    folder = make_workspace(tmp_path_factory.mktemp("pipeline") / "project", policy_dir)
    (folder / "script.yaml").write_text(yaml.safe_dump(PLAYS))
    change_params(folder, env={"refusals": 3}, warm_start={"probe_tasks": 2})
    commit(folder)
    said = dvc(folder, "repro")
    commit(folder)
    return folder, said


@pytest.fixture
def folder(project: tuple[Path, str]) -> Path:
    return project[0]


def figures(folder: Path, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "metrics/leafe" / name).read_text())
    return read


def test_every_stage_runs_once_each_after_what_it_needs(project: tuple[Path, str]) -> None:
    ran = stages_run(project[1])
    assert sorted(ran) == sorted(FIRST)
    chain = [name for name in FIRST if name != "evaluate_i0"]
    assert [name for name in ran if name in chain] == chain
    assert ran.index("evaluate_i0") < ran.index("evaluate@i1")


@pytest.mark.parametrize("iteration", ["i0", "i1"])
def test_the_figures_of_an_iteration_are_where_they_are_promised(
    folder: Path, iteration: str
) -> None:
    found = figures(folder, f"{iteration}.json")
    assert {"pass_at_1", "pass_at_4", "ci95", "env_steps_per_task"} <= found.keys()
    assert 0 <= found["pass_at_1"] <= found["pass_at_4"] <= 1
    low, high = found["ci95"]["pass_at_1"]
    assert low <= found["pass_at_1"] <= high
    assert (found["env_steps_per_task"] > 0) == (iteration != "i0")
    with (folder / "plots/leafe" / f"{iteration}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["k", "pass_at_k", "low", "high"]
    assert [int(row["k"]) for row in rows] == [1, 2, 4]
    assert [float(row["pass_at_k"]) for row in rows] == [
        pytest.approx(found[f"pass_at_{k}"]) for k in (1, 2, 4)
    ]


def test_with_nothing_changed_nothing_runs(folder: Path) -> None:
    assert stages_run(dvc(folder, "repro")) == []


def test_the_dag_shows_the_chain(folder: Path) -> None:
    shown = dvc(folder, "dag", "--dot")
    for before, after in pairwise(FIRST[2:7]):
        assert f'"{before}" -> "{after}"' in shown


def test_an_experiment_changes_a_parameter_and_is_shown_and_compared(
    folder: Path, warm: dict[str, str]
) -> None:
    before = figures(folder, "i1.json")
    ran = stages_run(dvc(folder, "exp", "run", "-n", "fewer", "-S", "evaluate.samples=2", **warm))
    assert sorted(ran) == ["evaluate@i1", "evaluate_i0"]
    after = figures(folder, "i1.json")
    assert "pass_at_4" not in after

    metrics = json.loads(dvc(folder, "metrics", "diff", "--json"))
    changed = metrics[str(Path("metrics/leafe/i1.json"))]
    assert changed["pass_at_4"]["old"] == before["pass_at_4"]
    plots = json.loads(dvc(folder, "plots", "diff", "--json", "HEAD"))
    for plot in (f"plots/leafe/{i}.csv" for i in ("i0", "i1")):
        [drawn] = plots.get("data", plots)[plot]
        assert set(drawn["revisions"]) == {"HEAD", "workspace"}

    aside = dvc(folder, "exp", "run", "--temp", "-n", "aside", "-S", "evaluate.samples=3", **warm)
    assert "aside" in aside
    # It ran elsewhere: nothing here has changed.
    assert figures(folder, "i1.json") == after
    shown = dvc(folder, "exp", "show", "--csv")
    rows = {row["Experiment"]: row for row in csv.DictReader(shown.splitlines())}
    assert rows["fewer"]["evaluate.samples"] == "2"
    assert rows["aside"]["evaluate.samples"] == "3"
    subprocess.run(("git", "checkout", "-q", "."), cwd=folder, check=True)
    dvc(folder, "checkout")


def test_the_curves_are_drawn(folder: Path) -> None:
    assert "dvc_plots/index.html" in dvc(folder, "plots", "show")
    page = (folder / "dvc_plots/index.html").read_text()
    assert "Pass@k of every iteration" in page
    assert "Pass@k of i0" in page
    assert "Pass@k of i1" in page
    assert "Loss of sft i1" in page


def test_an_iteration_that_is_added_runs_its_own_stages_only(
    folder: Path, warm: dict[str, str]
) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["iterations"]["i2"] = {"prev": "i1"}
    write_params(folder, params)
    assert update_plan(folder / "params.yaml")
    ran = stages_run(dvc(folder, "repro", **warm))
    wanted = ["rollout@i2", "reflect@i2-w1", "branch@i2-w1", "filter@i2", "sft@i2", "evaluate@i2"]
    assert ran == wanted
    spent = [figures(folder, f"i{n}.json") for n in range(3)]
    steps = [f["env_steps_per_task"] for f in spent]
    assert spent[2]["env_steps_per_task_so_far"] == pytest.approx(sum(steps))
