"""Which methods run where: `comparisons.yaml`, its points and groups, and what it must not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from leafe.errors import BadInput
from leafe.grid import FILE, read_comparison
from leafe.method import METHODS
from leafe.workspace import with_settings

SMALL: dict[str, Any] = {
    "methods": ["leafe", "grpo"],
    "by": ["env.feedback"],
    "grid": {"run.seed": [0, 1], "env.feedback": ["what", "nothing"]},
    "base": ["run.seed"],
    "workers": 2,
}


def read(folder: Path, **changed: Any) -> Any:
    (folder / "c.yaml").write_text(yaml.safe_dump({"small": SMALL | changed}))
    return read_comparison("small", folder / "c.yaml")[1]


def test_every_choice_is_a_point_and_those_of_a_group_are_together(tmp_path: Path) -> None:
    comparison = read(tmp_path)
    names = [point.name for point in comparison.points()]
    assert names == [
        "feedback=what,seed=0",
        "feedback=what,seed=1",
        "feedback=nothing,seed=0",
        "feedback=nothing,seed=1",
    ]
    groups = {name: [p.name for p in points] for name, points in comparison.groups().items()}
    assert groups == {"feedback=what": names[:2], "feedback=nothing": names[2:]}


def test_the_first_comparison_is_all_methods_on_three_rulebooks_and_two_seeds() -> None:
    name, comparison = read_comparison(None, ROOT / FILE)
    assert name == "comparison"
    assert set(comparison.methods) == set(METHODS)
    assert len(comparison.grid["env.rulebook"]) >= 3
    assert len(comparison.grid["run.seed"]) >= 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"methods": ["leafe", "grop"]}, ("small.methods", "'grop'", "did you mean grpo?")),
        ({"methods": []}, ("small.methods",)),
        ({"by": ["env.feedbak"]}, ("by holds 'env.feedbak'", "allowed: env.feedback, run.seed")),
        ({"workers": 0}, ("small.workers is 0", "at least 1")),
        ({"grid": {"seed": [1]}}, ("small.grid", "'seed'")),
        ({"grid": {"run.seed": []}}, ("small.grid.run.seed",)),
        ({"worker": 1}, ("small.worker is not a known key", "did you mean workers?")),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    tmp_path: Path, changed: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput) as error:
        read(tmp_path, **changed)
    for words in (*said, "c.yaml"):
        assert words in str(error.value)


def test_an_unknown_comparison_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    read(tmp_path)
    with pytest.raises(BadInput, match="has no 'smal'; did you mean small"):
        read_comparison("smal", tmp_path / "c.yaml")


def test_settings_may_replace_a_whole_section() -> None:
    params = {"env": {"name": "desk", "rulebook": 0}, "run": {"seed": 0}}
    changed = with_settings(params, {"env": {"name": "sokoban"}, "env.size": 7})
    assert changed == {"env": {"name": "sokoban", "size": 7}, "run": {"seed": 0}}
    with pytest.raises(BadInput, match="has no key envs; did you mean env"):
        with_settings(params, {"envs": {}})
