"""The picture of a comparison: Pass@k against k, and Pass@1 against what the training data cost.

Equal figures give equal bytes. Knows nothing about where the figures come from.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from leafe.pass_at_k import Estimate
from leafe.store import atomic


class Line(NamedTuple):
    """How a method is drawn: never told apart by its colour alone."""

    label: str
    """Its name for readers."""
    color: str
    """Hexadecimal; of its line, its markers and its interval."""
    marker: str
    """In matplotlib's letters; "" for none."""
    dash: str | tuple[float, tuple[float, ...]] = "solid"
    """In matplotlib's terms: a word, or (offset, lengths in line widths)."""
    width: float = 1.6
    """In points."""
    band: float = 0.09
    """Opacity of the interval."""


LINES = {
    "leafe": Line("LEAFE", "#d55e00", "o", width=3.2, band=0.2),
    "leafe_no_experience": Line("LEAFE without notes", "#e69f00", "v", (0, (5, 1.5))),
    "leafe_restart": Line("LEAFE without rollback", "#a65628", "^", (0, (1.5, 1.2))),
    "rejection_sampling": Line("Rejection sampling", "#cc79a7", "D"),
    "grpo": Line("GRPO", "#0072b2", "s"),
    "early_experience": Line("Early Experience", "#009e73", "X"),
    "base": Line("Base model", "#767676", "", (0, (4, 2.5))),
}
"""Method -> line, in the order of the legend. Colours after Okabe & Ito, Color Universal Design."""

STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#767676",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "legend.handlelength": 3,
    "savefig.bbox": "tight",
    "svg.hashsalt": "leafe",  # else the ids in the file differ each time
}

Point = tuple[float, Estimate]


def draw(
    curves: Mapping[str, Mapping[int, Estimate]],
    spent: Mapping[str, Sequence[Point]],
    path: Path,
) -> None:
    """Write the picture as SVG.

    `curves` is method -> k -> Pass@k. `spent` is method -> points (new environment steps per
    training task so far, Pass@1), the first of them the base's at 0 steps. Undefined points are
    left out. Raises ValueError for a method that `LINES` does not have.
    """
    with _picture(curves.keys() | spent.keys(), path, describe(curves)) as (left, right):
        _draw_curves(left, curves)
        _draw_spent(right, spent, curves.get("base", {}).get(1))


def draw_groups(groups: Mapping[str, Mapping[str, Mapping[int, Estimate]]], path: Path) -> None:
    """Write, as SVG, Pass@1 and Pass@k at the largest k of each method, group by group.

    `groups` is group -> method -> k -> Pass@k, groups named as by `leafe.grid.Point`. Raises
    ValueError as `draw` does.
    """
    settings = [[part.partition("=") for part in group.split(",")] for group in groups]
    methods = {method for curves in groups.values() for method in curves}
    said = " ".join(f"{group}: {describe(curves)}" for group, curves in groups.items())
    last = max(k for curves in groups.values() for curve in curves.values() for k in curve)
    with _picture(methods, path, said) as panels:
        for axes, k in zip(panels, (1, last), strict=True):
            for name in _in_order(methods):
                points = [(float(n), curves[name][k]) for n, curves in enumerate(groups.values())]
                _draw_line(axes, name, points)
            ticks = ["\n".join(value for _, _, value in group) for group in settings]
            axes.set_xticks(range(len(groups)), ticks)
            axes.set_xlabel(", ".join(name for name, _, _ in settings[0]))
            axes.set(title=f"Pass@{k} on held-out tasks", ylabel=f"Pass@{k}", ylim=(0, 1))
            axes.tick_params(labelleft=True)


@contextmanager
def _picture(methods: Set[str], path: Path, said: str) -> Iterator[tuple[Axes, Axes]]:
    """Two panels to draw on, and under them the legend; then the file."""
    if unknown := methods - LINES.keys():
        raise ValueError(f"no line for the methods {sorted(unknown)}; add them to LINES")
    with style.context(["default", STYLE]):  # "default": no matplotlibrc of this machine
        figure = Figure(figsize=(9.2, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        yield left, right
        figure.legend(handles=_legend(methods), loc="outside lower center", ncols=4)
        about = {"Title": "Comparison of methods", "Description": said}
        with atomic(path) as temporary:
            figure.savefig(
                temporary, format="svg", metadata={**about, "Date": None, "Creator": None}
            )


def _draw_curves(axes: Axes, curves: Mapping[str, Mapping[int, Estimate]]) -> None:
    for name in _in_order(curves):
        _draw_line(axes, name, sorted(curves[name].items()))
    ks = sorted({k for curve in curves.values() for k in curve})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(title="Held-out tasks solved within k tries", xlabel="k", ylabel="Pass@k")


def _draw_spent(axes: Axes, spent: Mapping[str, Sequence[Point]], base: Estimate | None) -> None:
    if base is not None:
        axes.axhline(base.value, **_look("base"))
        start = {"marker": "o", "clip_on": False, "zorder": 3 + len(LINES)}
        axes.plot([0], [base.value], **{**_look("base"), **start})
    for name in _in_order(spent):
        _draw_line(axes, name, spent[name])
    axes.set(
        title="Solved at the first try, by interaction",
        xlabel="environment steps per training task so far",
        ylabel="Pass@1",
    )
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1)
    axes.tick_params(labelleft=True)


def _draw_line(axes: Axes, name: str, points: Iterable[Point]) -> None:
    line, defined = LINES[name], _defined(points)
    xs = [x for x, _ in defined]
    lows, highs = [e.low for _, e in defined], [e.high for _, e in defined]
    axes.fill_between(xs, lows, highs, color=line.color, alpha=line.band, linewidth=0)
    order = 2 + len(LINES) - [*LINES].index(name)  # the first of the legend on top
    axes.plot(xs, [e.value for _, e in defined], zorder=order, **_look(name))


def _defined(points: Iterable[Point]) -> list[Point]:
    return [(x, estimate) for x, estimate in points if not isnan(estimate.value)]


def _look(name: str) -> dict[str, Any]:
    line = LINES[name]
    return {
        "color": line.color,
        "linestyle": line.dash,
        "linewidth": line.width,
        "marker": line.marker,
        "markersize": 5.5 + line.width / 2,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
    }


def _legend(names: Container[str]) -> list[Artist]:
    lines = [Line2D([], [], label=LINES[name].label, **_look(name)) for name in _in_order(names)]
    return [*lines, Patch(color="#767676", alpha=0.2, linewidth=0, label="95 % interval")]


def _in_order(names: Container[str]) -> list[str]:
    return [name for name in LINES if name in names]


def describe(curves: Mapping[str, Mapping[int, Estimate]]) -> str:
    """The curves in words, for who cannot see them.

    >>> describe({"leafe": {1: Estimate(0.8, 0.7, 0.9), 32: Estimate(0.96, 0.9, 1.0)}})
    'LEAFE: Pass@1 0.80, Pass@32 0.96.'
    """
    return " ".join(
        f"{LINES[name].label}: "
        + ", ".join(f"Pass@{k} {e.value:.2f}" for k, e in _defined(sorted(curves[name].items())))
        + "."
        for name in _in_order(curves)
    )
