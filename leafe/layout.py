"""Where each file of the pipeline is, and what its stages are called, as `dvc.yaml` has them."""

from __future__ import annotations

from pathlib import Path

LEAFE = "leafe"
"""The method that this project is about; the base policy lies in its folders."""
BASE = "i0"
"""The iteration before the first: the base policy, the same for all methods."""


def entry(method: str, *parts: str) -> str:
    """The name of an iteration, or a wave of one, among all methods: LEAFE's go without its name.

    >>> entry("leafe", "i1"), entry("leafe", "i1", "w2"), entry("grpo", "i1")
    ('i1', 'i1-w2', 'grpo-i1')
    """
    return "-".join(parts if method == LEAFE else (method, *parts))


def home(method: str, iteration: str) -> str:
    """The folder that has a method's iteration: the base policy is LEAFE's, whoever starts there.

    >>> home("grpo", "i1"), home("grpo", "i0")
    ('grpo', 'leafe')
    """
    return LEAFE if iteration == BASE else method


def tasks(split: str) -> Path:
    """The tasks of a split."""
    return Path("data/tasks") / f"{split}.parquet"


def tree(iteration: str, method: str = LEAFE) -> Path:
    """The folder of an iteration's exploration, one folder a wave in it."""
    return Path("data") / home(method, iteration) / iteration / "tree"


def episodes(iteration: str, wave: str, method: str = LEAFE) -> Path:
    """The episodes of a wave."""
    return tree(iteration, method) / wave / "episodes.parquet"


def reflections(iteration: str, wave: str, method: str = LEAFE) -> Path:
    """The verdicts from which a wave branches."""
    return tree(iteration, method) / wave / "reflections.parquet"


def examples(iteration: str, method: str = LEAFE) -> Path:
    """The training examples of an iteration."""
    return Path("data") / home(method, iteration) / iteration / "examples.parquet"


def exploration(iteration: str, method: str = LEAFE) -> Path:
    """The figures of an iteration's exploration."""
    return Path("metrics") / home(method, iteration) / f"{iteration}.exploration.json"


def evaluation(iteration: str, method: str = LEAFE) -> Path:
    """The episodes of an iteration's evaluation."""
    return Path("data") / home(method, iteration) / iteration / "evaluation.parquet"


def policy(iteration: str, method: str = LEAFE) -> Path:
    """The weights that an iteration ends with."""
    return Path("policies") / home(method, iteration) / iteration


def metrics(iteration: str, method: str = LEAFE) -> Path:
    """The figures of an iteration's evaluation."""
    return Path("metrics") / home(method, iteration) / f"{iteration}.json"


def warm_start() -> Path:
    """How fit the base policy is."""
    return Path("metrics/warm_start.json")


def curve(iteration: str, method: str = LEAFE) -> Path:
    """Pass@k against k."""
    return Path("plots") / home(method, iteration) / f"{iteration}.csv"


def loss(iteration: str, method: str = LEAFE) -> Path:
    """Training loss against the step."""
    return Path("plots") / home(method, iteration) / f"{iteration}.loss.csv"


def record(output: Path) -> Path:
    """The record beside an output.

    >>> record(Path("policies/leafe/i1")).name, record(Path("data/w0/episodes.parquet")).name
    ('i1.record.json', 'episodes.record.json')
    """
    return output.with_name(f"{output.name.removesuffix('.parquet')}.record.json")


def seconds(stage: str) -> Path:
    """How long the process of a stage took: outside of what DVC and git keep."""
    return Path(".leafe/seconds") / f"{stage.replace('@', '-')}.txt"
