"""The journal: what is whole is kept, what is not is dropped and counted, nothing is guessed."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafe.journal import Journal
from leafe.stages.stage import Stage, run_units

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
UNITS = st.dictionaries(st.text(max_size=20), JSON, min_size=1, max_size=8)


def written(folder: Path, units: dict[str, Any]) -> Path:
    """A journal of these units; the path of its file."""
    with Journal("stage@a", "f" * 64, folder) as journal:
        for key, value in units.items():
            journal.add(key, value)
    return next(folder.glob("stage-a/*.jsonl"))


def read(folder: Path) -> tuple[dict[str, Any], int]:
    """What an interrupted stage finds: the units, and how many lines were damaged."""
    with Journal("stage@a", "f" * 64, folder) as journal:
        return dict(journal.done), journal.damaged


@settings(max_examples=40, deadline=None)
@given(units=UNITS)
def test_what_was_added_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, units: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    written(folder, units)
    assert read(folder) == (units, 0)


@settings(max_examples=40, deadline=None)
@given(units=UNITS, cut=st.floats(0, 1))
def test_a_torn_tail_is_cut_off_and_all_before_it_kept(
    tmp_path_factory: pytest.TempPathFactory, units: dict[str, Any], cut: float
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    path = written(folder, units)
    raw = path.read_bytes()
    left = raw[: int(cut * len(raw))]
    path.write_bytes(left)
    kept = dict(list(units.items())[: left.count(b"\n")])
    assert read(folder) == (kept, 0)
    written(folder, {"after": 1})
    assert read(folder) == ({**kept, "after": 1}, 0)


@settings(max_examples=60, deadline=None)
@given(units=UNITS, at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_never_changes_a_unit(
    tmp_path_factory: pytest.TempPathFactory, units: dict[str, Any], at: float, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    path = written(folder, units)
    raw = bytearray(path.read_bytes())
    raw[int(at * len(raw))] ^= 1 << bit
    path.write_bytes(raw)
    found, damaged = read(folder)
    assert len(found) < len(units)
    assert found.items() <= units.items() or not damaged
    assert all(found[key] == units[key] for key in found)


def test_a_damaged_line_is_dropped_and_counted_wherever_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": 1, "b": 2, "c": 3})
    a, b, c = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"\n" + a + b.replace(b"2", b"9") + b"0 {}\n\xff\xfe\n" + c)
    assert read(tmp_path) == ({"a": 1, "c": 3}, 4)


def test_a_line_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": 1, "b": 2})
    path.write_bytes(path.read_bytes() * 2)
    with Journal("stage@a", "f" * 64, tmp_path) as journal:
        assert dict(journal.done) == {"a": 1, "b": 2}
        assert journal.resumed == 2


def test_a_huge_line_is_kept_and_a_huge_torn_one_cut(tmp_path: Path) -> None:
    huge = "x" * 20_000_000
    path = written(tmp_path, {"a": huge, "b": huge})
    path.write_bytes(path.read_bytes()[:-10_000_000])
    assert read(tmp_path) == ({"a": huge}, 0)


def test_a_journal_of_other_inputs_is_never_used(tmp_path: Path) -> None:
    written(tmp_path, {"a": 1})
    with Journal("stage@a", "0" * 64, tmp_path) as journal:
        assert not journal.done
    with Journal("stage@b", "f" * 64, tmp_path) as journal:
        assert not journal.done


def _write_for_ever(folder: Path) -> None:
    with Journal("stage@a", "f" * 64, folder) as journal:
        for n in range(10**6):
            journal.add(str(n), str(n) * random.Random(n).randint(1, 300_000))


def test_a_process_killed_while_it_writes_loses_at_most_that_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for n in range(12):
        folder = tmp_path / str(n)
        process = context.Process(target=_write_for_ever, args=(folder,))
        process.start()
        while process.is_alive() and not list(folder.glob("*/*.jsonl")):
            time.sleep(0.001)
        time.sleep(0.01 + n / 500)
        process.kill()
        process.join()
        raw = next(folder.glob("*/*.jsonl")).read_bytes()
        found, damaged = read(folder)
        assert damaged == 0
        assert list(found) == [str(k) for k in range(raw.count(b"\n"))]
        assert all(set(value) <= set(key) for key, value in found.items())


@pytest.fixture
def in_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workspace)
    return workspace


def fingerprint(inputs: tuple[Path, ...] = ()) -> str:
    return Stage("s", ("engine", "env"), inputs, record=Path("record.json")).fingerprint


def test_the_fingerprint_follows_everything_a_stage_reads(in_workspace: Path) -> None:
    source = in_workspace / "input"
    source.write_text("one")
    seen = {fingerprint((source,))}
    source.write_text("two")
    seen.add(fingerprint((source,)))
    params = in_workspace / "params.yaml"
    for old, new in (("seed: 0", "seed: 1"), ("rows: 256", "rows: 8")):
        assert old in params.read_text()
        params.write_text(params.read_text().replace(old, new))
        seen.add(fingerprint((source,)))
    script = in_workspace / "script.yaml"
    script.write_text(script.read_text() + "# changed\n")
    seen.add(fingerprint((source,)))
    assert len(seen) == 5
    assert fingerprint((source,)) in seen


def test_the_fingerprint_follows_the_module_of_an_environment(
    in_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(in_workspace))
    module = in_workspace / "worldly.py"
    module.write_text("# one\n")
    params = in_workspace / "params.yaml"
    params.write_text(params.read_text().replace("name: desk", "name: worldly:World"))
    before = fingerprint()
    module.write_text("# two\n")
    assert fingerprint() != before


def test_only_what_the_journal_lacks_is_done(
    in_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worked: list[str] = []

    async def work(key: str) -> str:
        worked.append(key)
        if key == "c" and worked.count("c") == 1:
            raise OSError(5, "the disk is gone")
        return key * 2

    stage = Stage("s", ("engine",), (), record=Path("record.json"))
    with pytest.raises(ExceptionGroup, match="unhandled"):
        run_units(stage, ["a", "b", "c"], work)
    path = next(Path(".leafe/journal/s").glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"aa"', b'"ax"'))
    assert run_units(stage, ["a", "b", "c"], work) == {"a": "aa", "b": "bb", "c": "cc"}
    assert worked == ["a", "b", "c", "a", "c"]
    assert "1 damaged journal lines dropped" in capsys.readouterr().err
