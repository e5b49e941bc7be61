"""The pipeline as a Prefect flow over DVC's stages: `python -m flows.pipeline`, or deployed.

One task run per stage, named after it. DVC knows the order and what is out of date; a stage that
is up to date starts no process, but its figures go to MLflow all the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run, task_run
from prefect.tasks import exponential_backoff
from rich.console import Console

from flows import terminal
from flows.ending import exit_code
from flows.graph import Node, read_stages, select
from flows.process import StageInterrupted, run_stage
from flows.server import start_server
from flows.stopping import run_program
from flows.terminal import say
from leafe.envs import make_environment
from leafe.lock import hold
from leafe.params import PARAMS_FILE, load_params
from leafe.plan import update_plan
from leafe.results import as_markdown, print_results, read_results
from leafe.serving.lease import kept
from leafe.tracking import PipelineRun, tracking_uri

RETRIES = 5
"""A stage that was killed goes on from its journal; a lock held by someone else is given back."""
LOCK = Path(".leafe/locks/pipeline.lock")


def worth_another_try(task: Any, task_run: Any, state: Any) -> bool:
    """Whether a failed stage may do better by itself: bad input and bad programs do not."""
    return isinstance(state.data, StageInterrupted)


@task(
    task_run_name="{name}",
    cache_policy=NO_CACHE,  # DVC knows what is up to date; a second cache would contradict it
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(1),
    retry_condition_fn=worth_another_try,
)
def stage(name: str, needed: bool, force: bool) -> bool:
    """Bring one stage up to date; returns whether its command ran."""
    logger = get_run_logger()

    def show(line: str) -> None:
        say(line)
        logger.info(line)

    if not needed:
        logger.info("unchanged")
        return False
    if task_run.run_count > 1:
        show(f"{name}: once more, try {task_run.run_count} of {RETRIES + 1}")
    try:
        return run_stage(name, show, force=force)
    except StageInterrupted as error:
        show(str(error))
        raise


@flow(name="leafe")
def pipeline(targets: list[str] | None = None, force: bool = False) -> None:
    """Bring the pipeline up to date, and show the results.

    Args:
        targets: Stages to run, and no others: names such as `sft@i2`, or `evaluate` for those of
            all iterations. None is every stage.
        force: Run them even where nothing changed.
    """
    check_input()
    with hold(LOCK, "the pipeline"):
        nodes = select(read_stages(), targets)
        with tracking() as tracked, serving():
            run_stages(nodes, force, tracked)
    if rows := read_results():
        create_markdown_artifact(as_markdown(rows), key="leafe-pass-at-k", description="Results")
        print_results(Console())
        store = tracking_uri().replace(f"{Path.cwd()}/", "")
        say(terminal.closing(store, tracked.compare_link()))


def check_input() -> None:
    """Bring the plan in `params.yaml` up to date and check the file.

    Raises BadInput, also where another process runs the pipeline in this folder.
    """
    hold(LOCK, "the pipeline").close()
    if update_plan(PARAMS_FILE):
        say(f"{PARAMS_FILE}: plan brought up to date with iterations and waves")
    make_environment(load_params().env)


@contextmanager
def tracking() -> Iterator[PipelineRun]:
    """The MLflow run of this flow run, ended as the flow ends."""
    tracked = PipelineRun.open(str(flow_run.id))
    status = "KILLED"
    try:
        yield tracked
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        tracked.finish(status)


def serving() -> AbstractContextManager[None]:
    """Keeps the servers that stages start, from stage to stage."""
    engine = load_params().engine
    return kept() if engine.name == "vllm" and engine.start else nullcontext()


def run_stages(nodes: Sequence[Node], force: bool, tracked: PipelineRun) -> None:
    """Run the stages in order; one is passed over where neither it nor what it needs changed."""
    began = time.monotonic()
    made = create_progress_artifact(0.0, key="leafe-progress", description="Stages done")
    progress = cast(UUID, made)  # a coroutine only where there is an event loop
    ran: set[str] = set()
    for number, node in enumerate(nodes, start=1):
        needed = force or node.changed or not node.needs.isdisjoint(ran)
        start = time.monotonic()
        if needed:
            say(terminal.heading(number, len(nodes), node.name, start - began))
            ran.add(node.name)
        else:
            say(terminal.unchanged(number, len(nodes), node.name))
        executed = stage(node.name, needed, force)
        seconds = time.monotonic() - start if executed else None
        tracked.log_stage(node.name, executed=executed, seconds=seconds)
        update_progress_artifact(progress, 100 * number / len(nodes))


def main() -> int:
    """Run the whole pipeline; returns the exit code."""

    def work() -> None:
        check_input()
        say("Starting Prefect")
        start_server()
        pipeline()

    return exit_code(work, "make run", "Put that right, and `make run` goes on from here")


if __name__ == "__main__":
    run_program(main)
