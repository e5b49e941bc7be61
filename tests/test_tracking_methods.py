"""What a run of two methods shows in MLflow: a parent each, and the base in both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from leftovers import GRPO_STAGES, KS, STAGES, leave_evaluation
from mlflow_shown import client, history, metrics, show_all, shown

# Fixtures are imported under their own names: pytest finds them there.
from mlflow_shown import empty_database as empty_database
from mlflow_shown import folder as folder

from leafe.plan import update_plan
from leafe.tracking import PipelineRun, log_alone

METHODS = ("leafe", "grpo")
BOTH = [*STAGES[:9], *GRPO_STAGES[:2], *STAGES[9:], *GRPO_STAGES[2:]]
"""In the order in which a flow runs them."""


def test_each_method_has_a_parent_of_its_own_with_the_bases_point_in_both(folder: Path) -> None:
    show_all(stages=BOTH)
    ours, theirs = shown("leafe"), shown("grpo")
    assert set(ours) == {"all", "i0", "i1", "i2"}
    assert set(theirs) == {"all", "i1", "i2"}, "the base is a child once"
    for runs in (ours, theirs):
        parent = runs["all"].info.run_id
        assert {r.data.tags["mlflow.parentRunId"] for i, r in runs.items() if i != "all"} == {
            parent
        }
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for k in KS:
        for method, runs in (("leafe", ours), ("grpo", theirs)):
            after = [(n, metrics(f"i{n}", method)[f"pass_at_{k}"]) for n in (1, 2)]
            base = (0, metrics("i0")[f"pass_at_{k}"])
            assert history(runs["all"], f"eval/pass_at_{k}") == [base, *after]
    assert metrics("i1") != metrics("i1", "grpo")


def test_the_runs_of_a_method_are_told_from_anothers_by_name_tag_and_parameters(
    folder: Path,
) -> None:
    show_all(stages=BOTH)
    ours, theirs = shown("leafe"), shown("grpo")
    assert ours["all"].info.run_name == "a-run"
    assert theirs["all"].info.run_name == "grpo-a-run"
    assert [theirs[i].info.run_name for i in ("i1", "i2")] == ["grpo-i1", "grpo-i2"]
    samples = yaml.safe_load(Path("params.yaml").read_text())["rollout"]["samples"]
    assert ours["all"].data.params["rollout.samples"] == str(samples) != "2"
    assert theirs["all"].data.params["rollout.samples"] == "2", "as the method has it"
    assert {r.data.tags["leafe.key"] for r in (*ours.values(), *theirs.values())} == {"a-run"}
    models = client().search_logged_models([theirs["i1"].info.experiment_id])
    made = {model.name: model.tags["dvc_path"] for model in models}
    assert made == {
        "policy-i0": "policies/leafe/i0",
        **{f"policy-i{n}": f"policies/leafe/i{n}" for n in (1, 2)},
        **{f"policy-grpo-i{n}": f"policies/grpo/i{n}" for n in (1, 2)},
    }


def test_a_round_based_method_shows_what_its_exploration_cost_as_the_others_do(
    folder: Path,
) -> None:
    show_all(stages=BOTH)
    ours, theirs = shown("leafe")["i1"].data.metrics, shown("grpo")["i1"].data.metrics
    explored = {name for name in ours if name.startswith("explore/")}
    records = {name for name in explored if "records" in name or "examples" in name}
    assert explored - records <= theirs.keys()
    assert theirs["explore/env_steps_per_task"] == 9.5
    assert len(history(shown("grpo")["i1"], "grpo/loss")) == 5
    inputs = {i.dataset.name for i in shown("grpo")["i1"].inputs.dataset_inputs}
    assert {"data/tasks/train.parquet", "data/grpo/i1/tree/w0/episodes.parquet"} <= inputs


def test_shown_twice_all_is_there_once(folder: Path) -> None:
    show_all(stages=BOTH)
    before = {m: {i: r.data.metrics for i, r in shown(m).items()} for m in METHODS}
    show_all(stages=BOTH, executed=False)
    assert {m: {i: r.data.metrics for i, r in shown(m).items()} for m in METHODS} == before
    for method in METHODS:
        assert [n for n, _ in history(shown(method)["all"], "eval/pass_at_1")] == [0, 1, 2]


def test_other_figures_of_one_method_start_another_run_of_that_one_alone(folder: Path) -> None:
    show_all(stages=BOTH)
    first = {method: shown(method)["all"].info.run_id for method in METHODS}
    leave_evaluation("i2", "i1", 7, "grpo")
    show_all(stages=BOTH)
    assert shown("leafe")["all"].info.run_id == first["leafe"]
    experiment = client().get_run(first["grpo"]).info.experiment_id
    found = client().search_runs(
        [experiment], "tags.`leafe.method` = 'grpo' and tags.iteration = 'all'"
    )
    (second,) = [run for run in found if run.info.run_id != first["grpo"]]
    assert len(found) == 2
    curve = history(second, "eval/pass_at_1")
    assert curve[0] == (0, metrics("i0")["pass_at_1"]), "the base in it too"
    assert curve[-1] == (2, metrics("i2", "grpo")["pass_at_1"])


def test_the_link_lays_the_base_and_the_last_iteration_of_each_method_over_each_other(
    folder: Path,
) -> None:
    link = unquote(show_all(stages=BOTH).compare_link())
    ours, theirs = shown("leafe"), shown("grpo")
    wanted = [ours["i0"], ours["i2"], theirs["i2"]]
    places = [link.index(run.info.run_id) for run in wanted]
    assert places == sorted(places)
    others = [ours["i1"], theirs["i1"], ours["all"], theirs["all"]]
    assert not any(run.info.run_id in link for run in others)


def test_stages_shown_one_by_one_end_each_method_once_all_are_measured(folder: Path) -> None:
    log_alone("evaluate@grpo-i2")
    theirs = shown("grpo")
    assert theirs["i1"].data.tags["stage/grpo"] == "skipped"
    assert theirs["i2"].data.tags["stage/evaluate"] == "executed"
    assert len(history(theirs["all"], "eval/pass_at_1")) == 3
    assert history(shown("leafe")["all"], "eval/pass_at_1") == [(0, metrics("i0")["pass_at_1"])]
    assert {shown(m)["all"].info.status for m in METHODS} == {"RUNNING"}
    log_alone("evaluate@i2")
    assert len(history(shown("leafe")["all"], "eval/pass_at_1")) == 3
    assert {shown(m)["all"].info.status for m in METHODS} == {"FINISHED"}


def test_a_stage_of_a_method_that_is_not_run_is_shown_all_the_same(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text()) | {"methods": ["leafe"]}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    update_plan(Path("params.yaml"))
    log_alone("grpo@grpo-i1")
    assert capfd.readouterr().err == ""
    assert set(shown("grpo")) == {"all", "i1"}
    assert shown("grpo")["i1"].data.metrics["explore/env_steps_per_task"] == 9.5


def test_all_that_a_folder_has_is_shown_by_one_command(folder: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "leafe.tracking", "whole"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stderr == ""
    for method in METHODS:
        assert shown(method)["all"].data.tags["leafe.key"] == "whole"
        assert len(history(shown(method)["all"], "eval/pass_at_1")) == 3


def test_a_failed_run_leaves_no_method_running(folder: Path) -> None:
    run = PipelineRun.open("a-run")
    for stage in BOTH[:10]:
        run.log_stage(stage, executed=True)
    run.finish("FAILED")
    states = {m: {i: r.info.status for i, r in shown(m).items()} for m in METHODS}
    assert states == {
        "leafe": {"all": "FAILED", "i0": "FINISHED", "i1": "FINISHED"},
        "grpo": {"all": "FAILED", "i1": "FAILED"},
    }
