"""The in-process engine draws what the model says, for each request as if it were alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from math import exp, sqrt
from pathlib import Path
from typing import Any

import pytest
import torch

from leafe.engine import Completion, PromptTooLong, Sampling
from leafe.engines.transformers import TransformersEngine, draw
from leafe.training.checkpoint import load_model

CONTEXT = 96
NEVER = (10**6,)
"""A stop token that no model draws."""


@pytest.fixture(scope="module")
def model(policy_dir: Path) -> Any:
    """The tiny policy, its weights scaled so that its distributions are far from flat."""
    # Threads that wait for one another are slower than one, on a model as small as this.
    torch.set_num_threads(1)
    model = load_model(policy_dir).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.mul_(6.0)
    return model


@pytest.fixture
def engine(model: Any) -> TransformersEngine:
    """Room for three requests at a time."""
    return TransformersEngine(model, rows=3, max_length=CONTEXT)


def prompts(model: Any, count: int) -> list[tuple[int, ...]]:
    """Prompts of different lengths, some equal."""
    rng = torch.Generator().manual_seed(0)
    made = [
        tuple(torch.randint(5, model.config.vocab_size, (length,), generator=rng).tolist())
        for length in (1, 2, 5, 17, 30, 9, 3)
    ]
    return [made[n % len(made)] for n in range(count)]


def together(
    engine: TransformersEngine, asked: Sequence[tuple[Sequence[int], Sampling]]
) -> list[Completion]:
    async def run() -> list[Completion]:
        return await asyncio.gather(*(engine.generate(p, s) for p, s in asked))

    return asyncio.run(run())


def one_by_one(
    engine: TransformersEngine, asked: Sequence[tuple[Sequence[int], Sampling]]
) -> list[Completion]:
    async def run() -> list[Completion]:
        return [await engine.generate(p, s) for p, s in asked]

    return asyncio.run(run())


def direct(model: Any, prompt: Sequence[int], drawn: Completion, temperature: float) -> list[float]:
    """Log-probabilities by one plain forward pass over the whole sequence."""
    whole = torch.tensor([[*prompt, *drawn.token_ids]])
    with torch.no_grad():
        logits = model(input_ids=whole).logits[0].float() / temperature
    logprobs = logits.log_softmax(-1)
    start = len(prompt)
    return [float(logprobs[start + n - 1, t]) for n, t in enumerate(drawn.token_ids)]


def test_greedy_completions_equal_those_of_transformers_generate(
    model: Any, engine: TransformersEngine
) -> None:
    asked = [
        (prompt, Sampling(0.0, 3 + 5 * (n % 4), seed=n, stop_ids=NEVER))
        for n, prompt in enumerate(prompts(model, 10))
    ]
    for (prompt, sampling), drawn in zip(asked, together(engine, asked), strict=True):
        theirs = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )[0, len(prompt) :].tolist()
        assert list(drawn.token_ids) == theirs
        assert drawn.finish == "length"


def test_drawing_ends_with_the_stop_token_which_is_kept(
    model: Any, engine: TransformersEngine
) -> None:
    (prompt,) = prompts(model, 1)
    (free,) = together(engine, [(prompt, Sampling(0.0, 12, 0, NEVER))])
    stop = free.token_ids[4]
    (drawn,) = together(engine, [(prompt, Sampling(0.0, 12, 0, (stop,)))])
    assert drawn.token_ids == free.token_ids[: free.token_ids.index(stop) + 1]
    assert drawn.finish == "stop"
    assert len(drawn.logprobs) == len(drawn.token_ids)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_a_request_draws_the_same_alone_and_in_a_crowd(
    model: Any, engine: TransformersEngine, temperature: float
) -> None:
    asked = [
        (prompt, Sampling(temperature, 4 + n % 13, seed=n, stop_ids=(7,)))
        for n, prompt in enumerate(prompts(model, 15))
    ]
    alone, crowd = one_by_one(engine, asked), together(engine, asked)
    backwards = together(engine, asked[::-1])[::-1]
    for first, *others in zip(alone, crowd, backwards, strict=True):
        for other in others:
            assert first.token_ids == other.token_ids
            assert first.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_the_log_probabilities_are_those_of_a_plain_forward_pass(
    model: Any, engine: TransformersEngine
) -> None:
    asked = [
        (prompt, Sampling((0.5, 1.0, 1.7)[n % 3], 10, seed=n, stop_ids=NEVER))
        for n, prompt in enumerate(prompts(model, 12))
    ]
    for (prompt, sampling), drawn in zip(asked, together(engine, asked), strict=True):
        assert drawn.logprobs == pytest.approx(
            direct(model, prompt, drawn, sampling.temperature), abs=1e-4
        )


def test_many_seeds_draw_from_the_models_distribution(model: Any) -> None:
    engine = TransformersEngine(model, rows=256, max_length=CONTEXT)
    prompt, draws, temperature = prompts(model, 4)[3], 4000, 1.5
    asked = [(prompt, Sampling(temperature, 1, seed, NEVER)) for seed in range(draws)]
    seen = Counter(drawn.token_ids[0] for drawn in together(engine, asked))
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt])).logits[0, -1].float()
    share = (logits / temperature).softmax(-1).tolist()
    common = [token for token, p in enumerate(share) if p * draws >= 10]
    assert len(common) > 5
    statistic = sum((seen[t] - draws * share[t]) ** 2 / (draws * share[t]) for t in common)
    # Chi-square with that many degrees of freedom: mean d, standard deviation sqrt(2 d).
    assert statistic < len(common) + 5 * sqrt(2 * len(common))


def test_equal_prompts_with_different_seeds_draw_differently(
    model: Any, engine: TransformersEngine
) -> None:
    prompt = prompts(model, 4)[3]
    drawn = together(engine, [(prompt, Sampling(1.5, 8, seed, NEVER)) for seed in range(12)])
    assert len({d.token_ids for d in drawn}) > 6
    for completion in drawn:
        assert completion.logprobs == pytest.approx(
            direct(model, prompt, completion, 1.5), abs=1e-4
        )


def test_an_improbable_token_is_never_drawn_and_the_whole_range_of_uniforms_is_covered() -> None:
    logits = torch.tensor([[0.0, -torch.inf, 0.0, -torch.inf]]).repeat(5, 1)
    tokens, logprobs = draw(logits, [1.0] * 5, [0.0, 0.49, 0.5, 0.75, 1 - 1e-12])
    assert tokens.tolist() == [0, 0, 2, 2, 2]
    assert [exp(lp) for lp in logprobs.tolist()] == pytest.approx([0.5] * 5)


def test_a_prompt_that_does_not_fit_is_refused_and_one_that_just_fits_is_not(
    model: Any, engine: TransformersEngine
) -> None:
    long = tuple([5] * (CONTEXT - 4))
    with pytest.raises(PromptTooLong, match="exceed 96"):
        together(engine, [(long, Sampling(0.0, 5, 0, NEVER))])
    crowd = [
        (long, Sampling(0.0, 4, 0, NEVER)),
        *((p, s) for p, s in ((q, Sampling(0.0, 9, 0, NEVER)) for q in prompts(model, 6))),
    ]
    drawn = together(engine, crowd)
    alone = one_by_one(engine, crowd)
    assert [d.token_ids for d in drawn] == [d.token_ids for d in alone]


def test_a_free_row_is_taken_at_once(model: Any, engine: TransformersEngine) -> None:
    # Six requests on three rows, one of them long: with lockstep batches the last would have to
    # wait for the long one; here the short ones pass it by.
    finished: list[int] = []

    async def run() -> None:
        async def ask(n: int, tokens: int) -> None:
            await engine.generate(prompts(model, 8)[n], Sampling(1.0, tokens, n, NEVER))
            finished.append(n)

        await asyncio.gather(*(ask(n, 40 if n == 0 else 4) for n in range(6)))

    asyncio.run(run())
    assert finished[-1] == 0
    assert sorted(finished) == list(range(6))


def test_one_engine_serves_several_event_loops_in_turn(
    model: Any, engine: TransformersEngine
) -> None:
    asked = [(p, Sampling(1.0, 6, 3, NEVER)) for p in prompts(model, 4)]
    assert together(engine, asked) == together(engine, asked)
