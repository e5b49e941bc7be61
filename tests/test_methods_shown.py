"""What several methods left, on the command line: each one's tree, and all in one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from test_cli import ATTEMPT, leafe, lines, step
from test_results import measure

from leafe import layout
from leafe.episode import Outcome, with_content_id
from leafe.results import as_markdown, read_results
from leafe.store import write_episodes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: three methods, each of which has explored another task."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["methods"] = ["leafe", "grpo", "early_experience"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    for method, task in (("leafe", "aa11"), ("grpo", "bb22")):
        root = with_content_id(replace(ATTEMPT, task_id=task, first_observation=f"{method}'s"))
        write_episodes(layout.episodes("i1", "w0", method), [root])
    root = with_content_id(replace(ATTEMPT, task_id="cc33", outcome=Outcome.SOLVED))
    other = replace(
        ATTEMPT,
        task_id="cc33",
        wave="alternatives",
        parent=root.id,
        rollback_step=1,
        first_observation=None,
        steps=(step("wait()", "nothing happens."),),
        outcome=Outcome.OUT_OF_BUDGET,
    )
    write_episodes(layout.episodes("i1", "w0", "early_experience"), [root])
    path = layout.episodes("i1", "alternatives", "early_experience")
    write_episodes(path, [with_content_id(other)])
    return tmp_path


@pytest.mark.parametrize(("method", "task"), [("leafe", "aa11"), ("grpo", "bb22")])
def test_the_tree_is_that_of_the_method_asked_for(project: Path, method: str, task: str) -> None:
    shown = lines(leafe("tree", "first", "--method", method))
    assert shown[:2] == [f"task {task}", f"{method}'s"]
    assert leafe("tree", task[:2], "--method", method).exit_code == 0
    others = {"leafe", "grpo"} - {method}
    assert leafe("tree", task[:2], "--method", *others).exit_code == 2


def test_without_a_method_the_tree_is_leafes(project: Path) -> None:
    assert leafe("tree", "first").stdout == leafe("tree", "first", "--method", "leafe").stdout


def test_other_actions_hang_at_the_step_that_they_were_tried_at(project: Path) -> None:
    shown = lines(leafe("tree", "cc33", "--method", "early_experience"))
    at = shown.index("attempt 2 back to step 1: out_of_budget")
    assert shown[at - 2 : at] == ["step 1 refund()", "refused: verify first."]
    assert shown[at + 1 : at + 3] == ["step 1 wait()", "nothing happens."]


@pytest.mark.parametrize("method", ["leafe", "grpo", "early_experience"])
def test_the_list_of_tasks_names_a_command_that_works(project: Path, method: str) -> None:
    listed = lines(leafe("tree", "--method", method))
    command = listed[-1].partition("leafe ")[2].split()
    task = next(line.split()[0] for line in listed if line[:2] in {"aa", "bb", "cc"})
    said = leafe(*(task if word == "TASK" else word for word in command))
    assert lines(said)[0] == f"task {task}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "gpro"), "--method is 'gpro'; did you mean grpo?"),
        (("--method", "../x"), "--method is '../x'; allowed: leafe, leafe_no_experience, "),
        (("--method", "leafe_restart"), "data/leafe_restart/i1/tree/w0/episodes.parquet does not"),
        (("--method", "grpo", "--iteration", "i2"), "data/grpo/i2/tree/w0/episodes.parquet does"),
        (("--method", "grpo", "--iteration", "i0"), "i0 explores nothing"),
    ],
)
def test_a_method_that_cannot_be_drawn_is_told_in_one_sentence(
    project: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = leafe("tree", "first", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_results_of_all_methods_are_one_table_with_the_base_once(project: Path) -> None:
    measure(project, "i0", env_steps_per_task=0.0)
    for method in ("rejection_sampling", "grpo", "leafe"):  # each is measured where LEAFE is
        for number in (1, 2):
            steps = {"grpo": 10.0, "leafe": 20.0}.get(method, 30.0) + number
            path = measure(project, f"i{number}", env_steps_per_task=steps)
            path.rename(_made(layout.metrics(f"i{number}", method)))
    rows = read_results(project)
    names = ["i0", "i1", "i2", "grpo-i1", "grpo-i2"]
    assert [row.name for row in rows] == names, "as `methods` orders them, and no others"
    assert [row.env_steps_per_task for row in rows] == [0.0, 21.0, 22.0, 11.0, 12.0]
    first = [line.split(" | ")[0].strip("| ") for line in as_markdown(rows).splitlines()[2:]]
    assert first == ["i0 (base)", *names[1:]]
    shown = leafe("results", width=80).stdout
    assert [name for name in names if name not in shown] == []
    assert "…" not in shown


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
