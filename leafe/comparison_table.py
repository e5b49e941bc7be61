"""The tables of a comparison: a row a method, from the figures that `leafe/compare.py` makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from leafe.compare import THE_BASE, read_interval
from leafe.results import show_estimate


def table(told: Mapping[str, Any]) -> list[list[str]]:
    """A group's results in the end as texts, the heading first."""
    ks = [at for at in ("pass_at_1", "pass_at_8", "pass_at_32") if at in told["methods"][THE_BASE]]
    ends = [ks[0], ks[-1]] if told["differences"] else []
    heading = ["method", *(_label(at) for at in ks), *(f"LEAFE - it, {_label(at)}" for at in ends)]
    heading += ["steps", "first-action entropy", "tasks lost", "gained"]
    body = []
    for method, curve in told["methods"].items():
        sharp, versus = told["sharpening"][method], told["differences"].get(method)
        steps = told["env_steps_per_task"].get(method, 0.0)
        body.append(
            [
                method,
                *(show_estimate(read_interval(curve[at])) for at in ks),
                *(show_difference(versus[at]) if versus else "" for at in ends),
                f"{steps:.0f}",
                f"{sharp['first_action_entropy']['mean']:.2f}",
                f"{sharp['tasks_lost']['mean']:.1f}",
                f"{sharp['tasks_gained']['mean']:.1f}",
            ]
        )
    return [heading, *body]


def learning_table(told: Mapping[str, Any]) -> list[list[str]]:
    """After each iteration: Pass@1 / Pass@k of the largest k, and the steps spent until then."""
    ends = [at for at in ("pass_at_1", "pass_at_32") if at in told["methods"][THE_BASE]]
    heading = ["method", *(f"{i}: {' / '.join(map(_label, ends))}" for i in told["iterations"])]
    body = []
    for method, points in told["learning"].items():
        figures = [" / ".join(_figure(point[at]["mean"]) for at in ends) for point in points]
        steps = [f"{point['env_steps_per_task']:.0f} steps" for point in points]
        body.append([method, *map(", ".join, zip(figures, steps, strict=True))])
    return [heading, *body]


def _figure(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if value == value else "-"


def _label(at: str) -> str:
    return f"Pass@{at.rpartition('_')[2]}"


def show_difference(interval: Mapping[str, float]) -> str:
    """A signed figure with its interval.

    >>> show_difference({"mean": 0.1234, "low": -0.01, "high": 0.2})
    '+.123 [-.01, +.20]'
    """

    def signed(value: float, digits: int) -> str:
        return f"{value:+.{digits}f}".replace("0.", ".", 1)

    low, high = signed(interval["low"], 2), signed(interval["high"], 2)
    return f"{signed(interval['mean'], 3)} [{low}, {high}]"


def as_table(rows: Sequence[Sequence[str]]) -> Table:
    """For a terminal."""
    heading, *body = rows
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for n, name in enumerate(heading):
        shown.add_column(name, justify="right" if n else "left")
    for line in body:
        shown.add_row(*map(Text, line))
    return shown
