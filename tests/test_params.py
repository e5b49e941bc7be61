"""`params.yaml`: what is wrong is told in one sentence, and only what follows is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from leafe.chain import chain
from leafe.errors import BadInput
from leafe.layout import BASE
from leafe.params import load_params
from leafe.plan import update_plan, with_section
from leafe.planning import make_plan
from leafe.sections import Iteration, Wave

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "params.yaml").read_text()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A parameter file that differs from the project's in one place; `...` takes a key out."""

    def write(change: dict[str, Any] | str) -> Path:
        path = tmp_path / "params.yaml"
        if isinstance(change, str):
            path.write_text(change)
            return path
        data = yaml.safe_load(TEXT)
        for place, value in change.items():
            *above, key = place.split("/")
            section = data[above[0]] if above else data
            if value is ...:
                del section[key]
            else:
                section[key] = value
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return path

    return write


def test_the_projects_own_file_is_right() -> None:
    params = load_params(ROOT / "params.yaml")
    plan = make_plan(params.methods, params.iterations, params.waves)
    assert params.section("plan") == {"plan": plan}
    assert [len(table) for table in plan.values()] == [3, 3, 9, 0, 0]


BAD: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"sft/steps": "ten"}, ("sft.steps is 'ten'", "an integer")),
    ({"sft/steps": "12"}, ("sft.steps is '12'", "without quotes")),
    ({"sft/steps": True}, ("sft.steps is true", "an integer")),
    ({"sft/steps": 1.5}, ("sft.steps is 1.5", "an integer")),
    ({"sft/steps": 0}, ("sft.steps is 0", "at least 1")),
    ({"sft/steps": 10**30}, ("sft.steps is 1000", "at most 1000000000")),
    ({"sft/beta": 10**400}, ("sft.beta is 0x", "a number")),
    ({"sft/beta": float("nan")}, ("sft.beta is nan", "finite")),
    ({"sft/beta": float("inf")}, ("sft.beta is inf", "finite")),
    ({"sft/learning_rate": "5e-4"}, ("sft.learning_rate is '5e-4'", "5.0e-4")),
    ({"sft/steps": ...}, ("sft.steps is missing",)),
    ({"sft/stps": 5, "sft/steps": ...}, ("sft.stps", "did you mean steps?")),
    ({"sft": ...}, ("sft is missing", "steps, batch")),
    ({"sft": [1]}, ("sft is a list", "mapping")),
    ({"sft": None}, ("sft is null", "mapping")),
    ({"sfd": {}}, ("sfd is not a known key", "did you mean sft?")),
    ({"zebra": 1}, ("zebra is not a known key", "allowed: methods, overrides, run, env, model")),
    ({"rollout/max_attempts": -1}, ("rollout.max_attempts is -1", "at least 1")),
    ({"rollout/max_steps": -40}, ("rollout.max_steps is -40", "at least 1")),
    ({"rollout/samples": 13}, ("rollout.samples is 13", "at most rollout.max_attempts", "12")),
    ({"evaluate/samples": 10**9}, ("evaluate.samples is 1000000000", "at most 10000")),
    ({"sampling/temperature": -0.5}, ("sampling.temperature is -0.5", "at least 0")),
    ({"sampling/action_tokens": 512}, ("sampling.action_tokens is 512", "model.context", "512")),
    ({"sampling/reflection_tokens": 900}, ("sampling.reflection_tokens is 900", "model.context")),
    ({"model/heads": 5}, ("model.hidden is 96", "32 * 5 = 160")),
    ({"model/hidden": 100}, ("model.hidden is 100", "multiple of 32")),
    ({"model/path": 3}, ("model.path is 3", "a text, or null")),
    ({"model/prompts": "long"}, ("model.prompts is 'long'", "'short', 'full' or 'verl-agent'")),
    ({"engine/name": "vlm"}, ("engine.name is 'vlm'", "'transformers', 'vllm' or 'scripted'")),
    ({"engine/name": "scripted"}, ("engine.script is null", "needs the path of a script")),
    ({"branch/with_experience": False}, ("branch.with_experience is not a known key",)),
    ({"iterations": None}, ("iterations is null", "mapping")),
    ({"iterations": {"i1": {"prev": "i7"}}}, ("iterations.i1.prev is 'i7'", "allowed: i0")),
    ({"iterations": {"i1": {"prev": "i1"}}}, ("iterations", "i1", "cycle")),
    (
        {"iterations": {"i1": {"prev": "i2"}, "i2": {"prev": "i1"}}},
        ("iterations", "i1, i2", "cycle", "start at i0"),
    ),
    (
        {"iterations": {"i1": {"prev": "i0"}, "i2": {"prev": "i0"}}},
        ("iterations", "i1 and i2 both have prev 'i0'"),
    ),
    ({"iterations": {"i0": {"prev": "i0"}}}, ("iterations.i0 must not be listed",)),
    ({"iterations": {"../x": {"prev": "i0"}}}, ("iterations has the key '../x'", "a letter")),
    ({"iterations": {"i1": {"prev": "../x"}}}, ("iterations.i1.prev is '../x'", "a letter")),
    ({"iterations": {"x" * 41: {"prev": "i0"}}}, ("iterations has the key", "at most 40")),
    ({"iterations": {1: {"prev": "i0"}}}, ("iterations has the key 1", "a text")),
    ({"iterations": {"i1": "i0"}}, ("iterations.i1 is 'i0'", "mapping")),
    ({"iterations": {"i1": {"prv": "i0"}}}, ("iterations.i1.prv", "did you mean prev?")),
    ({"waves": {"w1": {"prev": "w9"}}}, ("waves.w1.prev is 'w9'", "allowed: w0")),
    ({"waves": {"w0": {"prev": "w0"}}}, ("waves.w0 must not be listed",)),
    ({"waves": {"w/1": {"prev": "w0"}}}, ("waves has the key 'w/1'", "a letter")),
    ({"plan": {}}, ("plan does not fit", "w1, w2, w3", "leafe plan")),
    ({"curves": {}}, ("curves does not fit", "i1, i2, i3", "leafe plan")),
    ({"\x1b[31mred": 1}, (r"\x1b[31mred is not a known key",)),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[str(change)[:60] for change, _ in BAD])
