"""How one cooks who reads a recipe well and does not keep to it: warm-start lessons.

The games are others than those that the pupil will be put before, and in every lesson their foods
and their cuts bear each other's names, so that a few games give many recipes. The cook knows the
order of things, but heats and cuts by habit, and sometimes does whatever a kitchen suggests.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count as numbers
from typing import TYPE_CHECKING

from leafe.env import Env, Lesson, StepResult
from leafe.envs.teaching import lessons_on
from leafe.envs.textworld import games
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.seeds import seed_from
from leafe.task import Task

if TYPE_CHECKING:
    from leafe.envs.textworld import TextWorld

LESSON_GAMES = 100
ORDERLY = 0.85
"""Share of commands that the meal wants next; the others are whatever a kitchen suggests."""
HABIT = 0.9
"""Share of heats and cuts in any way, whatever the recipe says of it."""
NOTES_FOLLOWED = 0.97
READ = "examine cookbook"
RECIPE = "Recipe #1"
LOST, WON = "*** You lost! ***", "*** The End ***"
CUTS = ("slice", "dice", "chop")
STOVES = ("oven", "stove")
FOODS = (
    *("red tuna", "white tuna", "pork chop", "block of cheese", "lettuce", "carrot", "tomato"),
    *("banana", "red apple", "yellow apple", "green apple", "cilantro", "parsley"),
    *("red onion", "white onion", "yellow onion"),
    *("red potato", "yellow potato", "purple potato", "red hot pepper", "green hot pepper"),
    *("red bell pepper", "yellow bell pepper", "green bell pepper"),
)
"""Foods that can be heated or cut, and whose names take the same article."""
DONE = ("take", *CUTS, "roasted", "fried", "grilled")
LED_ON = re.compile(rf"You ({'|'.join(DONE)}) |You open the copy|Adding |You eat the meal")
"""What is said to a command that does something for the meal."""


def fault(observations: Sequence[str], actions: Sequence[str]) -> int | None:
    """The step that lost the game, or else the first that led nowhere; None where all went well."""
    if LOST in observations[-1]:
        return len(actions) - 1
    if WON in observations[-1]:
        return None
    for step, said in enumerate(observations[1:]):
        if not LED_ON.match(said) or (
            actions[step] == READ and RECIPE in "".join(observations[: step + 1])
        ):
            return step
    return None


def lessons(count: int, seed: int, family: TextWorld) -> Iterator[Lesson]:
    """At least `count` lessons, each game in turn; BadInput where they would be of other games."""
    options = family.settings
    if options.challenge != "cooking" or options.rooms > 1:
        raise BadInput(
            f"{PARAMS_FILE}: model.path is null, but there are no lessons on {options.challenge}"
            f" with env.rooms {options.rooms}: only on cooking in one room; set model.path"
        )
    rng = random.Random(seed_from("lessons", seed))
    changed = {"seed": seed, "games": None, "train_tasks": LESSON_GAMES, "test_tasks": 1}
    tasks = type(family)(options.model_copy(update=changed)).tasks("train")
    games.compile_all(tasks, "games of the lessons")
    made = 0
    for n in numbers():
        if made >= count:
            return
        task = tasks[n % len(tasks)]
        for lesson in lessons_on(task, *_renamed(task, family, rng), rng):
            made += 1
            yield lesson


def _renamed(task: Task, family: TextWorld, rng: random.Random) -> tuple[Renamed, Cook]:
    """A game under other names, and one who cooks there."""
    game = family.file(task)
    foods = [name for name in games.things(game) if name in FOODS]
    names = dict(zip(foods, rng.sample(FOODS, len(foods)), strict=True))
    names |= dict(zip(CUTS, rng.sample(CUTS, len(CUTS)), strict=True))
    renamed = Renamed(family, names)
    needed = [renamed.told(command) for command in _needed(games.walkthrough(game))]
    return renamed, Cook(needed, [names[food] for food in foods], rng)


def _needed(walkthrough: Sequence[str]) -> list[str]:
    """What wins, each once, and things taken wherever they are: no looking, nothing put down."""
    short = (command.partition(" from ")[0] for command in walkthrough)
    verbs = {"take", "cook", "prepare", "eat", *CUTS}
    return list(dict.fromkeys(command for command in short if command.split()[0] in verbs))


class Renamed:
    """A game in which some words stand for each other."""

    def __init__(self, family: TextWorld, names: Mapping[str, str]) -> None:
        self._family, self.max_steps = family, family.max_steps
        self._names = names
        self._back = {new: old for old, new in names.items()}

    def told(self, text: str) -> str:
        """What the game says, in the other words."""
        return _swap(text, self._names)

    def make(self) -> Env:
        """A fresh game."""
        return RenamedEnv(self, self._family.make())

    def meant(self, text: str) -> str:
        """What is said to the game, in its own words."""
        return _swap(text, self._back)


class RenamedEnv:
    """One such game."""

    def __init__(self, world: Renamed, env: Env) -> None:
        self._world, self._env = world, env

    def start(self, task: Task) -> str:
        """Begin it."""
        return self._world.told(self._env.start(task))

    def step(self, action: str) -> StepResult:
        """Give one command."""
        result = self._env.step(self._world.meant(action))
        said = self._world.told(result.observation)
        return StepResult(said, result.reward, result.terminated, result.truncated)

    def close(self) -> None:
        """End it."""
        self._env.close()


def _swap(text: str, names: Mapping[str, str]) -> str:
    """Whole words, and words with an ending: `dice` in `diced`, as `slice` in `sliced`."""
    longest = sorted(names, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest)), lambda found: names[found.group()], text)


class Cook:
    """Plays one game."""

    def __init__(self, needed: Sequence[str], foods: Sequence[str], rng: random.Random) -> None:
        self._needed, self._foods, self._rng = needed, foods, rng

    def fault(self, observations: Sequence[str], actions: Sequence[str]) -> int | None:
        """As anyone sees it."""
        return fault(observations, actions)

    def write_note(self, observations: Sequence[str], actions: Sequence[str], step: int) -> str:
        """Not that, but what the recipe says of the same food; else something that leads on."""
        leads_on = self._leads_on(observations[: step + 1], actions[:step])
        words = set(actions[step].split())
        best = max(leads_on, key=lambda command: len(words & set(command.split())))
        return f"not {actions[step]}, but {best}."

    def move(
        self, observations: Sequence[str], actions: Sequence[str], notes: Mapping[int, str]
    ) -> str:
        """A note's command, one that leads on, perhaps done by habit, or whatever."""
        noted = re.search(r", but (.+)\.", notes.get(len(actions), ""))
        if noted and self._rng.random() < NOTES_FOLLOWED:
            return noted.group(1)
        if self._rng.random() >= ORDERLY:
            return self._whatever()
        command = self._rng.choice(self._leads_on(observations, actions))
        return self._by_habit(command) if self._rng.random() < HABIT else command

    def _by_habit(self, command: str) -> str:
        """The same with the first best stove or cut."""
        verb, _, food = command.partition(" ")
        if verb == "cook":
            return f"{command.rpartition(' ')[0]} {self._rng.choice(STOVES)}"
        return f"{self._rng.choice(CUTS)} {food}" if verb in CUTS else command

    def _leads_on(self, observations: Sequence[str], actions: Sequence[str]) -> list[str]:
        """The commands of the walkthrough that can be given now."""
        if not any(RECIPE in said for said in observations):
            return [READ]
        told = list(zip(actions, observations[1:], strict=True))
        done = {action for action, said in told if LED_ON.match(said)}
        taken = {c for c in self._needed if any(_took(c, said) for _, said in told)}
        todo = [command for command in self._needed if command not in done | taken]
        *before, _, last = self._needed
        ready = [c for c in todo if c in before and _takes(c, before) <= taken]
        return ready or todo[:1] or [last]

    def _whatever(self) -> str:
        rng = self._rng
        food = rng.choice(self._foods)
        heat = f"cook {food} with {rng.choice(STOVES)}"
        cut = f"{rng.choice(CUTS)} {food} with knife"
        idle = rng.choice(["look", "inventory", READ, f"examine {food}", "prepare meal"])
        return rng.choice([heat, cut, heat, cut, idle, f"take {food}", f"eat {food}"])


def _took(command: str, said: str) -> bool:
    """Whether that is said to a command that takes the same thing, in whatever words."""
    return command.startswith("take ") and said.startswith(f"You take the {_thing(command)} ")


def _thing(command: str) -> str:
    """What a command takes."""
    return command.removeprefix("take ")


def _takes(command: str, needed: Sequence[str]) -> set[str]:
    """The commands that take what this one is about."""
    if command.startswith("take "):
        return set()
    takes = (c for c in needed if c.startswith("take "))
    return {c for c in takes if f" {_thing(c)} " in f"{command} "}
