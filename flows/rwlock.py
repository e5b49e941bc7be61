"""DVC's table of who reads and writes what, which DVC writes in place.

A kill at that moment leaves half a table, and every dvc command refuses to work from then on.
"""

from __future__ import annotations

import json
from pathlib import Path

from dvc.lock import make_lock


def mend_rwlock(project: Path = Path()) -> None:
    """Drop the table if it is broken, as DVC advises; it only matters while dvc commands run.

    Raises LockError where another dvc command is just writing it.
    """
    folder = project / ".dvc" / "tmp"
    table = folder / "rwlock"
    if not table.exists():
        return
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder)):
        try:
            json.loads(table.read_text(encoding="utf-8"))
        except ValueError:
            table.unlink()
