"""What stages take, and what they refuse: a wrong predecessor, a breakdown as a result."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Runner, change_params

from leafe.example import Example, TrainingSet
from leafe.store import write_examples

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
ROLLOUT = ("rollout", "--iteration", "i1", "--policy", "i0")


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
    ],
    ids=["none", "another"],
)
def test_a_stage_takes_only_the_predecessor_that_the_parameters_name(
    workspace: Path, run_stage: Runner, stage: tuple[str, ...], said: str
) -> None:
    done = run_stage(*stage)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_policy_whose_tokenizer_has_no_padding_token_is_trained(
    workspace: Path, run_stage: Runner
) -> None:
    policy = shutil.copytree(workspace / "tiny", workspace / "policies/leafe/i0")
    config = json.loads((policy / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (policy / "tokenizer_config.json").write_text(json.dumps(config))
    rows = [
        Example("t", "e", TrainingSet.REHEARSAL, None, ids, tuple(at > 0 for at in range(len(ids))))
        for ids in ((5, 6), (5, 6, 7, 8))
    ]
    write_examples(workspace / "data/leafe/i1/examples.parquet", rows)
    done = run_stage("sft", "--iteration", "i1", "--policy", "i0")
    assert done.returncode == 0, done.stderr
