"""A workspace is the project with some parameters set; what was made in it stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leafe.errors import BadInput
from leafe.params import load_params
from leafe.workspace import prepare, with_settings


@pytest.fixture
def point(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared workspace inside the project, which is the current folder."""
    monkeypatch.chdir(workspace)
    folder = Path(".leafe/compare/small/seed=5")
    prepare(folder, ["leafe", "rejection_sampling"], {"run.seed": 5})
    return folder


def test_it_has_its_own_parameters_and_a_plan_for_its_methods(point: Path) -> None:
    params = load_params(point / "params.yaml")
    assert params.run.seed == 5
    assert [*params.plan["iterations"]] == ["i1", "rejection_sampling-i1"]
    assert load_params().run.seed == 0
    assert load_params().methods == ["leafe"]


def test_it_has_the_code_and_nothing_that_git_ignores(point: Path) -> None:
    assert (point / "leafe/stages/rollout.py").exists()
    assert (point / "dvc.yaml").exists()
    assert not (point / ".leafe").exists()
    assert not (point / "dvc.lock").exists()


def test_what_was_made_stays_and_code_that_is_gone_goes(point: Path) -> None:
    made = point / "data/tasks/train.parquet"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"x")
    (point / "leafe/gone.py").write_text("")
    prepare(point, ["leafe"], {"run.seed": 6})
    assert made.read_bytes() == b"x"
    assert not (point / "leafe/gone.py").exists()
    assert load_params(point / "params.yaml").run.seed == 6


def test_its_cache_is_that_of_the_project(point: Path) -> None:
    config = (point / ".dvc/config").read_text()
    assert f"dir = {Path('.dvc/cache').resolve()}" in config
    assert os.sep == "/"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("sft.step", 3, "no key sft.step; did you mean steps"),
        ("stf.steps", 3, "no key stf.steps"),
        ("sft.steps", -3, "sft.steps is -3"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(
    point: Path, key: str, value: int, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        prepare(point, ["leafe"], {key: value})


def test_setting_leaves_the_given_parameters_alone() -> None:
    given = {"overrides": {"grpo": {}}, "env": {"name": "desk"}}
    changed = with_settings(given, {"overrides.grpo.sft.steps": 3, "env.refusals": 2})
    assert changed["overrides"] == {"grpo": {"sft": {"steps": 3}}}
    assert changed["env"] == {"name": "desk", "refusals": 2}
    assert given == {"overrides": {"grpo": {}}, "env": {"name": "desk"}}
