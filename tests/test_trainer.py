"""The loss: L = L_cf + beta L_reh, each a mean over its own tokens, by hand and by the trainer."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainingArguments

from leafe.example import Example, TrainingSet
from leafe.training.checkpoint import load_model
from leafe.training.finite import LossIsNotFinite
from leafe.training.trainer import (
    TrainSettings,
    WeightedTokens,
    WeightedTrainer,
    collate,
    schedule,
    train,
    weigh,
    weighted_loss,
)

BETA = 0.5
BETAS = {"rehearsal": BETA, "counterfactual": 1.0}
PAD = 0


def example(set_: TrainingSet, ids: Sequence[int], learn: Sequence[int]) -> Example:
    return Example("t", "e", set_, None, tuple(ids), tuple(n in learn for n in range(len(ids))))


# Seven rehearsed tokens, two corrected ones: a joint mean would be another loss.
EXAMPLES = [
    example(TrainingSet.REHEARSAL, [5, 9, 14, 3, 8, 21], [2, 3, 5]),
    example(TrainingSet.REHEARSAL, [5, 11, 7, 7, 2], [1, 2, 3, 4]),
    example(TrainingSet.COUNTERFACTUAL, [6, 30, 31, 4], [3]),
    example(TrainingSet.COUNTERFACTUAL, [17, 2, 40], [2]),
]


@pytest.fixture
def model(policy_dir: Path) -> Any:
    """The tiny policy, far enough from flat that the sets' losses differ."""
    # Threads that wait for one another are slower than one, on a model as small as this.
    torch.set_num_threads(1)
    model = load_model(policy_dir).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4.0)
    return model


def token_losses(model: Any, examples: Sequence[Example]) -> torch.Tensor:
    """-log p of every learned token, in plain torch, one example at a time."""
    losses = []
    for e in examples:
        logits = model(input_ids=torch.tensor([e.token_ids])).logits[0].float()
        for at, learn in enumerate(e.loss_mask):
            if learn:
                exps = (logits[at - 1] - logits[at - 1].max()).exp()
                losses.append(-(exps[e.token_ids[at]] / exps.sum()).log())
    return torch.stack(losses)


def by_hand(model: Any) -> torch.Tensor:
    reh, cf = (
        token_losses(model, [e for e in EXAMPLES if e.set is s])
        for s in (TrainingSet.REHEARSAL, TrainingSet.COUNTERFACTUAL)
    )
    return cf.mean() + BETA * reh.mean()


def make_trainer(model: Any, folder: Path, examples: int) -> WeightedTrainer:
    arguments = TrainingArguments(output_dir=str(folder), report_to=[], use_cpu=True)
    return WeightedTrainer(examples, model=model, args=arguments)


def batch_of(sequences: Sequence[WeightedTokens]) -> dict[str, torch.Tensor]:
    return collate([{"input_ids": s.token_ids, "weights": s.weights} for s in sequences], PAD)


def test_a_full_batch_through_the_trainer_is_the_loss_by_hand(model: Any, tmp_path: Path) -> None:
    sequences = weigh(EXAMPLES, BETAS)
    trainer = make_trainer(model, tmp_path, len(sequences))
    loss = trainer.compute_loss(model, batch_of(sequences))
    assert loss.item() == pytest.approx(by_hand(model).item(), abs=1e-5)


def test_a_joint_weighted_mean_is_another_loss(model: Any) -> None:
    weight = {TrainingSet.REHEARSAL: BETA, TrainingSet.COUNTERFACTUAL: 1.0}
    each = torch.cat([weight[e.set] * token_losses(model, [e]) for e in EXAMPLES])
    total = sum(weight[e.set] * sum(e.loss_mask) for e in EXAMPLES)
    joint, plain = each.sum() / total, each.mean()
    hand = by_hand(model).item()
    for other in (joint.item(), plain.item()):
        assert abs(hand - other) > 0.05 * abs(hand)


