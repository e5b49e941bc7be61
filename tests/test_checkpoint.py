"""Checkpoints: only whole, finite safetensors are loaded; nothing in a folder is ever run."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from leafe.chat import read_prompts
from leafe.envs.desk import Desk
from leafe.errors import BadInput
from leafe.lessons import words
from leafe.training.checkpoint import (
    load_model,
    load_tokenizer,
    save_policy,
)
from leafe.training.resuming import last_whole, mark_whole
from leafe.training.small import train_tokenizer


@pytest.fixture
def folder(policy_dir: Path, tmp_path: Path) -> Path:
    """A copy of the tiny policy, to be broken."""
    return shutil.copytree(policy_dir, tmp_path / "policy")


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.canary), "w")


def test_the_payload_of_these_tests_would_go_off(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "canary"))).close()
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("beside_good_weights", [True, False])
@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "adapter_model.bin", "model.pt", "x.pth", "a/b.pkl", "c.ckpt"]
)
def test_pickled_weights_are_refused_and_never_run(
    folder: Path, tmp_path: Path, name: str, beside_good_weights: bool
) -> None:
    canary = tmp_path / "canary"
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps({"weight": Payload(canary)}))
    if not beside_good_weights:
        (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="can run code"):
        load_model(folder)
    assert not canary.exists()


def test_a_pickle_that_calls_itself_safetensors_is_refused_and_never_run(
    folder: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    weights = folder / "model.safetensors"
    weights.write_bytes(pickle.dumps(Payload(canary)))
    with pytest.raises(BadInput, match="not a safetensors file"):
        load_model(folder)
    with zipfile.ZipFile(weights, "w") as archive:  # as torch.save writes
        archive.writestr("archive/data.pkl", pickle.dumps(Payload(canary)))
    with pytest.raises(BadInput, match="not a safetensors file"):
        load_model(folder)
    assert not canary.exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_the_folders_own_is_refused_and_never_run(
    folder: Path, tmp_path: Path, name: str
) -> None:
    canary = tmp_path / "canary"
    (folder / "mine.py").write_text(f"open({str(canary)!r}, 'w')\nclass Mine: pass\n")
    config = json.loads((folder / name).read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "mine.Mine", "AutoTokenizer": "mine.Mine"}
    (folder / name).write_text(json.dumps(config))
    with pytest.raises(BadInput, match="auto_map"):
        load_model(folder)
    if name == "config.json":  # the check aside: transformers itself must not run it either
        config["model_type"] = "mine"
        (folder / name).write_text(json.dumps(config))
    with suppress(BadInput):
        load_tokenizer(folder)
    assert not canary.exists()


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def cut_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:20])


def lie_in_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])


def change(folder: Path, name: str, value: torch.Tensor | None) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    assert name in tensors
    tensors.pop(name)
    if value is not None:
        tensors[name] = value
    save_file(tensors, path, metadata={"format": "pt"})


NORM = "model.norm.weight"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "is not a checkpoint folder"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json"),
    "config no object": (lambda f: (f / "config.json").write_text("5"), "not a JSON object"),
    "config no JSON": (lambda f: (f / "config.json").write_text("{"), "is not JSON"),
    "empty config": (lambda f: (f / "config.json").write_text("{}"), "cannot be loaded"),
    "no vocabulary": (lambda f: (f / "tokenizer.json").unlink(), "holds no vocabulary"),
    "truncated": (truncate, "not a safetensors file"),
    "cut header": (cut_header, "not a safetensors file"),
    "header too long": (lie_in_header, "not a safetensors file"),
    "NaN": (lambda f: change(f, NORM, torch.full((32,), torch.nan)), "not finite"),
    "infinite": (lambda f: change(f, NORM, torch.full((32,), torch.inf)), "not finite"),
    "a tensor is missing": (lambda f: change(f, NORM, None), f"lacks the weights {NORM}"),
    "another shape": (lambda f: change(f, NORM, torch.ones(7)), f"lacks the weights {NORM}"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_folder_is_refused_in_a_sentence(folder: Path, how: str) -> None:
    break_it, sentence = BROKEN[how]
    break_it(folder)
    with pytest.raises(BadInput, match=sentence) as told:
        load_model(folder)
    assert str(folder) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"logits_scaling": 8.0}, "logits_scaling is 8.0, which the engine cannot sample"),
        ({"logit_scale": 0.0625}, "logit_scale is 0.0625"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping is 30.0"),
        ({"sliding_window": 64}, "sliding_window is 64"),
    ],
    ids=str,
)
def test_a_model_that_the_engine_would_sample_wrongly_is_refused(
    folder: Path, change: dict[str, float], said: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(BadInput, match=said):
        load_model(folder)


def test_a_broken_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version":')
    with pytest.raises(BadInput, match="cannot be loaded"):
        load_tokenizer(folder)


def test_the_small_models_tokenizer_is_the_same_after_it_was_saved(
    policy_dir: Path, desk: Desk
) -> None:
    turn = read_prompts("short").turn
    made = train_tokenizer(words(list(desk.lessons(300, seed=0)), turn), vocabulary=640)
    read = load_tokenizer(policy_dir)
    assert len(read) == len(made)
    for text in words(list(desk.lessons(100, seed=1)), turn):
        assert read(text)["input_ids"] == made(text)["input_ids"]
    first, second = (read(text)["input_ids"] for text in ("verify()", "call verify()"))
    assert second[1:] == first, "a word is the same token wherever it stands"


def test_a_saved_policy_replaces_the_old_one_whole(policy_dir: Path, folder: Path) -> None:
    (folder / "stale.json").write_text("{}")
    left = folder.parent / f".{folder.name}.k1ll3d.part"
    left.mkdir()
    model = load_model(policy_dir)
    save_policy(model, load_tokenizer(policy_dir), folder)
    weights = "model.safetensors"
    assert (folder / weights).read_bytes() == (policy_dir / weights).read_bytes()
    assert not (folder / "stale.json").exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def trained(folder: Path, step: int) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(b"x" * 100)
    (checkpoint / "trainer_state.json").write_text("{}")
    return checkpoint


def test_training_resumes_from_the_newest_whole_checkpoint_only(tmp_path: Path) -> None:
    assert last_whole(tmp_path) is None
    assert last_whole(tmp_path / "none") is None
    for step in (90, 100, 110, 120):
        mark_whole(trained(tmp_path, step))
    trained(tmp_path, 130)  # the mark is missing
    (tmp_path / "checkpoint-120/model.safetensors").write_bytes(b"x" * 99)
    (tmp_path / "checkpoint-110/whole.json").write_text('{"model.saf')
    assert last_whole(tmp_path) == tmp_path / "checkpoint-100"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-100", "checkpoint-90"]