def test_a_wrong_value_is_told_in_one_sentence_with_what_is_allowed(
    write: Callable[..., Path], change: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput) as caught:
        load_params(write(change))
    sentence = str(caught.value)
    assert "params.yaml" in sentence
    for part in said:
        assert part in sentence
    assert sentence.isprintable()
    assert len(sentence) < 300


BROKEN = [
    ("", ("null", "mapping")),
    ("- 1\n", ("a list", "mapping of sections")),
    ("a: [", ("not YAML", "line 1")),
    ("run:\n\tseed: 0\n", ("not YAML", "line 2")),
    ("run: !!python/object/apply:os.system [touch pwned]", ("python/object", "not allowed")),
    ("run: {seed: 0}\nrun: {seed: 1}\n", ("line 2", "run is given twice")),
    ("a: " + "9" * 5000, ("not YAML", "number")),
    ("[" * 5000, ("not YAML", "nested too deeply")),
    ("--- 1\n--- 2\n", ("not YAML", "another document")),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[repr(text)[:30] for text, _ in BROKEN])
def test_what_is_not_yaml_is_told_with_the_line(
    write: Callable[..., Path], text: str, said: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput) as caught:
        load_params(write(text))
    assert all(part in str(caught.value) for part in ("params.yaml", *said))


def test_a_file_that_is_missing_a_folder_or_binary_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"params.yaml does not exist; run this in the folder"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(BadInput, match=r"cannot read .*: Is a directory"):
        load_params(tmp_path)
    binary = tmp_path / "params.yaml"
    binary.write_bytes(b"run: \xff\xfe")
    with pytest.raises(BadInput, match="byte 5 is not UTF-8"):
        load_params(binary)


def test_a_whole_number_is_taken_where_a_fraction_is_asked_for(write: Callable[..., Path]) -> None:
    params = load_params(write({"sft/beta": 1, "sampling/temperature": 0}))
    assert (params.sft.beta, params.sampling.temperature) == (1.0, 0.0)


