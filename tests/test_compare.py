"""A comparison, whole: points side by side, figures, picture, MLflow; stopped and gone on with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from conftest import make_workspace
from running import Program, alive, make_quick

pytestmark = pytest.mark.timeout(1200)  # a minute alone; the first test pays for most

SMALL = {
    "small": {
        "methods": ["leafe", "rejection_sampling"],
        "grid": {"env.rulebook": [0, 7]},
        "base": [],
        "settings": {"evaluate.samples": 4, "rollout.samples": 10, "env.train_tasks": 20},
        "workers": 2,
    }
}
STAGES = 3 + 6 + 4
"""Of a point: the base's, LEAFE's with one wave, and those of rejection sampling."""


class Story:
    """A comparison's life: interrupted, finished, run again."""

    def __init__(self, folder: Path) -> None:
        make_quick(folder)
        (folder / "comparisons.yaml").write_text(yaml.safe_dump(SMALL))
        self.folder = folder
        env = {"PREFECT_HOME": str(folder.parent / "prefect")}

        def start() -> Program:
            return Program(["flows.comparison"], folder, env)

        first = start()
        first.wait_for(r"\[.*\] rulebook=\d: branch@i1-w1")
        processes = first.descendants()
        first.interrupt()
        self.code = first.end()
        self.left = alive(processes)
        self.interrupted = first.text
        self.finished = start()
        assert self.finished.end() == 0, self.finished.text
        self.repeated = start()
        assert self.repeated.end() == 0, self.repeated.text
        self.told: dict[str, Any] = json.loads((folder / "metrics/small.json").read_text())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, policy_dir: Path) -> Story:
    return Story(make_workspace(tmp_path_factory.mktemp("compare") / "project", policy_dir))


def ran(text: str) -> list[str]:
    """The stages that ran, as `point: stage`."""
    return re.findall(r"^\[[^]]*\] (\S+: \S+)$", text, flags=re.MULTILINE)


def test_ctrl_c_ends_all_points_and_says_how_to_go_on(story: Story) -> None:
    assert story.code == 130
    assert story.left == []
    assert "`make compare` goes on from here" in story.interrupted


def test_no_stage_that_was_done_runs_again(story: Story) -> None:
    before = set(ran(story.interrupted))
    after = ran(story.finished.text)
    assert len(after) == len(set(after))
    # what was under way when it was interrupted, one a point at most, ran twice
    assert len(before & set(after)) <= 2
    assert len(before | set(after)) == 2 * STAGES
    assert ran(story.repeated.text) == []


def test_the_figures_have_the_names_that_were_promised(story: Story) -> None:
    told = story.told
    assert set(told["methods"]) == {"base", "leafe", "rejection_sampling"}
    for k in (1, 2, 4):
        interval = told["methods"]["leafe"][f"pass_at_{k}"]
        assert set(interval) == {"mean", "low", "high"}
        assert interval["low"] <= interval["mean"] <= interval["high"]
        paired = told["differences"]["rejection_sampling"][f"pass_at_{k}"]["mean"]
        other = told["methods"]["rejection_sampling"][f"pass_at_{k}"]["mean"]
        assert paired == pytest.approx(interval["mean"] - other)
    assert set(told["env_steps_per_task"]) == {"leafe", "rejection_sampling"}
    assert told["runs"] == ["rulebook=0", "rulebook=7"]
    for spent in told["spent"].values():
        whole = spent["env_steps_per_task"] + spent["unspent_steps_per_task"]
        assert whole == pytest.approx(spent["budget_per_task"])
        assert spent["seconds"] > 0


def test_each_iteration_has_its_figures_and_the_last_are_those_of_the_end(story: Story) -> None:
    for method in ("leafe", "rejection_sampling"):
        [*_, last] = points = story.told["learning"][method]
        assert [point["iteration"] for point in points] == story.told["iterations"]
        assert last["pass_at_4"] == story.told["methods"][method]["pass_at_4"]
        assert ("difference" in last) == (method != "leafe")
    assert last["difference"] == story.told["differences"]["rejection_sampling"]
    assert "i1: Pass@1" in story.finished.text


def test_the_mean_is_that_of_the_points(story: Story) -> None:
    points = story.folder.glob(".leafe/compare/small/rulebook=*/metrics/leafe/i1.json")
    each = [json.loads(path.read_text())["pass_at_1"] for path in points]
    assert len(each) == 2
    assert story.told["methods"]["leafe"]["pass_at_1"]["mean"] == pytest.approx(sum(each) / 2)


def test_it_ends_with_a_picture_a_table_and_a_link(story: Story) -> None:
    assert "<svg" in (story.folder / "plots/small.svg").read_text()
    for words in ("rejection_sampling", "LEAFE - it, Pass@1", "metrics/small.json", "/#/metric?"):
        assert words in story.finished.text


def test_mlflow_has_every_run_and_one_curve_a_method(story: Story) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{story.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("leafe-desk")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    parents = {r.info.run_name for r in runs if r.data.tags.get("iteration") == "all"}
    assert {"rulebook=0", "rejection_sampling-rulebook=7"} <= parents
    curves = [r for r in runs if r.data.tags.get("comparison") == "small"]
    assert len(curves) == 3  # also after the comparison ran again
    history = client.get_metric_history(curves[0].info.run_id, "comparison/pass_at_k")
    assert sorted(point.step for point in history) == [1, 2, 4]
