"""MLflow: a run per method of a pipeline run, a child per iteration, from what stages left.

Tracking never fails and never holds up the work that it shows: an attempt has a few seconds, the
first that fails is one line on stderr, and the end of the run makes up for what was missed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

from leafe.commit import git_commit
from leafe.layout import LEAFE
from leafe.params import PARAMS_FILE, load_params
from leafe.planning import split_name, stages_until
from leafe.tracking.figures import read_figures
from leafe.tracking.runs import Runs
from leafe.tracking.store import in_turn, tracking_uri

__all__ = ["PipelineRun", "log_alone", "log_comparison", "tracking_uri"]

LOCAL_UI = "http://127.0.0.1:5000"
"""Where `mlflow ui` serves by default."""


class PipelineRun:
    """One run of the pipeline in MLflow. Where MLflow fails, its methods warn and return."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._methods = load_params(check_plan=False).methods or [LEAFE]
        self._runs: dict[str, Runs] = {}
        """By method; the first has what all share."""
        self._told: dict[str, tuple[bool, float | None]] = {}
        self._due: list[str] = []  # told, but not shown yet
        self._connected = self._failed = self._warned = False

    @classmethod
    def open(cls, key: str) -> Self:
        """The run of this key and of the present parameters: found, or made."""
        run = cls(key)
        run._attempt(lambda runs: None)
        return run

    def log_stage(self, stage: str, *, executed: bool, seconds: float | None = None) -> None:
        """Show what a stage left on disk; `executed` is false where DVC skipped it.

        The same figures are shown once, however often this is called. Other figures of a stage
        that is already shown start another run under the same key: points cannot be taken back.
        """
        self._tell(stage, executed, seconds)
        self._show(stage, locked=True)

    def finish(self, status: str) -> None:
        """End the run and what is unfinished in it: FINISHED, FAILED or KILLED."""
        self._failed = False  # one more chance, for what was missed
        for stage in tuple(self._due):
            self._show(stage, locked=True)
        self._attempt(lambda runs: end_all(runs, status))

    def compare_link(self, server: str | None = None) -> str:
        """The page that overlays the Pass@k curves of all iterations; empty if nothing is shown."""
        children = self._children()
        if not children:
            return ""
        store = tracking_uri()
        server = server or (store if store.startswith("http") else LOCAL_UI)
        experiment = self._runs[self._methods[0]].experiment
        return curves_link(server, experiment, children, "eval/pass_at_k")

    def _children(self) -> list[str]:
        """The runs to compare: every iteration of one method, or the last one of each method."""
        of_method = [list(runs.children.values()) for runs in self._runs.values()]
        if len(of_method) == 1:
            return of_method[0]
        base = [children[0] for children in of_method[:1] if children]
        return base + [children[-1] for children in of_method if children]

    def _tell(self, stage: str, executed: bool, seconds: float | None) -> None:
        self._told[stage] = (executed, seconds)
        self._due.append(stage)

    def _show(self, stage: str, *, locked: bool) -> None:
        executed, seconds = self._told[stage]
        if self._failed:
            return
        try:
            # Hashing large weights takes its time, which is not MLflow's.
            figures = read_figures(stage, locked=locked)
        except (OSError, ValueError, KeyError) as error:
            self._warn(f"{stage} cannot be shown: {type(error).__name__} {error}")
            return

        def log(runs: dict[str, Runs]) -> None:
            owner = figures.method or self._methods[0]
            if owner not in runs:  # a stage run by itself, of a method that is not in `methods`
                runs[owner] = Runs(self._key, owner)
            began_anew = runs[owner].log(figures, executed=executed, seconds=seconds)
            if figures.method is None:
                for method in self._methods[1:]:
                    runs[method].log_learning(figures)
            due = self._told if began_anew else self._due
            self._due = [other for other in due if other != stage]

        self._attempt(log)

    def _attempt(self, work: Callable[[dict[str, Runs]], None]) -> None:
        if self._failed:
            return

        def connected() -> None:
            if not self._connected:
                self._runs = {method: Runs(self._key, method) for method in self._methods}
            self._connected = True
            work(self._runs)

        try:
            in_turn(connected)
        # MLflow raises what its store does: database, network, file system. None may stop us.
        except Exception as error:
            self._failed, self._connected = True, False
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            self._warn(f"{tracking_uri()} takes no records: {reason}")

    def _warn(self, sentence: str) -> None:
        if not self._warned:
            self._warned = True
            print(f"MLflow: {sentence}; the run goes on", file=sys.stderr, flush=True)

    def catch_up(self, stage: str) -> None:
        """Show a stage whose process is about to end, which DVC has not recorded yet.

        Behind an evaluation everything before it is up to date; what DVC skipped of it left no
        process to show it.
        """
        self._tell(stage, True, None)
        self._show(stage, locked=False)
        if split_name(stage).kind != "evaluate":
            return
        params = load_params(check_plan=False)
        for earlier in stages_until(stage, params.iterations, params.waves):
            if earlier not in self._told:
                self._tell(earlier, False, None)
                self._show(earlier, locked=True)
        if self._runs and all(runs.complete() for runs in self._runs.values()):
            self._attempt(lambda runs: end_all(runs, "FINISHED"))


def curves_link(server: str, experiment: str, runs: Sequence[str], metric: str) -> str:
    """MLflow's page that lays a metric's curves over each other, one a run."""
    query = {
        "runs": runs,
        "metric": metric,
        "experiments": [experiment],
        "plot_metric_keys": [metric],
    }
    values = (f"{name}={quote(json.dumps(value), safe='')}" for name, value in query.items())
    return f"{server}/#/metric?{'&'.join(values)}&x_axis=step&workflowType=machine_learning"


def log_comparison(name: str, told: Mapping[str, Mapping[str, Any]]) -> str:
    """Show the results of a comparison; returns a line that says where, or what went wrong."""
    from leafe.tracking import comparisons

    shown: list[tuple[str, list[str]]] = []
    try:
        in_turn(lambda: shown.append(comparisons.log_results(name, told)))
    # As for a pipeline run: tracking stops nothing.
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        return f"MLflow: {tracking_uri()} takes no records: {reason}"
    store = tracking_uri()
    server = store if store.startswith("http") else LOCAL_UI
    return f"MLflow: {curves_link(server, *shown[0], comparisons.CURVE)}"


def end_all(runs: Mapping[str, Runs], status: str) -> None:
    """End the runs of all methods."""
    for one in runs.values():
        one.end(status)


def log_alone(stage: str) -> None:
    """Show a stage that no flow shows; for its process to call at its end, once all is written.

    The run is that of the DVC experiment, or of these parameters and this commit.
    """
    state = hashlib.sha256(PARAMS_FILE.read_bytes() + (git_commit() or "").encode())
    PipelineRun.open(os.environ.get("DVC_EXP_NAME") or state.hexdigest()).catch_up(stage)
