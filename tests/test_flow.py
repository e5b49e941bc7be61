"""The Prefect flow, as `make run` starts it: order, repeats, signals, failures; all of it real."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import psutil
import pytest
import zc.lockfile
from conftest import change_params, make_workspace, write_params
from running import STAGES, Program, alive, make_quick

pytestmark = pytest.mark.timeout(1200)  # a minute alone; the first test pays for most


@dataclass
class Ending:
    """How a signal ended a run."""

    code: int
    seconds: float
    left: list[Any]
    """Its processes that outlived it."""


@dataclass
class Story:
    """One project's life: interrupted, terminated, disturbed and finished, then run again."""

    folder: Path
    env: dict[str, str]
    refused: Program
    """Started while the first was running."""
    interrupted: Ending
    terminated: Ending
    finished: Program
    repeated: Program
    repeat_seconds: float


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, policy_dir: Path) -> Iterator[Story]:
    folder = make_workspace(tmp_path_factory.mktemp("story") / "project", policy_dir)
    make_quick(folder)
    env = {"PREFECT_HOME": str(folder.parent / "prefect")}
    programs: list[Program] = []

    def start() -> Program:
        programs.append(Program(["flows.pipeline"], folder, env))
        return programs[-1]

    try:
        first = start()
        first.wait_for(r"\] warm_start \(")
        refused = start()
        assert refused.end() == 2, refused.text
        first.wait_for(r"^> python -m leafe.stages.rollout")
        interrupted = end_by(first, first.interrupt)
        second = start()
        second.wait_for(r"^sft@i1: 4 steps")
        terminated = end_by(second, second.process.terminate)
        finished = start()
        finish_disturbed(finished)
        began, cpu = time.monotonic(), cpu_seconds()
        repeated = start()
        assert repeated.end() == 0, repeated.text
        # as on a machine with nothing else to do
        seconds = min(time.monotonic() - began, cpu_seconds() - cpu)
        yield Story(folder, env, refused, interrupted, terminated, finished, repeated, seconds)
    finally:
        for program in programs:
            program.kill()


def end_by(program: Program, signal_it: Any) -> Ending:
    program.wait_for_process("leafe.stages")
    processes = program.descendants()
    began = time.monotonic()
    signal_it()
    code = program.end()
    return Ending(code, time.monotonic() - began, alive(processes))


def finish_disturbed(program: Program) -> None:
    """To the end, with DVC locked for one stage, and another stage killed once."""
    program.wait_for(r"\] sft@i1 \(")
    lock = zc.lockfile.LockFile(str(program.cwd / ".dvc/tmp/lock"))
    program.wait_for("another dvc command holds the project")
    lock.close()
    program.wait_for(r"^> python -m leafe.stages.evaluate --method leafe --iteration i1")
    program.wait_for_process("leafe.stages").kill()
    assert program.end() == 0, program.text


def cpu_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def table(program: Program) -> list[str]:
    """From the heading on, up to the lines on where to look."""
    start = next(
        n for n, line in enumerate(program.lines) if re.match(r"\s*iteration\s+Pass@1", line)
    )
    end = next(n for n, line in enumerate(program.lines) if line.startswith("MLflow: "))
    return program.lines[start:end]


def test_a_second_run_in_the_same_folder_is_refused_in_a_sentence(story: Story) -> None:
    (sentence,) = story.refused.lines
    assert sentence.startswith("Error: the pipeline is already running in this folder")


@pytest.mark.parametrize("how", ["interrupted", "terminated"])
def test_a_signal_ends_the_run_within_ten_seconds_and_leaves_no_process(
    story: Story, how: str
) -> None:
    ending: Ending = getattr(story, how)
    assert ending.code == {"interrupted": 130, "terminated": 143}[how]
    assert ending.seconds < 10
    assert ending.left == []


def test_an_interrupted_run_goes_on_where_it_was(story: Story) -> None:
    done = [line for line in story.finished.lines if line.endswith(": unchanged")]
    assert [line.partition("] ")[2] for line in done] == [f"{s}: unchanged" for s in STAGES[:7]]


