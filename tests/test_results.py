"""The table of results: every iteration that is measured, in order, and nothing cut."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from leafe.errors import BadInput
from leafe.results import as_markdown, print_results, read_results

ROOT = Path(__file__).parents[1]


def measure(folder: Path, iteration: str, **changes: Any) -> Path:
    """A metrics file as the stage `evaluate` writes it."""
    figures = {
        "ci95": {f"pass_at_{k}": [0.1, 0.25] for k in (1, 2, 4, 8, 16, 32)},
        **{f"pass_at_{k}": 0.1234 for k in (1, 2, 4, 8, 16)},
        "pass_at_32": 1.0,
        "env_steps_per_task": 12.5,
        "env_steps_per_task_so_far": 25.25,
        **changes,
    }
    path = folder / "metrics" / "leafe" / f"{iteration}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures))
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the project's parameters (i1, i2, i3) and the metrics of i0 and i2."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    measure(tmp_path, "i2")
    measure(tmp_path, "i0", env_steps_per_task=0, env_steps_per_task_so_far=0)
    measure(tmp_path, "stranger")
    return tmp_path


def test_rows_are_the_measured_iterations_in_the_order_of_the_chain(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    rows = read_results(project)
    assert [row.name for row in rows] == ["i0", "i2"]
    assert rows[1].pass_at[8] == (0.1234, 0.1, 0.25)
    assert (rows[1].env_steps_per_task, rows[1].env_steps_per_task_so_far) == (12.5, 25.25)
    # The order is the chain's, not the file's; a plan that is out of date does not matter here.
    (project / "params.yaml").write_text(
        text.replace("i1: {prev: i0}", "i1: {prev: i3}").replace("{prev: i1}", "{prev: i0}")
    )
    measure(project, "i1")
    assert [row.name for row in read_results(project)] == ["i0", "i2", "i1"]


def test_a_figure_is_shown_with_its_interval(project: Path) -> None:
    heading, _, base, second = as_markdown(read_results(project)).splitlines()
    assert heading.split(" | ")[1:4] == ["Pass@1", "Pass@4", "Pass@8"]
    assert "Pass@2 " not in heading
    assert base.startswith("| i0 (base) | .123 [.10, .25] | ")
    assert second.endswith("| 1.000 [.10, .25] | 12.5 | 25.2 |")


def test_an_undefined_figure_is_a_dash(project: Path) -> None:
    ci95 = {"pass_at_1": [0.1, 0.2], "pass_at_32": [None, None]}
    measure(project, "i0", ci95=ci95, pass_at_32=None)
    row = as_markdown(read_results(project)[:1]).splitlines()[2]
    assert row == "| i0 (base) | .123 [.10, .20] | - | 12.5 | 25.2 |"


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "log"])
def test_nothing_of_the_table_is_cut(
    project: Path, monkeypatch: pytest.MonkeyPatch, width: int, terminal: bool
) -> None:
    monkeypatch.chdir(project)
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system=None,
        legacy_windows=False,
    )
    print_results(console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "…" not in shown
    assert shown.count("[.10, .25]") == 10
    assert all(f"Pass@{k}" in shown for k in (1, 4, 8, 16, 32))


def test_a_metrics_file_that_cannot_be_read_is_told(project: Path) -> None:
    path = measure(project, "i2", ci95={"pass_at_1": "high"})
    for text in (path.read_text(), "{", "[]", "{}", '{"ci95": {"x": [1, 2]}}'):
        path.write_text(text)
        with pytest.raises(BadInput, match=r"i2\.json is not a metrics file"):
            read_results(project)


def test_no_metrics_at_all_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(project / "metrics")
    monkeypatch.chdir(project)
    with pytest.raises(BadInput, match=r"i0\.json does not exist yet; `leafe run` makes it"):
        print_results()
