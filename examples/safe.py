"""A safe with three dials: an environment of your own, `env.name: examples.safe:Safe`."""

import re
from itertools import product

from pydantic import BaseModel, Field

from leafe.env import StepResult
from leafe.task import Split, Task, make_task

TRAITS = ("Rome", "Basel", "London", "Utrecht"), ("red", "grey", "white"), ("big", "small")


class SafeOptions(BaseModel, extra="forbid"):
    """What the `env` section may say, beside `name`."""

    numbers: int = Field(5, ge=2, le=9)


class Dials:
    """One safe. It says which way a number is wrong; the second wrong one jams it."""

    def start(self, task: Task) -> str:
        """Each trait gives a dial its number, by a rule that nobody tells."""
        traits, top = task.payload["traits"], task.payload["numbers"]
        self._code, self._wrong = [len(trait) % top + 1 for trait in traits], 0
        return f"A safe: {', '.join(traits)}."

    def step(self, action: str) -> StepResult:
        """Turn the dial that is due."""
        dial, turn = 4 - len(self._code), re.fullmatch(r"turn\(([1-9])\)", action.strip())
        if turn and int(turn[1]) == self._code[0]:
            self._code.pop(0)
            return StepResult(f"Dial {dial} clicks.", float(dial == 3), dial == 3, truncated=False)
        self._wrong += 1
        way = "low" if turn and int(turn[1]) < self._code[0] else "high"
        said = f"Dial {dial} sticks: {turn[1]} is too {way}." if turn else "Write turn(N)."
        return StepResult(said, 0.0, terminated=self._wrong == 2, truncated=False)

    def close(self) -> None:
        """Nothing is held."""


class Safe:
    """All safes. `make` gives a world to play one in: here the class itself."""

    name, options, max_steps, make = "safe", SafeOptions, 4, Dials
    step_timeout, actions = None, ("turn(1)",)

    def __init__(self, chosen: SafeOptions) -> None:
        self._top = chosen.numbers
        self.instructions = f"Set three dials in turn by turn(N), N from 1 to {self._top}."

    def tasks(self, split: Split) -> list[Task]:
        """Every third safe is held out."""
        safes = [s for n, s in enumerate(product(*TRAITS)) if (n % 3 == 1) == (split == "test")]
        return [make_task("safe", split, {"traits": s, "numbers": self._top}) for s in safes]
