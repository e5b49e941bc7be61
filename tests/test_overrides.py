"""Methods in `params.yaml`: which run, what each sets otherwise, and that no other is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from leafe.errors import BadInput
from leafe.layout import entry
from leafe.method import METHODS
from leafe.params import Params, load_params
from leafe.plan import update_plan
from leafe.planning import split_name, stages_until

ALL = [*METHODS]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """The project's parameter file with some sections changed, its plan brought up to date."""

    def write(**sections: Any) -> Path:
        path = tmp_path / "params.yaml"
        data = yaml.safe_load((ROOT / "params.yaml").read_text()) | sections
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return path

    return write


def overriding(method: str, **sections: Any) -> dict[str, Any]:
    """The overrides of all methods: those sections for one, none for the others."""
    return {name: sections if name == method else {} for name in ALL}


BAD: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"methods": ["leaf"]}, ("methods", "'leaf'", "did you mean leafe?")),
    ({"methods": ["zebra"]}, ("methods", "'zebra'", "allowed: leafe, leafe_no_experience, ")),
    ({"methods": ["leafe", "grpo", "leafe"]}, ("methods", "each method once")),
    ({"methods": "leafe"}, ("methods is 'leafe'", "list")),
    ({"methods": None}, ("methods is null", "list")),
    ({"methods": [1]}, ("methods.0 is 1", "a text")),
    ({"overrides": {"leafe": {}}, "methods": ["grpo"]}, ("overrides.grpo is missing", "{}")),
    ({"overrides": None}, ("overrides is null", "mapping")),
    ({"overrides": overriding("leafe") | {"leaf": {}}}, ("overrides.leaf", "did you mean leafe?")),
    ({"overrides": overriding("leafe") | {"grpo": None}}, ("overrides.grpo is null", "mapping")),
    ({"overrides": overriding("grpo", sampling={})}, ("overrides.grpo", "'sampling'", "'rollout'")),
    ({"overrides": overriding("grpo", grpo={})}, ("overrides.grpo", "has the key 'grpo'")),
    ({"overrides": overriding("grpo", rollout=3)}, ("overrides.grpo.rollout is 3", "a mapping")),
    ({"overrides": overriding("grpo", sft=[1])}, ("overrides.grpo.sft is a list", "a mapping")),
    ({"overrides": overriding("grpo", sft="beta")}, ("overrides.grpo.sft is 'beta'", "a mapping")),
    ({"overrides": overriding("grpo", sft=None)}, ("overrides.grpo.sft is null", "a mapping")),
    (
        {"overrides": overriding("grpo", sft={"steps": "ten"})},
        ("overrides.grpo.sft.steps is 'ten'", "an integer"),
    ),
    (
        {"overrides": overriding("grpo", rollout={"smaples": 3})},
        ("overrides.grpo.rollout.smaples", "did you mean samples?"),
    ),
    (
        {"overrides": overriding("grpo", rollout={"samples": 13})},
        ("overrides.grpo.rollout.samples is 13", "rollout.max_attempts", "12"),
    ),
    *(
        (
            {"overrides": overriding("early_experience", rollout={key: 99})},
            (f"overrides.early_experience.rollout.{key} ", "must not be set", f"rollout.{key}"),
        )
        for key in ("max_attempts", "max_steps")
    ),
    ({"iterations": {"grpo": {"prev": "i0"}}}, ("iterations.grpo", "the name of a method")),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[str(change)[:70] for change, _ in BAD])
@pytest.mark.parametrize("how", [load_params, update_plan])
def test_a_wrong_method_or_override_is_told_in_one_sentence_with_what_is_allowed(
    write: Callable[..., Path],
    how: Callable[[Path], Any],
    change: dict[str, Any],
    said: tuple[str, ...],
) -> None:
    path = write(**change)
    with pytest.raises(BadInput) as caught:
        how(path)
    sentence = str(caught.value)
    for part in ("params.yaml: ", *said):
        assert part in sentence
    assert sentence.isprintable()
    assert len(sentence) < 300


@pytest.fixture
def own(write: Callable[..., Path]) -> Params:
    """All methods, of which one sets other keys of two sections."""
    path = write(
        methods=ALL, overrides=overriding("grpo", rollout={"samples": 7}, sft={"beta": 0.5})
    )
    update_plan(path)
    return load_params(path)