def test_a_stage_is_tried_again_when_dvc_is_locked_and_when_it_is_killed(story: Story) -> None:
    said = story.finished.text
    assert "stage sft@i1 failed: another dvc command holds the project" in said
    assert "sft@i1: once more" in said
    assert "stage evaluate@i1 failed: its process was killed by signal 9" in said
    assert "evaluate@i1: once more" in said


def test_a_run_with_nothing_changed_does_nothing_and_shows_the_same_table(story: Story) -> None:
    assert "python -m leafe.stages" not in story.repeated.text
    numbered = [f"[{n}/{len(STAGES)}] {stage}: unchanged" for n, stage in enumerate(STAGES, 1)]
    assert story.repeated.lines[1 : len(STAGES) + 1] == numbered
    assert table(story.repeated) == table(story.finished)
    assert any(line.strip().startswith("i1") for line in table(story.repeated))


def test_a_run_with_nothing_changed_takes_under_30_seconds(story: Story) -> None:
    assert story.repeat_seconds < 30


def test_the_end_says_where_to_look(story: Story) -> None:
    where = story.repeated.lines[-3:]
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in where[0]
    assert re.search(r"http://\S+metric\?runs=\S+", where[0])
    assert "dvc plots show" in where[1]
    assert "leafe tree TASK" in where[2]


HISTORY = """
import json
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort
with get_client(sync_client=True) as client:
    runs = client.read_flow_runs(sort=FlowRunSort.START_TIME_ASC)
    tasks = client.read_task_runs(limit=200)
    artifacts = client.read_latest_artifacts()
print(json.dumps({
    "runs": [(str(run.id), run.state_name) for run in runs],
    "tasks": [(str(task.flow_run_id), task.name, task.state_name) for task in tasks],
    "artifacts": [(str(a.flow_run_id), a.key, a.data) for a in artifacts],
}))
"""


def test_prefect_has_a_task_run_per_stage_the_table_and_the_progress(story: Story) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import flows\n" + HISTORY],
        cwd=story.folder,
        env=os.environ | story.env,
        capture_output=True,
        text=True,
        check=True,
    )
    history = json.loads(shown.stdout.splitlines()[-1])
    ids = [run for run, _ in history["runs"]]
    assert [state for _, state in history["runs"]] == ["Crashed", "Crashed", *["Completed"] * 2]
    for run, expected in ((ids[2], "Completed"), (ids[3], "Completed")):
        tasks = {name: state for of, name, state in history["tasks"] if of == run}
        assert tasks == dict.fromkeys(STAGES, expected)
    assert (ids[0], "rollout@i1", "Crashed") in map(tuple, history["tasks"])
    artifacts = {key: data for of, key, data in history["artifacts"] if of == ids[3]}
    assert "| i1 |" in artifacts["leafe-pass-at-k"]
    assert float(artifacts["leafe-progress"]) == 100


