"""What holds in a world, and who makes a pattern true.

A fact is a predicate and the things that it is about; a pattern has variables, `?o`, among them.
Invariant: answers come in the order of the facts, so equal facts give equal answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

Fact = tuple[str, ...]
Binding = Mapping[str, str]
"""Variable -> the thing that it stands for."""


class Facts:
    """The facts of one world."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._by_predicate: dict[str, set[Fact]] = {}
        for fact in facts:
            self.add(fact)

    def __contains__(self, fact: Fact) -> bool:
        return fact in self._by_predicate.get(fact[0], ())

    def add(self, fact: Fact) -> None:
        """From now on it holds."""
        self._by_predicate.setdefault(fact[0], set()).add(fact)

    def remove(self, fact: Fact) -> None:
        """From now on it does not hold."""
        self._by_predicate.get(fact[0], set()).discard(fact)

    def matches(self, pattern: Fact, binding: Binding) -> Iterator[Binding]:
        """Every way to make a pattern true that agrees with a binding.

        >>> facts = Facts([("in", "egg", "cup"), ("in", "pea", "cup"), ("in", "cup", "box")])
        >>> [found["?o"] for found in facts.matches(("in", "?o", "?r"), {"?r": "cup"})]
        ['egg', 'pea']
        """
        wanted = tuple(binding.get(part, part) for part in pattern)
        free = [place for place, part in enumerate(wanted) if part.startswith("?")]
        if not free:
            if wanted in self:
                yield binding
            return
        for fact in sorted(self._by_predicate.get(wanted[0], ())):
            found = _unify(wanted, fact, free)
            if found is not None:
                yield {**binding, **found}

    def all_matches(self, patterns: Sequence[Fact], binding: Binding) -> Iterator[Binding]:
        """Every way to make all of them true at once."""
        if not patterns:
            yield binding
            return
        for found in self.matches(patterns[0], binding):
            yield from self.all_matches(patterns[1:], found)


def _unify(wanted: Fact, fact: Fact, free: Sequence[int]) -> dict[str, str] | None:
    """What the free variables stand for, if the fact is of that form."""
    found: dict[str, str] = {}
    for place in free:
        if found.setdefault(wanted[place], fact[place]) != fact[place]:
            return None
    full = tuple(found.get(part, part) for part in wanted)
    return found if full == fact else None
