"""GRPO's update: the loss and its gradient by hand, the right tokens, the right direction."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from leafe.advantage import Sampled
from leafe.errors import BadInput
from leafe.training.checkpoint import load_model
from leafe.training.finite import LossIsNotFinite
from leafe.training.policy_gradient import (
    PolicyGradient,
    PolicyGradientSettings,
    RoundFigures,
    collate,
    grpo_loss,
    token_logprobs,
)

SETTINGS = PolicyGradientSettings(
    learning_rate=1e-3, weight_decay=0.0, epochs=1, batch=8, clip=0.2, kl=0.0, temperature=1.0
)


@pytest.fixture
def make_model(policy_dir: Path) -> Callable[[], Any]:
    """Makes the tiny policy, always the same, its distributions far from flat."""
    # Threads that wait for one another are slower than one, on a model as small as this.
    torch.set_num_threads(1)

    def make() -> Any:
        model = load_model(policy_dir).eval()
        with torch.no_grad():
            for weights in model.parameters():
                weights.mul_(4.0)
        return model

    return make


@pytest.fixture
def model(make_model: Callable[[], Any]) -> Any:
    """One of them."""
    return make_model()


# Two episodes over three words, one action token and two; what predicts position n is row n - 1.
IDS = [[0, 2, 1], [1, 0, 2]]
ACTIONS = [[1], [1, 2]]
MASK = torch.tensor([[n in row for n in range(3)] for row in ACTIONS])
LOGITS = [
    [[0.3, -0.5, 1.1], [2.0, 0.1, -1.0], [0.7, 0.7, -0.2]],
    [[-0.4, 0.9, 0.2], [1.5, -0.3, 0.6], [0.0, 0.4, -0.8]],
]
REFERENCE = [[0.0, -0.9, 0.0], [0.0, -2.0, -0.4]]
"""Log-probabilities of the reference policy."""
CLIP = 0.2


def logprob(episode: int, at: int) -> float:
    row = LOGITS[episode][at - 1]
    return row[IDS[episode][at]] - math.log(sum(math.exp(x) for x in row))


def by_hand(
    old: list[list[float]], gains: list[float], kl: float
) -> tuple[float, list[list[list[float]]]]:
    """The loss, and its gradient by LOGITS, in plain numbers."""
    loss, gradient = 0.0, [[[0.0] * 3 for _ in range(3)] for _ in range(2)]
    for e, actions in enumerate(ACTIONS):
        for at in actions:
            row, token, now = LOGITS[e][at - 1], IDS[e][at], logprob(e, at)
            ratio = math.exp(now - old[e][at])
            free, held = ratio * gains[e], max(1 - CLIP, min(1 + CLIP, ratio)) * gains[e]
            away = REFERENCE[e][at] - now
            weight = 1 / (2 * len(actions))
            loss -= weight * (min(free, held) - kl * (math.exp(away) - away - 1))
            # d/d(log p): the clipped branch is constant; d k3 = 1 - q/p.
            slope = (free if free <= held else 0.0) - kl * (1 - math.exp(away))
            for word in range(3):
                p = math.exp(row[word]) / sum(math.exp(x) for x in row)
                gradient[e][at - 1][word] -= weight * slope * ((word == token) - p)
    return loss, gradient


def of_table(
    logits: torch.Tensor, old: list[list[float]], gains: list[float], kl: float
) -> torch.Tensor:
    """The loss of a model that answers from a table."""

    def model(**_: object) -> SimpleNamespace:
        return SimpleNamespace(logits=logits)

    found = token_logprobs(model, torch.tensor(IDS), torch.ones(2, 3), MASK, 1.0)
    ref = torch.tensor(REFERENCE) if kl else None
    return grpo_loss(found, torch.tensor(old), ref, torch.tensor(gains), MASK, CLIP, kl)


def old_at(ratios: list[list[float]]) -> list[list[float]]:
    """The old log-probabilities at which the action tokens have these ratios."""
    old = [[0.0] * 3 for _ in IDS]
    for e, actions in enumerate(ACTIONS):
        for at, ratio in zip(actions, ratios[e], strict=True):
            old[e][at] = logprob(e, at) - math.log(ratio)
    return old


# Ratios of the action tokens, advantages, and which tokens the clip keeps from teaching.
CASES = {
    "none has moved": ([[1.0], [1.0, 1.0]], [1.0, -0.5], set()),
    "within the clip": ([[1.1], [0.9, 1.15]], [0.8, -0.8], set()),
    "too far, and good": ([[1.5], [1.3, 1.0]], [1.0, 0.7], {(0, 1), (1, 1)}),
    "too far, and bad": ([[0.5], [1.0, 0.7]], [-1.0, -0.7], {(0, 1), (1, 2)}),
    "back towards the good": ([[0.5], [0.7, 0.2]], [1.0, 2.0], set()),
    "back from the bad": ([[1.5], [3.0, 1.3]], [-1.0, -2.0], set()),
    "both ways": ([[1.5], [0.5, 1.5]], [1.7, -0.6], {(0, 1), (1, 1)}),
}


@pytest.mark.parametrize("kl", [0.0, 0.3])
@pytest.mark.parametrize("case", CASES)
def test_the_loss_and_its_gradient_are_those_by_hand(case: str, kl: float) -> None:
    ratios, gains, clipped = CASES[case]
    old = old_at(ratios)
    logits = torch.tensor(LOGITS, requires_grad=True)
    loss = of_table(logits, old, gains, kl)
    (found,) = torch.autograd.grad(loss, logits)
    expected, gradient = by_hand(old, gains, kl)
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert torch.allclose(found, torch.tensor(gradient), atol=1e-6)
    learned = {(e, at) for e, actions in enumerate(ACTIONS) for at in actions}
    moved = {(e, at + 1) for e, at, _ in found.nonzero().tolist()}
    assert moved == (learned if kl else learned - clipped)


def test_what_the_environment_said_changes_nothing() -> None:
    ratios, gains, _ = CASES["within the clip"]
    logits = torch.tensor(LOGITS, requires_grad=True)
    other = torch.where(MASK.roll(-1, 1)[..., None], logits, 7 * torch.randn(2, 3, 3))
    losses = [of_table(table, old_at(ratios), gains, kl=0.3) for table in (logits, other)]
    assert losses[0].item() == losses[1].item()
    one, two = (torch.autograd.grad(loss, logits)[0] for loss in losses)
    assert torch.equal(one, two)


def plain_logprobs(model: Any, sequence: Sampled) -> torch.Tensor:
    """Log p of the action tokens, one sequence at a time, unpadded."""
    logprobs = model(input_ids=torch.tensor([sequence.token_ids])).logits[0].log_softmax(-1)
    learn = [at for at, action in enumerate(sequence.loss_mask) if action]
    return torch.stack([logprobs[at - 1, sequence.token_ids[at]] for at in learn])


def drawn(model: Any, ids: Sequence[int], learn: Sequence[int], advantage: float) -> Sampled:
    """A sequence as if this model had drawn it."""
    mask = tuple(n in learn for n in range(len(ids)))
    blank = Sampled("t", str(ids), tuple(ids), (0.0,) * len(ids), mask, advantage)
    with torch.no_grad():
        own = iter(plain_logprobs(model, blank).tolist())
    return replace(blank, old_logprobs=tuple(next(own) if m else 0.0 for m in mask))


def some(model: Any) -> list[Sampled]:
    """Episodes of different lengths; the third and fourth give the same history two answers."""
    return [
        drawn(model, [5, 9, 14, 3, 8, 21], [2, 3, 5], 1.5),
        drawn(model, [5, 11, 7, 7, 2], [1, 2, 3, 4], -0.5),
        drawn(model, [6, 30, 31, 4], [3], 1.0),
        drawn(model, [6, 30, 31, 9], [3], -1.0),
    ]


def weights_of(model: Any) -> torch.Tensor:
    return torch.cat([weights.detach().flatten() for weights in model.parameters()])


def test_at_first_the_ratio_is_1_and_the_gradient_that_of_reinforce(model: Any) -> None:
    def gradient(loss: torch.Tensor) -> torch.Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, [*model.parameters()])])

    sequences = some(model)
    batch = collate(sequences, "cpu")
    found = token_logprobs(model, batch.ids, batch.attention, batch.mask, 1.0)
    ratio = (found - batch.old_logprobs).exp()
    assert torch.allclose(ratio, torch.ones(4, 6), atol=1e-4)
    loss = grpo_loss(found, batch.old_logprobs, None, batch.advantages, batch.mask, CLIP, 0.0)
    assert loss.item() == pytest.approx(-sum(s.advantage for s in sequences) / 4, abs=1e-4)
    reinforce = [-s.advantage * plain_logprobs(model, s).mean() for s in sequences]
    expected = gradient(torch.stack(reinforce).mean())
    assert expected.norm() > 0.1
    assert (gradient(loss) - expected).norm() < 1e-3 * expected.norm()


def test_an_update_makes_the_rewarded_action_likelier_and_the_other_rarer(model: Any) -> None:
    _, _, good, bad = some(model)
    figures = PolicyGradient(model, None, SETTINGS).update([good, bad], seed=0)
    assert plain_logprobs(model, good).item() > good.old_logprobs[3] + 0.01
    assert plain_logprobs(model, bad).item() < bad.old_logprobs[3] - 0.01
    assert figures.steps == 1
    assert figures.loss == pytest.approx(0, abs=1e-4)
    assert figures.clipped == 0
    assert figures.kl_old == pytest.approx(0, abs=1e-6)


def test_figures_tell_how_far_a_round_went(make_model: Callable[[], Any]) -> None:
    model, reference = make_model(), make_model()
    with torch.no_grad():
        reference.get_input_embeddings().weight.mul_(1.1)
    sequences = some(model)
    batch = collate(sequences, "cpu")
    of_tokens = (batch.ids, batch.attention, batch.mask, 1.0)
    with torch.no_grad():
        away = token_logprobs(reference, *of_tokens) - token_logprobs(model, *of_tokens)
    k3 = (away.exp() - away - 1).sum(1) / batch.mask.sum(1)
    before = weights_of(reference)
    near = PolicyGradient(model, reference, SETTINGS).update(sequences, seed=0)
    assert near.kl_reference == pytest.approx(k3.mean().item(), rel=1e-3)
    assert torch.equal(weights_of(reference), before)
    hot = replace(SETTINGS, learning_rate=0.05, epochs=4, batch=3)
    far = PolicyGradient(make_model(), None, hot).update(sequences, seed=0)
    assert math.isnan(far.kl_reference)
    assert far.steps == 8
    assert far.kl_old > 0.01
    assert 0 < far.clipped < 1


@pytest.mark.parametrize(("ratio", "share"), [(1.5, 2 / 3), (0.5, 1 / 3), (1.1, 0.0)])
def test_only_tokens_that_went_too_far_their_own_way_count_as_clipped(
    model: Any, ratio: float, share: float
) -> None:
    _, _, good, bad = some(model)
    moved = [
        replace(s, old_logprobs=tuple(x and x - math.log(ratio) for x in s.old_logprobs))
        for s in (good, good, bad)
    ]
    figures = PolicyGradient(model, None, SETTINGS).update(moved, seed=0)
    assert figures.clipped == pytest.approx(share)
    assert figures.kl_old == pytest.approx(ratio - 1 - math.log(ratio), rel=1e-3)


def test_the_kl_term_keeps_the_policy_near_the_reference(make_model: Callable[[], Any]) -> None:
    def distance(kl: float) -> float:
        model, reference = make_model(), make_model()
        settings = replace(SETTINGS, kl=kl, epochs=30, learning_rate=3e-3)
        PolicyGradient(model, reference, settings).update(some(model), seed=0)
        return PolicyGradient(model, reference, SETTINGS).update(some(reference), 0).kl_reference

    assert distance(10.0) < 0.5 * distance(0.0)
    with pytest.raises(ValueError, match="no reference"):
        PolicyGradient(make_model(), None, replace(SETTINGS, kl=0.1))


def test_without_episodes_nothing_happens(model: Any) -> None:
    before = weights_of(model)
    figures = PolicyGradient(model, None, replace(SETTINGS, weight_decay=0.5)).update([], seed=0)
    assert torch.equal(weights_of(model), before)
    assert figures.steps == 0
    assert math.isnan(figures.loss)


def test_the_order_follows_from_the_seed(make_model: Callable[[], Any]) -> None:
    def end(seed: int, state: int) -> torch.Tensor:
        random.seed(state)
        torch.manual_seed(state)
        model = make_model()
        PolicyGradient(model, None, replace(SETTINGS, batch=1)).update(some(model), seed)
        return weights_of(model)

    assert torch.equal(end(1, 1), end(1, 2))
    assert not torch.equal(end(1, 1), end(2, 1))


def broken_weights(model: Any, sequences: list[Sampled]) -> list[Sampled]:
    with torch.no_grad():
        model.get_input_embeddings().weight[5] = torch.nan
    return sequences


def impossible_draw(model: Any, sequences: list[Sampled]) -> list[Sampled]:
    """The ratio overflows; the clip makes the loss finite, but not its gradient."""
    return [replace(sequences[2], old_logprobs=(0.0, 0.0, 0.0, -200.0))]


@pytest.mark.parametrize("break_it", [broken_weights, impossible_draw])
def test_what_is_not_finite_stops_before_the_weights_are_touched(
    model: Any, break_it: Callable[[Any, list[Sampled]], list[Sampled]]
) -> None:
    sequences = break_it(model, some(model))
    before = weights_of(model)
    with pytest.raises(LossIsNotFinite):
        PolicyGradient(model, None, SETTINGS).update(sequences, seed=0)
    assert torch.equal(weights_of(model).nan_to_num(), before.nan_to_num())


def rounds(trainer: PolicyGradient, sequences: list[Sampled], *seeds: int) -> list[RoundFigures]:
    return [trainer.update(sequences, seed) for seed in seeds]


def test_going_on_after_a_kill_gives_the_same_bits(
    make_model: Callable[[], Any], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, batch=2, epochs=2, weight_decay=0.1, kl=0.1)
    one, two, reference = make_model(), make_model(), make_model()
    sequences = some(one)
    whole = PolicyGradient(one, reference, settings)
    path = tmp_path / "deep" / "state"
    rounds(whole, sequences, 1, 2)
    whole.save(path)
    expected = rounds(whole, sequences, 3, 4)
    resumed = PolicyGradient(two, reference, settings)
    resumed.load(path)
    assert rounds(resumed, sequences, 3, 4) == expected
    assert torch.equal(weights_of(one), weights_of(two))
    whole.save(path)
    resumed.save(tmp_path / "other")
    assert path.read_bytes() == (tmp_path / "other").read_bytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_state_that_is_none_or_of_another_model_is_refused(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "state"
    trainer, before = PolicyGradient(model, None, SETTINGS), weights_of(model)
    with pytest.raises(BadInput, match="not a safetensors file"):
        trainer.load(path)
    torch.save({"weight/model.norm.weight": torch.ones(32)}, path)  # a pickle
    with pytest.raises(BadInput, match="not a safetensors file"):
        trainer.load(path)
    save_file({"weight/model.norm.weight": torch.ones(32)}, path)
    with pytest.raises(BadInput, match="of another model"):
        trainer.load(path)
    assert torch.equal(weights_of(model), before)
