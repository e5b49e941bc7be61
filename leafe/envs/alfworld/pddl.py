"""PDDL: the text of a domain or a problem as nested lists, and a problem as a value.

Names are in lower case: PDDL does not tell cases apart. What a problem says is checked before it is
believed: declared names, predicates of the domain, and a goal made of and, or, not, exists and =.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

from leafe.envs.alfworld.facts import Fact
from leafe.errors import show_value

Expression: TypeAlias = Any
"""A word, or a list of expressions."""

TOKEN = re.compile(r"[()]|[^\s()]+")
NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,199}")
"""A thing; the planner has room for names of that length."""
DEEPEST = 30
"""Lists within lists."""


@dataclass(frozen=True)
class Problem:
    """A scene and a goal."""

    objects: Mapping[str, str]
    """Thing -> its type."""
    init: tuple[Fact, ...]
    """What holds at first."""
    goal: Expression

    @property
    def facts(self) -> list[Fact]:
        """What holds at first, and what is of which type."""
        return [*self.init, *((kind, name) for name, kind in self.objects.items())]

    @property
    def agent(self) -> str:
        """The one who acts."""
        return next(name for name, kind in self.objects.items() if kind == "agent")


def parse(text: str) -> list[Expression]:
    """The lists of a text; ValueError where its brackets do not match.

    >>> parse("(at ?a (Loc 1)) ; a comment")
    [['at', '?a', ['loc', '1']]]
    """
    stack: list[list[Expression]] = [[]]
    for token in TOKEN.findall(re.sub(r";[^\n]*", "", text).lower()):
        if token == "(":
            stack.append([])
        elif token == ")" and len(stack) > 1:
            closed = stack.pop()
            stack[-1].append(closed)
        elif token == ")":
            raise ValueError("a bracket closes that was not opened")
        else:
            stack[-1].append(token)
        if len(stack) > DEEPEST:
            raise ValueError(f"there are more than {DEEPEST} lists within lists")
    if len(stack) > 1:
        raise ValueError("a bracket is not closed")
    return stack[0]


def section(lists: Expression, keyword: str) -> list[Expression]:
    """What follows a keyword in the list that begins with it; ValueError where none does.

    >>> section(["define", [":init", ["at", "a", "b"]]], ":init")
    [['at', 'a', 'b']]
    """
    for part in lists:
        if isinstance(part, list) and part[:1] == [keyword]:
            return part[1:]
    raise ValueError(f"it has no {keyword}")


def typed(words: list[Expression]) -> Iterator[tuple[str, str]]:
    """The names of a list with their types; ValueError where one has none.

    >>> [*typed(["a", "b", "-", "object", "c", "-", "agent"])]
    [('a', 'object'), ('b', 'object'), ('c', 'agent')]
    """
    waiting: list[str] = []
    left = iter(words)
    for word in left:
        if not isinstance(word, str):
            raise ValueError("a list stands where a name should")
        if word == "-":
            kind = str(next(left, ""))
            yield from ((name, kind) for name in waiting)
            waiting = []
        else:
            waiting.append(word)
    if waiting:
        raise ValueError(f"{show_value(waiting[0])} has no type")


def read_problem(text: str, arity: Mapping[str, int]) -> Problem:
    """A problem of a domain with these predicates; ValueError says what is wrong with it.

    The first agent acts. What is said of others, who would stand idle, is left out.
    """
    whole = parse(text)[-1:]
    lists = whole[0] if whole else []
    objects = dict(typed(section(lists, ":objects")))
    if wrong := [name for name in objects if not NAME.fullmatch(name)]:
        raise ValueError(f"{show_value(wrong[0])} is no name")
    agents = [name for name, kind in objects.items() if kind == "agent"]
    if not agents:
        raise ValueError("it declares no agent")
    idle = set(agents[1:])
    stated = [part for part in section(lists, ":init") if part[:1] != ["="]]  # costs, distances
    facts = [_fact(part, objects.keys(), arity) for part in stated]
    goal = section(lists, ":goal")
    if len(goal) != 1:
        raise ValueError("its goal does not have one part")
    acting = {name: kind for name, kind in objects.items() if name not in idle}
    _check_goal(goal[0], acting.keys(), arity)
    init = dict.fromkeys(fact for fact in facts if not idle.intersection(fact))
    return Problem(acting, tuple(init), goal[0])


def _fact(part: Expression, names: AbstractSet[str], arity: Mapping[str, int]) -> Fact:
    """A fact about these names."""
    if not isinstance(part, list) or not all(isinstance(word, str) for word in part):
        raise ValueError(f"{show_value(part)} stands where a fact should")
    if not part or arity.get(part[0]) != len(part) - 1:
        raise ValueError(f"{show_value(' '.join(part))} is no fact of this domain")
    if strange := [word for word in part[1:] if word not in names]:
        raise ValueError(f"{show_value(strange[0])} is not declared")
    return tuple(part)


def _check_goal(goal: Expression, names: AbstractSet[str], arity: Mapping[str, int]) -> None:
    match goal:
        case ["and" | "or", *parts]:
            for part in parts:
                _check_goal(part, names, arity)
        case ["not", part]:
            _check_goal(part, names, arity)
        case ["exists", [*variables], part]:
            _check_goal(part, names | {name for name, _ in typed(variables)}, arity)
        case ["=", str(), str()]:
            pass
        case _:
            _fact(goal, names, arity)


def write_problem(problem: Problem) -> str:
    """The text of a problem."""
    objects = "\n".join(f"        {name} - {kind}" for name, kind in problem.objects.items())
    init = "\n".join(f"        {_write([*fact])}" for fact in problem.init)
    return (
        "(define (problem scene)\n    (:domain alfred)\n"
        f"    (:objects\n{objects}\n    )\n    (:init\n{init}\n    )\n"
        f"    (:goal {_write(problem.goal)})\n)\n"
    )


def _write(part: Expression) -> str:
    return part if isinstance(part, str) else f"({' '.join(map(_write, part))})"
