"""Sharpening: did training widen what the policy can solve, or only repeat what it could?

A sharpened policy solves more often what the base already solved at times, with less variety, and
loses some of it (the problem that arXiv 2603.16843 starts from). Knows nothing about files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log, nan
from typing import NamedTuple

from leafe.comparison import Runs, Samples, estimates, tabulate
from leafe.pass_at_k import Estimate


class Sharpening(NamedTuple):
    """The figures of one method, each with the interval of `leafe.comparison.estimates`."""

    solved_at_least_once: Estimate
    """Share of test tasks solved by at least one sample; Pass@n where all n samples counted."""
    first_action_entropy: Estimate
    """Mean over tasks, in nats."""
    tasks_lost: Estimate
    """Tasks a run that the base solved at least once and the method never."""
    tasks_gained: Estimate
    """Tasks a run that the method solved at least once and the base never."""


def sharpening(method: Runs, base: Runs, seed: int) -> Sharpening:
    """The figures of a method, against the base policy on the same runs and tasks.

    They depend on the number of samples: compare methods with equally many. Luck alone loses and
    gains tasks in equal numbers, so read the two together: simulated, a second sampling of a base
    with Pass@1 .14 and Pass@32 .72 loses and gains some 11 of 128 tasks with 32 samples.

    Raises ValueError where the runs or their tasks are not the same.
    """
    runs = tabulate(_row, method, base)
    per_run = [tasks * [1, 1, len(tasks), len(tasks)] for tasks in runs]  # shares to numbers
    return Sharpening(*estimates(per_run, seed))


def _row(method: Samples, base: Samples) -> list[float]:
    own, before = _solved_once(method), _solved_once(base)
    return [own, entropy(method.first_actions), before * (1 - own), own * (1 - before)]


def _solved_once(samples: Samples) -> float:
    return float(samples.solved > 0) if samples.counted else nan


def entropy(actions: Sequence[str]) -> float:
    """Entropy (nats) of the actions' shares: the plug-in estimate, NaN of none at all.

    Low by about (different actions - 1) / (2 n) with n samples (Miller 1955).

    >>> round(entropy(["verify()", "label()"]), 3), entropy(["verify()"] * 8), entropy([])
    (0.693, 0.0, nan)
    """
    shares = [times / len(actions) for times in Counter(actions).values()]
    return sum(share * log(1 / share) for share in shares) if shares else nan
