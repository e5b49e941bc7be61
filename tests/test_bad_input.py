"""Bad input beyond `params.yaml` itself: one sentence, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
import torch
import yaml
from conftest import Runner, change_params
from pydantic import BaseModel, ValidationError, field_validator, model_validator
from safetensors.torch import load_file, save_file

from leafe.engines.scripted import read_script
from leafe.envs import ENVIRONMENTS as KNOWN
from leafe.envs import make_environment
from leafe.envs.desk.rulebook import CASES, draw_rulebook
from leafe.errors import BadInput, describe
from leafe.stages.checks import check_writable
from leafe.stages.warm_start import take
from leafe.training.checkpoint import check_policy, load_model, load_tokenizer

NAMES = f"allowed: {', '.join(KNOWN)}, your own as package.module:Class"
ENVIRONMENTS: list[tuple[dict[str, Any], str]] = [
    ({}, f"env.name is missing; {NAMES}"),
    ({"name": 3}, "env.name is 3; allowed: desk"),
    ({"name": "dosk"}, "env.name is 'dosk'; did you mean desk?"),
    ({"name": "zoo"}, f"env.name is 'zoo'; {NAMES}"),
    ({"name": "no.such:Thing"}, "env.name is 'no.such:Thing', but No module named 'no'"),
    ({"name": "os:path"}, "env.name is 'os:path', but"),
    ({"name": "..x:Y"}, "env.name is '..x:Y', but"),
    ({"name": ":Y"}, "env.name is ':Y', but"),
    ({"name": "desk", "rulbook": 3}, "env.rulbook is not a known key; did you mean rulebook?"),
    ({"name": "desk", "rulebook": -1}, "env.rulebook is -1; it must be at least 0, or a text"),
    ({"name": "desk", "rulebook": 1.5}, "env.rulebook is 1.5; it must be an integer, or a text"),
    ({"name": "desk", "rulebook": True}, "env.rulebook is true; it must be an integer, or a text"),
    ({"name": "desk", "rulebook": "no.yaml"}, "env.rulebook is 'no.yaml', which is no file"),
    ({"name": "desk", "train_tasks": "9"}, "env.train_tasks is '9'; it must be an integer"),
    ({"name": "desk", "train_tasks": 0}, "env.train_tasks is 0; it must be at least 1"),
    ({"name": "desk", "train_tasks": 400}, "env.train_tasks + env.test_tasks is 528; it must be"),
    ({"name": "desk", "max_steps": 100}, "env.max_steps is 100; it must be at most 99"),
    ({"name": "desk", "feedback": "all"}, "env.feedback is 'all'; it must be 'what', 'that' or"),
    ({"name": "desk", "refusals": None}, "env.refusals is null; it must be an integer"),
]


@pytest.mark.parametrize(("section", "said"), ENVIRONMENTS, ids=[s for _, s in ENVIRONMENTS])
def test_a_wrong_env_section_is_told(section: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        make_environment(section)
    assert str(caught.value).startswith(f"params.yaml: {said}")


RULEBOOKS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda book: [book], " is a list; it must be region, kind, payment, case"),
    (lambda book: book | {"regions": {}}, ": regions is not a known key; did you mean region?"),
    (lambda book: book | {"kind": {"book": ["inspct"]}}, ": kind.book.0 is 'inspct'; it must be"),
    (lambda book: book | {"kind": {"bok": []}}, ": kind has the key 'bok'; it must be 'book', "),
    (
        lambda book: book | {"case": {"refund packd": []}},
        ": case has the key 'refund packd'; did you mean refund packed?",
    ),
    (lambda book: {"region": {}, "kind": {}, "payment": {}}, ": case is missing"),
    (lambda book: book | {"payment": 3}, ": payment is 3; it must be a mapping"),
]


@pytest.mark.parametrize(("change", "said"), RULEBOOKS, ids=[said for _, said in RULEBOOKS])
def test_a_wrong_rulebook_file_is_told(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    path = tmp_path / "rules.yaml"
    book = draw_rulebook(3).model_dump(mode="json")
    path.write_text(yaml.safe_dump(book))
    make_environment({"name": "desk", "rulebook": str(path)})
    path.write_text(yaml.safe_dump(change(book)))
    with pytest.raises(BadInput) as caught:
        make_environment({"name": "desk", "rulebook": str(path)})
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


class Odd(BaseModel):
    size: int = 1
    top: int = 9

    @field_validator("size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("it must be odd")
        return size

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.size > self.top:
            raise ValueError("the size is more than the top")
        return self


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"size": 4}, "env.size is 4; it must be odd"),
        ({"size": 11}, "env: the size is more than the top"),
    ],
)
def test_what_an_environment_of_ones_own_checks_is_told_too(
    section: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Odd.model_validate(section)
    assert describe(Path("p.yaml"), caught.value, Odd, prefix="env") == f"p.yaml: {said}"


def test_a_rulebook_may_name_every_case() -> None:
    assert set(draw_rulebook(0).case) == set(CASES)


@pytest.mark.parametrize(
    "text",
    [None, "3", "a: [", "- {when: '(', say: [a]}", "- {say: []}", "- {say: [a], if: b}", "\x00"],
)
def test_a_wrong_script_is_told(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "script.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_script(path)
    assert "engine.script" in str(caught.value)
    assert str(path) in str(caught.value)


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


CHECKPOINTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no folder": (shutil.rmtree, "is not a checkpoint folder"),
    "pickle": (lambda f: (f / "pytorch_model.bin").write_bytes(b""), "pytorch_model.bin, which"),
    "pickle below": (
        lambda f: ((f / "old").mkdir(), (f / "old" / "a.pt").write_bytes(b"")),
        "a.pt, which can run code; allowed: *.safetensors",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no weights; allowed: *.safeten"),
    "cut weights": (lambda f: cut(f / "model.safetensors"), "is not a safetensors file"),
    "empty weights": (
        lambda f: (f / "model.safetensors").write_bytes(b""),
        "is not a safetensors file",
    ),
    "nan": (
        lambda f: change_weights(f, lambda w: w["model.norm.weight"].fill_(float("nan"))),
        "model.norm.weight holds values that are not finite",
    ),
    "missing weight": (
        lambda f: change_weights(f, lambda w: w.pop("model.norm.weight")),
        "model.norm.weight",
    ),
    "own code": (
        lambda f: change_json(f / "config.json", auto_map={"AutoModel": "evil.Model"}),
        "config.json has auto_map, which runs code",
    ),
    "own tokenizer code": (
        lambda f: change_json(f / "tokenizer_config.json", auto_map={"AutoTokenizer": "evil.T"}),
        "tokenizer_config.json has auto_map, which runs code",
    ),
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json"),
    "config cut": (lambda f: cut(f / "config.json"), "config.json is not JSON"),
    "other sizes": (lambda f: change_json(f / "config.json", hidden_size=64), "another shape"),
    "unknown type": (lambda f: change_json(f / "config.json", model_type="nope"), "`nope`"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json"),
    "no tokenizer config": (
        lambda f: (f / "tokenizer_config.json").unlink(),
        "holds no tokenizer_config.json",
    ),
    "tokenizer cut": (lambda f: cut(f / "tokenizer.json"), "cannot be loaded"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_that_is_unsafe_or_broken_is_told(
    policy_dir: Path, tmp_path: Path, case: str
) -> None:
    change, said = CHECKPOINTS[case]
    folder = tmp_path / "given"
    shutil.copytree(policy_dir, folder)
    change(folder)
    with pytest.raises(BadInput) as caught:
        load(folder)
    assert str(folder) in str(caught.value)
    assert said in str(caught.value)


def load(folder: Path) -> None:
    check_policy(folder)
    load_tokenizer(folder)
    load_model(folder)


def test_the_stage_never_deletes_the_checkpoint_it_was_given(
    policy_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "policies" / "i0"
    shutil.copytree(policy_dir, out)
    before = snapshot(tmp_path)
    with pytest.raises(BadInput, match="which this stage writes to; put the checkpoint elsewhere"):
        take(out, out)
    with pytest.raises(BadInput, match="no folder; allowed: a checkpoint folder, or null"):
        take(tmp_path / "none", out)
    (tmp_path / "other").mkdir()
    with pytest.raises(BadInput, match="holds no weights"):
        take(tmp_path / "other", out)
    (tmp_path / "other").rmdir()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["data", "metrics", "plots", "policies", ".leafe"])
def test_a_place_that_cannot_take_results_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable()
    (tmp_path / name).write_text("in the way")
    with pytest.raises(BadInput, match=rf"^{name} is a file; it must be a folder"):
        check_writable()
    (tmp_path / name).unlink()
    # Nobody, not even root, may create files in /proc.
    (tmp_path / name).symlink_to("/proc/self")
    with pytest.raises(BadInput, match="cannot be written"):
        check_writable()


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path and what it holds; byte code and locks, which are no results, left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not {"__pycache__", ".leafe"} & set(path.parts)
    }


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a process that refused its input."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_stage_refuses_bad_parameters_and_writes_nothing(
    workspace: Path, run_stage: Runner
) -> None:
    change_params(workspace, rollout={"max_attempts": -1})
    before = snapshot(workspace)
    assert "params.yaml: rollout.max_attempts is -1" in refused(run_stage("tasks"))
    assert snapshot(workspace) == before


def test_a_stage_without_its_inputs_names_what_is_missing(
    workspace: Path, run_stage: Runner
) -> None:
    before = snapshot(workspace)
    done = run_stage("rollout", "--iteration", "i1", "--policy", "i0")
    assert "dvc repro" in refused(done)
    assert snapshot(workspace) == before


def test_a_stage_refuses_an_unsafe_checkpoint_and_writes_nothing(
    workspace: Path, run_stage: Runner
) -> None:
    (workspace / "tiny" / "pytorch_model.bin").write_bytes(b"")
    before = snapshot(workspace)
    assert "pytorch_model.bin" in refused(run_stage("warm_start"))
    assert snapshot(workspace) == before


def test_a_stage_refuses_a_name_that_leads_elsewhere(workspace: Path, run_stage: Runner) -> None:
    before = snapshot(workspace)
    done = run_stage("evaluate", "--iteration", "../../x")
    assert "--iteration is '../../x', which params.yaml does not have" in refused(done)
    assert snapshot(workspace) == before


def test_a_stage_that_cannot_write_says_where_and_leaves_no_trace(
    workspace: Path, run_stage: Runner
) -> None:
    (workspace / "data").write_text("in the way")
    before = snapshot(workspace)
    assert "data is a file; it must be a folder" in refused(run_stage("tasks"))
    assert snapshot(workspace) == before


def test_a_stage_called_wrongly_tells_how_without_a_trace(
    workspace: Path, run_stage: Runner
) -> None:
    done = run_stage("sft", "--policy", "i0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "Error: Missing option '--iteration'."
    assert "Traceback" not in done.stderr


INTERRUPTED = """
import os, signal
from leafe.stages.stage import run

def main() -> None:
    os.kill(os.getpid(), signal.SIGINT)

run(main)
"""


def test_ctrl_c_ends_a_stage_with_130_so_that_nobody_takes_it_for_done(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr == "Interrupted; run the same command again to go on from here.\n"
