"""DVC's table of who reads and writes what, which DVC writes in place.

A kill at that moment leaves half a table, and every dvc command refuses to work from then on.
"""

from __future__ import annotations

import json
from pathlib import Path

from dvc.lock import make_lock

FOLDER = Path(".dvc/tmp")


def mend_rwlock() -> None:
    """Drop the table if it is broken, as DVC advises; it only matters while dvc commands run.

    Raises LockError where another dvc command is just writing it.
    """
    table = FOLDER / "rwlock"
    if not table.exists():
        return
    with make_lock(str(FOLDER / "rwlock.lock"), tmp_dir=str(FOLDER)):
        try:
            json.loads(table.read_text(encoding="utf-8"))
        except ValueError:
            table.unlink()
