"""What a person reads in the terminal while the pipeline runs, and at its end."""

from __future__ import annotations

from datetime import timedelta


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def heading(number: int, total: int, stage: str, seconds: float) -> str:
    """The line before a stage that has work to do; seconds since the pipeline began.

    >>> heading(7, 33, "rollout@i1", 123.4)
    '[7/33] rollout@i1 (0:02:03 so far)'
    """
    return f"[{number}/{total}] {stage} ({timedelta(seconds=round(seconds))} so far)"


def unchanged(number: int, total: int, stage: str) -> str:
    """The line for a stage that DVC finds up to date."""
    return f"[{number}/{total}] {stage}: unchanged"


def closing(compare_link: str) -> str:
    """Where to look next; the link is empty where MLflow has no curves."""
    curves = f", and then all curves at {compare_link}" if compare_link else ""
    return "\n".join(
        (
            f"MLflow: .venv/bin/mlflow ui --backend-store-uri sqlite:///mlflow.db{curves}",
            "Curves: .venv/bin/dvc plots show",
            "Trees:  .venv/bin/leafe tree TASK, of the tasks in data/leafe/<iteration>/tree",
        )
    )
