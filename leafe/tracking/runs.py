"""The runs of one method of a pipeline run in MLflow: a parent, and a child per iteration.

Run ids are always given, never taken from MLflow's active run, which is per thread and which
MLFLOW_RUN_ID overrides. Points carry the time of the stage's record, so that the store itself
drops one that is sent twice.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from tempfile import TemporaryDirectory
from typing import Any

from leafe.chain import chain
from leafe.commit import git_commit
from leafe.layout import BASE, entry
from leafe.params import PARAMS_FILE, load_params
from leafe.tracking.figures import DataSet, Figures
from leafe.tracking.store import connect, find_experiment

SHARED = (
    "leafe.key",
    "leafe.method",
    "leafe.params",
    "git_commit",
    "mlflow.source.git.commit",
    "dvc_exp",
)
"""Tags that a child has from its parent."""
DERIVED = {"plan", "curves"}
"""What of the parameters follows from the others."""
POINTS_AT_ONCE = 1000
PARAMS_AT_ONCE = 100
LONGEST_NAME, LONGEST_VALUE = 250, 6000


class Runs:
    """Raises whatever MLflow or its store raises."""

    def __init__(self, key: str, method: str) -> None:
        self._method = method
        self._params = load_params(check_plan=False).of(method)
        self._client = connect()
        self.experiment = find_experiment(self._client, f"leafe-{self._params.env['name']}")
        self._key = key
        self._ids: dict[str | None, str] = {}
        self._tags: dict[str, dict[str, str]] = {}
        if not self._find():
            self._start()

    @property
    def children(self) -> dict[str, str]:
        """The run ids by iteration, in the order of the iterations."""
        order = self._iterations()
        return {i: self._ids[i] for i in order if i in self._ids}

    def _iterations(self) -> list[str]:
        return [BASE, *chain("iterations", self._params.iterations, BASE)]

    def _find(self) -> bool:
        """Go on with the newest run of the same key and parameters, if there is one."""
        wanted = self._identity()
        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in wanted.items())
        for run in self._search(f"{condition} and tags.iteration = 'all'", limit=1):
            self._remember(None, run)
            self._client.update_run(run.info.run_id, status="RUNNING")
            for child in self._search(f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"):
                self._remember(child.data.tags["iteration"], child)
        return bool(self._ids)

    def _search(self, condition: str, limit: int = 1000) -> Any:
        order = ["attributes.start_time DESC"]
        return self._client.search_runs([self.experiment], condition, 1, limit, order)

    def _identity(self) -> dict[str, str]:
        version = hashlib.sha256(PARAMS_FILE.read_bytes()).hexdigest()
        key = self._key.replace("'", "")
        return {"leafe.key": key, "leafe.method": self._method, "leafe.params": version}

    def _start(self) -> None:
        tags = self._identity()
        if commit := git_commit():
            tags |= {"git_commit": commit, "mlflow.source.git.commit": commit}
        if experiment := os.environ.get("DVC_EXP_NAME"):
            tags["dvc_exp"] = experiment
        self._ids, self._tags = {}, {}
        name = entry(self._method, self._key if len(self._key) <= 30 else self._key[:8])
        self._make(None, name, tags | {"iteration": "all"})

    def _make(self, iteration: str | None, name: str, tags: dict[str, str]) -> str:
        from mlflow.entities import Param

        run = self._client.create_run(self.experiment, run_name=name, tags=tags)
        self._remember(iteration, run)
        params = [
            Param(name[:LONGEST_NAME], str(value)[:LONGEST_VALUE])
            for name, value in _flat(self._params.model_dump(mode="json", exclude=DERIVED))
        ]
        for start in range(0, len(params), PARAMS_AT_ONCE):
            some = params[start : start + PARAMS_AT_ONCE]
            self._client.log_batch(run.info.run_id, params=some)
        return str(run.info.run_id)

    def _remember(self, iteration: str | None, run: Any) -> None:
        self._ids.setdefault(iteration, run.info.run_id)
        self._tags[run.info.run_id] = dict(run.data.tags)

    def _run(self, iteration: str | None) -> str:
        if iteration in self._ids:
            return self._ids[iteration]
        parent = self._ids[None]
        tags = {name: self._tags[parent][name] for name in SHARED if name in self._tags[parent]}
        tags |= {"mlflow.parentRunId": parent, "iteration": str(iteration)}
        return self._make(iteration, entry(self._method, str(iteration)), tags)

    def log(self, figures: Figures, *, executed: bool, seconds: float | None) -> bool:
        """Show a stage's figures once.

        Returns whether that took a new run, because the stage was already shown with others.
        """
        run, mark = self._run(figures.iteration), f"leafe.logged/{figures.name}"
        shown = self._tags[run].get(mark)
        if shown == figures.content:
            return False
        if shown is not None:
            self.end("FINISHED")
            self._start()
            run = self._run(figures.iteration)
        points = dict(figures.points)
        if seconds is not None:
            points[f"{figures.name}/seconds", 0] = seconds
        self._log_policy(run, figures)
        model = self._tags[run].get("leafe.model") if figures.name == "evaluate" else None
        self._log_points(run, points, figures.written, model)
        self.log_learning(figures)
        self._log_data(run, figures.data)
        # Last, so that a stage counts as shown only when all of it is.
        state = "executed" if executed else "skipped"
        self._tag(run, {f"stage/{figures.name}": state, mark: figures.content})
        if figures.name == "evaluate":
            self._client.set_terminated(run, "FINISHED")
        return shown is not None

    def log_learning(self, figures: Figures) -> None:
        """Show what the whole run is to show of an iteration; for the base, any method's run."""
        if figures.learning:
            step = self._iterations().index(str(figures.iteration))
            learning = {(name, step): value for name, value in figures.learning.items()}
            self._log_points(self._ids[None], learning, figures.written, None)

    def _log_points(
        self, run: str, points: Mapping[tuple[str, int], float], when: int, model: str | None
    ) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, when, step, model_id=model)
            for (name, step), value in points.items()
        ]
        for start in range(0, len(metrics), POINTS_AT_ONCE):
            self._client.log_batch(run, metrics=metrics[start : start + POINTS_AT_ONCE])

    def _log_data(self, run: str, data: tuple[DataSet, ...]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if not data:
            return
        inputs = [
            DatasetInput(
                # Metadata alone: building it through a frame would load the table to hash it.
                Dataset(
                    name=str(table.path),
                    digest=table.md5,
                    source_type="local",
                    source=json.dumps({"uri": str(table.path)}),
                    profile=json.dumps({"num_rows": table.rows}),
                ),
                [InputTag("mlflow.data.context", table.context)],
            )
            for table in data
        ]
        self._client.log_inputs(run, inputs)
        self._hashes(run, {str(table.path): table.md5 for table in data})

    def _log_policy(self, run: str, figures: Figures) -> None:
        """The weights stay with DVC; MLflow has a model that says where they are."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.models.model import MLMODEL_FILE_NAME
        from mlflow.models.utils import get_external_mlflow_model_spec

        if figures.policy is None or "leafe.model" in self._tags[run]:
            return
        path, md5 = figures.policy
        tags = {"dvc_path": str(path), "dvc_md5": md5, "iteration": str(figures.iteration)}
        model = self._client.create_logged_model(
            self.experiment,
            name=f"policy-{entry(self._method, str(figures.iteration))}",
            source_run_id=run,
            # What mlflow.create_external_model does, which would take the client for the tracking
            # URI of the whole process.
            tags=tags | {"mlflow.model.isExternal": "true"},
            model_type="policy",
        )
        with TemporaryDirectory() as folder:
            get_external_mlflow_model_spec(model).save(f"{folder}/{MLMODEL_FILE_NAME}")
            self._client.log_model_artifacts(model.model_id, folder)
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(run, [LoggedModelOutput(model.model_id, step=0)])
        self._tag(run, {"leafe.model": model.model_id})
        self._hashes(run, {str(path): md5})

    def _hashes(self, run: str, hashes: Mapping[str, str]) -> None:
        tags = {f"dvc/{path}": md5 for path, md5 in hashes.items()}
        for each in {run, self._ids[None]}:
            self._tag(each, tags)

    def _tag(self, run: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self._client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])
        self._tags[run] |= tags

    def complete(self) -> bool:
        """Whether the last iteration's evaluation is shown."""
        last = self._ids.get(self._iterations()[-1])
        return last is not None and "leafe.logged/evaluate" in self._tags[last]

    def end(self, status: str) -> None:
        """End the parent, and the children that are not evaluated yet."""
        for iteration, run in self._ids.items():
            if iteration is None or "leafe.logged/evaluate" not in self._tags[run]:
                self._client.set_terminated(run, status)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables by dotted path.

    >>> dict(_flat({"env": {"name": "desk", "sizes": [1, 2]}}))
    {'env.name': 'desk', 'env.sizes': [1, 2]}
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
