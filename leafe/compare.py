"""The results of a comparison: from what its workspaces hold to figures and a picture.

The figures go to `metrics/<comparison>.json`, the picture to `plots/<comparison>.svg`. A run is a
point of the grid; `leafe/comparison.py` has what is computed from runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from leafe import layout
from leafe.chain import chain
from leafe.comparison import Runs, difference, measured, pass_at
from leafe.grid import Comparison
from leafe.layout import BASE, LEAFE
from leafe.params import PARAMS_FILE, load_params
from leafe.pass_at_k import Estimate
from leafe.planning import stages_until
from leafe.results import read_row
from leafe.seeds import seed_from
from leafe.sharpening import sharpening
from leafe.store import read_episodes, read_json, write_json

THE_BASE = "base"
"""The base policy among the methods."""
SPENT = (
    "env_steps_per_task",
    "unspent_steps_per_task",
    "replayed_steps_per_task",
    "sampled_tokens_per_task",
)
"""What is summed over the iterations of an exploration."""


@dataclass(frozen=True)
class Group:
    """What is averaged over: some points of a comparison, all with the same methods."""

    methods: list[str]
    iterations: list[str]
    """In order, without the base."""
    ks: list[int]
    folders: dict[str, Path]
    """Point -> its workspace."""
    runs: dict[str, list[Runs]]
    """Method -> what was measured at each point after each iteration; the base has one."""

    @property
    def last(self) -> dict[str, Runs]:
        """Method -> what was measured of its last policy, at each point."""
        return {method: runs[-1] for method, runs in self.runs.items()}


def read_group(comparison: Comparison, folders: Mapping[str, Path]) -> Group:
    """A group of points whose workspaces are done."""
    first = next(iter(folders.values()))
    iterations = chain("iterations", load_params(first / PARAMS_FILE).iterations, BASE)
    runs = {THE_BASE: [read_runs(folders, BASE, LEAFE)]}
    for method in comparison.methods:
        runs[method] = [read_runs(folders, iteration, method) for iteration in iterations]
    return Group(
        methods=comparison.methods,
        iterations=iterations,
        ks=sorted(read_row(BASE, first / layout.metrics(BASE)).pass_at),
        folders=dict(folders),
        runs=runs,
    )


def read_runs(folders: Mapping[str, Path], iteration: str, method: str) -> Runs:
    """What was measured of a policy at each point."""
    path = layout.evaluation(iteration, method)
    return {point: measured(read_episodes(folder / path)) for point, folder in folders.items()}


def figures(group: Group) -> dict[str, Any]:
    """All figures of a group of points, ready for JSON."""
    seed = seed_from("comparison") % 2**31
    last, spent = group.last, {method: spending(group, method) for method in group.methods}
    base = last[THE_BASE]
    return {
        "runs": sorted(group.folders),
        "iterations": group.iterations,
        "tasks_per_run": [len(tasks) for _, tasks in sorted(base.items())],
        "methods": {m: _by_k(pass_at(runs, group.ks, seed)) for m, runs in last.items()},
        "differences": {
            method: _by_k(difference(last[LEAFE], runs, group.ks, seed))
            for method, runs in last.items()
            if LEAFE in last and method != LEAFE
        },
        "env_steps_per_task": {m: figure["env_steps_per_task"] for m, figure in spent.items()},
        "spent": spent,
        "sharpening": {
            method: {
                name: _interval(e) for name, e in sharpening(runs, base, seed)._asdict().items()
            }
            for method, runs in last.items()
        },
        "learning": {method: learning(group, method, seed) for method in group.methods},
    }


def _by_k(curve: Mapping[int, Estimate]) -> dict[str, dict[str, float]]:
    return {f"pass_at_{k}": _interval(estimate) for k, estimate in curve.items()}


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"mean": estimate.value, "low": estimate.low, "high": estimate.high}


def read_interval(figure: Mapping[str, float]) -> Estimate:
    """A figure with its interval, of those that `figures` gives."""
    return Estimate(figure["mean"], figure["low"], figure["high"])


def learning(group: Group, method: str, seed: int) -> list[dict[str, Any]]:
    """After each iteration: Pass@k, LEAFE minus that, and the steps per task spent until then."""
    points = []
    for n, iteration in enumerate(group.iterations):
        runs = group.runs[method][n]
        evaluated = [
            read_json(f / layout.metrics(iteration, method)) for f in group.folders.values()
        ]
        point: dict[str, Any] = {
            "iteration": iteration,
            "env_steps_per_task": fmean(e["env_steps_per_task_so_far"] for e in evaluated),
            **_by_k(pass_at(runs, group.ks, seed)),
        }
        if LEAFE in group.runs and method != LEAFE:
            leafe = group.runs[LEAFE][n]
            point["difference"] = _by_k(difference(leafe, runs, group.ks, seed))
        points.append(point)
    return points


def spending(group: Group, method: str) -> dict[str, float | None]:
    """What all iterations spent, per training task: means over the points; and the seconds."""
    per_point: list[dict[str, float]] = []
    for folder in group.folders.values():
        explored = [
            read_json(folder / layout.exploration(iteration, method))
            for iteration in group.iterations
        ]
        per_point.append({name: sum(e[name] for e in explored) for name in SPENT})
        per_point[-1]["budget_per_task"] = sum(e["budget_per_task"] for e in explored)
    told: dict[str, float | None] = {
        name: fmean(point[name] for point in per_point) for name in per_point[0]
    }
    seconds = [took(folder, method, group.iterations[-1]) for folder in group.folders.values()]
    known = [each for each in seconds if each is not None]
    return told | {"seconds": fmean(known) if len(known) == len(seconds) else None}


def took(folder: Path, method: str, last: str) -> float | None:
    """Seconds of a method's own stages in a workspace; None where DVC's cache gave some of them."""
    params = load_params(folder / PARAMS_FILE)
    name = f"evaluate@{layout.entry(method, last)}"
    stages = [s for s in stages_until(name, params.iterations, params.waves) if "@" in s]
    paths = [folder / layout.seconds(stage) for stage in stages]
    if not all(path.exists() for path in paths):
        return None
    return sum(float(path.read_text()) for path in paths)


def write_results(
    name: str, comparison: Comparison, folders: Mapping[str, Path]
) -> dict[str, dict[str, Any]]:
    """Write the figures and the picture of a comparison; returns the figures by group."""
    from leafe.comparison_plot import draw, draw_groups

    told = {
        group: figures(read_group(comparison, {p.name: folders[p.name] for p in points}))
        for group, points in comparison.groups().items()
    }
    picture, numbers = Path("plots") / f"{name}.svg", Path("metrics") / f"{name}.json"
    if comparison.by:
        draw_groups({group: _curves(one) for group, one in told.items()}, picture)
        write_json(numbers, told)
    else:
        (one,) = told.values()
        draw(_curves(one), _spent(one), picture)
        write_json(numbers, one)
    return told


def _curves(told: Mapping[str, Any]) -> dict[str, dict[int, Estimate]]:
    """Method -> k -> Pass@k."""
    return {
        method: {int(at.rpartition("_")[2]): read_interval(e) for at, e in curve.items()}
        for method, curve in told["methods"].items()
    }


def _spent(told: Mapping[str, Any]) -> dict[str, list[tuple[float, Estimate]]]:
    """Method -> (environment steps per task so far, Pass@1), from the base policy on."""
    start = (0.0, _curves(told)[THE_BASE][1])
    return {
        method: [start] + [(p["env_steps_per_task"], read_interval(p["pass_at_1"])) for p in points]
        for method, points in told["learning"].items()
    }
