"""No policy learns from a task that it is measured on: every stage that trains looks, and stops."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import change_params
from five_methods import METHODS, WAVES
from staging import GRPO, finish, hashes, start

from leafe import layout
from leafe.errors import BadInput
from leafe.store import (
    read_episodes,
    read_examples,
    read_tasks,
    write_episodes,
    write_examples,
    write_tasks,
)
from leafe.task import Task, check_trained_on

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def folder(five_methods: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workspace in which five methods have run, to be tampered with."""
    ignore = shutil.ignore_patterns(".dvc", ".git")
    copy = shutil.copytree(five_methods[0], tmp_path / "project", ignore=ignore)
    monkeypatch.chdir(copy)
    return copy


def held_out_task() -> Task:
    """A held-out one."""
    return read_tasks(layout.tasks("test"))[2]


def put_into_tree(method: str, task: str) -> None:
    """Let the episodes of a task that is learned from be about another."""
    learned = read_examples(layout.examples("i1", method))[-1].task_id
    for wave in WAVES[method]:
        path = layout.episodes("i1", wave, method)
        episodes = [
            replace(e, task_id=task) if e.task_id == learned else e for e in read_episodes(path)
        ]
        write_episodes(path, episodes)


def put_into_examples(method: str, task: str) -> None:
    """Let the last example be about another task."""
    path = layout.examples("i1", method)
    *others, last = read_examples(path)
    write_examples(path, [*others, replace(last, task_id=task)])


def refused(folder: Path, stage: tuple[str, ...]) -> str:
    """The one sentence of a stage that stops with exit code 2, having written nothing."""
    names = ("data", "metrics", "plots", "policies")
    before = hashes(folder, names)
    assert finish(start(folder, stage)) == 2
    lines = (folder / "said.txt").read_text().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    assert hashes(folder, names) == before
    assert not list(folder.rglob("*.part"))
    return lines[0]


def options(method: str) -> tuple[str, ...]:
    return ("--method", method, "--iteration", "i1", "--policy", "i0")


TAMPERED = {"filter": put_into_tree, "sft": put_into_examples}


@pytest.mark.parametrize("stage", TAMPERED)
@pytest.mark.parametrize("method", METHODS)
def test_a_stage_stops_where_its_input_is_about_a_test_task(
    folder: Path, method: str, stage: str
) -> None:
    held_out = held_out_task().id
    TAMPERED[stage](method, held_out)
    sentence = refused(folder, (stage, *options(method)))
    assert f"{layout.examples('i1', method)}: {held_out} is a test task" in sentence


def test_a_task_of_neither_split_is_refused_too(folder: Path) -> None:
    put_into_examples("leafe", "nobodys")
    assert "nobodys is no training task" in refused(folder, ("sft", *options("leafe")))
    put_into_tree("rejection_sampling", "nobodys")
    sentence = refused(folder, ("filter", *options("rejection_sampling")))
    assert "nobodys is no training task" in sentence


def test_grpo_stops_where_a_test_task_is_among_those_to_train_on(folder: Path) -> None:
    change_params(folder, engine={"name": "transformers"})
    train, held_out = read_tasks(layout.tasks("train")), held_out_task()
    write_tasks(layout.tasks("train"), [*train, replace(held_out, split="train")])
    sentence = refused(folder, GRPO)
    assert f"data/tasks/train.parquet: {held_out.id} is a test task" in sentence


def test_the_check_takes_training_tasks_and_nothing_else() -> None:
    train = [Task(name, "desk", "train", {}) for name in ("a", "b")]
    test = [Task(name, "desk", "test", {}) for name in ("c", "d")]
    check_trained_on({"a", "b"}, train, test, "here")
    check_trained_on(set(), train, test, "here")
    for used, said in (({"a", "c"}, "here: c is a test task"), ({"a", "x"}, "x is no training")):
        with pytest.raises(BadInput, match=said):
            check_trained_on(used, train, test, "here")
