"""Several methods by DVC alone, for real but tiny: one base, one budget, the same figures."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import write_params
from five_methods import METHODS, STEPS, branches, explored, set_top
from staging import complete, journal_keys, kill_when, start
from test_pipeline import dvc, stages_run

from leafe import layout
from leafe.episode import Outcome
from leafe.store import read_episodes, read_examples, read_json, read_tasks

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def folder(five_methods: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(five_methods[0])
    return five_methods[0]


def test_every_method_runs_to_its_end_and_the_base_is_made_and_measured_once(
    five_methods: tuple[Path, str],
) -> None:
    project, said = five_methods
    wanted = ["tasks", "warm_start", "evaluate_i0"]
    for method in METHODS:
        name = "i1" if method == "leafe" else f"{method}-i1"
        between = {
            "rejection_sampling": [],
            "early_experience": [f"alternatives@{name}"],
        }.get(method, [f"reflect@{name}-w1", f"branch@{name}-w1"])
        wanted += [f"rollout@{name}", *between, f"filter@{name}", f"sft@{name}", f"evaluate@{name}"]
    assert sorted(stages_run(said)) == sorted(wanted)
    made = {path.relative_to(project) for path in (project / "policies").glob("*/i?")}
    assert made == {Path("policies/leafe/i0")} | {Path(f"policies/{m}/i1") for m in METHODS}
    assert [*(project / "metrics").glob("*/i0.json")] == [project / "metrics/leafe/i0.json"]


def test_with_nothing_changed_nothing_runs(folder: Path) -> None:
    assert stages_run(dvc(folder, "repro")) == []


def test_all_methods_have_the_same_figures(folder: Path) -> None:
    def keys(value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return {key: keys(inner) for key, inner in value.items() if key != "outcomes"}

    measured = [read_json(layout.metrics("i1", method)) for method in METHODS]
    base = read_json(layout.metrics("i0"))
    assert {"pass_at_1", "pass_at_4", "ci95", "env_steps_per_task"} <= base.keys()
    assert all(keys(figures) == keys(base) for figures in measured)
    spent = [read_json(layout.exploration("i1", method)) for method in METHODS]
    assert all(keys(figures) == keys(spent[0]) for figures in spent)
    for figures, cost in zip(measured, spent, strict=True):
        assert figures["env_steps_per_task"] == cost["env_steps_per_task"] > 0
        assert figures["env_steps_per_task_so_far"] == cost["env_steps_per_task"]


@pytest.mark.parametrize("method", METHODS)
def test_no_task_spends_more_than_the_budget_and_the_figures_add_up(
    folder: Path, method: str
) -> None:
    tree, said = explored(method)
    steps = Counter[str]()
    for episode in tree.episodes:
        steps[episode.task_id] += len(episode.steps)
    figures = read_json(layout.exploration("i1", method))
    assert figures["budget_per_task"] == STEPS
    assert figures["most_steps_of_a_task"] == max(steps.values()) <= STEPS
    assert figures["env_steps_per_task"] == pytest.approx(steps.total() / 12)
    assert figures["env_steps_per_task"] + figures["unspent_steps_per_task"] == pytest.approx(STEPS)
    assert figures["unspent_steps_per_task"] >= 0
    assert sum(figures["outcomes"].values()) == len(tree.episodes)
    assert figures["attempts_per_task"] == pytest.approx(len(tree.episodes) / 12)
    solved = {e.task_id for e in tree.episodes if e.outcome is Outcome.SOLVED}
    assert figures["tasks_solved_share"] == pytest.approx(len(solved) / 12)
    replayed = sum(e.rollback_step or 0 for e in tree.episodes)
    assert figures["replayed_steps_per_task"] == pytest.approx(replayed / 12)
    drawn = sum(len(s.token_ids) for e in tree.episodes for s in e.steps)
    looked = sum(len(r.token_ids) for r in said)
    assert figures["reflection_tokens_per_task"] == pytest.approx(looked / 12)
    assert figures["sampled_tokens_per_task"] == pytest.approx((drawn + looked) / 12)


def test_the_budget_binds_and_what_it_cuts_off_says_so(folder: Path) -> None:
    cut = {
        method: [e for e in explored(method)[0].episodes if e.outcome is Outcome.OUT_OF_BUDGET]
        for method in METHODS
    }
    assert cut["rejection_sampling"]
    for method in ("leafe", "rejection_sampling"):
        tree, _ = explored(method)
        for episode in cut[method]:
            own = tree.of_task(episode.task_id).episodes
            assert sum(len(e.steps) for e in own) == STEPS, "spent to the last step"
            assert episode == own[-1], "nothing after it"
    other = branches(explored("early_experience")[0])
    assert {e.outcome for e in other} >= {Outcome.OUT_OF_BUDGET}, "one step, all that it had"


def test_the_roots_are_the_same_as_far_as_methods_want_them(folder: Path) -> None:
    roots = {m: read_episodes(layout.episodes("i1", "w0", m)) for m in METHODS}
    assert roots["leafe"] == roots["leafe_no_experience"] == roots["leafe_restart"]
    wanted = {"rejection_sampling": 10, "early_experience": 6}
    for method, samples in wanted.items():
        assert {e.sample for e in roots[method]} <= set(range(samples))
        assert [e for e in roots[method] if e.sample < 3] == roots["leafe"]
    assert max(e.sample for e in roots["rejection_sampling"]) > 5


@pytest.mark.parametrize("method", METHODS)
def test_no_training_set_holds_a_test_task(folder: Path, method: str) -> None:
    train = {task.id for task in read_tasks(layout.tasks("train"))}
    test = {task.id for task in read_tasks(layout.tasks("test"))}
    used = {example.task_id for example in read_examples(layout.examples("i1", method))}
    assert used <= train
    assert not used & test
    assert {e.task_id for e in read_episodes(layout.evaluation("i1", method))} == test


def changed_stages(folder: Path) -> set[str]:
    """What DVC would run, by `dvc status`."""
    return set(json.loads(dvc(folder, "status", "--json")))


def test_another_override_or_method_puts_no_other_method_out_of_date(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert changed_stages(folder) == set()
    try:
        overrides = {**params["overrides"], "rejection_sampling": {"rollout": {"samples": 9}}}
        set_top(folder, overrides=overrides)
        wanted = {f"{kind}@rejection_sampling-i1" for kind in ("rollout", "filter", "sft")}
        assert changed_stages(folder) == wanted
        overrides = {**params["overrides"], "grpo": {"rollout": {"samples": 2}}}
        set_top(folder, overrides=overrides, methods=[*METHODS, "grpo"])
        assert changed_stages(folder) == {"grpo@grpo-i1", "evaluate@grpo-i1"}
        set_top(folder, overrides=overrides, methods=["leafe"])
        assert changed_stages(folder) == set()
    finally:
        write_params(folder, params)


def test_other_actions_killed_half_way_end_with_the_same_bytes(
    folder: Path, tmp_path: Path
) -> None:
    ignore = shutil.ignore_patterns(".dvc", ".git")
    copy = shutil.copytree(folder, tmp_path / "project", ignore=ignore)
    made = str(layout.tree("i1", "early_experience") / "alternatives")
    shutil.rmtree(copy / made)
    stage = ("alternatives", "--method", "early_experience", "--iteration", "i1", "--policy", "i0")
    for _ in range(20):  # it is soon done, and then begins anew
        if kill_when(start(copy, stage), lambda: len(journal_keys(copy)) > 2):
            break
    kept = journal_keys(copy)
    assert 2 < len(kept) < 12
    shutil.rmtree(copy / made, ignore_errors=True)
    assert f"{len(kept)} done before" in complete(copy, stage)
    tables = [path.name for path in (folder / made).glob("*.parquet")]
    assert sorted(tables) == ["episodes.parquet", "reflections.parquet"]
    for name in tables:
        assert (copy / made / name).read_bytes() == (folder / made / name).read_bytes()
