"""The benchmarks run, keep their figures apart, and compare equal work; no time is asserted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import __main__ as program
from benchmarks import exploration_speedup, growth, results, versus_generate
from benchmarks.benchmark import BENCHMARKS, CannotRun, find
from benchmarks.small_policy import CONTEXT, small_policy
from leafe.envs.desk import Desk, DeskOptions
from leafe.rollout import Agent


def agent(rows: int) -> Agent:
    from leafe.engines.transformers import TransformersEngine

    policy = small_policy(quick=True)
    engine = TransformersEngine(policy.model, rows=rows, max_length=CONTEXT)
    return policy.agent(Desk(DeskOptions()), engine)


class Fake:
    COMPARED, TARGET = "one / another", "above 1"

    def __init__(self, ratio: float | None) -> None:
        self.ratio = ratio

    def measure(self, quick: bool) -> dict[str, object]:
        if self.ratio is None:
            raise CannotRun("there is no vLLM here")
        return {"ratio": self.ratio}


def run(monkeypatch: pytest.MonkeyPatch, path: Path, fakes: dict[str, Fake], *names: str) -> str:
    monkeypatch.setattr(program, "find", fakes.__getitem__)
    monkeypatch.setattr(program, "BENCHMARKS", tuple(fakes))
    monkeypatch.setattr(results, "RESULTS", path)
    app = program.typer.Typer()
    app.command()(program.main)
    return CliRunner().invoke(app, list(names)).output


def test_a_run_of_one_benchmark_keeps_the_figures_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    run(monkeypatch, path, {"a": Fake(2.0), "b": Fake(3.0)})
    run(monkeypatch, path, {"a": Fake(5.0), "b": Fake(7.0)}, "a")
    kept = json.loads(path.read_text())
    assert {name: entry["ratio"] for name, entry in kept.items()} == {"a": 5.0, "b": 3.0}
    assert kept["a"]["compared"] == "one / another"
    assert kept["a"]["machine"]["cores"] >= 1


def test_a_benchmark_that_cannot_run_is_skipped_with_its_reason_and_keeps_older_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    run(monkeypatch, path, {"a": Fake(2.0)})
    said = run(monkeypatch, path, {"a": Fake(None), "b": Fake(3.0)})
    kept = json.loads(path.read_text())
    assert "a: skipped: there is no vLLM here" in said
    assert (kept["a"]["ratio"], kept["a"]["skipped"]) == (2.0, "there is no vLLM here")
    assert kept["b"]["ratio"] == 3.0
    run(monkeypatch, path, {"a": Fake(4.0)})
    assert "skipped" not in json.loads(path.read_text())["a"]


def test_a_quick_run_keeps_nothing_and_a_wrong_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    assert "'ratio': 2.0" in run(monkeypatch, path, {"a": Fake(2.0)}, "--quick")
    assert "allowed: a" in run(monkeypatch, path, {"a": Fake(2.0)}, "nonsense")
    assert not path.exists()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_what_it_compares_and_what_it_aims_at(name: str) -> None:
    benchmark = find(name)
    assert "/" in benchmark.COMPARED
    assert benchmark.TARGET
    assert f"**{name}**" in (Path(results.__file__).parent / "README.md").read_text()


def test_waves_and_the_queue_explore_the_same_tree() -> None:
    tasks = Desk(DeskOptions()).tasks("train")[:2]
    waves = asyncio.run(exploration_speedup.in_waves(agent(8), tasks))
    serial = asyncio.run(exploration_speedup.one_by_one(agent(1), tasks))
    assert len(waves.episodes) == len(serial.episodes) >= 6
    # Log-probabilities may differ in their last digits, so the ids may; what was done may not.
    assert {tuple(e.steps[0].token_ids) for e in waves.episodes} == {
        tuple(e.steps[0].token_ids) for e in serial.episodes
    }


def test_lockstep_ends_its_answers_at_the_stop_token() -> None:
    from benchmarks.lockstep import completion

    assert completion([5, 6, 0, 0], stop=0).token_ids == (5, 6, 0)
    assert completion([5, 6, 7], stop=0).finish == "length"


@pytest.mark.parametrize("benchmark", [exploration_speedup, versus_generate, growth])
def test_it_runs_at_a_tiny_size(benchmark: object) -> None:
    figures = benchmark.measure(quick=True)  # type: ignore[attr-defined]
    assert float(str(figures["ratio"])) > 0
