"""The results of a comparison: from what its workspaces hold to figures, a table and a picture.

The figures go to `metrics/<comparison>.json`, the picture to `plots/<comparison>.svg`. A run is a
point of the grid; `leafe/comparison.py` has what is computed from runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from leafe import layout
from leafe.chain import chain
from leafe.comparison import Runs, difference, measured, pass_at
from leafe.errors import BadInput
from leafe.grid import Comparison
from leafe.layout import BASE, LEAFE
from leafe.params import PARAMS_FILE, load_params
from leafe.pass_at_k import Estimate
from leafe.planning import stages_until
from leafe.seeds import seed_from
from leafe.sharpening import sharpening
from leafe.store import read_episodes, write_json

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

    def runs(self, method: str, iteration: str) -> Runs:
        """What was measured of a policy at each point."""
        path = layout.evaluation(iteration, method)
        return {
            point: measured(read_episodes(folder / path)) for point, folder in self.folders.items()
        }

    def last(self, method: str) -> Runs:
        """What was measured of a method's last policy, or of the base."""
        return self.runs(*((LEAFE, BASE) if method == THE_BASE else (method, self.iterations[-1])))


def read_group(comparison: Comparison, folders: Mapping[str, Path]) -> Group:
    """A group of points whose workspaces are done."""
    params = load_params(next(iter(folders.values())) / PARAMS_FILE)
    samples = params.evaluate.samples
    return Group(
        methods=comparison.methods,
        iterations=chain("iterations", params.iterations, BASE),
        ks=[2**n for n in range(12) if 2**n <= samples],
        folders=dict(folders),
    )


def figures(group: Group) -> dict[str, Any]:
    """All figures of a group of points, ready for JSON."""
    seed = seed_from("comparison") % 2**31
    runs = {method: group.last(method) for method in (THE_BASE, *group.methods)}
    curves = {method: pass_at(measured, group.ks, seed) for method, measured in runs.items()}
    spent = {method: spending(group, method) for method in group.methods}
    told: dict[str, Any] = {
        "runs": sorted(group.folders),
        "iterations": group.iterations,
        "tasks_per_run": [len(tasks) for _, tasks in sorted(runs[THE_BASE].items())],
        "methods": {
            method: {f"pass_at_{k}": _interval(e) for k, e in curve.items()}
            for method, curve in curves.items()
        },
        "differences": {},
        "env_steps_per_task": {m: figure["env_steps_per_task"] for m, figure in spent.items()},
        "spent": spent,
        "sharpening": {
            method: {
                name: _interval(e)
                for name, e in sharpening(measured, runs[THE_BASE], seed)._asdict().items()
            }
            for method, measured in runs.items()
        },
        "learning": {method: learning(group, method, seed) for method in group.methods},
    }
    if LEAFE in runs:
        told["differences"] = {
            method: {
                f"pass_at_{k}": _interval(e)
                for k, e in difference(runs[LEAFE], measured, group.ks, seed).items()
            }
            for method, measured in runs.items()
            if method != LEAFE
        }
    return told


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"mean": estimate.value, "low": estimate.low, "high": estimate.high}


def learning(group: Group, method: str, seed: int) -> list[dict[str, Any]]:
    """Pass@1 after each iteration, and the environment steps per task spent until then."""
    points = []
    for iteration in group.iterations:
        evaluated = [_read(f / layout.metrics(iteration, method)) for f in group.folders.values()]
        runs = group.runs(method, iteration)
        points.append(
            {
                "iteration": iteration,
                "env_steps_per_task": fmean(e["env_steps_per_task_so_far"] for e in evaluated),
                "pass_at_1": _interval(pass_at(runs, [1], seed)[1]),
            }
        )
    return points


def spending(group: Group, method: str) -> dict[str, float | None]:
    """What all iterations spent, per training task: means over the points; and the seconds."""
    per_point: list[dict[str, float]] = []
    for folder in group.folders.values():
        explored = [
            _read(folder / layout.exploration(iteration, method)) for iteration in group.iterations
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


def _read(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}; run the comparison again") from error
    return told


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
        method: {int(at.rpartition("_")[2]): Estimate(*e.values()) for at, e in curve.items()}
        for method, curve in told["methods"].items()
    }


def _spent(told: Mapping[str, Any]) -> dict[str, list[tuple[float, Estimate]]]:
    """Method -> (environment steps per task so far, Pass@1), from the base policy on."""
    start = (0.0, _curves(told)[THE_BASE][1])
    return {
        method: [start]
        + [(p["env_steps_per_task"], Estimate(*p["pass_at_1"].values())) for p in points]
        for method, points in told["learning"].items()
    }


def table(told: Mapping[str, Any]) -> list[list[str]]:
    """A group's results as texts, the heading first; `leafe.results` shows it."""
    from leafe.results import show_estimate

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
                *(show_estimate(Estimate(*curve[at].values())) for at in ks),
                *(show_difference(versus[at]) if versus else "" for at in ends),
                f"{steps:.0f}",
                f"{sharp['first_action_entropy']['mean']:.2f}",
                f"{sharp['tasks_lost']['mean']:.1f}",
                f"{sharp['tasks_gained']['mean']:.1f}",
            ]
        )
    return [heading, *body]


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


def as_table(told: Mapping[str, Any]) -> Table:
    """For a terminal."""
    heading, *body = table(told)
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for n, name in enumerate(heading):
        shown.add_column(name, justify="right" if n else "left")
    for line in body:
        shown.add_row(*map(Text, line))
    return shown


def as_markdown(told: Mapping[str, Any]) -> str:
    """For a page."""
    heading, *body = table(told)
    rule = ["---", *(["---:"] * (len(heading) - 1))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, rule, *body)) + "\n"
