"""The command line: what a newcomer types, and that hostile text stays text."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from players import ROOT_EPISODE
from typer.testing import CliRunner, Result

from leafe import layout
from leafe.cli import STAGES, app
from leafe.env import Solver
from leafe.envs import make_environment
from leafe.episode import Outcome, Step, with_content_id
from leafe.play import play
from leafe.store import write_episodes

LEAFE = [sys.executable, "-c", "from leafe.cli import app; app()"]
EVIL = "[red]markup[/red] \x1b[2Jclear \x00nul \u202ereversed :smile: [/]"
SHOWN = r"[red]markup[/red] \x1b[2Jclear \x00nul \u202ereversed :smile: [/]"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the project's parameters in it."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def leafe(*arguments: str, typed: str = "", width: int = 120) -> Result:
    return CliRunner().invoke(app, arguments, input=typed, env={"COLUMNS": str(width)})


def step(action: str, feedback: str) -> Step:
    return Step(action, (1,), (0.0,), feedback)


ATTEMPT = replace(
    ROOT_EPISODE,
    id="",
    task_id="aa11",
    first_observation="Refund my lamp.",
    steps=(step("wait()", "waited."), step("refund()", "refused: verify first."), step("x", "y")),
    outcome=Outcome.FAILED,
)


@pytest.fixture
def explored(project: Path) -> Path:
    """Two tasks: the first with a root, a branch at step 1, and one of that at step 0."""
    root = with_content_id(ATTEMPT)
    branch = with_content_id(
        replace(
            ATTEMPT,
            wave="w1",
            parent=root.id,
            rollback_step=1,
            experience="call verify.",
            first_observation=None,
            steps=(step("verify()", "verified."), step("refund()", "Ticket solved.")),
            outcome=Outcome.SOLVED,
        )
    )
    further = with_content_id(
        replace(
            branch,
            wave="w2",
            parent=branch.id,
            rollback_step=0,
            experience=EVIL,
            steps=(step(EVIL, f"one\ntwo {EVIL}"),),
            outcome=Outcome.ENV_ERROR,
            error=EVIL,
        )
    )
    other = with_content_id(replace(ATTEMPT, task_id="ab22", first_observation=EVIL))
    write_episodes(layout.episodes("i1", "w0"), [root, other])
    write_episodes(layout.episodes("i1", "w1"), [branch])
    write_episodes(layout.episodes("i1", "w2"), [further])
    return project


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [line.strip(" │├└─") for line in result.stdout.splitlines()]


def test_the_tree_shows_each_branch_at_the_step_it_left(explored: Path) -> None:
    shown = leafe("tree", "aa").stdout.splitlines()
    depth = {line.strip(" │├└─"): len(line) - len(line.lstrip(" │├└─")) for line in shown}
    order = [
        "task aa11",
        "Refund my lamp.",
        "attempt 1: failed",
        "step 0 wait()",
        "waited.",
        "step 1 refund()",
        "refused: verify first.",
        "attempt 2 back to step 1: solved",
        "note: call verify.",
        "step 1 verify()",
        "verified.",
        "step 2 refund()",
        "Ticket solved.",
    ]
    positions = [list(depth).index(line) for line in order]
    assert positions == sorted(positions)
    assert depth["attempt 2 back to step 1: solved"] > depth["step 1 refund()"]
    assert depth["step 2 x"] == depth["step 1 refund()"]
    # It went back to before its parent began, so it hangs at the parent as a whole.
    assert depth[f"attempt 3 back to step 0: env_error ({SHOWN})"] == depth["step 1 verify()"]


def test_what_models_and_environments_wrote_is_shown_as_text(explored: Path) -> None:
    for result in (leafe("tree", "aa11"), leafe("tree", "ab22"), leafe("tree")):
        assert result.exit_code == 0
        assert SHOWN in result.stdout
        assert not {"\x1b", "\x00", "\u202e"} & set(result.stdout)


def test_without_a_task_the_tree_lists_what_there_is(explored: Path) -> None:
    rows = [line.split()[:4] for line in lines(leafe("tree")) if line.startswith("a")]
    assert rows == [["aa11", "3", "1", "1"], ["ab22", "1", "0", "0"]]


def test_a_task_can_be_named_by_a_word(explored: Path) -> None:
    assert lines(leafe("tree", "first"))[0] == lines(leafe("tree", "best"))[0] == "task aa11"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tree", "a"), "TASK is 'a', but 2 tasks start so; allowed: first, best, or an id"),
        (("tree", "zz"), "TASK is 'zz', but no task starts so"),
        (("tree", "aa11", "--iteration", "i2"), "i2/tree/w0/episodes.parquet does not exist yet"),
        (("tree", "aa11", "--iteration", "../i1"), "--iteration is '../i1'; allowed: i1, i2, i3"),
        (("tree", "--iteration", "i0"), "i0 explores nothing"),
        (("results",), "metrics/leafe/i0.json does not exist yet; `leafe run` makes it"),
        (("stage", "rolout"), "NAME is 'rolout'; did you mean rollout?"),
        (("stage", "../sft"), "NAME is '../sft'; "),
        (("play", "--task", "zz"), "--task is 'zz', but no task starts so"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(
    explored: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = leafe(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("play", "--split", "dev"), ("tre",), ("tree", "--x")])
def test_wrong_usage_is_told_without_a_trace(project: Path, arguments: tuple[str, ...]) -> None:
    result = leafe(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    assert "Traceback" not in result.output


def test_outside_a_project_every_command_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("run", "compare", "plan", "results", "tree", "play", "stage tasks"):
        result = leafe(*command.split())
        assert result.exit_code == 2
        assert "params.yaml does not exist; run this in the folder of the project" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_command_has_a_help_text_with_an_example() -> None:
    names = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert sorted(names) == ["compare", "plan", "play", "recipe", "results", "run", "stage", "tree"]
    for name in names:
        result = leafe(name, "--help")
        assert result.exit_code == 0
        assert f"Example: leafe {name}" in result.stdout
    assert all(name in leafe("--help").stdout for name in names)
    assert "completion" not in leafe("--help").stdout


def test_plan_brings_the_file_up_to_date(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    assert leafe("plan").stdout == "params.yaml: plan is up to date\n"
    plan, curves = text.index("plan:"), text.index("\n# The curves")
    (project / "params.yaml").write_text(f"{text[:plan]}plan: {{}}\n{text[curves:]}")
    assert leafe("plan").stdout == "params.yaml: plan brought up to date\n"
    assert (project / "params.yaml").read_text() == text


def test_a_person_plays_goes_back_and_ends(project: Path) -> None:
    first = leafe("play", typed="x\n:back 0\nx\ny\nz\n:quit\nnever\n")
    assert first.exit_code == 0
    assert "You work at a support desk." in first.stdout
    prompts = [part.partition("> ") for part in first.stdout.split("step ")]
    said = [(number, text) for number, sign, text in prompts if sign]
    assert [number for number, _ in said] == ["0", "1", "0", "1", "2", "2"]
    assert said[0][1].startswith("not a call")
    ticket = first.stdout.split("\n\n")[1].partition("\n")[0]
    assert said[1][1].strip() == ticket
    assert said[0][1] == said[2][1]
    assert "Ticket locked.\n(failed after 2 steps)" in said[3][1]
    assert said[4][1].startswith("This attempt has ended: failed.")


def test_a_program_of_several_lines_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    world = make_environment({"name": "code"})
    task = world.tasks("train")[0]
    assert isinstance(world, Solver)
    typed = iter([*"\n".join(world.solution(task)).splitlines(), "after the end", ":quit"])
    said: list[str] = []
    play(world, task, lambda prompt: next(typed), said.append)
    assert said[-2].endswith("(solved after 2 steps)")
    assert said[-1].startswith("This attempt has ended: solved")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (":back 7", "there is no step 7; allowed: 0 to 0"),
        (":back -1", "there is no step -1; allowed: 0 to 0"),
        (":back x", ":back N goes back to step N"),
        (":help", ":back N goes back to step N"),
    ],
)
def test_a_wrong_command_in_play_is_answered_not_played(
    project: Path, typed: str, said: str
) -> None:
    result = leafe("play", typed=f"{typed}\n")  # the end of the input ends the game
    assert result.exit_code == 0
    assert said in result.stdout.partition("step 0> ")[2]
    assert "step 1> " not in result.stdout


def test_the_task_to_play_can_be_chosen(project: Path) -> None:
    trained, held_out = leafe("play").stdout, leafe("play", "--split", "test").stdout
    task = held_out.split()[1]
    assert trained.split()[1] != task
    assert leafe("play", "--split", "test", "--task", task[:10]).stdout == held_out
    assert leafe("play", "--task", task).exit_code == 2


def test_play_finds_an_environment_in_the_folder(project: Path) -> None:
    (project / "mine.py").write_text(
        (ROOT / "examples" / "safe.py").read_text().replace('"A safe: ', '"\\x1b[31mMy safe: ')
    )
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["env"] = {"name": "mine:Safe"}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    done = subprocess.run(
        [*LEAFE, "play"],
        input=":quit",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert r"\x1b[31mMy safe: " in done.stdout


def test_ctrl_c_in_play_exits_130_without_a_trace(project: Path) -> None:
    process = subprocess.Popen(
        [*LEAFE, "play"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "lock the ticket" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.strip() == "Interrupted."


def test_a_stage_is_run_as_itself_with_its_options_and_exit_code(workspace: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*LEAFE, *arguments],
            cwd=workspace,
            env={**os.environ, "LEAFE_TRACKING": "flow"},  # MLflow would take most of the time
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("stage", "tasks")
    assert (done.returncode, done.stdout) == (0, "18 tasks in data/tasks\n")
    assert (workspace / "data" / "tasks" / "train.parquet").exists()
    usage = run("stage", "rollout", "--help")
    assert usage.returncode == 0
    assert "--policy" in usage.stdout
    assert "leafe.stages.rollout" in usage.stdout
    wrong = run("stage", "rollout", "--iteration", "i1", "--policy", "i0")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("Error: policies/leafe/i0 ")


def test_run_is_the_pipeline_with_its_exit_code(workspace: Path) -> None:
    text = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(text.replace("temperature:", "temprature:"))
    done = subprocess.run(
        [*LEAFE, "run"], cwd=workspace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: params.yaml: sampling.temprature is not a known key")
    assert "did you mean temperature?" in last


def test_each_stage_of_the_pipeline_can_be_run() -> None:
    whole = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    commands = [entry.get("do", entry)["cmd"] for entry in whole]
    assert {command.split()[2].rpartition(".")[2] for command in commands} <= set(STAGES)
    assert not {"stage", "acting", "training", "__init__"} & set(STAGES)


@pytest.mark.parametrize("command", ["results", "plan", "tree first", "play"])
def test_looking_loads_no_heavy_library(explored: Path, command: str) -> None:
    (explored / "metrics" / "leafe").mkdir(parents=True)
    code = (
        "import sys; from leafe.cli import app; app(sys.argv[1:], standalone_mode=False);"
        "print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    (explored / layout.metrics("i0")).write_text(
        '{"pass_at_1": 0.5, "ci95": {"pass_at_1": [0.4, 0.6]},'
        ' "env_steps_per_task": 0, "env_steps_per_task_so_far": 0}'
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        env=env,
        input="",
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    assert "leafe" in loaded
    assert not loaded & {"torch", "transformers", "mlflow", "prefect", "dvc"}
