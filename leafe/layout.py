"""Where each file of the pipeline is; `dvc.yaml` names the same paths."""

from __future__ import annotations

from pathlib import Path

METHOD = "leafe"


def tasks(split: str) -> Path:
    """The tasks of a split."""
    return Path("data/tasks") / f"{split}.parquet"


def tree(iteration: str) -> Path:
    """The folder of an iteration's exploration, one folder a wave in it."""
    return Path("data") / METHOD / iteration / "tree"


def episodes(iteration: str, wave: str) -> Path:
    """The episodes of a wave."""
    return tree(iteration) / wave / "episodes.parquet"


def reflections(iteration: str, wave: str) -> Path:
    """The verdicts from which a wave branches."""
    return tree(iteration) / wave / "reflections.parquet"


def examples(iteration: str) -> Path:
    """The training examples of an iteration."""
    return Path("data") / METHOD / iteration / "examples.parquet"


def exploration(iteration: str) -> Path:
    """The figures of an iteration's exploration."""
    return Path("metrics") / METHOD / f"{iteration}.exploration.json"


def evaluation(iteration: str) -> Path:
    """The episodes of an iteration's evaluation."""
    return Path("data") / METHOD / iteration / "evaluation.parquet"


def policy(iteration: str) -> Path:
    """The weights that an iteration ends with."""
    return Path("policies") / METHOD / iteration


def metrics(iteration: str) -> Path:
    """The figures of an iteration's evaluation."""
    return Path("metrics") / METHOD / f"{iteration}.json"


def warm_start() -> Path:
    """How fit the base policy is."""
    return Path("metrics/warm_start.json")


def curve(iteration: str) -> Path:
    """Pass@k against k."""
    return Path("plots") / METHOD / f"{iteration}.csv"


def loss(iteration: str) -> Path:
    """Training loss against the step."""
    return Path("plots") / METHOD / f"{iteration}.loss.csv"


def record(output: Path) -> Path:
    """The record beside an output.

    >>> record(Path("policies/leafe/i1")).name, record(Path("data/w0/episodes.parquet")).name
    ('i1.record.json', 'episodes.record.json')
    """
    return output.with_name(f"{output.name.removesuffix('.parquet')}.record.json")
