"""Pass@k: the chance that at least one of k samples solves a task, and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, nan
from typing import NamedTuple

import numpy as np


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate from n samples of which c solve the task (arXiv 2107.03374, eq. 1).

    >>> pass_at_k(n=4, c=1, k=2)
    0.5
    >>> pass_at_k(n=4, c=0, k=8)  # fewer samples than k: undefined
    nan
    """
    return nan if n < k else 1 - comb(n - c, k) / comb(n, k)


class Estimate(NamedTuple):
    """A mean over tasks with its interval."""

    value: float
    low: float
    high: float


def mean_pass_at_k(samples: Sequence[tuple[int, int]], k: int, seed: int) -> Estimate:
    """Mean over tasks of (n, c) pairs, with a 95 % bootstrap interval over tasks.

    Percentile bootstrap, 2,000 resamples. A task with fewer than k samples is left out, and NaN
    is what remains where no task has enough.

    >>> mean_pass_at_k([(4, 4), (1, 0)], k=2, seed=0)
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    per_task = np.array([pass_at_k(n, c, k) for n, c in samples if n >= k])
    if per_task.size == 0:
        return Estimate(nan, nan, nan)
    picks = np.random.default_rng(seed).integers(0, per_task.size, (2000, per_task.size))
    low, high = np.quantile(per_task[picks].mean(axis=1), [0.025, 0.975])
    return Estimate(float(per_task.mean()), float(low), float(high))
