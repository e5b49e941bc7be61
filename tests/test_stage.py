"""What stages take, and what they refuse: a wrong predecessor, a breakdown as a result."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Runner, change_params, write_params
from staging import EVALUATE, ROLLOUT, complete

from leafe.example import Example, TrainingSet
from leafe.plan import update_plan
from leafe.store import read_tasks, write_examples

BREAKABLE = """
from pathlib import Path
from leafe.envs.desk import Desk, DeskEnv

class BreakableDesk(Desk):
    def make(self):
        return BreakableEnv(self.settings.refusals, self.settings.feedback)

class BreakableEnv(DeskEnv):
    def start(self, task):
        if Path("down").exists():
            raise OSError("the service is down")
        return super().start(task)
"""


@pytest.mark.parametrize(
    "stage", [ROLLOUT, ("evaluate", "--iteration", "i0")], ids=["rollout", "evaluate"]
)
def test_a_stage_fails_where_the_machinery_failed_every_time_and_then_tries_anew(
    workspace: Path, run_stage: Runner, stage: tuple[str, ...]
) -> None:
    (workspace / "breakable.py").write_text(BREAKABLE)
    change_params(workspace, env={"name": "breakable:BreakableDesk"})
    shutil.copytree(workspace / "tiny", workspace / "policies/leafe/i0")
    assert run_stage("tasks").returncode == 0
    (workspace / "down").touch()
    done = run_stage(*stage)
    assert done.returncode == 2
    assert "env_error OSError: the service is down; put that right" in done.stderr
    assert not list(workspace.glob("data/leafe/**/*.parquet"))
    (workspace / "down").unlink()
    done = run_stage(*stage)
    assert done.returncode == 0, done.stderr
    assert len(list(workspace.glob("data/leafe/**/*.parquet"))) == 1


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (("evaluate", "--iteration", "i1"), "--prev is null; it must be i0"),
        (("filter", "--iteration", "i1", "--policy", "i1"), "--policy is 'i1'; it must be i0"),
        ((*ROLLOUT, "--method", "gpro"), "--method is 'gpro', which leafe does not have; did you"),
        ((*ROLLOUT, "--method", "../x"), "--method is '../x', which leafe does not have; allowed"),
        ((*ROLLOUT, "--method", "grpo"), "params.yaml: overrides.grpo is missing; it must be"),
    ],
    ids=["none", "another", "misspelt method", "no method", "no overrides"],
)
def test_a_stage_takes_only_the_predecessor_and_the_method_that_the_parameters_name(
    workspace: Path, run_stage: Runner, stage: tuple[str, ...], said: str
) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    del params["overrides"]["grpo"]
    write_params(workspace, params)
    done = run_stage(*stage)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("overrides", [{}, {"leafe": {"rollout": {"samples": 2}}}])
def test_what_all_methods_share_hangs_on_none_of_them(
    workspace: Path, overrides: dict[str, Any]
) -> None:
    complete(workspace, ("warm_start",))
    measured = (workspace / "metrics/warm_start.json").read_bytes()
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    write_params(workspace, params | {"methods": ["grpo"], "overrides": {"grpo": {}} | overrides})
    update_plan(workspace / "params.yaml")
    for stage in (("tasks",), ("warm_start",), EVALUATE):
        complete(workspace, stage)
    assert (workspace / "metrics/warm_start.json").read_bytes() == measured
    record = json.loads((workspace / "policies/leafe/i0.record.json").read_text())
    assert record["parameters"]["rollout"]["samples"] == params["rollout"]["samples"] != 2


def test_a_policy_whose_tokenizer_has_no_padding_token_is_trained(
    workspace: Path, run_stage: Runner
) -> None:
    policy = shutil.copytree(workspace / "tiny", workspace / "policies/leafe/i0")
    config = json.loads((policy / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (policy / "tokenizer_config.json").write_text(json.dumps(config))
    assert run_stage("tasks").returncode == 0
    task = read_tasks(workspace / "data/tasks/train.parquet")[0].id
    rows = [
        Example(
            task, "e", TrainingSet.REHEARSAL, None, ids, tuple(at > 0 for at in range(len(ids)))
        )
        for ids in ((5, 6), (5, 6, 7, 8))
    ]
    write_examples(workspace / "data/leafe/i1/examples.parquet", rows)
    done = run_stage("sft", "--iteration", "i1", "--policy", "i0")
    assert done.returncode == 0, done.stderr