def test_the_gradient_is_that_of_the_loss_by_hand(model: Any, tmp_path: Path) -> None:
    def gradient() -> torch.Tensor:
        whole = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
        model.zero_grad()
        return whole

    by_hand(model).backward()
    expected = gradient()
    sequences = weigh(EXAMPLES, BETAS)
    trainer = make_trainer(model, tmp_path, len(sequences))
    trainer.compute_loss(model, batch_of(sequences)).backward()
    assert expected.norm() > 0.1
    assert (gradient() - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_mean_over_all_batches_is_the_loss(model: Any, tmp_path: Path, size: int) -> None:
    sequences = weigh(EXAMPLES, BETAS)
    trainer = make_trainer(model, tmp_path, len(sequences))
    with torch.no_grad():
        losses = [
            trainer.compute_loss(model, batch_of(batch)).item()
            for batch in combinations(sequences, size)
        ]
    assert sum(losses) / len(losses) == pytest.approx(by_hand(model).item(), abs=1e-5)


def test_beta_weighs_the_rehearsal_term_alone(model: Any, tmp_path: Path) -> None:
    def loss(beta: float, examples: Sequence[Example] = EXAMPLES) -> float:
        sequences = weigh(examples, {**BETAS, "rehearsal": beta})
        trainer = make_trainer(model, tmp_path, len(sequences))
        with torch.no_grad():
            return float(trainer.compute_loss(model, batch_of(sequences)))

    reh, cf = EXAMPLES[:2], EXAMPLES[2:]
    assert loss(0.0) == pytest.approx(loss(1.0, cf), abs=1e-5)
    assert loss(2.0) - loss(0.0) == pytest.approx(2 * loss(1.0, reh), abs=1e-5)


def test_tokens_without_weight_and_padding_carry_no_loss(model: Any) -> None:
    batch = batch_of(weigh(EXAMPLES, BETAS))
    logits = torch.randn(4, 6, 50, requires_grad=True)
    loss = weighted_loss(logits, batch["input_ids"] % 50, batch["weights"])
    loss.backward()
    assert logits.grad is not None
    touched = logits.grad.abs().sum(-1) > 0
    learned = torch.zeros(4, 6, dtype=torch.bool)
    for row, e in enumerate(EXAMPLES):
        for at, learn in enumerate(e.loss_mask):
            learned[row, at - 1] |= learn
    assert torch.equal(touched, learned)
    assert batch["attention_mask"].sum(-1).tolist() == [len(e.token_ids) for e in EXAMPLES]


SETTINGS = TrainSettings(
    steps=6, batch=2, learning_rate=1e-3, warmup=1, weight_decay=0.0, seed=0, save_every=3
)


def test_training_lowers_the_loss_of_what_is_learned_from(model: Any, tmp_path: Path) -> None:
    before = by_hand(model).item()
    curve = train(model, PAD, weigh(EXAMPLES, BETAS), SETTINGS, tmp_path)
    assert by_hand(model.eval()).item() < before
    assert [step for step, _ in curve] == list(range(1, 7))


def test_weights_that_blow_up_stop_the_training(model: Any, tmp_path: Path) -> None:
    with torch.no_grad():
        model.get_input_embeddings().weight[5] = torch.nan
    with pytest.raises(LossIsNotFinite, match="at step 1"):
        train(model, PAD, weigh(EXAMPLES, BETAS), SETTINGS, tmp_path)


@pytest.mark.parametrize("sequences", [3, 64, 135, 500, 9000])
def test_every_sequence_comes_as_often_as_any_other(sequences: int) -> None:
    rng = random.Random(0)
    lengths = [rng.randrange(20, 120) for _ in range(sequences)]
    order = schedule(lengths, batch=64, steps=100, seed=0)
    assert len(order) == 6400
    came = Counter(order)
    assert max(came.values()) - min(came[n] for n in range(sequences)) <= 1


@pytest.mark.parametrize(("sequences", "most"), [(500, 1.2), (9000, 1.05)])
def test_a_batch_is_of_like_lengths(sequences: int, most: float) -> None:
    rng = random.Random(0)
    lengths = [rng.randrange(20, 120) for _ in range(sequences)]
    order = schedule(lengths, batch=64, steps=100, seed=0)
    batches = [[lengths[n] for n in order[at : at + 64]] for at in range(0, 6400, 64)]
    assert sum(64 * max(batch) for batch in batches) < most * sum(lengths[n] for n in order)
    means = [sum(batch) for batch in batches[:6]]
    assert means not in (sorted(means), sorted(means, reverse=True))  # in a random order
