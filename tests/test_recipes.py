"""Recipes fit the parameters; they and the dry run change no more than they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from flows.dry_run import short, size_of
from leafe.envs import make_environment
from leafe.errors import BadInput
from leafe.estimate import Cost, Size, cost, numbers, shapes_of, trained
from leafe.params import Params, load_params
from leafe.recipe import apply
from leafe.training_sections import Sft
from leafe.workspace import project_files

RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
SMALL = Size(train_tasks=10, test_tasks=5, steps=12, weights=1000, trained=1000)


@pytest.fixture
def params_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text())
    return path


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_both_models_have_a_recipe_for_every_environment_of_the_paper() -> None:
    paper = {"sokoban", "alfworld", "scienceworld", "webshop", "code"}
    found = {path.parent.name: {p.stem for p in path.parent.iterdir()} for path in RECIPES}
    assert set(found) == {"qwen2.5-7b", "llama-3.1-8b"}
    assert all(paper <= environments for environments in found.values())


@pytest.mark.parametrize("path", RECIPES, ids=name_of)
def test_a_recipe_loads_and_its_run_can_be_estimated(path: Path, params_file: Path) -> None:
    changed = apply(path)
    params = load_params()
    assert {"env", "model", "engine", "sft"} <= set(changed)
    assert params.env["name"] == path.stem
    assert params.engine.name == "vllm"
    assert params.sft.lora is not None
    environment = make_environment(params.env)
    assert environment.max_steps <= params.rollout.max_steps
    size = Size(params.env["train_tasks"], params.env["test_tasks"], environment.max_steps, 8, 8)
    stages = [f"{kind}@{name}" for kind, table in KINDS.items() for name in params.plan[table]]
    spent = {stage: cost(params, size, stage) for stage in stages}
    for stage, one in spent.items():
        kind = stage.partition("@")[0]
        assert {"filter": one.disk, "sft": one.read}.get(kind, one.requests) > 0, stage


KINDS = {"rollout": "distilled", "reflect": "waves", "branch": "waves", "filter": "distilled"}
KINDS |= {"sft": "distilled", "evaluate": "iterations"}


def test_a_recipe_leaves_what_it_does_not_name(params_file: Path, tmp_path: Path) -> None:
    before = params_file.read_text()
    (tmp_path / "own.yaml").write_text("sft.batch: 8\n")
    assert apply(tmp_path / "own.yaml") == ["sft"]
    old, new = yaml.safe_load(before), yaml.safe_load(params_file.read_text())
    assert new == {**old, "sft": {**old["sft"], "batch": 8}}
    kept = [line for line in before.splitlines() if line.startswith("#")]
    assert [line for line in params_file.read_text().splitlines() if line.startswith("#")] == kept


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("sft.bach: 8", "sft.bach"),
        ("sft.batch: 0", "sft.batch is 0"),
        ("[1]", "mapping of parameters"),
        ("1: 2", "no key 1"),
        ("run.seed.x: 5", r"no key run\.seed\.x, as seed is 0"),
        ("sft: {", "not YAML"),
    ],
)
def test_a_wrong_recipe_is_told_in_a_sentence_and_changes_nothing(
    recipe: str, said: str, params_file: Path, tmp_path: Path
) -> None:
    before = params_file.read_bytes()
    (tmp_path / "own.yaml").write_text(recipe)
    with pytest.raises(BadInput, match=said):
        apply(tmp_path / "own.yaml")
    assert params_file.read_bytes() == before


def test_a_recipe_may_name_methods_and_line_ends_stay(params_file: Path, tmp_path: Path) -> None:
    params_file.write_bytes(params_file.read_bytes().replace(b"\n", b"\r\n"))
    (tmp_path / "own.yaml").write_text("methods: [leafe, grpo]\n")
    assert apply(tmp_path / "own.yaml") == ["methods"]
    assert load_params().methods == ["leafe", "grpo"]
    after = params_file.read_bytes()
    assert after.count(b"\n") == after.count(b"\r\n") > 0


def test_a_recipe_changes_nothing_where_sections_share_lines(
    params_file: Path, tmp_path: Path
) -> None:
    params_file.write_text(json.dumps(yaml.safe_load(params_file.read_text())))
    before = params_file.read_bytes()
    (tmp_path / "own.yaml").write_text("sft.batch: 8\n")
    with pytest.raises(BadInput, match="sft cannot be replaced alone"):
        apply(tmp_path / "own.yaml")
    assert params_file.read_bytes() == before


def test_weights_that_are_none_are_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 4)
    given = params()
    model = given.model.model_copy(update={"path": str(tmp_path)})
    with pytest.raises(BadInput, match=r"model\.safetensors is not a safetensors file"):
        shapes_of(given.model_copy(update={"model": model}))


def params() -> Params:
    return load_params(ROOT / "params.yaml")


def test_the_budget_bounds_what_an_iteration_may_ask() -> None:
    stages = ["rollout@i1", "branch@i1-w1", "branch@i1-w2", "branch@i1-w3"]
    explored = sum((cost(params(), SMALL, name) for name in stages), Cost())
    assert explored.requests <= SMALL.train_tasks * params().rollout.max_steps
    assert explored.drawn == explored.requests * params().sampling.action_tokens
    assert cost(params(), SMALL, "evaluate@i1").requests == 5 * params().evaluate.samples * 12
    assert cost(params(), SMALL, "tasks") == Cost()


def test_the_small_model_has_as_many_weights_as_estimated() -> None:
    from leafe.training.small import new_model, train_tokenizer

    given = params()
    tokenizer = train_tokenizer(["a b c"] * 10, given.model.vocabulary)
    tokenizer.add_tokens([f"t{n}" for n in range(given.model.vocabulary - len(tokenizer))])
    model = new_model(tokenizer, hidden=96, layers=3, heads=3, context=64, seed=0)
    shapes = shapes_of(given)
    assert shapes is not None
    assert numbers(shapes) == model.num_parameters()


def test_an_adapters_numbers_are_those_that_peft_trains() -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    named = Qwen2ForCausalLM(config).named_parameters()
    shapes = {name: tuple(weight.shape) for name, weight in named}
    targets: str | list[str]
    for targets in ("all-linear", ["q_proj", "v_proj"]):
        lora = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": targets, "fresh": False}
        sft = Sft.model_validate({**params().sft.model_dump(), "lora": lora})
        own = LoraConfig(r=4, target_modules=targets, task_type="CAUSAL_LM")
        adapted: Any = get_peft_model(Qwen2ForCausalLM(config), own)
        trainable = adapted.num_parameters(only_trainable=True)
        assert trained(params().model_copy(update={"sft": sft}), shapes) == trainable


def test_the_dry_run_names_the_stages_and_runs_none(tmp_path: Path) -> None:
    for path in project_files():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    done = subprocess.run(
        [sys.executable, "-m", "leafe.cli", "run", "--dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for word in ("rollout@i1", "branch@i2-w1", "evaluate@i3", "drawn tokens", "to run"):
        assert word in done.stdout
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "mlflow.db").exists()


def test_sizes_of_the_default_run() -> None:
    size = size_of(params())
    assert (size.train_tasks, size.test_tasks, size.steps) == (200, 128, 12)
    assert [short(n) for n in (0, 999, 1500, 2.5e9)] == ["", "999", "1.5 k", "2.5 G"]
