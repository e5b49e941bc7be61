"""A project whose run is shown in MLflow, and how to read back what is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from leftovers import STAGES, leave_pipeline
from mlflow import MlflowClient

from leafe import layout
from leafe.layout import LEAFE
from leafe.tracking import PipelineRun, tracking_uri
from leafe.tracking.store import connect


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without experiments: making one takes MLflow many seconds."""
    folder = tmp_path_factory.mktemp("database")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        connect()
    return folder / "mlflow.db"


@pytest.fixture
def folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty_database: Path,
    request: pytest.FixtureRequest,
) -> Path:
    """A project that has run, by LEAFE or the module's METHODS, and whose database has no
    experiment yet.
    """
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    leave_pipeline(getattr(request.module, "METHODS", (LEAFE,)))
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


def show_all(
    key: str = "a-run", *, executed: bool = True, stages: Sequence[str] = STAGES
) -> PipelineRun:
    run = PipelineRun.open(key)
    for stage in stages:
        run.log_stage(stage, executed=executed, seconds=2.0 if executed else None)
    run.finish("FINISHED")
    return run


def client() -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri())


def shown(method: str = LEAFE) -> dict[str, Any]:
    """A method's runs by iteration; the parent under `all`."""
    name = next(e.name for e in client().search_experiments() if e.name != "Default")
    assert name == "leafe-desk"
    experiment = client().get_experiment_by_name(name).experiment_id
    runs = client().search_runs([experiment], f"tags.`leafe.method` = '{method}'")
    found = {run.data.tags["iteration"]: run for run in runs}
    assert len(found) == len(runs), "one run an iteration"
    return found


def history(run: Any, name: str) -> list[tuple[int, float]]:
    points = client().get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value) for point in points)


def metrics(iteration: str, method: str = LEAFE) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(layout.metrics(iteration, method).read_text())
    return values
