"""The results: one row per iteration, Pass@k with its interval and what was spent, as a table.

Reads the metrics files that `evaluate` writes; knows nothing about how they were made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leafe import layout
from leafe.chain import chain
from leafe.errors import BadInput
from leafe.layout import BASE, entry
from leafe.params import PARAMS_FILE, load_params
from leafe.pass_at_k import Estimate

SHOWN = (1, 4, 8, 16, 32)
"""The k of the columns; `plots/` holds the whole curve."""


@dataclass(frozen=True)
class Row:
    """The figures of one iteration's policy."""

    name: str
    """The iteration, and whose it is where that is not LEAFE."""
    pass_at: dict[int, Estimate]
    """k -> Pass@k with its 95 % interval over tasks; NaN where it is undefined."""
    env_steps_per_task: float
    """New environment steps per training task that this iteration spent; 0 for the base."""
    env_steps_per_task_so_far: float
    """The same, summed over this iteration and all before it."""
    weights: str
    """Which were trained, e.g. `LoRA rank 16`."""


def read_results(root: Path = Path(".")) -> list[Row]:
    """The base policy, then each method's iterations in order, as far as they are measured.

    Raises BadInput for a bad `params.yaml`, and for a metrics file that cannot be read.
    """
    params = load_params(root / PARAMS_FILE, check_plan=False)
    order = chain("iterations", params.iterations, BASE)
    paths = {BASE: root / layout.metrics(BASE)}
    for method in params.methods:
        paths |= {entry(method, i): root / layout.metrics(i, method) for i in order}
    return [read_row(name, path) for name, path in paths.items() if path.exists()]


def read_row(name: str, path: Path) -> Row:
    """The row of one metrics file."""
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        ks = [int(name.removeprefix("pass_at_")) for name in figures["ci95"]]
        return Row(
            name,
            {k: _estimate(figures, f"pass_at_{k}") for k in sorted(ks)},
            float(figures["env_steps_per_task"]),
            float(figures["env_steps_per_task_so_far"]),
            str(figures.get("weights", "all weights")),
        )
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path} is not a metrics file of the stage evaluate ({type(error).__name__}:"
            f" {error}); make it anew with `dvc repro`"
        ) from error


def _estimate(figures: dict[str, Any], name: str) -> Estimate:
    low, high = figures["ci95"][name]
    return Estimate(*(nan if x is None else float(x) for x in (figures[name], low, high)))


def show_estimate(estimate: Estimate | None) -> str:
    """A figure with its interval; a dash where it is undefined.

    >>> show_estimate(Estimate(0.8333, 0.79, 0.87)), show_estimate(Estimate(1.0, 0.98, 1.0))
    ('.833 [.79, .87]', '1.000 [.98, 1.00]')
    >>> show_estimate(None)
    '-'
    """
    if estimate is None or estimate.value != estimate.value:
        return "-"
    value, low, high = f"{estimate.value:.3f}", f"{estimate.low:.2f}", f"{estimate.high:.2f}"
    value, low, high = (text[1:] if text[0] == "0" else text for text in (value, low, high))
    return f"{value} [{low}, {high}]"


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """The table as texts, its heading first."""
    ks = [k for k in SHOWN if any(k in row.pass_at for row in rows)]
    # Where no adapter was trained, there is nothing to tell apart.
    told = {row.weights for row in rows} != {"all weights"}
    heading = ["iteration", *(f"Pass@{k}" for k in ks), "steps", "so far", *["trained"] * told]
    body = [
        [
            f"{BASE} (base)" if row.name == BASE else row.name,
            *(show_estimate(row.pass_at.get(k)) for k in ks),
            f"{row.env_steps_per_task:.1f}",
            f"{row.env_steps_per_task_so_far:.1f}",
            *[row.weights] * told,
        ]
        for row in rows
    ]
    return [heading, *body]


def as_table(rows: Sequence[Row], *, narrow: bool = False) -> Table:
    """For a terminal; `narrow` sets an interval under its figure, for one of 80 columns."""
    heading, *body = cells(rows)
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0 if narrow else 1, 0, 0)
    )
    table.caption = (
        "Pass@k on held-out tasks, with 95 % intervals over tasks; steps: new environment steps"
        " per training task, of the iteration and so far."
    )
    table.caption_justify = "left"
    for n, name in enumerate(heading):
        table.add_column(name, justify="right" if n else "left", no_wrap=True)
    for line in body:
        table.add_row(*(Text(text.replace(" [", "\n[") if narrow else text) for text in line))
    return table


def as_markdown(rows: Sequence[Row]) -> str:
    """For a page or a Prefect artifact."""
    heading, *body = cells(rows)
    rule = ["---", *(["---:"] * (len(heading) - 1))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, rule, *body)) + "\n"


def print_results(console: Console | None = None) -> None:
    """Print the table of the project in this folder; BadInput where nothing is measured yet."""
    rows = read_results()
    if not rows:
        raise BadInput(f"{layout.metrics(BASE)} does not exist yet; `leafe run` makes it")
    console = console or Console()
    fits = make_room(console, as_table(rows))
    console.print(as_table(rows, narrow=not fits))


def make_room(console: Console, table: Table) -> bool:
    """Widen a console that is no terminal to a table's width; returns whether the table fits.

    A log has no width of its own: there nothing is cut.
    """
    wide = table.__rich_measure__(console, console.options.update(max_width=1000)).maximum
    if not console.is_terminal:
        console.width = max(console.width, wide)
    return wide <= console.width
