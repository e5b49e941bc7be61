"""What a run shows in MLflow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import mlflow.data
import pytest
import yaml
from leftovers import KS, STAGES, leave_evaluation
from mlflow_shown import client, history, metrics, show_all, shown

# Fixtures are imported under their own names: pytest finds them there.
from mlflow_shown import empty_database as empty_database
from mlflow_shown import folder as folder

from leafe.tracking import PipelineRun, log_alone


def test_a_child_shows_its_pass_at_k_against_k_and_the_parent_against_the_iteration(
    folder: Path,
) -> None:
    show_all()
    runs = shown()
    assert set(runs) == {"all", "i0", "i1", "i2"}
    for i in ("i0", "i1", "i2"):
        assert runs[i].data.tags["mlflow.parentRunId"] == runs["all"].info.run_id
        assert history(runs[i], "eval/pass_at_k") == [(k, metrics(i)[f"pass_at_{k}"]) for k in KS]
    for k in KS:
        curve = [(n, metrics(f"i{n}")[f"pass_at_{k}"]) for n in range(3)]
        assert history(runs["all"], f"eval/pass_at_{k}") == curve
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


def test_a_child_shows_budgets_outcomes_reflections_losses_counts_and_intervals(
    folder: Path,
) -> None:
    show_all()
    runs = shown()
    low, high = metrics("i1")["ci95"]["pass_at_1"]
    expected = {
        "eval/pass_at_1": metrics("i1")["pass_at_1"],
        "eval/pass_at_1_low": low,
        "eval/pass_at_1_high": high,
        "eval/outcomes/solved": metrics("i1")["outcomes"]["solved"],
        "explore/env_steps_per_task": 9.5,
        "explore/replayed_steps_per_task": 2.5,
        "explore/sampled_tokens_per_task": 80.0,
        "explore/outcomes/failed": 4,
        "rollout/outcomes/solved": 2,
        "rollout/records/in": 10,
        "rollout/records/rejected/budget": 2,
        "reflect/w1/right_step_share": 0.5,
        "reflect/w1/parsed_share": 0.75,
        "branch/w1/solved_share": 0.25,
        "sft/seconds": 2.0,
    }
    found = runs["i1"].data.metrics
    assert {name: found.get(name) for name in expected} == expected
    assert history(runs["i1"], "sft/loss") == [(s, 3.0 / (s + 1)) for s in range(0, 50, 10)]
    assert len(history(runs["i0"], "warm_start/loss")) == 5
    assert runs["i0"].data.metrics["warm_start/pass_at_1"] == 0.2
    assert "warm_start/experience_ratio" not in runs["i0"].data.metrics, "undefined is not zero"
    assert runs["all"].data.metrics["tasks/train_tasks"] == 6


def test_the_parameters_the_commit_the_data_and_the_policy_are_with_the_run(folder: Path) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["model"]["path"] = "x" * 7000
    Path("params.yaml").write_text(yaml.safe_dump(params))
    show_all()
    runs = shown()
    parent = runs["all"]
    assert {name.partition(".")[0] for name in parent.data.params} == set(params) - {
        "plan",
        "curves",
    }, "all but what follows from the others"
    assert parent.data.params["iterations.i2.prev"] == "i1"
    assert parent.data.params["model.path"] == "x" * 6000
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert parent.data.tags["git_commit"] == head.stdout.strip()
    md5 = parent.data.tags["dvc/policies/leafe/i1"]
    assert md5.endswith(".dir")
    inputs = {i.dataset.name: i for i in runs["i1"].inputs.dataset_inputs}
    context = {name: entry.tags[0].value for name, entry in inputs.items()}
    assert context["data/tasks/train.parquet"] == "rollout"
    assert context["data/leafe/i1/examples.parquet"] == "sft"
    assert context["data/leafe/i1/evaluation.parquet"] == "eval"
    examples = inputs["data/leafe/i1/examples.parquet"].dataset
    assert examples.digest == parent.data.tags["dvc/data/leafe/i1/examples.parquet"]
    assert mlflow.data.get_source(examples).uri == "data/leafe/i1/examples.parquet"
    models = client().search_logged_models([runs["i1"].info.experiment_id])
    policy = next(m for m in models if m.source_run_id == runs["i1"].info.run_id)
    assert (policy.tags["dvc_path"], policy.tags["dvc_md5"]) == ("policies/leafe/i1", md5)
    scores = {metric.key: metric.value for metric in policy.metrics}
    assert scores["eval/pass_at_1"] == metrics("i1")["pass_at_1"]


def test_a_stage_shown_twice_has_its_points_once(folder: Path) -> None:
    show_all()
    before = {i: run.data.metrics for i, run in shown().items()}
    show_all(executed=False)
    runs = shown()
    assert {i: run.data.metrics for i, run in runs.items()} == before
    assert len(history(runs["i1"], "eval/pass_at_k")) == len(KS)
    assert len(history(runs["all"], "eval/pass_at_1")) == 3
    assert len(history(runs["i2"], "sft/loss")) == 5


def test_a_stage_cut_off_before_it_was_marked_as_shown_has_its_points_once(folder: Path) -> None:
    show_all()
    mark = "leafe.logged/evaluate"
    client().delete_tag(shown()["i1"].info.run_id, mark)
    show_all()
    runs = shown()
    assert mark in runs["i1"].data.tags
    assert len(history(runs["i1"], "eval/pass_at_k")) == len(KS)
    assert len(history(runs["all"], "eval/pass_at_1")) == 3


def test_a_stage_that_dvc_skipped_shows_its_figures_all_the_same(folder: Path) -> None:
    show_all(executed=False)
    runs = shown()
    assert runs["i1"].data.tags["stage/evaluate"] == "skipped"
    assert runs["i1"].data.metrics["eval/pass_at_1"] == metrics("i1")["pass_at_1"]


def test_other_figures_of_a_stage_start_another_run_and_leave_the_first_as_it_was(
    folder: Path,
) -> None:
    show_all()
    first = shown()["all"].info.run_id
    old = metrics("i2")["pass_at_1"]
    leave_evaluation("i2", "i1", solved=7)
    assert metrics("i2")["pass_at_1"] != old
    run = PipelineRun.open("a-run")
    for stage in STAGES:
        run.log_stage(stage, executed=stage == "evaluate@i2")
    run.finish("FINISHED")
    parents = client().search_runs(
        [client().get_run(first).info.experiment_id], "tags.iteration = 'all'"
    )
    curves = {p.info.run_id: history(p, "eval/pass_at_1") for p in parents}
    assert len(curves) == 2
    assert curves.pop(first)[-1] == (2, old)
    (second,) = curves.values()
    assert [step for step, _ in second] == [0, 1, 2]
    assert second[-1] == (2, metrics("i2")["pass_at_1"])


def test_a_failed_run_leaves_nothing_running(folder: Path) -> None:
    run = PipelineRun.open("a-run")
    for stage in ("tasks", "warm_start", "evaluate_i0", "rollout@i1"):
        run.log_stage(stage, executed=True)
    run.finish("FAILED")
    status = {i: r.info.status for i, r in shown().items()}
    assert status == {"all": "FAILED", "i0": "FINISHED", "i1": "FAILED"}


def test_a_stage_alone_shows_itself_and_behind_an_evaluation_what_was_skipped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_alone("sft@i2")
    assert set(shown()) == {"all", "i2"}
    assert shown()["all"].info.status == "RUNNING"
    log_alone("evaluate@i2")
    runs = shown()
    assert runs["all"].info.status == "FINISHED"
    assert len(history(runs["all"], "eval/pass_at_1")) == 3
    states = {runs[i].data.tags["stage/evaluate"] for i in ("i0", "i1")}
    assert states == {"skipped"}
    assert runs["i2"].data.tags["stage/sft"] == "executed"
    monkeypatch.setenv("DVC_EXP_NAME", "quiet-otter")
    log_alone("tasks")
    experiment = runs["all"].info.experiment_id
    (named,) = client().search_runs([experiment], "tags.dvc_exp = 'quiet-otter'")
    assert named.info.run_name == "quiet-otter"


def test_the_experiment_is_of_the_kind_that_trains_models(folder: Path) -> None:
    show_all()
    experiment = client().get_experiment_by_name("leafe-desk")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    client().delete_experiment(experiment.experiment_id)
    show_all("another")  # comes back
    assert client().get_experiment_by_name("leafe-desk").lifecycle_stage == "active"


def test_a_temporary_experiment_leaves_its_records_with_the_project(
    workspace: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "LEAFE_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(workspace)
    shutil.copy(empty_database, workspace / "mlflow.db")
    dvc = [sys.executable, "-m", "dvc"]
    options = ("--temp", "--name", "aside", "warm_start")
    done = subprocess.run([*dvc, "exp", "run", *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = shown()
    assert runs["all"].data.tags["dvc_exp"] == "aside"
    assert "warm_start/pass_at_1" in runs["i0"].data.metrics
    git = ["git", "for-each-ref", "--format=%(refname)", "refs/exps/**/aside"]
    refs = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split()
    show = ["git", "show", f"{refs[0]}:dvc.lock"]
    lock = yaml.safe_load(subprocess.run(show, capture_output=True, check=True).stdout)["stages"]
    md5 = next(o["md5"] for o in lock["warm_start"]["outs"] if o["path"] == "policies/leafe/i0")
    assert runs["i0"].data.tags["dvc/policies/leafe/i0"] == md5


def test_a_flow_takes_the_hashes_from_the_lock_and_loads_nothing(folder: Path) -> None:
    deps = [{"path": "data/tasks/test.parquet", "md5": "a" * 32}]
    outs = [{"path": "data/leafe/i1/evaluation.parquet", "md5": "b" * 32}]
    lock = {"schema": "2.0", "stages": {"evaluate@i1": {"deps": deps, "outs": outs}}}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    PipelineRun.open("a-run").log_stage("evaluate@i1", executed=True)
    digests = {i.dataset.name: i.dataset.digest for i in shown()["i1"].inputs.dataset_inputs}
    assert digests == {entry["path"]: entry["md5"] for entry in (*deps, *outs)}
