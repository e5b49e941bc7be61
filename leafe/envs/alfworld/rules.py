"""The actions of a PDDL domain: when each can be done, and what it changes.

Understood is what the packaged domain and the goals of its tasks are made of: facts, and, or, not,
exists, =, and effects with a condition. Costs are passed over. A type is a fact about its things. A
fact that no longer holds leaves its opposite, `not_` and its name, as in TextWorld: the packaged
grammar asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from leafe.envs.alfworld.facts import Binding, Fact, Facts
from leafe.envs.alfworld.pddl import Expression, parse, section, typed


@dataclass(frozen=True)
class Action:
    """One kind of action."""

    name: str
    parameters: tuple[str, ...]
    """Its variables, in the planner's order."""
    condition: Expression
    effects: tuple[Expression, ...]

    def ways(self, facts: Facts, given: Binding) -> Iterator[Binding]:
        """Every way to do it with the things that are given, some perhaps more than once.

        A way that brings about only what its condition demands is none: planners drop it, so in
        ALFWorld nobody can go where they are.
        """
        for way in satisfying(self.condition, facts, given):
            changes = dict(self.changes(facts, way))
            if not all(changes.values()) or not changes.keys() <= self._demanded(way):
                yield way

    def _demanded(self, way: Binding) -> set[Fact]:
        plain = (part for part in self.condition[1:] if part[0] not in (*OPEN, "and", "exists"))
        return {_about(part, way) for part in plain}

    def changes(self, facts: Facts, way: Binding) -> Iterator[tuple[Fact, bool]]:
        """(fact, whether it holds afterwards); what is both removed and added is added."""
        told = [*_happening(self.effects, facts, way)]
        added = {fact for fact, holds in told if holds}
        return ((fact, holds) for fact, holds in told if holds or fact not in added)

    def do(self, facts: Facts, way: Binding) -> None:
        """Do it: all effects at once."""
        for fact, holds in [*self.changes(facts, way)]:
            opposite = (f"not_{fact[0]}", *fact[1:])
            gone, come = (opposite, fact) if holds else (fact, opposite)
            facts.remove(gone)
            facts.add(come)


@dataclass(frozen=True)
class Rules:
    """A domain."""

    actions: Mapping[str, Action]
    """By their names."""
    arity: Mapping[str, int]
    """Predicate -> how many things it is about."""


def read_rules(text: str) -> Rules:
    """The rules of a PDDL domain."""
    [domain] = parse(text)
    actions = [_action(part[1], part[2:]) for part in domain if part[0] == ":action"]
    predicates = section(domain, ":predicates")
    return Rules(
        {action.name: action for action in actions},
        {name: sum(word.startswith("?") for word in about) for name, *about in predicates},
    )


def _action(name: str, parts: list[Expression]) -> Action:
    by_keyword = dict(zip(parts[::2], parts[1::2], strict=True))
    parameters, condition = by_keyword[":parameters"], by_keyword[":precondition"]
    plain = condition[1:] if condition[:1] == ["and"] else [condition] if condition else []
    return Action(
        name,
        tuple(variable for variable, _ in typed(parameters)),
        ["and", *plain, *_types(parameters)],
        tuple(by_keyword[":effect"][1:]),
    )


OPEN = ("or", "not", "=")
"""Conditions that are asked last: by then the others have bound their variables."""


def satisfying(condition: Expression, facts: Facts, binding: Binding) -> Iterator[Binding]:
    """Every way to make a condition true that agrees with a binding."""
    match condition:
        case ["and", *parts]:
            yield from _all(sorted(parts, key=lambda part: part[0] in OPEN), facts, binding)
        case ["or", *parts]:
            yield from chain.from_iterable(satisfying(part, facts, binding) for part in parts)
        case ["not", part]:
            yield from () if holds(part, facts, binding) else (binding,)
        case ["=", one, other]:
            yield from (binding,) if binding[one] == binding[other] else ()
        case ["exists", variables, part]:
            yield from _existing(variables, part, facts, binding)
        case pattern:
            yield from facts.matches(tuple(pattern), binding)


def holds(condition: Expression, facts: Facts, binding: Binding) -> bool:
    """Whether a condition can be made true."""
    return any(True for _ in satisfying(condition, facts, binding))


def _all(conditions: list[Expression], facts: Facts, binding: Binding) -> Iterator[Binding]:
    if not conditions:
        yield binding
        return
    for found in satisfying(conditions[0], facts, binding):
        yield from _all(conditions[1:], facts, found)


def _existing(
    variables: list[Expression], part: Expression, facts: Facts, binding: Binding
) -> Iterator[Binding]:
    own = {name for name, _ in typed(variables)}
    inside = ["and", part, *_types(variables)]
    for found in satisfying(inside, facts, _without(own, binding)):
        yield {**binding, **_without(own, found)}


def _types(variables: list[Expression]) -> list[Expression]:
    return [[kind, variable] for variable, kind in typed(variables)]


def _without(names: set[str], binding: Binding) -> Binding:
    return {name: thing for name, thing in binding.items() if name not in names}


def _happening(
    effects: Iterable[Expression], facts: Facts, way: Binding
) -> Iterator[tuple[Fact, bool]]:
    for effect in effects:
        match effect:
            case ["increase", *_]:
                pass
            case ["when", condition, part]:
                if holds(condition, facts, way):
                    yield from _happening([part], facts, way)
            case ["not", pattern]:
                yield _about(pattern, way), False
            case pattern:
                yield _about(pattern, way), True


def _about(pattern: Expression, way: Binding) -> Fact:
    return tuple(way.get(word, word) for word in pattern)
