"""Where MLflow's records are, and how to reach them: one process at a time, and not for long."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 3.0
"""Seconds that an attempt may wait."""
COLD = 90.0
"""Seconds that making a new database may take; 8 on two idle cores."""
SQLITE = "sqlite:///"

_late: list[threading.Thread] = []
"""The attempt that was left alone, while it lasts."""


def main_root() -> Path:
    """The root of the project, where records outlive the run.

    A stage of `dvc exp run --temp` works in a folder inside the project that is deleted
    afterwards; DVC_ROOT is then still the project's root.
    """
    here = Path.cwd()
    root = Path(os.environ.get("DVC_ROOT", here)).resolve()
    return root if here.is_relative_to(root) else here


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or the database in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{main_root() / 'mlflow.db'}"


def in_turn(work: Callable[[], None]) -> None:
    """Do `work` while no other process of this project does such.

    Raises what `work` raises, OSError where the root cannot be written, TimeoutError where the
    store does not answer for PATIENCE, or for COLD where the database is still to be made.
    """
    _load_mlflow()
    with _lock(main_root() / ".leafe" / "tracking.lock"):
        database = _database()
        new = database is not None and not database.exists()
        _patiently(work, COLD if new else PATIENCE)


def _load_mlflow() -> None:
    """Import all of MLflow that is used (seconds, which no attempt pays for), and hush it."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(int(PATIENCE)))
    import mlflow.models.utils
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _database() -> Path | None:
    """The file of the database; None where it is no file."""
    uri = tracking_uri()
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """A lock between processes, which the system takes back from one that dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + COLD
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(f"{path} is held by another process") from None
                time.sleep(0.05)
        yield


def _patiently(work: Callable[[], None], seconds: float) -> None:
    """Do `work` in a thread that is left alone after some seconds: MLflow cannot be interrupted.

    One that was left alone must end before the next begins, or both would write.
    """
    failure: list[Exception] = []

    def attempt() -> None:
        try:
            work()
        except Exception as error:
            failure.append(error)

    if all(_ends(late, seconds) for late in _late):
        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        _late[:] = [] if _ends(thread, seconds) else [thread]
    if _late:
        raise TimeoutError(f"no answer within {seconds:g} s")
    if failure:
        raise failure[0]


def _ends(thread: threading.Thread, seconds: float) -> bool:
    """Whether a thread ends before it has waited so long.

    Where this process computes it does not wait: a busy machine is no store that does not answer.
    """
    last, waited = time.monotonic() + COLD, 0.0
    while thread.is_alive() and waited < seconds and time.monotonic() < last:
        start, computed = time.monotonic(), time.process_time()
        thread.join(0.5)
        passed = time.monotonic() - start
        if time.process_time() - computed < 0.05 * passed:
            waited += passed
    return not thread.is_alive()


def connect() -> Any:
    """A client. A new database appears whole or not at all: one left half made stays broken."""
    from mlflow import MlflowClient

    database = _database()
    if database is not None and not database.exists():
        unfinished = database.with_name(f".{database.name}.{os.getpid()}")
        try:
            MlflowClient(tracking_uri=f"{SQLITE}{unfinished}").search_experiments()
            os.replace(unfinished, database)
        finally:
            unfinished.unlink(missing_ok=True)
    return MlflowClient(tracking_uri=tracking_uri())


def find_experiment(client: Any, name: str) -> str:
    """The id of an experiment, which is made if need be; one that was deleted comes back."""
    found = client.get_experiment_by_name(name)
    if found is None:
        local = _database() is not None
        place = (main_root() / "mlartifacts").as_uri() if local else None
        # For the UI's mode for training models. MLflow 3.17 goes by `workflowType` in the link.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(name, artifact_location=place, tags=tags))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)