def test_an_override_changes_its_keys_for_its_method_and_for_no_other(own: Params) -> None:
    changed = own.of("grpo")
    assert (changed.rollout.samples, changed.sft.beta) == (7, 0.5)
    assert own.rollout.samples != 7
    assert own.sft.beta != 0.5
    whole, mine = own.model_dump(), changed.model_dump()
    whole["rollout"]["samples"], whole["sft"]["beta"] = 7, 0.5
    assert mine == whole, "nothing else"
    assert all(own.of(method) == own for method in ALL if method != "grpo")


def test_every_method_keeps_the_budget_the_sampling_and_the_measuring() -> None:
    params = load_params(ROOT / "params.yaml")
    same = ("run", "env", "model", "warm_start", "engine", "sampling", "evaluate")
    for method in METHODS:
        mine = params.of(method)
        assert mine.section(*same) == params.section(*same)
        assert mine.rollout.max_steps == params.rollout.max_steps
        assert mine.rollout.max_attempts == params.rollout.max_attempts


def test_no_method_at_all_leaves_the_base_alone(write: Callable[..., Path]) -> None:
    path = write(methods=[], overrides={})
    update_plan(path)
    params = load_params(path)
    assert not any(params.plan.values())
    assert list(params.curves) == ["plots/leafe/i0.csv"]


def test_every_method_has_its_stages_and_every_iteration_starts_at_the_right_policy(
    own: Params,
) -> None:
    tables = {kind: [*table] for kind, table in own.plan.items()}
    names = [entry(method, i) for method in ALL for i in ("i1", "i2", "i3")]
    assert tables["iterations"] == names
    assert sorted(tables["distilled"] + tables["rounds"]) == sorted(names)
    assert tables["rounds"] == ["grpo-i1", "grpo-i2", "grpo-i3"]
    assert tables["alternatives"] == [f"early_experience-i{n}" for n in (1, 2, 3)]
    branching = {row.method for row in own.plan["waves"].values()}
    assert branching == {"leafe", "leafe_no_experience", "leafe_restart"}
    assert len(tables["waves"]) == 3 * 3 * 3
    for row in own.plan["iterations"].values():
        assert row.policy == own.iterations[row.iteration].prev
        assert row.home == ("leafe" if row.policy == "i0" else row.method)
    curves = [*own.curves]
    assert curves[0] == "plots/leafe/i0.csv"
    assert curves.count("plots/leafe/i0.csv") == 1
    assert curves[1:] == [f"plots/{m}/i{n}.csv" for m in ALL for n in (1, 2, 3)]


@pytest.mark.parametrize("method", ALL)
def test_the_stages_until_an_evaluation_are_those_of_its_method_in_order(
    own: Params, method: str
) -> None:
    stages = stages_until(f"evaluate@{entry(method, 'i2')}", own.iterations, own.waves)
    assert stages[:3] == ["tasks", "warm_start", "evaluate_i0"]
    assert stages[-1] == f"evaluate@{entry(method, 'i2')}"
    said = [split_name(stage) for stage in stages[3:]]
    assert {part.method for part in said} == {method}
    assert [part.iteration for part in said] == sorted(str(part.iteration) for part in said)
    first = [part.kind for part in said if part.iteration == "i1"]
    kinds = {
        "waves": ["rollout", *["reflect", "branch"] * 3, "filter", "sft", "evaluate"],
        "roots": ["rollout", "filter", "sft", "evaluate"],
        "alternatives": ["rollout", "alternatives", "filter", "sft", "evaluate"],
        "rounds": ["grpo", "evaluate"],
    }
    assert first == kinds[METHODS[method].explores]
    planned = {f"{kind}@{name}" for kind, name in _planned(own)}
    assert set(stages[3:]) <= planned


def _planned(params: Params) -> list[tuple[str, str]]:
    """The stages of `dvc.yaml`'s groups."""
    groups = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    of = {kind: group["foreach"] for kind, group in groups.items() if "foreach" in group}
    return [
        (kind, name)
        for kind, table in of.items()
        for name in params.plan[table.removeprefix("${plan.").removesuffix("}")]
    ]
