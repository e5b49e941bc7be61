"""Pass@k: unbiased, undefined where there are too few samples, with an honest interval."""

from __future__ import annotations

from itertools import combinations
from math import isnan

import numpy as np
import pytest

from leafe.pass_at_k import Estimate, mean_pass_at_k, pass_at_k


@pytest.mark.parametrize("n", range(1, 8))
def test_the_estimate_equals_the_share_of_all_k_subsets_that_hold_a_success(n: int) -> None:
    for c in range(n + 1):
        for k in range(1, n + 1):
            samples = [True] * c + [False] * (n - c)
            subsets = list(combinations(samples, k))
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_fewer_samples_than_k_is_undefined() -> None:
    assert isnan(pass_at_k(3, 3, 4))
    assert isnan(pass_at_k(0, 0, 1))


def test_a_task_with_too_few_samples_is_left_out_of_the_mean() -> None:
    whole = mean_pass_at_k([(4, 1), (4, 4)], 4, seed=0)
    assert mean_pass_at_k([(4, 1), (3, 0), (4, 4)], 4, seed=0) == whole
    assert mean_pass_at_k([(4, 1), (3, 0), (4, 4)], 3, seed=0).value == pytest.approx(
        (pass_at_k(4, 1, 3) + 0 + 1) / 3
    )


def test_no_task_left_is_not_a_number() -> None:
    assert all(map(isnan, mean_pass_at_k([(3, 1), (2, 2)], 4, seed=0)))
    assert all(map(isnan, mean_pass_at_k([], 1, seed=0)))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth, covered, trials = 0.4, 0, 100
    for trial in range(trials):
        samples = [(8, int(rng.binomial(8, p))) for p in rng.beta(2, 3, size=60)]
        estimate = mean_pass_at_k(samples, 1, seed=trial)
        assert estimate.low <= estimate.value <= estimate.high
        covered += estimate.low <= truth <= estimate.high
    assert 88 <= covered <= 100


def test_equal_seeds_give_equal_intervals() -> None:
    samples = [(8, c % 9) for c in range(20)]
    first = mean_pass_at_k(samples, 2, seed=3)
    assert isinstance(first, Estimate)
    assert first == mean_pass_at_k(samples, 2, seed=3)
    assert first != mean_pass_at_k(samples, 2, seed=4)
