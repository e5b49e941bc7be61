"""The stages as DVC knows them: its graph is the only place where their order is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import networkx as nx
from dvc.lock import LockError
from dvc.repo import Repo
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from flows.mending import mend
from leafe.errors import BadInput


@dataclass(frozen=True)
class Node:
    """A stage of the pipeline."""

    name: str
    """As DVC addresses it, e.g. `reflect@i1-w2`."""
    needs: frozenset[str]
    """All stages that it depends on, near and far."""
    changed: bool
    """Whether DVC finds it out of date; a stage may become so when one that it needs has run."""


@retry(
    # another dvc command holds the project for a moment
    retry=retry_if_exception_type(LockError),
    wait=wait_exponential(max=10),
    stop=stop_after_delay(60),
    reraise=True,
)
def read_stages() -> list[Node]:
    """Every stage, each after what it needs, with what DVC says of its state.

    Where several could go next, the one on which least depends goes first: a policy is measured
    before the next iteration starts. Raises LockError where DVC stays busy.
    """
    mend()
    # Signals come to the main thread alone: an interrupt waits for DVC, which would leave its
    # table of locks half written.
    with ThreadPoolExecutor(max_workers=1) as thread:
        graph, changed = thread.submit(_ask_dvc).result()

    def rank(name: str) -> tuple[int, str]:
        return len(nx.ancestors(graph, name)), name

    # an edge of DVC's graph points from a stage to what it needs
    order = nx.lexicographical_topological_sort(graph.reverse(), key=rank)
    return [
        Node(name, frozenset(nx.descendants(graph, name)), changed=name in changed)
        for name in order
    ]


def _ask_dvc() -> tuple[nx.DiGraph[str], Collection[str]]:
    """DVC's graph of the stages by name, and those that are out of date."""
    with Repo() as repo:
        graph = nx.relabel_nodes(repo.index.graph, lambda stage: stage.addressing)
        return graph, repo.status()


def select(nodes: Sequence[Node], targets: Sequence[str] | None) -> list[Node]:
    """The nodes named by targets, in order; None is all. BadInput for a name that fits none.

    >>> nodes = [Node("sft@i1", frozenset(), False), Node("sft@i2", frozenset({"sft@i1"}), False)]
    >>> [node.name for node in select(nodes, ["sft@i2"])], len(select(nodes, ["sft"]))
    (['sft@i2'], 2)
    """
    if targets is None:
        return list(nodes)
    for target in targets:
        if not any(target in _names(node) for node in nodes):
            allowed = ", ".join(sorted(set().union(*map(_names, nodes))))
            raise BadInput(f"targets: {target!r} is no stage of dvc.yaml; allowed: {allowed}")
    return [node for node in nodes if not _names(node).isdisjoint(targets)]


def _names(node: Node) -> set[str]:
    """Its own name, and that of its kind, e.g. `sft`."""
    return {node.name, node.name.partition("@")[0]}
