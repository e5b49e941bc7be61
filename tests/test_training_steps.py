"""A training step: in parts, with activations computed again, and never with what is not finite."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import change_params
from staging import SFT, complete, finish, set_up, start
from test_trainer import BETAS, EXAMPLES, PAD, SETTINGS
from transformers import TrainerCallback

from leafe.example import Example, TrainingSet
from leafe.store import read_json, read_tasks, write_examples
from leafe.training.checkpoint import load_model
from leafe.training.finite import LossIsNotFinite
from leafe.training.resuming import last_whole
from leafe.training.trainer import train, weigh

SEQUENCES = weigh(EXAMPLES, BETAS)


@pytest.fixture
def model(policy_dir: Path) -> Any:
    """The tiny policy, far enough from flat that examples differ."""
    torch.set_num_threads(1)
    model = load_model(policy_dir)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4.0)
    return model


class Gradients(TrainerCallback):
    """Notes every step's gradient, and how often a layer was computed for it."""

    def __init__(self, model: Any) -> None:
        self.found: list[torch.Tensor] = []
        self.passes = 0
        model.model.layers[0].mlp.register_forward_pre_hook(self.count)

    def count(self, *_: Any) -> None:
        self.passes += 1

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **of: Any) -> None:
        self.found.append(torch.cat([w.grad.flatten() for w in of["model"].parameters()]))


def gradients(policy_dir: Path, folder: Path, **changes: Any) -> tuple[list[torch.Tensor], int]:
    """Of two steps of four sequences; and how often a layer was computed."""
    model = load_model(policy_dir)
    seen = Gradients(model)
    settings = replace(SETTINGS, steps=2, batch=4, warmup=0, save_every=2, **changes)
    train(model, PAD, SEQUENCES, settings, folder, callbacks=[seen])
    return seen.found, seen.passes


@pytest.mark.parametrize(("micro_batch", "passes"), [(1, 8), (2, 4), (4, 2)])
def test_the_gradient_of_a_batch_is_the_same_in_parts(
    policy_dir: Path, tmp_path: Path, micro_batch: int, passes: int
) -> None:
    torch.set_num_threads(1)
    whole, once = gradients(policy_dir, tmp_path / "whole")
    parts, computed = gradients(policy_dir, tmp_path / "parts", micro_batch=micro_batch)
    assert (once, computed) == (2, passes)
    for one, other in zip(whole, parts, strict=True):
        assert one.norm() > 0.1
        assert (one - other).norm() < 1e-5 * one.norm()


def test_activations_computed_again_give_the_same_gradient(
    policy_dir: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    kept, once = gradients(policy_dir, tmp_path / "kept")
    again, twice = gradients(policy_dir, tmp_path / "again", checkpointing=True)
    assert (once, twice) == (2, 4)
    for one, other in zip(kept, again, strict=True):
        assert (one - other).norm() < 1e-5 * one.norm()


class Spoil(TrainerCallback):
    """Puts a NaN into what training has reached after a step."""

    def __init__(self, step: int, spoil: Callable[[Any], object]) -> None:
        self.step, self.spoil = step, spoil

    def on_step_end(self, args: Any, state: Any, control: Any, **of: Any) -> None:
        if state.global_step == self.step:
            self.spoil(of["model"])


def spoil_weights(model: Any) -> None:
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(torch.nan)


def spoil_gradients(model: Any) -> None:
    """Its loss is a number, its gradient is none."""
    model.lm_head.weight.register_hook(lambda gradient: gradient * torch.nan)


LONG = replace(SETTINGS, steps=200, batch=2, save_every=20)  # logs every fourth step


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_weights, "the loss is nan at step 42: no policy"),
        (spoil_gradients, "the gradient is not finite at step 42: no policy"),
    ],
)
def test_training_stops_at_the_very_step_that_is_not_finite(
    model: Any, tmp_path: Path, spoil: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(LossIsNotFinite, match=said):
        train(model, PAD, SEQUENCES, LONG, tmp_path, callbacks=[Spoil(41, spoil)])
    if spoil is spoil_gradients:
        assert all(weights.isfinite().all() for weights in model.parameters())
    assert last_whole(tmp_path) == tmp_path / "checkpoint-40"


def test_a_checkpoint_with_weights_that_are_not_finite_is_never_resumed_from(
    model: Any, tmp_path: Path
) -> None:
    with pytest.raises(LossIsNotFinite, match="weights are not finite after step 40"):
        train(model, PAD, SEQUENCES, LONG, tmp_path, callbacks=[Spoil(40, spoil_weights)])
    assert (tmp_path / "checkpoint-40").exists()
    assert last_whole(tmp_path) == tmp_path / "checkpoint-20"


def examples(folder: Path, lengths: list[int]) -> list[Example]:
    rng = random.Random(0)
    task = read_tasks(folder / "data/tasks/train.parquet")[0].id
    return [
        Example(
            task,
            f"e{n}",
            TrainingSet.REHEARSAL,
            None,
            tuple(rng.randrange(4, 300) for _ in range(length)),
            tuple(at > 2 for at in range(length)),
        )
        for n, length in enumerate(lengths)
    ]


@pytest.fixture
def project(workspace: Path) -> Path:
    """A workspace with its tasks and the base policy."""
    set_up(workspace, (workspace / "script.yaml").read_text())
    change_params(workspace, run={"threads": 1})
    complete(workspace, ("tasks",))
    return workspace


def test_an_example_that_does_not_fit_is_refused_and_counted_not_cut(project: Path) -> None:
    path = project / "data/leafe/i1/examples.parquet"
    write_examples(path, examples(project, [20, 512, 513, 700]))
    said = complete(project, SFT)
    assert "2 of 4 examples are longer than model.context (512 tokens)" in said
    record = read_json(project / "policies/leafe/i1.record.json")
    assert record["counts"] == {"in": 4, "kept": 2, "rejected": {"overlong": 2}}
    write_examples(path, examples(project, [513, 700]))
    assert finish(start(project, SFT)) == 2
    said = (project / "said.txt").read_text()
    assert "model.context is 512; all 2 examples are longer" in said


def test_a_stage_whose_training_diverges_says_so_and_writes_no_policy(project: Path) -> None:
    write_examples(project / "data/leafe/i1/examples.parquet", examples(project, [20] * 8))
    change_params(project, sft={"learning_rate": 1e30, "steps": 20, "warmup": 0, "save_every": 1})
    assert finish(start(project, SFT)) == 2
    errors = [s for s in (project / "said.txt").read_text().splitlines() if "step" not in s[:20]]
    assert len(errors) == 1
    assert errors[0].startswith("Error: ")
    assert errors[0].endswith("no policy comes of it; lower the learning rate")
    assert sorted(path.name for path in (project / "policies/leafe").iterdir()) == ["i0"]
