"""Prefix sharing: the tries are the sequences, and their loss has the sequences' own gradient."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from leafe.training.prefix import Weighted, collate_shared, divide, lay, sees, shared_loss
from leafe.training.sharing import order_together, schedule_together, shares_exactly
from leafe.training.trainer import TrainSettings, WeightedTokens, collate, train, weighted_loss

VOCABULARY = 30
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
KINDS = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}
ROWS = {"one row": 1e9, "some rows": 60.0, "many rows": 1e-3}
"""How dear attention is, and so into how many rows a batch is divided."""


def make(kind: str, **more: Any) -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config, model = KINDS[kind]
    return model(config(**SHAPE, **({"head_dim": 8} if kind == "qwen3" else {}), **more))


def forest(seed: int) -> list[Weighted]:
    """Sequences that branch off each other anywhere; some equal, some one token long."""
    rng = random.Random(seed)
    known: list[list[int]] = [[1]]
    for _ in range(rng.randint(1, 14)):
        stem = rng.choice([[], *known])
        stem = stem[: rng.randint(0, len(stem))]
        known.append(stem + [rng.randrange(VOCABULARY) for _ in range(rng.randint(1, 12))])
    known += rng.sample(known, len(known) // 3)
    rng.shuffle(known)
    return [Weighted(ids, [rng.choice([0.0, 0.5, rng.random()]) for _ in ids]) for ids in known]


def as_rows(sequences: Sequence[Weighted]) -> list[dict[str, Any]]:
    return [{"input_ids": ids, "weights": weights} for ids, weights in sequences]


def gradients(model: Any, loss: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, [w for w in model.parameters() if w.requires_grad]))


def one_by_one(model: Any, sequences: Sequence[Weighted]) -> torch.Tensor:
    losses = []
    for ids, weights in sequences:
        tokens = torch.tensor([ids])
        losses.append(weighted_loss(model(tokens).logits, tokens, torch.tensor([weights])))
    return torch.stack(losses).sum()


def as_tries(model: Any, sequences: Sequence[Weighted], even: float = 1e9) -> torch.Tensor:
    inputs = collate_shared(as_rows(sequences), 0, even)
    return shared_loss(model, model.get_output_embeddings(), inputs)


def assert_equal_gradients(model: Any, one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    for a, b in zip(gradients(model, one), gradients(model, other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * max(1.0, float(a.abs().max())))


@pytest.mark.parametrize("even", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_tries_have_the_gradients_of_their_sequences(kind: str, even: float) -> None:
    model = make(kind)
    for seed in range(6):
        sequences = forest(seed)
        assert_equal_gradients(
            model, one_by_one(model, sequences), as_tries(model, sequences, even)
        )


def test_an_adapter_has_the_same_gradients_and_checkpointing_changes_none() -> None:
    adapter = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(make("qwen2"), adapter)
    model.activation_checkpointing_enable()
    model.enable_input_require_grads()
    model.train()
    sequences = forest(2)
    assert shares_exactly(model)
    assert_equal_gradients(model, one_by_one(model, sequences), as_tries(model, sequences, 60.0))


def test_a_branching_token_predicts_each_of_its_children_with_that_childs_weight() -> None:
    model = make("llama")
    sequences = [Weighted([4, 5, n], [0.0, 0.0, weight]) for n, weight in ((6, 1.0), (7, 3.0))]
    row = lay(sequences)
    assert (row.token_ids, row.parents, row.weights) == ([4, 5, 6, 7], [0, 0, 1, 1], [0, 0, 1, 3])
    after = model(torch.tensor([[4, 5]])).logits[0, -1].log_softmax(-1)
    torch.testing.assert_close(as_tries(model, sequences), -(after[6] + 3 * after[7]))


def test_an_edge_of_several_sequences_weighs_their_sum() -> None:
    same = [Weighted([4, 5, 6], [9.0, 1.0, 0.5]), Weighted([4, 5, 6], [9.0, 2.0, 0.0])]
    assert lay([*same, Weighted([4, 5], [9.0, 4.0])]).weights == [0.0, 7.0, 0.5]


def test_the_weight_of_a_first_token_teaches_nothing() -> None:
    model = make("llama")
    sequences = [Weighted([4], [1.0]), Weighted([5], [1.0]), Weighted([5, 6], [1.0, 1.0])]
    assert_equal_gradients(model, one_by_one(model, sequences[2:]), as_tries(model, sequences))


def test_no_branch_sees_another() -> None:
    model = make("qwen3").eval()

    def logits(branch: list[int], tree: list[int]) -> torch.Tensor:
        ids = [*sorted([[4, 5, 6, 7], branch]), tree]
        row = lay([Weighted(one, [1.0] * len(one)) for one in ids])
        ends, positions = torch.tensor([row.ends]), torch.tensor([row.positions])
        tokens = torch.tensor([row.token_ids])
        mask = sees(ends)
        found: torch.Tensor = model(tokens, attention_mask=mask, position_ids=positions).logits[0]
        return found[: 4 if branch > ids[0] else None]

    with torch.no_grad():
        alone = model(torch.tensor([[4, 5, 6, 7]])).logits[0]
        for branch in ([4, 5, 8, 9, 10], [4, 5, 11, 3]):
            for tree in ([20, 21], [22, 1, 2, 3]):
                torch.testing.assert_close(logits(branch, tree), alone, rtol=1e-5, atol=1e-5)


tries = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(tries)
def test_the_paths_of_a_row_are_its_sequences_and_each_prefix_stands_once(
    sequences: list[list[int]],
) -> None:
    row = lay([Weighted(ids, [1.0] * len(ids)) for ids in sorted(sequences)])
    paths: list[tuple[int, ...]] = []
    for place, token in enumerate(row.token_ids):
        before = paths[row.parents[place]] if row.positions[place] else ()
        paths.append((*before, token))
        seen = sees(torch.tensor([row.ends]))[0, 0, place].nonzero()[:, 0]
        assert tuple(row.token_ids[n] for n in seen) == paths[-1]
    prefixes = Counter(tuple(ids[:n]) for ids in sequences for n in range(1, len(ids) + 1))
    assert Counter(paths) == Counter(set(prefixes))
    learned = {path: weight for path, weight in zip(paths, row.weights, strict=True) if weight}
    assert learned == {prefix: n for prefix, n in prefixes.items() if len(prefix) > 1}


@settings(max_examples=100, deadline=None)
@given(tries, st.floats(0.01, 1e6))
def test_rows_are_as_long_as_the_division_says(sequences: list[list[int]], even: float) -> None:
    sequences = sorted(sequences)
    cut = divide(sequences, even)
    ends = [*cut.starts[1:], len(sequences)]
    rows = [
        lay([Weighted(ids, [1.0] * len(ids)) for ids in sequences[start:end]])
        for start, end in zip(cut.starts, ends, strict=True)
    ]
    assert max(len(row.token_ids) for row in rows) == cut.length


@pytest.mark.parametrize("kind", KINDS)
def test_full_attention_shares_exactly(kind: str) -> None:
    assert shares_exactly(make(kind))


def test_windows_recurrence_bias_by_place_and_other_masks_do_not() -> None:
    eager = make("llama", attn_implementation="eager")
    window = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=4))
    some = make("qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=1)
    small = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 1}
    bias = BloomForCausalLM(BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=1, n_head=2))
    for model in (eager, window, some, bias, MambaForCausalLM(MambaConfig(**small))):
        assert not shares_exactly(model.train())
        assert model.training


def settings_of(steps: int, batch: int, *, share: bool) -> TrainSettings:
    return TrainSettings(steps, batch, 1e-3, 0, 0.0, 0, 1000, share_prefixes=share)


def test_training_on_tries_is_training_on_the_sequences(tmp_path: Path) -> None:
    stem = tuple(range(2, 20))
    sequences = [
        WeightedTokens((*stem, n, m), (0.0,) * 18 + (0.3, 0.7), "a")
        for n, m in ((20, 21), (20, 22), (23, 24))
    ]
    curves, models = [], []
    for share in (False, True):
        model = make("llama")
        settings = settings_of(5, 3, share=share)
        curves.append(train(model, 0, sequences, settings, tmp_path / str(share)))
        models.append(model)
    assert [step for step, _ in curves[0]] == [1, 2, 3, 4, 5]
    assert [loss for _, loss in curves[1]] == pytest.approx([loss for _, loss in curves[0]])
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        # Adam divides by the gradient's size, so that where that is next to nothing rounding shows.
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_sequences_that_share_nothing_are_not_brought_together() -> None:
    rng = random.Random(0)

    def sequences(share: bool) -> list[WeightedTokens]:
        stems = [range(9) if share else rng.sample(range(30), 9) for _ in range(16)]
        ids = [(*stem, *range(9, 10 + n % 2)) for n, stem in enumerate(stems)]
        return [WeightedTokens(one, (0.0,) * len(one), str(n % 4)) for n, one in enumerate(ids)]

    model, settings = make("llama"), settings_of(2, 8, share=True)
    by_length = sorted(range(16), key=lambda n: n % 2)
    assert order_together(model, sequences(share=True), by_length, settings, micro=8)
    assert order_together(model, sequences(share=False), by_length, settings, micro=8) is None


def test_each_epoch_takes_every_sequence_once_and_each_group_in_one_piece() -> None:
    groups = list("abcabcaad")
    order = schedule_together(groups, batch=3, steps=7, seed=4)
    for epoch in (order[:9], order[9:18]):
        assert sorted(epoch) == list(range(9))
        names = [groups[n] for n in epoch]
        assert sum(a != b for a, b in pairwise(names)) == 3
    assert order[:9] != order[9:18]
    assert len(order) == 21


def test_padding_changes_nothing() -> None:
    model, sequences = make("llama"), forest(3)
    batch = collate(as_rows(sequences), 0)
    logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    padded = weighted_loss(logits, batch["input_ids"], batch["weights"])
    assert len(collate_shared(as_rows(sequences), 0, 1e-3)["input_ids"]) > 1
    assert_equal_gradients(model, padded, as_tries(model, sequences, 1e-3))
