"""Gymnasium's Taxi in words: how an environment of numbers becomes one of texts.

Taxi-v4 (T. Dietterich, arXiv cs/9905014) has a number as its state and six numbered actions. The
wrapper says what the number means, takes the actions by name, and tells why one did nothing.
"""

from __future__ import annotations

import string
from collections import deque
from typing import Any, cast

import gymnasium
from gymnasium.spaces import Text

MOVES = ("south", "north", "east", "west", "pickup", "dropoff")
"""The actions by their numbers."""
STANDS = ("red", "green", "yellow", "blue")
PLACES = ((0, 0), (0, 4), (4, 0), (4, 3))
"""(row, column) of the stands."""
IN_TAXI = len(STANDS)
LONGEST = 1000


class InWords(gymnasium.Wrapper[str, str, Any, Any]):
    """Taxi as a text environment."""

    actions = MOVES
    instructions = (
        "You drive a taxi on a square of 5 rows and 5 columns, counted from 0 at the north-west. "
        "Fetch the passenger and bring them to where they want to go. Stands: "
        + ", ".join(f"{s} at {r}, {c}" for s, (r, c) in zip(STANDS, PLACES, strict=True))
        + f". Some places have walls between them. Write one of {', '.join(MOVES)} a turn."
    )

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        letters = Text(min_length=0, max_length=LONGEST, charset=string.printable)
        self.action_space = self.observation_space = letters
        self._numbered = env
        self._state = (0, 0, 0, 0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin; the seed decides where all are."""
        state, info = self._numbered.reset(seed=seed, options=options)
        self._state = self._read(state)
        return self._say(), info

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do the one action that the text names."""
        words = action.lower().translate(str.maketrans("", "", string.punctuation)).split()
        named = [move for move in MOVES if move in words]
        if len(named) != 1:
            return f"Not an action: write one of {', '.join(MOVES)}.", 0.0, False, False, {}
        state, reward, terminated, truncated, info = self._numbered.step(MOVES.index(named[0]))
        before, self._state = self._state, self._read(state)
        said = f"{self._say_done(named[0], before)} {self._say()}"
        if terminated:
            said = "You set the passenger down where they wanted to go. Solved."
        return said, float(reward), terminated, truncated, info

    def solve(self) -> list[str]:
        """The fewest actions from here to the end: every state of Taxi leads there."""
        table = self.get_wrapper_attr("P")
        queue: deque[tuple[int, list[str]]] = deque([(int(self.get_wrapper_attr("s")), [])])
        seen: set[int] = set()
        while True:
            state, way = queue.popleft()
            for number, name in enumerate(MOVES):
                [(_, there, _, done)] = table[state][number]
                if done:
                    return [*way, name]
                if there not in seen:
                    seen.add(there)
                    queue.append((there, [*way, name]))

    def _read(self, state: Any) -> tuple[int, int, int, int]:
        """(row, column, where the passenger is, where they want to go)."""
        return cast(tuple[int, int, int, int], tuple(self.get_wrapper_attr("decode")(state)))

    def _say(self) -> str:
        row, column, passenger, wanted = self._state
        at = "in the taxi" if passenger == IN_TAXI else f"at the {STANDS[passenger]} stand"
        return (
            f"You are at {row}, {column}. The passenger is {at} and wants to go to the"
            f" {STANDS[wanted]} stand."
        )

    def _say_done(self, move: str, before: tuple[int, int, int, int]) -> str:
        if self._state != before:
            done = {"pickup": "The passenger gets in.", "dropoff": "The passenger gets out."}
            return done.get(move, f"You go {move}.")
        if move == "pickup":
            inside = before[2] == IN_TAXI
            return "They are in the taxi already." if inside else "Nobody waits here."
        if move == "dropoff":
            inside = before[2] == IN_TAXI
            return "This is no place to get out." if inside else "Nobody is in the taxi."
        return f"You cannot go {move}: a wall is there."


def make_taxi(**options: Any) -> gymnasium.Env[Any, Any]:
    """Taxi-v4 in words."""
    return InWords(gymnasium.make("Taxi-v4", **options))


gymnasium.register(id="leafe/Taxi-v0", entry_point=make_taxi)
