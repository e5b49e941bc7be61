"""A comparison of methods as a Prefect flow: `python -m flows.comparison [NAME]`.

Each point of the grid runs in a workspace of its own (`leafe/workspace.py`), as many at a time as
the comparison says, by `dvc repro`. What is done is not done again: run it anew to go on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, wait
from prefect.task_runners import ThreadPoolTaskRunner
from rich.console import Console

from flows.board import Board
from flows.ending import exit_code
from flows.pipeline import RETRIES, worth_another_try
from flows.process import environment, run_dvc, stop_running
from flows.server import start_server
from flows.stopping import run_program
from flows.terminal import say
from flows.warm import warm_stages
from leafe import layout
from leafe.compare import write_results
from leafe.comparison_table import as_table, learning_table, table
from leafe.envs import make_environment
from leafe.errors import BadInput
from leafe.grid import Comparison, Point, read_comparison
from leafe.layout import BASE
from leafe.lock import hold
from leafe.params import PARAMS_FILE, load_params
from leafe.planning import all_stages
from leafe.results import make_room
from leafe.tracking import log_comparison, tracking_uri
from leafe.workspace import prepare

WORKSPACES = Path(".leafe/compare")
LOCK = Path(".leafe/locks/comparison.lock")


@task(
    task_run_name="{name}",
    cache_policy=NO_CACHE,  # DVC knows what is up to date
    retries=RETRIES,
    retry_condition_fn=worth_another_try,
)
def work(name: str, folder: Path, targets: Sequence[str], board: Board) -> None:
    """Bring a workspace up to date, and show it in MLflow."""
    run_dvc(name, targets, board.of(name, folder / "log.txt"), folder)
    if not targets:
        show_in_mlflow(name, folder)


def show_in_mlflow(name: str, folder: Path) -> None:
    """Log what a workspace made, in a process of its own, as MLflow's client is per folder."""
    subprocess.run(
        [sys.executable, "-m", "leafe.tracking", name],
        cwd=folder,
        env={**environment(), "MLFLOW_TRACKING_URI": tracking_uri()},
        check=False,  # tracking never stops the work that it shows
    )


@flow(name="leafe-comparison")
def compare(name: str, comparison: Comparison, folders: Mapping[str, Path], board: Board) -> None:
    """Run every point: first those that make a base policy, then all.

    Args:
        name: The comparison's name.
        comparison: What is compared.
        folders: Point or base -> its workspace.
        board: Takes the progress.
    """
    bases: dict[str, PrefectFuture[None]] = {}
    done: list[PrefectFuture[None]] = []
    try:
        for base in dict.fromkeys(base_name(comparison, p) for p in comparison.points()):
            if base in folders:
                bases[base] = work.submit(base, folders[base], ["warm_start"], board)
        for point in comparison.points():
            first = bases.get(base_name(comparison, point))
            after = [first] if first else None
            folder = folders[point.name]
            done.append(
                work.submit(point.name, folder, [], board, return_state=False, wait_for=after)
            )
        wait([*bases.values(), *done])
    except BaseException:
        stop_running()
        raise
    for future in (*bases.values(), *done):
        future.result()


def base_name(comparison: Comparison, point: Point) -> str:
    """The workspace that makes the base policy of a point."""
    return f"base,{point.only(comparison.base).name}"


def workspaces(name: str, comparison: Comparison) -> dict[str, Path]:
    """Make or update every workspace; returns them by point, those of the bases among them.

    Raises BadInput where parameters do not fit, before anything runs.
    """
    home, own = WORKSPACES / name, load_params(check_plan=False).model.path
    folders: dict[str, Path] = {}
    for point in comparison.points():
        base = base_name(comparison, point)
        settings = {**comparison.settings, **point.settings}
        if settings.get("model.path", own) is None:
            if base not in folders:
                folders[base] = home / base
                prepare(home / base, [], settings)
            settings["model.path"] = str(Path("..") / base / layout.policy(BASE))
        folders[point.name] = home / point.name
        prepare(home / point.name, comparison.methods, settings)
        params = load_params(home / point.name / PARAMS_FILE)
        make_environment(params.env)
        if not params.iterations:
            raise BadInput(f"{PARAMS_FILE}: iterations is empty; a comparison needs at least one")
    return folders


def count_stages(comparison: Comparison, folders: Mapping[str, Path]) -> int:
    """The stages of all workspaces together."""
    bases = {base_name(comparison, point) for point in comparison.points()} & folders.keys()
    points = [load_params(folders[point.name] / PARAMS_FILE) for point in comparison.points()]
    return len(bases) + sum(len(all_stages(p.methods, p.iterations, p.waves)) for p in points)


def run(name: str | None) -> None:
    """Run a comparison, write its results and show them."""
    with hold(LOCK, "a comparison"):
        name, comparison = read_comparison(name)
        folders = workspaces(name, comparison)
        # All cores are used by the points side by side.
        os.environ["OMP_NUM_THREADS"] = "1"
        board = Board(count_stages(comparison, folders))
        say("Starting Prefect")
        start_server()
        runner: Any = ThreadPoolTaskRunner(max_workers=comparison.workers)
        with warm_stages():
            compare.with_options(task_runner=runner)(name, comparison, folders, board)
        told = write_results(name, comparison, folders)
        say(log_comparison(name, told))
    console = Console()
    for group, figures in told.items():
        if comparison.by:
            say(f"\n{group}")
        for rows in (table(figures), learning_table(figures)):
            shown = as_table(rows)
            make_room(console, shown)
            console.print(shown)
    say(f"Figures: metrics/{name}.json, picture: plots/{name}.svg")


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> int:
    """Run the comparison that is named, or the first; returns the exit code."""
    logs = f"What each point said is in {WORKSPACES}/*/*/log.txt"
    return exit_code(lambda: run(arguments[0] if arguments else None), "make compare", logs)


if __name__ == "__main__":
    run_program(main)