def test_a_run_in_which_dvc_skips_everything_has_its_figures_in_mlflow(story: Story) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{story.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("leafe-desk")
    assert experiment is not None
    link = story.repeated.lines[-3]
    ids = re.findall(r"%22([0-9a-f]{32})%22", link)
    assert len(ids) == 2
    measured = json.loads((story.folder / "metrics/leafe/i1.json").read_text())
    figures = [client.get_run(run).data.metrics for run in ids]
    assert figures[1]["eval/pass_at_1"] == measured["pass_at_1"]
    assert [client.get_run(run).info.status for run in ids] == ["FINISHED"] * 2
    assert not set(ids) & set(re.findall(r"%22([0-9a-f]{32})%22", story.finished.lines[-3]))


def test_a_stage_that_fails_stops_the_run_with_its_own_words(story: Story) -> None:
    change_params(story.folder, engine={"script": "nowhere.yaml"})
    try:
        failed = Program(["flows.pipeline"], story.folder, story.env)
        code = failed.end()
    finally:
        failed.kill()
        change_params(story.folder, engine={"script": "script.yaml"})
    assert code == 2
    assert "Traceback" not in failed.text
    assert "once more" not in failed.text
    assert re.fullmatch(
        r"Error: stage \S+ failed: .*nowhere\.yaml.* Put that right, and `make run` goes on .*",
        failed.lines[-1],
    )
    assert sum("leafe.stages" in line and line.startswith("> ") for line in failed.lines) == 1


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("sft", "beta", -1, "sft.beta is -1"),
        ("env", "refusal", 1, "env.refusal is not a known key"),
    ],
)
def test_bad_parameters_are_one_sentence_before_anything_starts(
    workspace: Path, section: str, key: str, value: object, said: str
) -> None:
    change_params(workspace, **{section: {key: value}})
    program = Program(["flows.pipeline"], workspace, {"PREFECT_HOME": str(workspace / "home")})
    assert program.end() == 2
    (sentence,) = program.lines
    assert sentence.startswith("Error: params.yaml: ")
    assert said in sentence
    assert not (workspace / "home/prefect.db").exists()


def test_stages_go_iteration_by_iteration_and_a_policy_is_measured_at_once(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    from flows.graph import read_stages, select
    from leafe.errors import BadInput
    from leafe.plan import update_plan

    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["iterations"] = {"i2": {"prev": "i1"}, "i10": {"prev": "i2"}, "i1": {"prev": "i0"}}
    params["waves"] = {"w2": {"prev": "w1"}, "w1": {"prev": "w0"}}
    write_params(workspace, params)
    monkeypatch.chdir(workspace)
    update_plan(Path("params.yaml"))
    names = [node.name for node in read_stages()]
    iteration = (
        "rollout@{0} reflect@{0}-w1 branch@{0}-w1 reflect@{0}-w2 branch@{0}-w2 filter@{0} sft@{0}"
        " evaluate@{0}"
    )
    chain = " ".join(iteration.format(i) for i in ("i1", "i2", "i10"))
    assert names == ["tasks", "warm_start", "evaluate_i0", *chain.split()]
    chosen = select(read_stages(), ["evaluate", "sft@i2"])
    assert [n.name for n in chosen] == ["evaluate@i1", "sft@i2", "evaluate@i2", "evaluate@i10"]
    with pytest.raises(BadInput, match="'evaluat' is no stage"):
        select(read_stages(), ["evaluat"])


def test_an_interrupt_while_dvc_is_asked_leaves_its_locks_whole_and_broken_ones_are_mended(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.graph import read_stages

    monkeypatch.chdir(workspace)
    table = workspace / ".dvc/tmp/rwlock"
    table.parent.mkdir(exist_ok=True)
    table.write_text('{"read": {')
    names = [node.name for node in read_stages()]
    for delay in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3):
        timer = threading.Timer(delay, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with contextlib.suppress(KeyboardInterrupt):
            while timer.is_alive():
                read_stages()
            time.sleep(1)
        json.loads(table.read_text())
    assert names == STAGES


def test_a_prefect_server_that_does_not_answer_is_told_in_a_sentence() -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.server import NoServer, start_server

    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(NoServer, match=r"where no server answers .*unset PREFECT_API_URL"),
    ):
        start_server()


def test_a_stage_deaf_to_signals_is_killed_with_all_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.process import run_stage

    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  deaf:\n    cmd: trap '' INT TERM; sleep 987 & echo started; sleep 987\n"
    )
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    before = psutil.Process().children(recursive=True)  # of tests that ran in this process
    processes: list[psutil.Process] = []

    def interrupt(line: str) -> None:
        if line == "started":
            processes.extend(set(psutil.Process().children(recursive=True)).difference(before))
            signal.raise_signal(signal.SIGINT)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_stage("deaf", interrupt)
    assert time.monotonic() - began < 10
    assert len(processes) >= 3
    assert alive(processes) == []
