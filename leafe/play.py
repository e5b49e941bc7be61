"""A person plays an environment, and goes back as a policy does: a fresh world and a replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from leafe.env import Env, Environment
from leafe.errors import BadInput, show_value, visible
from leafe.task import Task

FENCE = "```"
"""Begins and ends what takes several lines."""
HELP = ":back N goes back to step N, :quit ends; anything else is an action."


@dataclass
class Game:
    """One task under way: what was done, and what was said to it."""

    environment: Environment
    task: Task
    actions: list[str] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)
    """o_0 ... o_t: one more than there are actions."""
    ended: str | None = None
    """How it ended; None while it goes on."""
    env: Env = field(init=False)

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.env = self.environment.make()
        self.actions, self.observations, self.ended = [], [self.env.start(self.task)], None

    def act(self, action: str) -> str:
        """Do one action; returns the feedback."""
        result = self.env.step(action)
        self.actions.append(action)
        self.observations.append(result.observation)
        if result.terminated:
            self.ended = "solved" if result.reward >= 1 else "failed"
        elif result.truncated or len(self.actions) >= self.environment.max_steps:
            self.ended = "out of steps"
        return result.observation

    def back(self, step: int) -> str:
        """Roll back to a step; returns what was seen there. ValueError for a step not reached.

        Raises RuntimeError where the replay is told something else than before.
        """
        if not 0 <= step < len(self.observations):
            raise ValueError(f"there is no step {step}; allowed: 0 to {len(self.actions)}")
        actions, seen = self.actions[:step], self.observations[: step + 1]
        self.close()
        self._start()
        for action in actions:
            self.act(action)
        if self.observations != seen:
            raise RuntimeError("the replay was told something else than before")
        return seen[-1]

    def close(self) -> None:
        """Free what the world holds."""
        self.env.close()


def choose_task(tasks: Sequence[Task], wanted: str | None) -> Task:
    """The task with this id, or this start of one; the first where none is wanted."""
    found = [task for task in tasks if task.id.startswith(wanted or "")]
    if not found or (wanted is not None and len(found) > 1):
        count = f"{len(found)} tasks start so" if found else "no task starts so"
        example = f", e.g. {tasks[0].id}" if tasks else ""
        raise BadInput(
            f"--task is {show_value(wanted)}, but {count}; allowed: the id of a task of this"
            f" split or the start of one{example}"
        )
    return found[0]


def play(
    environment: Environment, task: Task, read: Callable[[str], str], say: Callable[[str], None]
) -> None:
    """Let a person play one task until `:quit` or the end of the input."""
    game = Game(environment, task)
    try:
        say(visible(environment.instructions))
        say(f"(e.g. {visible(', '.join(environment.actions[:3]))}. {HELP})\n")
        say(visible(game.observations[0]))
        while (line := _line(read, len(game.actions))) != ":quit":
            if line:
                say(visible(answer(game, line)))
    finally:
        game.close()


def _line(read: Callable[[str], str], step: int) -> str:
    """What a person typed: a line, or all lines of a program, from fence to fence."""
    try:
        lines = [read(f"step {step}> ").strip()]
        if lines[0].startswith(FENCE):
            while lines[-1].strip() != FENCE or len(lines) == 1:
                lines.append(read("... "))
    except EOFError:
        return ":quit"
    return "\n".join(lines)


def answer(game: Game, line: str) -> str:
    """What to say to a line that a person typed."""
    command, _, rest = line.partition(" ")
    if command == ":back":
        try:
            return game.back(int(rest))
        except ValueError as error:
            return str(error) if rest.strip().lstrip("-").isdecimal() else HELP
        except RuntimeError as error:
            return f"cannot go back: {error}"
    if command.startswith(":"):
        return HELP
    if game.ended:
        return f"This attempt has ended: {game.ended}. {HELP}"
    said = game.act(line)
    return f"{said}\n({game.ended} after {len(game.actions)} steps)" if game.ended else said
