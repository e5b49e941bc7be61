"""MLflow started cold, locked, damaged, gone: what that costs a run."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leftovers import STAGES, leave_record

# Fixtures are imported under their own names: pytest finds them there.
from mlflow_shown import empty_database as empty_database
from mlflow_shown import folder as folder
from mlflow_shown import history, metrics, show_all, shown

from leafe import layout
from leafe.tracking import PipelineRun, log_alone, tracking_uri


def test_four_processes_that_start_cold_at_once_make_one_experiment_and_one_run(
    folder: Path,
) -> None:
    (folder / "mlflow.db").unlink()
    code = "from leafe.tracking import PipelineRun; PipelineRun.open('same')"
    starts = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate()[1] for process in starts] == [""] * 4
    assert [process.returncode for process in starts] == [0] * 4
    assert set(shown()) == {"all"}


def no_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """A server that is there, and never answers."""
    deaf = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{deaf.getsockname()[1]}")
    return deaf


def closed_port(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_server(folder, monkeypatch).close()


def locked_database(folder: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    writer = sqlite3.connect(folder / "mlflow.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    return writer


def damaged_database(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "mlflow.db").write_text("this is no database" * 100)


def unwritable_root(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".leafe").write_text("a file where a folder must be: root may write everywhere")


@pytest.mark.parametrize(
    "breaking", [no_server, closed_port, locked_database, damaged_database, unwritable_root]
)
def test_mlflow_failing_is_one_line_and_a_few_seconds(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    breaking: Callable[[Path, pytest.MonkeyPatch], Any],
) -> None:
    held = breaking(folder, monkeypatch)
    start = time.monotonic()
    log_alone("evaluate@i2")
    took = time.monotonic() - start
    if held is not None:
        held.close()
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1, said
    assert said[0].startswith("MLflow: ")
    assert tracking_uri() in said[0]
    assert took < 5


def test_what_was_missed_while_the_database_was_locked_is_shown_at_the_end(folder: Path) -> None:
    run = PipelineRun.open("a-run")
    run.log_stage("tasks", executed=True)
    writer = sqlite3.connect(folder / "mlflow.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    for stage in STAGES[1:]:
        run.log_stage(stage, executed=True)
    assert time.monotonic() - start < 5, "one wait for all"
    writer.close()
    run.finish("FINISHED")
    assert len(history(shown()["all"], "eval/pass_at_1")) == 3


def test_a_broken_metrics_file_is_one_line_and_the_other_stages_are_shown(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout.exploration("i1").write_text("{")
    show_all()
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert "filter@i1" in said[0]
    assert shown()["i1"].data.metrics["eval/pass_at_1"] == metrics("i1")["pass_at_1"]


def test_the_link_of_a_run_that_could_not_be_opened_is_empty(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "mlflow.db").write_text("this is no database" * 100)
    assert PipelineRun.open("a-run").compare_link() == ""


def test_a_stage_of_no_known_kind_is_a_line_and_no_more(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    leave_record(layout.policy("i1"), "dream@i1", {})
    PipelineRun.open("a-run").log_stage("dream@i1", executed=True)
    assert "dream@i1" in capfd.readouterr().err
