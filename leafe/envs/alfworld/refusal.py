"""Why nothing happens: in words, and no more than the agent can see.

ALFWorld says "Nothing happens." to whatever cannot be done. What lies where the agent has not
looked stays untold: a thing that is elsewhere is refused like one that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from leafe.envs.alfworld.game import Game, read_command

VERBS = (
    "go to <receptacle>, open <receptacle>, close <receptacle>, take <object> from <receptacle>, "
    "move <object> to <receptacle>, use <object>, heat <object> with <receptacle>, "
    "cool <object> with <receptacle>, clean <object> with <receptacle>, "
    "slice <object> with <object>, examine <receptacle or object>, inventory, look"
)
NOT_AN_ACTION = f"Not an action: write one of {VERBS}."
BAD_NAME = "Not the name of a thing: it is a kind and a number, like cabinet 1."
NAME = re.compile(r"[a-z]{1,30} \d{1,3}")
"""What things are called; nothing else of an action is repeated."""

Reasons = Iterator[str]
"""All that is in the way of an action; the first is said."""


def say_why(game: Game, command: str) -> str:
    """A sentence on why a command did nothing."""
    for action, words in read_command(command):
        if not all(NAME.fullmatch(word) for word in words.values()):
            return BAD_NAME
        if action.name in REASONS:
            named = {variable.removeprefix("?"): word for variable, word in words.items()}
            return next(REASONS[action.name](View(game), **named))
    return NOT_AN_ACTION


class View:
    """What the agent knows of the scene."""

    def __init__(self, game: Game) -> None:
        self._game = game

    def holds(self, what: str, *names: str) -> bool:
        """Whether a fact about things holds."""
        return (what, *map(self._game.thing, names)) in self._game.facts

    @property
    def held(self) -> str:
        """What the agent carries; empty where it is nothing."""
        pattern = ("holds", self._game.problem.agent, "?o")
        found = next(self._game.facts.matches(pattern, {}), None)
        return self._game.names[found["?o"]] if found else ""

    def is_near(self, receptacle: str) -> bool:
        """Whether the agent stands before it."""
        at = ("atlocation", self._game.problem.agent, "?l")
        there = ("receptacleatlocation", self._game.thing(receptacle), "?l")
        return any(True for _ in self._game.facts.all_matches((at, there), {}))

    def is_shut(self, receptacle: str) -> bool:
        """Whether its door is closed."""
        return self.holds("openable", receptacle) and not self.holds("opened", receptacle)

    def sees(self, thing: str) -> bool:
        """Whether an object is in the agent's hand, or lies before it in the open."""
        inside = ("inreceptacle", self._game.thing(thing), "?r")
        places = (self._game.names[found["?r"]] for found in self._game.facts.matches(inside, {}))
        open_here = any(self.is_near(place) and not self.is_shut(place) for place in places)
        return open_here or thing == self.held


def _out_of_reach(view: View, receptacle: str) -> Reasons:
    if not view.holds("receptacle", receptacle):
        yield f"There is no {receptacle} in this room."
    if not view.is_near(receptacle):
        yield f"You are not at the {receptacle}: go to {receptacle} first."


def _shut(view: View, receptacle: str) -> Reasons:
    if view.is_shut(receptacle):
        yield f"The {receptacle} is closed: open {receptacle} first."


def _not_held(view: View, thing: str) -> Reasons:
    if view.held != thing:
        yield f"You do not carry the {thing}: take it first."


def _go(view: View, r: str) -> Reasons:
    if view.is_near(r):
        yield f"You are at the {r} already: examine {r} to look at it."
    yield f"There is no {r} in this room."


def _open(view: View, r: str) -> Reasons:
    yield from _out_of_reach(view, r)
    yield f"The {r} is open already." if view.holds("opened", r) else f"The {r} cannot be opened."


def _close(view: View, r: str) -> Reasons:
    yield from _out_of_reach(view, r)
    yield f"The {r} is closed already." if view.is_shut(r) else f"The {r} cannot be closed."


def _take(view: View, o: str, r: str) -> Reasons:
    if view.held:
        yield f"You carry the {view.held}: move it to a receptacle first."
    yield from _out_of_reach(view, r)
    yield from _shut(view, r)
    if not view.holds("inreceptacle", o, r):
        yield f"There is no {o} in or on the {r}."
    yield f"The {o} cannot be taken."


def _move(view: View, o: str, r: str) -> Reasons:
    yield from _not_held(view, o)
    yield from _out_of_reach(view, r)
    yield from _shut(view, r)
    yield f"The {o} does not belong in or on the {r}."


def _change(done: str, where: str) -> Callable[..., Reasons]:
    def reasons(view: View, o: str, r: str) -> Reasons:
        yield from _not_held(view, o)
        yield from _out_of_reach(view, r)
        if not r.startswith(f"{where} "):
            yield f"Nothing is {done} with the {r}: a {where} is needed."
        yield f"The {o} cannot be {done}."

    return reasons


def _use(view: View, o: str) -> Reasons:
    yield f"The {o} has no switch." if view.sees(o) else f"You see no {o} here."


def _slice(view: View, co: str, ko: str) -> Reasons:
    yield from _not_held(view, ko)
    if not ko.startswith(("knife ", "butterknife ")):
        yield f"Nothing is sliced with the {ko}: a knife is needed."
    yield f"The {co} cannot be sliced." if view.sees(co) else f"You see no {co} here."


def _examine(view: View, r: str) -> Reasons:
    if view.holds("receptacle", r):
        yield from _out_of_reach(view, r)
    if view.sees(r):
        yield f"Only what you carry can be examined: take {r} first."
    yield f"You see no {r} here."


REASONS: dict[str, Callable[..., Reasons]] = {
    "gotolocation": _go,
    "openobject": _open,
    "closeobject": _close,
    "pickupobject": _take,
    "putobject": _move,
    "heatobject": _change("heated", "microwave"),
    "coolobject": _change("cooled", "fridge"),
    "cleanobject": _change("cleaned", "sinkbasin"),
    "toggleobject": _use,
    "sliceobject": _slice,
    "examinereceptacle": _examine,
}
"""Action -> what may be in its way; what is said of objects is said with receptacles, too."""
