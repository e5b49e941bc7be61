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


def closing(store: str, compare_link: str) -> str:
    """Where to look next: in MLflow's store; the link is empty where that has no curves."""
    curves = f", and then all curves at {compare_link}" if compare_link else ""
    here = not store.startswith("http")
    served = f".venv/bin/mlflow ui --backend-store-uri {store}" if here else store
    return "\n".join(
        (
            f"MLflow: {served}{curves}",
            "Curves: .venv/bin/dvc plots show",
            "Trees:  .venv/bin/leafe tree TASK, of the tasks in data/leafe/<iteration>/tree",
        )
    )
