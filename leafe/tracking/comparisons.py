"""A comparison's results in MLflow: a run per method, whose curves lie over each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from leafe.params import load_params
from leafe.tracking.store import connect, find_experiment

CURVE = "comparison/pass_at_k"
"""Against k."""
LEARNING = "comparison/pass_at_1_by_env_steps"
"""Against new environment steps per task."""


def log_results(name: str, told: Mapping[str, Mapping[str, Any]]) -> tuple[str, list[str]]:
    """Show the figures of a comparison, group by group; returns the experiment and the runs.

    The same figures are shown once. Raises whatever MLflow or its store raises.
    """
    client = connect()
    experiment = find_experiment(client, f"leafe-{load_params(check_plan=False).env['name']}")
    runs = []
    for group, figures in told.items():
        for method in figures["methods"]:
            points = dict(_points(figures, method))
            content = hashlib.sha256(json.dumps([*points.items()]).encode()).hexdigest()
            tags = {"comparison": name, "comparison.group": group, "leafe.method": method}
            runs.append(_log(client, experiment, tags | {"comparison.content": content}, points))
    return experiment, runs


def _log(
    client: Any, experiment: str, tags: Mapping[str, str], points: Mapping[tuple[str, int], float]
) -> str:
    from mlflow.entities import Metric

    wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    for run in client.search_runs([experiment], wanted, 1, 1):
        return str(run.info.run_id)
    title = " ".join(dict.fromkeys(tags[key] for key in ("comparison", "comparison.group")))
    run = client.create_run(experiment, run_name=f"{title}: {tags['leafe.method']}", tags=tags)
    metrics = [Metric(name, value, 0, step) for (name, step), value in points.items()]
    client.log_batch(run.info.run_id, metrics=metrics)
    client.set_terminated(run.info.run_id, "FINISHED")
    return str(run.info.run_id)


def _points(figures: Mapping[str, Any], method: str) -> Iterator[tuple[tuple[str, int], float]]:
    for name, interval in figures["methods"][method].items():
        k = int(name.rpartition("_")[2])
        yield (CURVE, k), interval["mean"]
        for end in ("low", "high"):
            yield (f"{CURVE}_{end}", k), interval[end]
    yield (LEARNING, 0), figures["methods"]["base"]["pass_at_1"]["mean"]
    for point in figures["learning"].get(method, ()):
        yield (LEARNING, round(point["env_steps_per_task"])), point["pass_at_1"]["mean"]
    for name, interval in figures["differences"].get(method, {}).items():
        for end, value in interval.items():
            yield (f"comparison/leafe_minus_this/{name}/{end}", 0), value
    for name, interval in figures["sharpening"][method].items():
        yield (f"comparison/{name}", 0), interval["mean"]
