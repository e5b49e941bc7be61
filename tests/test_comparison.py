"""Methods compared: intervals over runs and tasks, paired differences, signs of sharpening."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot, isnan, log

import numpy as np
import pytest

from leafe.comparison import Runs, Samples, difference, estimates, measured, pass_at
from leafe.episode import Episode, Outcome, Step
from leafe.pass_at_k import Estimate, mean_pass_at_k, pass_at_k
from leafe.sharpening import entropy, sharpening

S, F, LOST = Outcome.SOLVED, Outcome.FAILED, Outcome.ENGINE_ERROR
N = 8


def episode(task: str, outcome: Outcome, *actions: str) -> Episode:
    steps = tuple(Step(action, (1,), (-1.0,), "done") for action in actions)
    return Episode("", task, "i1", "eval", 0, "p", None, None, None, "o", steps, outcome, 0)


def solved(*counts: int, n: int = N) -> dict[str, Samples]:
    """A run whose tasks t000, t001, ... were solved so often in n samples."""
    return {f"t{t:03}": Samples(("a()",) * n, int(c)) for t, c in enumerate(counts)}


def method(*runs: Mapping[str, Samples]) -> Runs:
    return {f"run {r}": run for r, run in enumerate(runs)}


def draw(rng: np.random.Generator, chances: Sequence[float]) -> dict[str, Samples]:
    return solved(*rng.binomial(N, chances))


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


def test_an_evaluation_is_counted_by_task_without_what_the_machinery_ended() -> None:
    assert measured(
        [
            episode("a", S, "verify()", "cancel()"),
            episode("b", LOST),
            episode("a", LOST, "label()"),
            episode("a", F, "label()"),
            episode("a", Outcome.INVALID_ACTION),
        ]
    ) == {"a": Samples(("verify()", "label()", ""), 1), "b": Samples((), 0)}


def test_the_value_is_the_mean_over_runs_of_the_mean_over_tasks() -> None:
    curve = pass_at(method(solved(0, 4, 8), solved(2)), (1, 4), seed=0)
    assert curve[1].value == pytest.approx(((0 + 0.5 + 1) / 3 + 0.25) / 2)
    assert curve[4].value == pytest.approx(
        ((0 + pass_at_k(8, 4, 4) + 1) / 3 + pass_at_k(8, 2, 4)) / 2
    )


def test_two_runs_of_one_task_each_are_drawn_as_a_coin_would() -> None:
    # Both drawn are the first, one of each, both are the second: 0, 1/2, 1 in the ratio 1:2:1.
    assert pass_at(method(solved(0), solved(N)), (1,), seed=0)[1] == (0.5, 0.0, 1.0)
    assert pass_at(method(solved(4), solved(4)), (1,), seed=0)[1] == (0.5, 0.5, 0.5)


def test_fewer_samples_than_k_is_undefined_and_never_zero() -> None:
    whole, short = solved(0, 4, 8), {**solved(0, 4, 8), "short": Samples(("a()",) * 3, 0)}
    assert pass_at(method(short), (4,), seed=0)[4].value == pytest.approx(
        pass_at(method(whole), (4,), seed=0)[4].value
    )
    assert all(map(isnan, pass_at(method(whole), (16,), seed=0)[16]))
    # A run that cannot tell makes the mean over runs undefined, not the mean of the others.
    few = method(whole, solved(1, 2, 3, n=3))
    assert not isnan(pass_at(few, (3,), seed=0)[3].value)
    assert all(map(isnan, pass_at(few, (4,), seed=0)[4]))
    assert all(map(isnan, difference(few, few, (4,), seed=0)[4]))


def test_with_one_run_the_interval_is_the_one_over_its_tasks() -> None:
    counts = np.random.default_rng(0).integers(0, N + 1, 100)
    own = pass_at(method(solved(*counts)), (2,), seed=0)[2]
    over_tasks = mean_pass_at_k([(N, int(c)) for c in counts], 2, seed=1)
    assert tuple(own) == pytest.approx(tuple(over_tasks), abs=0.01)


def test_runs_that_differ_widen_the_interval_and_runs_that_do_not_hardly() -> None:
    counts = np.random.default_rng(0).integers(0, N + 1, 240)
    over_tasks = width(mean_pass_at_k([(N, int(c)) for c in counts], 1, 0))
    alike = method(*(solved(*part) for part in counts.reshape(6, 40)))
    apart = method(*(solved(*part) for part in np.sort(counts).reshape(6, 40)))
    assert width(pass_at(alike, (1,), 0)[1]) < 1.6 * over_tasks
    assert width(pass_at(apart, (1,), 0)[1]) > 4 * over_tasks


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth, covered = 0.5, 0
    for trial in range(100):
        levels = truth + rng.normal(0, 0.1, 12)
        runs = [np.clip(rng.normal(level, 0.2, (40, 1)), 0, 1) for level in levels]
        [estimate] = estimates(runs, seed=trial)
        assert estimate.low <= estimate.value <= estimate.high
        covered += estimate.low <= truth <= estimate.high
    assert 86 <= covered <= 99


def test_a_difference_is_paired_by_run_and_task() -> None:
    rng = np.random.default_rng(0)
    chances = [np.clip(rng.normal(level, 0.3, 60), 0, 0.9) for level in (0.1, 0.3, 0.5, 0.7)]
    worse = method(*(draw(rng, run) for run in chances))
    better = method(*(draw(rng, run + 0.1) for run in chances))
    one, two = (pass_at(m, (1, 4), seed=0) for m in (better, worse))
    ahead, behind = difference(better, worse, (1, 4), 0), difference(worse, better, (1, 4), 0)
    for k in (1, 4):
        assert ahead[k].value == pytest.approx(one[k].value - two[k].value)
        turned = (-behind[k].value, -behind[k].high, -behind[k].low)
        assert tuple(ahead[k]) == pytest.approx(turned)
        # The two intervals overlap, as the runs are so unlike; the difference is yet clear.
        assert one[k].low < two[k].high
        assert ahead[k].low > 0
        unpaired = hypot(width(one[k]), width(two[k]))
        assert width(ahead[k]) < unpaired / 2
    assert difference(worse, worse, (1,), 0)[1] == (0, 0, 0)


def test_a_task_that_one_method_cannot_tell_of_is_left_out_of_the_difference() -> None:
    other = {**solved(0, 0, 0), "t002": Samples(("a()",), 1)}
    assert difference(method(solved(4, 8, 8)), method(other), (2,), 0)[2].value == pytest.approx(
        (pass_at_k(8, 4, 2) + 1) / 2
    )


def test_equal_seeds_give_equal_intervals_in_whatever_order_the_tasks_come() -> None:
    runs = [solved(*range(9)), solved(*range(4))]
    first = pass_at(method(*runs), (2,), seed=3)
    turned = {name: dict(reversed(run.items())) for name, run in method(*runs).items()}
    assert first == pass_at(dict(reversed(turned.items())), (2,), seed=3)
    assert first != pass_at(method(*runs), (2,), seed=4)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (method(solved(1, 2)), "the second method lacks runs: run 1"),
        (method(*[solved(1, 2)] * 3), "the first method lacks runs: run 2"),
        (method(solved(1, 2), solved(1)), "the second method lacks tasks of run run 1: t001"),
        (
            method(solved(1, 2), solved(*[1] * 9)),
            "the first method lacks tasks of run run 1: t002, t003, t004, t005, t006 and 2 more",
        ),
    ],
)
def test_methods_with_other_runs_or_tasks_are_not_compared(other: Runs, message: str) -> None:
    own = method(solved(1, 2), solved(3, 4))
    for compare in (lambda: difference(own, other, (1,), 0), lambda: sharpening(own, other, 0)):
        with pytest.raises(ValueError, match=f"^{message}$"):
            compare()


@pytest.mark.parametrize("empty", [{}, {"run 0": {}}], ids=["no run", "no task"])
def test_nothing_to_compare_is_told(empty: Runs) -> None:
    with pytest.raises(ValueError, match="at least one run, and in each at least one task"):
        pass_at(empty, (1,), seed=0)


def test_entropy_is_that_of_the_shares() -> None:
    assert entropy(["a()"] * 32) == 0
    assert entropy(["a()", "b()"] * 16) == pytest.approx(log(2))
    assert entropy(["a()", "b()", "", "a()"]) == pytest.approx(1.5 * log(2))
    assert isnan(entropy([]))


def test_tasks_lost_and_gained_are_numbers_a_run() -> None:
    base = method(solved(1, 1, 1, 0, 0), solved(0, 0))
    own = method(solved(8, 0, 0, 0, 1), solved(8, 8))
    found = sharpening(own, base, seed=0)
    assert found.tasks_lost.value == pytest.approx((2 + 0) / 2)
    assert found.tasks_gained.value == pytest.approx((1 + 2) / 2)
    assert found.solved_at_least_once.value == pytest.approx((2 / 5 + 2 / 2) / 2)
    assert found.solved_at_least_once.value == pytest.approx(pass_at(own, (N,), 0)[N].value)
    assert found.tasks_lost.low < found.tasks_lost.value < found.tasks_lost.high


def test_the_base_neither_loses_nor_gains_against_itself() -> None:
    base = method(solved(0, 3, 8), solved(1, 0, 0))
    found = sharpening(base, base, seed=0)
    assert found.tasks_lost == found.tasks_gained == (0, 0, 0)


def test_first_action_entropy_is_a_mean_over_tasks() -> None:
    run = {"a": Samples(("x()", "y()"), 0), "b": Samples(("x()", "x()"), 0)}
    own = method({**run, "machinery": Samples((), 0)})
    assert sharpening(own, own, seed=0).first_action_entropy.value == pytest.approx(log(2) / 2)
