"""Files that DVC writes in place: its table of locks, and dvc.lock.

A kill or an interrupt at that moment leaves half a file, and every dvc command refuses to work
from then on.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from dvc.lock import make_lock
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import Invalid

from leafe.store import atomic

STAGE = re.compile(r"^  (?=\S)", re.MULTILINE)
"""Where the entry of a stage begins in dvc.lock."""


def mend(project: Path = Path()) -> None:
    """Make both whole again. Raises LockError where another dvc command is just writing one."""
    mend_rwlock(project)
    mend_lockfile(project)


def mend_rwlock(project: Path) -> None:
    """Drop the table if it is broken, as DVC advises; it only matters while dvc commands run."""
    folder = project / ".dvc" / "tmp"
    table = folder / "rwlock"
    if not table.exists():
        return
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder)):
        try:
            json.loads(table.read_text(encoding="utf-8"))
        except ValueError:
            table.unlink()


def mend_lockfile(project: Path) -> None:
    """Cut a broken dvc.lock after its last whole stage; DVC finds the others in its run cache."""
    path = project / "dvc.lock"
    if not path.exists() or _is_whole(path.read_text(encoding="utf-8")):
        return
    folder = project / ".dvc" / "tmp"
    with make_lock(str(folder / "lock"), tmp_dir=str(folder)):
        text = path.read_text(encoding="utf-8")
        while not _is_whole(text):
            stages = list(STAGE.finditer(text))
            if not stages:
                path.unlink()
                return
            text = text[: stages[-1].start()]
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _is_whole(text: str) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(yaml.load(text, yaml.CSafeLoader))
    except (yaml.YAMLError, Invalid):
        return False
    return True
