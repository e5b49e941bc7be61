"""`prefect.yaml` for real: a server, a process worker, deployed runs, one of them cancelled."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import make_workspace
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun
from running import STAGES, Program, alive, make_quick

pytestmark = pytest.mark.timeout(1500)  # a minute and a half alone; the first test pays for most


@dataclass
class Site:
    """A project deployed to a server of its own, and a worker that waits for runs."""

    folder: Path
    env: dict[str, str]
    worker: Program

    def client(self) -> SyncPrefectClient:
        return SyncPrefectClient(api=self.env["PREFECT_API_URL"])

    def start(
        self, deployment: str, parameters: dict[str, Any], env: dict[str, str] | None = None
    ) -> FlowRun:
        """Ask for a run, with some variables of its own."""
        with self.client() as client:
            found = client.read_deployment_by_name(f"leafe/{deployment}")
            return client.create_flow_run_from_deployment(
                found.id, parameters=parameters, job_variables={"env": env or {}}
            )

    def wait_for_state(self, run: FlowRun, *names: str) -> FlowRun:
        """The run once it is in one of these states."""

        def arrived() -> FlowRun | None:
            now = client.read_flow_run(run.id)
            return now if now.state_name in names else None

        with self.client() as client:
            # every question costs the server, which has better to do
            return wait_until(arrived, f"{run.name} is {' or '.join(names)}", pause=1)

    def tasks(self, run: FlowRun) -> dict[str, str | None]:
        """State by name of the task runs of a flow run."""
        only = FlowRunFilter.model_validate({"id": {"any_": [run.id]}})
        with self.client() as client:
            found = client.read_task_runs(flow_run_filter=only, task_run_filter=TaskRunFilter())
        return {task.name: task.state_name for task in found}

    def worker_log(self) -> str:
        assert self.worker.log is not None
        return self.worker.log.read_text()

    def stage_processes(self) -> list[psutil.Process]:
        """Processes of the worker's that run a stage, DVC's own included."""
        return self.worker.working_on("-m dvc", "leafe.stages")


def prefect(folder: Path, env: dict[str, str], *command: str) -> None:
    """Run `prefect ...` in the project."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *command],
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def wait_until(
    check: Callable[[], Any], what: str, seconds: float = 600, pause: float = 0.2
) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := check():
            return found
        time.sleep(pause)
    raise AssertionError(f"in {seconds} s it did not come true that {what}")


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, policy_dir: Path) -> Iterator[Site]:
    folder = make_workspace(tmp_path_factory.mktemp("site") / "project", policy_dir)
    make_quick(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        "PREFECT_HOME": str(folder.parent / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "1",
    }
    programs: list[Program] = []

    def start(name: str, *options: str) -> Program:
        log = folder.parent / f"{name}.log"
        programs.append(Program(["prefect", name, "start", *options], folder.parent, env, log))
        return programs[-1]

    try:
        start("server", "--port", str(port), "--no-ui")
        wait_until(lambda: answers(env["PREFECT_API_URL"]), "the server answers", 120)
        # as in the README
        prefect(folder, env, "work-pool", "create", "leafe", "--type", "process")
        prefect(folder, env, "deploy", "--all")
        yield Site(folder, env, start("worker", "--pool", "leafe"))
    finally:
        for program in reversed(programs):
            program.kill()


def test_deployments_run_here_one_at_a_time_and_no_schedule_is_on(site: Site) -> None:
    with site.client() as client:
        deployments = {d.name: d for d in client.read_deployments()}
    assert set(deployments) == {"nightly", "weekly"}
    for deployment in deployments.values():
        assert [schedule.active for schedule in deployment.schedules] == [False]
        assert deployment.global_concurrency_limit is not None
        assert deployment.global_concurrency_limit.limit == 1
        assert deployment.pull_steps == [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(site.folder)}}
        ]


def test_a_nightly_run_brings_all_up_to_date_and_commits_nothing(
    site: Site, warm: dict[str, str]
) -> None:
    run = site.wait_for_state(site.start("nightly", {}, warm), "Completed", "Failed", "Crashed")
    assert run.state_name == "Completed", site.worker_log()
    assert site.tasks(run) == dict.fromkeys(STAGES, "Completed")
    with site.client() as client:
        artifacts = {a.key: a.data for a in client.read_latest_artifacts()}
    assert "| i1 |" in str(artifacts["leafe-pass-at-k"])
    assert float(str(artifacts["leafe-progress"])) == 100
    changed = git(site.folder, "status", "--porcelain")
    assert "dvc.lock" in changed
    assert "metrics/" in changed
    assert len(git(site.folder, "log", "--oneline").splitlines()) == 1


def test_a_weekly_run_measures_anew_and_changes_nothing(site: Site, warm: dict[str, str]) -> None:
    before = (site.folder / "dvc.lock").read_bytes()
    measured = (site.folder / "metrics/leafe/i1.json").stat().st_mtime_ns
    run = site.wait_for_state(site.start("weekly", {}, warm), "Completed", "Failed", "Crashed")
    assert run.state_name == "Completed", site.worker_log()
    assert set(site.tasks(run)) == {"evaluate_i0", "evaluate@i1"}
    assert (site.folder / "metrics/leafe/i1.json").stat().st_mtime_ns > measured
    assert (site.folder / "dvc.lock").read_bytes() == before


def test_a_second_run_is_turned_away_and_a_cancelled_one_leaves_no_process(site: Site) -> None:
    first = site.start("nightly", {"force": True})
    wait_until(site.stage_processes, "a stage runs")
    second = site.start("nightly", {})
    site.wait_for_state(second, "Cancelled")
    running = wait_until(site.stage_processes, "a stage runs")
    prefect(site.folder, site.env, "flow-run", "cancel", str(first.id))
    site.wait_for_state(first, "Cancelled")
    assert alive(running) == []
    assert site.stage_processes() == []


def test_a_schedule_is_switched_on_as_the_readme_says(site: Site) -> None:
    def schedule() -> Any:
        with site.client() as client:
            return client.read_deployment_by_name("leafe/nightly").schedules[0]

    command = ("deployment", "schedule", "resume", "leafe/nightly", str(schedule().id))
    prefect(site.folder, site.env, *command)
    assert schedule().active


def git(folder: Path, *command: str) -> str:
    return subprocess.run(
        ["git", *command], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