@pytest.mark.parametrize("section", ["iterations", "waves"])
def test_no_iterations_and_no_waves_are_allowed(write: Callable[..., Path], section: str) -> None:
    path = write({section: {}})
    assert update_plan(path)
    params = load_params(path)
    rows = {kind: len(table) for kind, table in params.plan.items() if table}
    assert rows == ({} if section == "iterations" else {"iterations": 3, "distilled": 3})
    assert len(params.curves) == 1 + len(params.iterations)


@given(st.permutations([f"i{n}" for n in range(1, 7)]))
def test_a_chain_is_found_in_whatever_order_it_is_written(names: list[str]) -> None:
    entries = {name: Iteration(prev=f"i{int(name[1:]) - 1}") for name in names}
    assert chain("iterations", entries, BASE) == sorted(names)


def test_an_up_to_date_plan_leaves_the_file_alone(write: Callable[..., Path]) -> None:
    path = write(TEXT)
    before = path.stat()
    assert not update_plan(path)
    assert path.read_text() == TEXT
    assert path.stat().st_mtime_ns == before.st_mtime_ns


LAST = "\n\n# a comment of the section after it\n# in two lines\nafter: 1  # and one beside\n"


@pytest.mark.parametrize(
    "plan",
    [
        "plan: {}",
        "plan: {}  # with a comment",
        "plan:\n  old: {iteration: x, policy: y,\n    wave: z}\n  # old too",
        "plan: [1,\n2\n]",
        "plan:",
        "'plan':\n    i1-w1:\n        iteration: i1",
    ],
)
@pytest.mark.parametrize("after", ["\n", "", LAST], ids=["last", "no newline", "not last"])
def test_only_the_plan_is_written_anew(plan: str, after: str) -> None:
    before = "# head\nrun: {seed: 0}   # odd   spacing\n\n# about the plan\n"
    made = make_plan(["leafe"], {"i1": Iteration(prev="i0")}, {"w1": Wave(prev="w0")})
    rows = json.loads(json.dumps(made))  # each on its own, as the parameters hold them
    new = with_section(before + plan + after, "plan", rows)
    one = "method: leafe, iteration: i1, policy: i0, home: leafe"
    lines = f"plan:\n  iterations:\n    i1: {{{one}}}\n  distilled:\n    i1: {{{one}}}\n  waves:\n"
    lines += f"    i1-w1: {{{one}, wave: w1, prev: w0}}\n  alternatives: {{}}\n  rounds: {{}}\n"
    assert new == before + lines + (LAST[1:] if after == LAST else "")


def test_a_missing_plan_is_added_and_windows_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    head = TEXT[: TEXT.index("plan:")].replace("\n", "\r\n").encode()
    path.write_bytes(head)
    assert update_plan(path)
    new = path.read_bytes()
    assert new.startswith(head)
    assert new.count(b"\n") == new.count(b"\r\n")
    assert load_params(path) == load_params(ROOT / "params.yaml")


def test_a_new_iteration_gets_its_plan(write: Callable[..., Path]) -> None:
    path = write(TEXT.replace("  i3: {prev: i2}\n", "  i3: {prev: i2}\n  i4: {prev: i3}\n"))
    with pytest.raises(BadInput, match="leafe plan"):
        load_params(path)
    assert update_plan(path)
    params = load_params(path)
    assert list(params.plan["waves"])[-1] == "i4-w3"
    assert list(params.plan["iterations"])[-1] == list(params.plan["distilled"])[-1] == "i4"
    assert list(params.curves)[-1] == "plots/leafe/i4.csv"
    assert not update_plan(path)


def test_a_file_that_cannot_take_a_plan_stays_as_it_is(write: Callable[..., Path]) -> None:
    data = yaml.safe_load(TEXT) | {"plan": {}, "curves": {}}
    one_line = yaml.safe_dump(data, default_flow_style=True, width=10**6)
    wrong = TEXT.replace("\n  steps: ", "\n  steps: -")
    for text in (one_line, wrong):
        path = write(text)
        with pytest.raises(BadInput):
            update_plan(path)
        assert path.read_text() == text
        assert [p.name for p in path.parent.iterdir()] == ["params.yaml"]
