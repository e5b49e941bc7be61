"""What `leafe run` would do, and what that may cost: `python -m flows.dry_run`. Runs no stage."""

from __future__ import annotations

import shutil

from rich.console import Console
from rich.table import Table

from flows.ending import exit_code
from flows.graph import Node, read_stages
from flows.pipeline import check_input
from flows.stopping import run_program
from leafe.envs import make_environment
from leafe.estimate import Cost, Size, cost, numbers, shapes_of, trained
from leafe.params import Params, load_params
from leafe.results import make_room

UNITS = ("", "k", "M", "G", "T", "P")


def short(number: float) -> str:
    """A number in three digits.

    >>> short(0), short(950), short(12_345), short(7_600_000_000)
    ('', '950', '12.3 k', '7.6 G')
    """
    unit = 0
    while number >= 1000 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {UNITS[unit]}".strip() if number else ""


def size_of(params: Params) -> Size:
    """How large it is; BadInput where the environment cannot start here."""
    environment, shapes = make_environment(params.env), shapes_of(params)
    return Size(
        train_tasks=len(environment.tasks("train")),
        test_tasks=len(environment.tasks("test")),
        steps=environment.max_steps,
        weights=None if shapes is None else numbers(shapes),
        trained=None if shapes is None else trained(params, shapes),
    )


def table_of(nodes: list[Node], costs: dict[str, Cost]) -> Table:
    """The stages in their order, with what each may cost, and the sum of those that would run."""
    table = Table("stage", "state", box=None, pad_edge=False)
    for heading in ("requests", "drawn tokens", "read tokens", "disk (bytes)"):
        table.add_column(heading, justify="right")
    ran, total = set[str](), Cost()
    for node in nodes:
        needed = node.changed or not node.needs.isdisjoint(ran)
        spent = costs[node.name] if needed else Cost()
        if needed:
            ran.add(node.name)
            total += spent
        table.add_row(node.name, "to run" if needed else "unchanged", *row(spent))
    table.add_section()
    table.add_row(f"{len(ran)} of {len(nodes)} stages", "", *row(total))
    return table


def row(spent: Cost) -> list[str]:
    """The figures of a cost."""
    return [short(n) for n in (spent.requests, spent.drawn, spent.read, spent.disk)]


def show() -> None:
    """Print the table and what it rests on."""
    check_input()
    params = load_params()
    size = size_of(params)
    nodes = read_stages()
    table = table_of(nodes, {node.name: cost(params, size, node.name) for node in nodes})
    console = Console()
    make_room(console, table)
    console.print(table)
    print(
        f"In sum, at most: {size.train_tasks} training and {size.test_tasks} held-out tasks, every"
        f" episode of {size.steps} steps, every answer of all its tokens, every prompt of"
        f" {params.model.context} tokens (a cache spares most of them). A wave may take more of the"
        " budget than an equal share, others then less. DVC's cache keeps a second copy of what is"
        " on disk, unless it links; training needs room for checkpoints beside."
    )
    if size.weights is None:
        print(f"model.path: {params.model.path} has no weights yet; their disk is not counted")
    else:
        print(f"Model: {short(size.weights)} weights; sft trains {short(size.trained or 0)}.")
    if params.engine.name == "vllm" and params.engine.start:
        there = shutil.which(params.engine.python)
        print(f"engine.python: {params.engine.python}{'' if there else ' is not there: make vllm'}")


def main() -> int:
    """Show it; returns the exit code."""
    return exit_code(show, "leafe run --dry-run", "Put that right")


if __name__ == "__main__":
    run_program(main)
