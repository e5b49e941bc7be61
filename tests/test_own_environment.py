"""The worked example of README.md, an environment of one's own, goes through the stages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from conftest import ROOT, Runner, change_params, make_workspace
from safes import STAGES, play_safes

from examples.safe import Safe, SafeOptions
from leafe.env import Environment
from leafe.episode import Episode, Outcome
from leafe.store import read_episodes, read_examples, read_reflections, read_tasks
from leafe.task import check_disjoint, make_task
from leafe.tree import join

SCRIPT = [
    {
        "when": "Answer with JSON alone",
        "say": [
            '{"rollback_to": 0, "experience": "Dial 1 sticks at 1: turn it to 2."}',
            '{"rollback_to": 1, "experience": "Dial 2 sticks at 2: turn it to 1."}',
            '{"rollback_to": null}',
        ],
    },
    {"say": ["turn(1)", "turn(2)", "turn(1)", "turn(2)", "I shake it"]},
]


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory, policy_dir: Path, run_stage_in: Runner
) -> Path:
    """A workspace in which the stages have played safes."""
    folder = make_workspace(tmp_path_factory.mktemp("safes") / "project", policy_dir)
    play_safes(folder)
    (folder / "script.yaml").write_text(yaml.safe_dump(SCRIPT))
    for stage in STAGES:
        done = run_stage_in(folder, *stage)
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    return folder


class Explored(NamedTuple):
    roots: list[Episode]
    branches: list[Episode]


@pytest.fixture(scope="module")
def explored(played: Path) -> Explored:
    tree = played / "data/leafe/i1/tree"
    return Explored(
        read_episodes(tree / "w0/episodes.parquet"), read_episodes(tree / "w1/episodes.parquet")
    )


def test_the_example_is_shorter_than_sixty_lines() -> None:
    assert len((ROOT / "examples/safe.py").read_text().splitlines()) < 60


def test_the_example_is_an_environment_in_the_eyes_of_mypy(tmp_path: Path) -> None:
    config, cache = tmp_path / "mypy.ini", tmp_path / "cache"
    config.write_text("[mypy]\nstrict = true\nplugins = pydantic.mypy\n")
    program = "from leafe.env import Environment\nfrom examples.safe import Safe, SafeOptions\n"
    (tmp_path / "claim.py").write_text(f"{program}safe: Environment = Safe(SafeOptions())\n")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", cache, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_train_and_held_out_safes_are_disjoint_but_share_every_trait(played: Path) -> None:
    train = read_tasks(played / "data/tasks/train.parquet")
    test = read_tasks(played / "data/tasks/test.parquet")
    check_disjoint(train, test)
    assert len(train) + len(test) == len({task.id for task in (*train, *test)}) == 24
    traits = [
        {trait for task in split for trait in task.payload["traits"]} for split in (train, test)
    ]
    assert traits[1] <= traits[0]


def test_a_refusal_says_which_dial_and_which_way() -> None:
    env = Safe(SafeOptions()).make()
    env.start(make_task("safe", "train", {"traits": ["Utrecht", "red", "big"], "numbers": 5}))
    assert env.step("turn(3)").observation == "Dial 1 clicks."
    refused = env.step("turn(5)")
    assert refused.observation == "Dial 2 sticks: 5 is too high."
    assert not refused.terminated
    jammed = env.step("turn(3)")
    assert jammed.observation == "Dial 2 sticks: 3 is too low."
    assert (jammed.terminated, jammed.reward) == (True, 0.0)


@pytest.mark.parametrize("action", ["", "turn(0)", "turn(²)", "turn(99)", "\x00", "turn(1)" * 9999])
def test_any_text_is_answered_in_words(action: str) -> None:
    env = Safe(SafeOptions()).make()
    env.start(make_task("safe", "train", {"traits": ["Rome", "red", "big"], "numbers": 5}))
    assert env.step(action).observation == "Write turn(N)."


def test_the_stages_explore_it(explored: Explored) -> None:
    outcomes = {episode.outcome for episode in explored.roots}
    assert outcomes == {Outcome.SOLVED, Outcome.FAILED}
    said = {step.feedback for episode in explored.roots for step in episode.steps}
    assert "Dial 1 sticks: 1 is too low." in said
    assert explored.branches
    assert all(branch.experience for branch in explored.branches)


def test_reflections_name_visited_steps(played: Path) -> None:
    reflections = read_reflections(played / "data/leafe/i1/tree/w1/reflections.parquet")
    steps = {r.verdict.rollback_step for r in reflections}
    assert steps == {None, 0, 1}


def test_a_branch_replays_its_prefix_exactly(explored: Explored) -> None:
    tree = join([explored.roots, explored.branches])
    for branch in explored.branches:
        parent = tree[str(branch.parent)]
        assert branch.outcome is not Outcome.REPLAY_DIVERGED
        assert branch.replayed_steps == branch.rollback_step
        assert tree.path(branch)[: branch.rollback_step] == parent.steps[: branch.rollback_step]


def test_every_recorded_episode_can_be_played_again(played: Path, explored: Explored) -> None:
    tasks = {task.id: task for task in read_tasks(played / "data/tasks/train.parquet")}
    environment: Environment = Safe(SafeOptions(numbers=2))
    tree = join([explored.roots, explored.branches])
    for episode in tree.episodes:
        env = environment.make()
        assert env.start(tasks[episode.task_id]) == tree.first_observation(episode)
        path = tree.path(episode)
        assert [env.step(s.action).observation for s in path] == [s.feedback for s in path]


def test_what_it_gives_can_be_learned_and_measured(played: Path, tokenizer: Any) -> None:
    examples = read_examples(played / "data/leafe/i1/examples.parquet")
    assert {str(example.set) for example in examples} == {"rehearsal", "counterfactual"}
    assert not any("Note from" in tokenizer.decode(list(e.token_ids)) for e in examples)
    assert "turn(N), N from 1 to 2" in tokenizer.decode(list(examples[0].token_ids))
    assert len(read_episodes(played / "data/leafe/i0/evaluation.parquet")) == 8 * 4


@pytest.mark.parametrize(
    ("env", "model", "said"),
    [
        ({"numbers": 10}, {}, ("env.numbers", "10", "9")),
        ({"number": 3}, {}, ("env.number ", "did you mean numbers?")),
        ({"name": "examples.safe:Save"}, {}, ("env.name", "Save")),
        ({}, {"path": None}, ("model.path is null", "safe gives no lessons")),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    workspace: Path,
    run_stage: Runner,
    env: dict[str, Any],
    model: dict[str, Any],
    said: tuple[str, ...],
) -> None:
    play_safes(workspace, **env)
    change_params(workspace, model=model)
    done = run_stage("warm_start" if model else "tasks")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for words in said:
        assert words in done.stderr.replace("the environment ", "")
