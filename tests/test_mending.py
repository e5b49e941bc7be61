"""A kill while DVC writes one of its files leaves nothing that stops the next run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from dvc.lock import LockError, make_lock

from flows.mending import mend

LOCK = (ROOT / "dvc.lock").read_text()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("share", range(0, 100, 7))
def test_a_torn_dvc_lock_keeps_its_whole_stages(project: Path, share: int) -> None:
    whole = yaml.safe_load(LOCK)["stages"]
    for cut in range(len(LOCK) * share // 100, len(LOCK) * share // 100 + 60, 6):
        path = project / "dvc.lock"
        path.write_text(LOCK[:cut])
        mend(project)
        kept = yaml.safe_load(path.read_text())["stages"] if path.exists() else {}
        ended = [name for name in whole if LOCK.find(f"\n  {name}:") < cut][:-1]
        assert [name for name in ended if kept.get(name) != whole[name]] == []
        assert len(kept) <= len(ended) + 1


def test_a_whole_dvc_lock_is_left_as_it_is(project: Path) -> None:
    path = project / "dvc.lock"
    path.write_text(LOCK)
    before = path.stat().st_mtime_ns
    mend(project)
    assert (path.read_text(), path.stat().st_mtime_ns) == (LOCK, before)


def test_dvc_works_with_what_is_left(workspace: Path) -> None:
    shutil.copy(ROOT / "dvc.lock", workspace)
    lock = workspace / "dvc.lock"
    torn = LOCK.index("- path:", LOCK.index("  warm_start:")) + len("- path:")
    lock.write_text(LOCK[:torn])
    status = [sys.executable, "-m", "dvc", "status", "tasks"]
    assert subprocess.run(status, cwd=workspace, capture_output=True, check=False).returncode != 0
    (workspace / ".dvc/tmp").mkdir(exist_ok=True)
    mend(workspace)
    done = subprocess.run(status, cwd=workspace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_file_that_another_command_is_writing_is_left_to_it(project: Path) -> None:
    path = project / "dvc.lock"
    path.write_text(LOCK[:1000])
    folder = project / ".dvc/tmp"
    with make_lock(str(folder / "lock"), tmp_dir=str(folder)), pytest.raises(LockError):
        mend(project)
    assert path.read_text() == LOCK[:1000]
