"""Chains: iterations and waves are entries that name their predecessors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from leafe.errors import BadInput

ROOTS = "w0"
"""The wave before the first: the root episodes."""


class Link(Protocol):
    """An entry of a chain."""

    @property
    def prev(self) -> str:
        """The entry that it follows."""
        ...


def chain(name: str, entries: Mapping[str, Link], first: str) -> list[str]:
    """The entries in order, each after its predecessor; BadInput for a gap, fork or cycle.

    >>> from leafe.sections import Wave
    >>> chain("waves", {"w2": Wave(prev="w1"), "w1": Wave(prev="w0")}, "w0")
    ['w1', 'w2']
    """
    if first in entries:
        raise BadInput(f"params.yaml: {name}.{first} must not be listed: it is where all start")
    for key, entry in entries.items():
        if entry.prev != first and entry.prev not in entries:
            allowed = ", ".join([first, *(other for other in entries if other != key)])
            raise BadInput(
                f"params.yaml: {name}.{key}.prev is {entry.prev!r}, which does not exist;"
                f" allowed: {allowed}"
            )
    order: list[str] = []
    at = first
    while len(order) < len(entries):
        after = [key for key, entry in entries.items() if entry.prev == at]
        if len(after) > 1:
            raise BadInput(
                f"params.yaml: {name}: {' and '.join(after)} both have prev {at!r};"
                " each entry must follow a different one"
            )
        if not after:
            left = [key for key in entries if key not in order]
            raise BadInput(
                f"params.yaml: {name}: the prev of {', '.join(left)} go round in a cycle;"
                f" the chain must start at {first}"
            )
        at = after[0]
        order.append(at)
    return order
