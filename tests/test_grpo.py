"""Stage grpo with a real, tiny policy: rounds that learn, within the budget, or refuse."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from conftest import change_params, write_params
from five_methods import repro
from luck import GROUP, MADE, ROUNDS, TASKS, losses, same_weights, states

# Fixtures are imported under their own names: pytest finds them there.
from luck import coin as coin
from luck import fresh as fresh
from luck import undisturbed as undisturbed
from staging import EVALUATE, GRPO, complete, finish, hashes, kill_when, start
from test_pipeline import stages_run

from leafe.episode import Episode, Outcome
from leafe.plan import update_plan
from leafe.store import read_episodes, read_json, read_tasks
from leafe.training.checkpoint import policy_version


def by_round(folder: Path) -> list[list[Episode]]:
    """The episodes by the policy that made them, in order."""
    rounds: dict[str, list[Episode]] = {}
    for episode in read_episodes(folder / MADE):
        rounds.setdefault(episode.policy, []).append(episode)
    assert [name.rpartition("+")[2] for name in rounds] == [str(n) for n in range(len(rounds))]
    return list(rounds.values())


def test_every_task_has_its_group_once_each_round_by_the_policy_of_the_round_before(
    undisturbed: Path,
) -> None:
    rounds = by_round(undisturbed)
    assert len(rounds) == ROUNDS
    groups = [Counter(e.task_id for e in made) for made in rounds]
    tasks = {task.id for task in read_tasks(undisturbed / "data/tasks/train.parquet")}
    assert [set(group.values()) for group in groups] == [{GROUP}] * ROUNDS
    assert [len(group) for group in groups] == [TASKS // ROUNDS] * ROUNDS
    assert set().union(*groups) == tasks
    assert all(e.parent is None and e.wave == "w0" for made in rounds for e in made)


def test_it_leaves_what_other_methods_leave_and_the_counts_add_up(undisturbed: Path) -> None:
    made = [e for episodes in by_round(undisturbed) for e in episodes]
    record = read_json(undisturbed / "policies/grpo/i1.record.json")
    counts = record["counts"]
    assert counts["in"] == len(made) == TASKS * GROUP
    assert counts["in"] == counts["kept"] + sum(counts["rejected"].values())
    assert counts["kept"] > 20, "there was something to learn from"
    assert [int(row["step"]) for row in losses(undisturbed)] == [1, 2, 3, 4]
    assert record["figures"]["steps"] >= 1
    assert float(losses(undisturbed)[-1]["loss"]) == record["figures"]["final_loss"]
    assert "loss" not in record["figures"], "the curve has that name in MLflow"
    explored = read_json(undisturbed / "metrics/grpo/i1.exploration.json")
    steps = Counter[str]()
    for episode in made:
        steps[episode.task_id] += len(episode.steps)
    assert explored["most_steps_of_a_task"] == max(steps.values()) <= explored["budget_per_task"]
    assert explored["env_steps_per_task"] == pytest.approx(steps.total() / TASKS)
    spent = explored["env_steps_per_task"] + explored["unspent_steps_per_task"]
    assert spent == pytest.approx(explored["budget_per_task"])
    assert not same_weights(undisturbed / "policies/leafe/i0", undisturbed / "policies/grpo/i1")
    assert not states(undisturbed), "no state outlives it"


def test_it_is_measured_like_any_other_method(undisturbed: Path) -> None:
    complete(undisturbed, EVALUATE)
    complete(undisturbed, ("evaluate", *GRPO[1:5], "--prev", "i0"))
    base, after = (read_json(undisturbed / f"metrics/{i}.json") for i in ("leafe/i0", "grpo/i1"))
    assert after.keys() == base.keys()
    explored = read_json(undisturbed / "metrics/grpo/i1.exploration.json")
    assert after["env_steps_per_task_so_far"] == explored["env_steps_per_task"]


def test_rounds_make_success_likelier(fresh: Path) -> None:
    change_params(fresh, env={"train_tasks": 60}, grpo={"tasks": 10, "group": 8})
    complete(fresh, ("tasks",))
    complete(fresh, GRPO)
    shares = [sum(e.outcome is Outcome.SOLVED for e in made) / 80 for made in by_round(fresh)]
    assert len(shares) == 6
    assert shares[0] < 0.6
    assert shares[-1] > shares[0] + 0.2, shares


def test_where_no_group_has_a_signal_it_learns_nothing_and_does_not_fail(fresh: Path) -> None:
    change_params(fresh, env={"name": "coin:LostDesk"})
    complete(fresh, ("tasks",))
    slow = start(fresh, GRPO, PAUSE="0.03")
    assert kill_when(slow, lambda: bool(states(fresh)))  # no optimizer's state in it
    complete(fresh, GRPO)
    assert same_weights(fresh / "policies/leafe/i0", fresh / "policies/grpo/i1")
    record = read_json(fresh / "policies/grpo/i1.record.json")
    assert record["counts"]["kept"] == 0
    assert record["counts"]["rejected"] == {"no_signal": TASKS * GROUP}
    assert record["figures"] == {}
    assert (fresh / "plots/grpo/i1.loss.csv").read_text().split() == ["step,loss"]
    assert read_json(fresh / "metrics/grpo/i1.exploration.json")["tasks_solved_share"] == 0


def test_a_group_ends_with_the_tasks_budget(fresh: Path) -> None:
    change_params(fresh, rollout={"max_steps": 7})
    complete(fresh, GRPO)
    explored = read_json(fresh / "metrics/grpo/i1.exploration.json")
    assert explored["most_steps_of_a_task"] == explored["budget_per_task"] == 7
    cut = [e for e in read_episodes(fresh / MADE) if e.outcome is Outcome.OUT_OF_BUDGET]
    assert cut
    rejected = read_json(fresh / "policies/grpo/i1.record.json")["counts"]["rejected"]
    assert rejected["budget"] == len(cut), "how it would have ended is not known"


def test_the_distance_from_the_base_is_told_where_it_is_weighed(fresh: Path) -> None:
    change_params(fresh, grpo={"kl": 0.1})
    complete(fresh, GRPO)
    figures = read_json(fresh / "policies/grpo/i1.record.json")["figures"]
    assert figures["kl_reference"] > 0
    assert figures["kl_old"] >= 0


def refused(folder: Path) -> str:
    """The one sentence with which it refuses; nothing is written."""
    before = hashes(folder, ("data", "metrics", "plots", "policies"))
    assert finish(start(folder, GRPO)) == 2
    lines = (folder / "said.txt").read_text().splitlines()
    errors = [line for line in lines if line.startswith("Error: ")]
    assert len(errors) == 1, lines
    assert "Traceback" not in "\n".join(lines)
    assert hashes(folder, ("data", "metrics", "plots", "policies")) == before
    return errors[0]


def test_an_engine_or_a_temperature_that_cannot_be_learned_from_is_refused(fresh: Path) -> None:
    change_params(fresh, engine={"name": "scripted", "script": "script.yaml"})
    assert refused(fresh).startswith("Error: params.yaml: engine.name is 'scripted'; grpo trains")
    change_params(fresh, engine={"name": "transformers"}, sampling={"temperature": 0.0})
    assert "sampling.temperature is 0; grpo compares" in refused(fresh)


def test_where_the_machinery_fails_every_time_nothing_is_published(fresh: Path) -> None:
    change_params(fresh, env={"name": "coin:DownDesk"})
    complete(fresh, ("tasks",))
    assert "env_error OSError: the service is down; put that right" in refused(fresh)
    change_params(fresh, env={"name": "coin:CoinDesk"})
    complete(fresh, ("tasks",))
    complete(fresh, GRPO)


def test_dvc_runs_two_iterations_of_it_and_then_nothing(fresh: Path, warm: dict[str, str]) -> None:
    shutil.rmtree(fresh / "data")
    params = yaml.safe_load((fresh / "params.yaml").read_text())
    params |= {"methods": ["grpo"], "iterations": {"i1": {"prev": "i0"}, "i2": {"prev": "i1"}}}
    write_params(fresh, params)
    update_plan(fresh / "params.yaml")
    said = [repro(fresh, warm), repro(fresh, warm)]
    grpo = [f"{kind}@grpo-{i}" for i in ("i1", "i2") for kind in ("grpo", "evaluate")]
    ran = [stages_run(text) for text in said]
    assert sorted(ran[0]) == sorted(["tasks", "warm_start", "evaluate_i0", *grpo])
    assert ran[1] == []
    figures = [read_json(fresh / f"metrics/grpo/{i}.json") for i in ("i1", "i2")]
    spent = [f["env_steps_per_task"] for f in figures]
    assert figures[1]["env_steps_per_task_so_far"] == pytest.approx(sum(spent))
    first = read_episodes(fresh / MADE.replace("i1", "i2"))[0].policy
    assert first == f"{policy_version(fresh / 'policies/grpo/i1')}+0"
