"""One scene being played: commands in, the words of ALFWorld out.

A text game as TextWorld plays it on the same files, word for word; a test plays both. TextWorld
grounds all actions after each step and keeps a planner open for each world.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from leafe.envs.alfworld import packaged
from leafe.envs.alfworld.facts import Binding, Facts
from leafe.envs.alfworld.grammar import Grammar
from leafe.envs.alfworld.pddl import Problem
from leafe.envs.alfworld.rules import Action, Rules, holds, read_rules

NOTHING = "Nothing happens."
"""ALFWorld's answer to whatever cannot be done."""
UNTOLD = "UNKNOWN GOAL"
"""Where the packaged grammar leaves room for the task."""
IN_BRACES = re.compile(r"\{(\w+)\}")


@cache
def rules() -> Rules:
    """The rules of the household."""
    return read_rules(packaged.domain())


@cache
def grammar() -> Grammar:
    """Its words."""
    return Grammar(packaged.grammar())


class Game:
    """The state of one scene."""

    def __init__(self, problem: Problem, wish: str) -> None:
        self.problem, self._wish = problem, wish
        self.facts = Facts(problem.facts)
        self.names = name_things(part for fact in problem.init for part in fact[1:])
        self._things = {name: thing for thing, name in self.names.items()}
        self._me = {"?a": problem.agent}

    @property
    def won(self) -> bool:
        """Whether the goal is reached."""
        return holds(self.problem.goal, self.facts, {})

    def begin(self) -> str:
        """The first words: what there is, and what is asked for."""
        intro = grammar().say("intro", self.facts, {}, self.names)
        return intro.replace(UNTOLD, self._wish)

    def act(self, command: str) -> str:
        """Do what a command says, if it can be done."""
        for action, words in read_command(command):
            given = {variable: self.thing(word) for variable, word in words.items()}
            way = next(action.ways(self.facts, {**given, **self._me}), None)
            if way is not None:
                action.do(self.facts, way)
                answer = grammar().wordings[action.name].answer
                return grammar().say(answer, self.facts, way, self.names)
        return NOTHING

    def thing(self, name: str) -> str:
        """What is called so; a name that nothing has stands for itself."""
        return self._things.get(name, name)

    def admissible(self) -> list[str]:
        """Every command that would be done now."""
        return sorted(
            {
                self.command(action, way)
                for action in rules().actions.values()
                for way in action.ways(self.facts, self._me)
            }
        )

    def command(self, action: Action, way: Binding) -> str:
        """The command for an action with these things."""
        pattern = grammar().wordings[action.name].command
        return IN_BRACES.sub(lambda found: self.names[way[f"?{found[1]}"]], pattern)

    def commands(self, plan: Iterable[str]) -> list[str]:
        """The commands for a plan, whose steps are actions with their things."""
        steps = ((rules().actions[name], things) for name, *things in map(str.split, plan))
        return [
            self.command(action, dict(zip(action.parameters, things, strict=True)))
            for action, things in steps
        ]


def name_things(things: Iterable[str]) -> dict[str, str]:
    """What ALFWorld calls things: their kind and a number, the last of the alphabet being 1.

    >>> name_things(["cup_bar_b", "cup_bar_a", "sink_bar_a_bar_sinkbasin"])
    {'cup_bar_a': 'cup 2', 'cup_bar_b': 'cup 1', 'sink_bar_a_bar_sinkbasin': 'sinkbasin 1'}
    """
    different = sorted({*things})
    left = Counter(map(_kind, different))
    names = {}
    for thing in different:
        kind = _kind(thing)
        names[thing] = f"{kind} {left[kind]}"
        left[kind] -= 1
    return names


def _kind(thing: str) -> str:
    return thing.partition("_bar_")[0] + "basin" * ("basin" in thing)


def read_command(text: str) -> Iterator[tuple[Action, Mapping[str, str]]]:
    """The kinds of action that a command may be, with the names that it gives to their variables.

    >>> [(action.name, words) for action, words in read_command("open drawer 1")]
    [('openobject', {'?r': 'drawer 1'})]
    """
    for pattern, action in _patterns():
        found = pattern.fullmatch(text)
        if found:
            yield action, {f"?{variable}": name for variable, name in found.groupdict().items()}


@cache
def _patterns() -> list[tuple[re.Pattern[str], Action]]:
    known = rules().actions.keys() & grammar().wordings.keys()
    return [
        (re.compile(IN_BRACES.sub(r"(?P<\1>\\S.*)", grammar().wordings[name].command)), action)
        for name, action in rules().actions.items()
        if name in known
    ]
