"""LoRA: an adapter is its base and a small change, safe to load, and told from other policies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import ROOT, change_params
from peft import PeftModel
from safetensors.torch import load_file, save_file
from staging import SFT, complete, set_up
from test_trainer import BETAS, EXAMPLES, PAD, SETTINGS
from transformers import AutoModelForCausalLM, Qwen3Config, Qwen3ForCausalLM
from typer.testing import CliRunner

from leafe.cli import app
from leafe.errors import BadInput
from leafe.example import Example, TrainingSet
from leafe.params import load_params
from leafe.results import as_markdown, read_results
from leafe.store import read_json, read_tasks, write_examples
from leafe.training.adapter import CONFIG, WEIGHTS, base_of, in_words
from leafe.training.checkpoint import (
    check_policy,
    load_model,
    load_tokenizer,
    policy_version,
    save_policy,
)
from leafe.training.starting import load_for_training
from leafe.training.trainer import train, weigh
from leafe.training_sections import Lora

LORA = Lora(rank=4, alpha=8, dropout=0.0, targets="all-linear", fresh=False)
IDS = torch.tensor([[5, 9, 14, 3, 8, 21]])


@pytest.fixture
def base(policy_dir: Path, tmp_path: Path) -> Path:
    """The base policy of a project."""
    torch.set_num_threads(1)
    return shutil.copytree(policy_dir, tmp_path / "project/policies/leafe/i0")


@pytest.fixture
def policy(base: Path) -> Path:
    """An adapter on it that changes what it says."""
    return make_adapter(base, base.with_name("i1"))


def make_adapter(base: Path, folder: Path, lora: Lora = LORA) -> Path:
    model = load_for_training(base, lora, base, seed=0)
    change_weights(model)
    save_policy(model, load_tokenizer(base), folder)
    return folder


def change_weights(model: Any) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        said: torch.Tensor = model.eval()(input_ids=IDS).logits
    return said


def test_an_adapter_is_read_by_us_and_by_peft_alike(base: Path, policy: Path) -> None:
    plain = load_model(base)
    before = logits(plain)
    ours, theirs = logits(load_model(policy)), logits(PeftModel.from_pretrained(plain, policy))
    assert (ours - theirs).abs().max() < 1e-5
    assert (ours - before).abs().max() > 0.1
    held = sorted(path.name for path in policy.iterdir() if "token" not in path.name)
    assert held == [CONFIG, WEIGHTS, "chat_template.jinja"]


def test_an_adapter_fits_models_of_other_families(base: Path, tokenizer: Any) -> None:
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    save_policy(Qwen3ForCausalLM(config), tokenizer, base)
    lora = LORA.model_copy(update={"targets": ["q_proj", "v_proj"]})
    policy = make_adapter(base, base.with_name("i1"), lora)
    theirs = PeftModel.from_pretrained(load_model(base), policy)
    assert (logits(load_model(policy)) - logits(theirs)).abs().max() < 1e-4
    assert json.loads((policy / CONFIG).read_text())["target_modules"] == ["q_proj", "v_proj"]


def test_only_the_adapter_is_trained(base: Path, tmp_path: Path) -> None:
    model = load_for_training(base, LORA, base, seed=0)
    frozen = {n: w.clone() for n, w in model.named_parameters() if not w.requires_grad}
    settings = replace(SETTINGS, learning_rate=1e-2)
    curve = train(model, PAD, weigh(EXAMPLES, BETAS), settings, tmp_path / "made")
    assert curve[-1][1] < curve[0][1]
    assert all(torch.equal(w, dict(model.named_parameters())[n]) for n, w in frozen.items())
    trained = [n for n, w in model.named_parameters() if w.requires_grad]
    assert len(trained) == 2 * 7
    assert all("lora_" in name for name in trained)


def test_equal_training_writes_equal_bytes(base: Path, policy: Path, tmp_path: Path) -> None:
    again = make_adapter(base, tmp_path / "project/policies/grpo/i1")
    for name in (CONFIG, WEIGHTS):
        assert (policy / name).read_bytes() == (again / name).read_bytes()
    assert policy_version(policy) == policy_version(again) != policy_version(base)


def test_a_moved_project_works(policy: Path, tmp_path: Path, monkeypatch: Any) -> None:
    said, version = logits(load_model(policy)), policy_version(policy)
    shutil.move(tmp_path / "project", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = Path("policies/leafe/i1")
    assert base_of(moved) == Path("policies/leafe/i0")
    assert torch.equal(logits(load_model(moved)), said)
    assert policy_version(moved) == version


def test_another_base_is_refused(base: Path, policy: Path) -> None:
    model = load_model(base)
    with torch.no_grad():
        model.model.norm.weight[0] += 1e-3
    save_policy(model, load_tokenizer(base), base)
    with pytest.raises(
        BadInput, match=r"is an adapter on the base policy \w{12}, but .* is \w{12}"
    ):
        check_policy(policy)


def set_config(**values: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(config | values))

    return change


def set_tensor(change: Callable[[dict[str, torch.Tensor], str], object]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors, min(tensors))
        save_file(tensors, folder / WEIGHTS)

    return rewrite


def elsewhere(folder: Path) -> None:
    shutil.rmtree(folder.with_name("i0"))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "base elsewhere": (
        set_config(base_model_name_or_path="../../../other"),
        "base_model_name_or_path is '../../../other'; it must be '../../leafe/i0'",
    ),
    "base on the hub": (set_config(base_model_name_or_path="a/b"), "it must be '../../leafe/i0'"),
    "code of its own": (set_config(auto_map={"A": "b.C"}), "auto_map is not a known key"),
    "a module": (set_config(megatron_core="os"), "megatron_core is not a known key"),
    "another method": (set_config(peft_type="VERA"), "peft_type is 'VERA'; it must be 'LORA'"),
    "other modules": (set_config(modules_to_save=["lm_head"]), "modules_to_save"),
    "other mathematics": (set_config(use_dora=True), "use_dora is true; it must be False"),
    "no such layers": (set_config(target_modules=["nothing"]), "does not fit its base"),
    "another rank": (set_config(r=2), r"is \(4, 32\); allowed: \(2, 32\)"),
    "no JSON": (lambda f: (f / CONFIG).write_text("{"), "cannot be read"),
    "no object": (lambda f: (f / CONFIG).write_text("5"), "must be"),
    "NaN": (set_tensor(lambda t, name: t[name].fill_(torch.nan)), "not finite"),
    "a tensor is missing": (set_tensor(lambda t, name: t.pop(name)), "lacks the weights"),
    "one too many": (
        set_tensor(lambda t, name: t.update(more=torch.ones(2))),
        "has, which is no part of it, the weights more",
    ),
    "pickled": (lambda f: (f / "adapter_model.bin").write_bytes(b""), "can run code"),
    "other weights beside": (
        lambda f: shutil.copy(f.with_name("i0") / "model.safetensors", f),
        "allowed of weights: adapter_model.safetensors alone",
    ),
    "no base": (elsewhere, "i0 is not a checkpoint folder"),
    "an adapter for a base": (
        lambda f: shutil.copy(f / CONFIG, f.with_name("i0")),
        "i0 is an adapter itself",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_or_unsafe_adapter_is_refused_in_a_sentence(policy: Path, how: str) -> None:
    break_it, sentence = BROKEN[how]
    break_it(policy)
    with pytest.raises(BadInput, match=sentence) as told:
        load_model(policy)
    assert "\n" not in str(told.value)


def test_a_new_adapter_says_what_the_base_says_and_a_continued_one_what_it_said(
    base: Path, policy: Path
) -> None:
    fresh = load_for_training(policy, LORA.model_copy(update={"fresh": True}), base, seed=0)
    assert torch.equal(logits(fresh), logits(load_model(base)))
    continued = load_for_training(policy, LORA, base, seed=0)
    assert (logits(continued) - logits(load_model(policy))).abs().max() < 1e-5
    assert all(w.requires_grad for n, w in continued.named_parameters() if "lora_" in n)


@pytest.mark.parametrize("change", [{"rank": 8}, {"alpha": 4}, {"targets": ["q_proj"]}], ids=str)
def test_an_adapter_of_another_kind_is_not_trained_on(
    base: Path, policy: Path, change: dict[str, Any]
) -> None:
    other = LORA.model_copy(update=change)
    with pytest.raises(BadInput, match="is of another kind than"):
        load_for_training(policy, other, base, seed=0)
    load_for_training(policy, other.model_copy(update={"fresh": True}), base, seed=0)


def test_all_weights_are_trained_on_from_an_adapter_but_not_the_other_way_round(
    base: Path, policy: Path
) -> None:
    model = load_for_training(policy, None, base, seed=0)
    assert torch.equal(logits(model), logits(load_model(policy)))
    save_policy(model, load_tokenizer(base), base.with_name("i2"))
    with pytest.raises(BadInput, match="has weights of its own, but"):
        load_for_training(base.with_name("i2"), LORA, base, seed=0)


@pytest.mark.parametrize("layer", ["nothing", "embed_tokens", "lm_head", "norm"])
def test_layers_that_cannot_be_adapted_are_refused(base: Path, layer: str) -> None:
    lora = LORA.model_copy(update={"targets": ["q_proj", layer]})
    with pytest.raises(BadInput, match="targets does not fit"):
        load_for_training(base, lora, base, seed=0)


def test_a_policy_is_exported_as_a_plain_checkpoint(policy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out/exported"
    told = CliRunner().invoke(app, ["policy", "merge", str(policy), str(out)])
    assert told.exit_code == 0, told.output
    plain = AutoModelForCausalLM.from_pretrained(out)
    assert torch.equal(logits(plain), logits(load_model(policy)))
    assert load_tokenizer(out).chat_template == load_tokenizer(policy).chat_template
    assert in_words(policy) == "LoRA rank 4"
    assert in_words(out) == "all weights"
    for given, words in (
        ([str(policy), str(out)], "exists already"),
        ([str(policy), str(policy / "x")], "is within"),
        ([str(tmp_path / "none"), str(tmp_path / "new")], "is not a checkpoint folder"),
    ):
        told = CliRunner().invoke(app, ["policy", "merge", *given])
        assert told.exit_code == 2
        assert words in " ".join(told.output.split())
    assert not (tmp_path / "new").exists()


def test_the_pipeline_trains_adapters_and_its_results_say_so(workspace: Path) -> None:
    set_up(workspace, (workspace / "script.yaml").read_text())
    lora = {"rank": 2, "alpha": 4, "dropout": 0.1, "targets": "all-linear", "fresh": False}
    change_params(workspace, run={"threads": 1}, sft={"lora": lora})
    complete(workspace, ("tasks",))
    task = read_tasks(workspace / "data/tasks/train.parquet")[0].id
    made = [
        Example(task, f"e{n}", TrainingSet.REHEARSAL, None, (5, 6, 7 + n), (False, True, True))
        for n in range(4)
    ]
    write_examples(workspace / "data/leafe/i1/examples.parquet", made)
    said = complete(workspace, SFT)
    assert "policy i1 in policies/leafe/i1: LoRA rank 2, loss" in said
    (workspace / "metrics/leafe").mkdir(parents=True)
    for name in ("i0.json", "i1.exploration.json"):
        spent = {"env_steps_per_task": 0.0, "env_steps_per_task_so_far": 0.0}
        (workspace / "metrics/leafe" / name).write_text(json.dumps(spent))
    change_params(workspace, engine={"name": "transformers"})
    complete(workspace, ("evaluate", "--iteration", "i1", "--prev", "i0"))
    record = read_json(workspace / "data/leafe/i1/evaluation.record.json")
    assert {"policies/leafe/i0", "policies/leafe/i1"} <= set(record["inputs"])
    complete(workspace, ("evaluate", "--iteration", "i0"))
    rows = read_results(workspace)
    assert [row.weights for row in rows] == ["all weights", "LoRA rank 2"]
    heading, _, base, first = as_markdown(rows).splitlines()
    assert heading.endswith("| trained |")
    assert base.endswith("| all weights |")
    assert first.endswith("| LoRA rank 2 |")


@pytest.mark.parametrize(
    ("sft", "said"),
    [
        ({"lora": {**LORA.model_dump(), "rank": 0}}, "sft.lora.rank is 0; it must be at least 1"),
        (
            {"lora": {**LORA.model_dump(), "ranks": 4}},
            "sft.lora.ranks is not a known key; did you mean rank?",
        ),
        ({"lora": {"rank": 4}}, "sft.lora.alpha is missing"),
        ({"lora": 16}, "sft.lora is 16; it must be"),
        ({"lora": {**LORA.model_dump(), "targets": "most"}}, "targets is 'most'; it must be"),
        ({"batch": 9, "processes": 2}, "sft.batch is 9; it must be a multiple of processes"),
        (
            {"batch": 8, "processes": 2, "micro_batch": 3},
            "sft.batch is 8; it must be a multiple of processes * micro_batch = 2 * 3",
        ),
    ],
    ids=str,
)
def test_wrong_parameters_of_training_are_told(
    tmp_path: Path, sft: dict[str, Any], said: str
) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["sft"] |= sft
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(BadInput) as told:
        load_params(tmp_path / "params.yaml")
    assert said in str(told.value)
