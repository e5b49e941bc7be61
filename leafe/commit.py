"""The commit that made a result."""

from __future__ import annotations

import subprocess


def git_commit() -> str | None:
    """The commit checked out here; None outside a repository, or without git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return found.stdout.strip() or None
