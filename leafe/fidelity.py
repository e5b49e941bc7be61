"""Does an environment keep the promises of its port? Played, not assumed.

Going back is replay, so an environment is only as good as its replays are exact. And what a model
writes is any text at all: each must be answered in words.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from leafe.env import Builder, Env, Environment, Solver, StepResult
from leafe.seeds import seed_from
from leafe.task import Task
from leafe.text import storable

JUNK = {
    "nothing": "",
    "spaces": " \n\t ",
    "200 kB": "x" * 200_000,
    "NUL": "\0",
    "a lone surrogate": "\ud800",
    "control tokens": "<|im_end|><|end|><|assistant|></s>[INST]",
    "other scripts": "заверить 验证 تحقق ✅",
    "an escape": "\x1b[31m\u202e",
    "many lines": "\n".join("ab" * 50),
}
"""Texts that are no action anywhere."""


@dataclass
class Clock:
    """Seconds by what they were spent on."""

    reset: list[float] = field(default_factory=list)
    """A fresh world and its first observation."""
    step: list[float] = field(default_factory=list)
    """One action."""
    rollback: list[float] = field(default_factory=list)
    """A fresh world, brought to some step of a walk."""


@dataclass(frozen=True)
class Fidelity:
    """What was found out about one environment."""

    name: str
    train_tasks: int
    test_tasks: int
    reset_ms: float
    """Means over all that was played."""
    step_ms: float
    rollback_ms: float
    """To a step in the middle, on average."""
    solved: int | None
    """Tasks that their known solutions solve; None where the environment knows no solutions."""
    tried: int
    """Tasks whose solutions were played."""
    walks: int
    """Random walks that were replayed from a random step."""
    faults: tuple[str, ...]
    """Every broken promise, in a sentence."""

    @property
    def passed(self) -> bool:
        """Whether no promise was found broken."""
        return not self.faults


def check(environment: Environment, *, tasks: int, walks: int, seed: int = 0) -> Fidelity:
    """Play an environment: known solutions of some tasks, then walks and replays, then junk.

    `tasks` are solved, from both splits alike; each walk goes to a random one of them.
    """
    train, test = environment.tasks("train"), environment.tasks("test")
    rng = random.Random(seed_from("fidelity", environment.name, seed))
    chosen = [*_some(train, tasks - tasks // 2, rng), *_some(test, tasks // 2, rng)]
    if isinstance(environment, Builder):
        environment.build(chosen, None)
    clock = Clock()
    solutions = [_kept(f"task {t.id}", check_solution, environment, t, clock) for t in chosen]
    unsolved = [fault for fault in solutions if fault]
    walked = (rng.choice(chosen) for _ in range(walks))
    faults = [
        *unsolved,
        *(_kept(f"task {t.id}", check_replay, environment, t, clock, rng) for t in walked),
        *(_kept(f"{n} as an action", check_junk, environment, chosen[0], n) for n in JUNK),
    ]
    return Fidelity(
        environment.name,
        len(train),
        len(test),
        _ms(clock.reset),
        _ms(clock.step),
        _ms(clock.rollback),
        len(chosen) - len(unsolved) if isinstance(environment, Solver) else None,
        len(chosen),
        walks,
        tuple(fault for fault in faults if fault),
    )


def check_solution(environment: Environment, task: Task, clock: Clock) -> str | None:
    """A sentence where the known solution does not solve a task; None, too, where none is known."""
    if not isinstance(environment, Solver):
        return None
    _, results = play(environment, task, environment.solution(task), clock)
    if not results or not results[-1].terminated or results[-1].reward < 1:
        return f"the known solution does not solve task {task.id}"
    if len(results) > environment.max_steps:
        return f"the known solution of task {task.id} takes {len(results)} steps"
    return None


def check_replay(
    environment: Environment, task: Task, clock: Clock, rng: random.Random
) -> str | None:
    """Walk at random, go back to a random step by replay; a sentence where anything differs."""
    actions = _random_walk(environment, task, rng)
    said, results = play(environment, task, actions, clock)
    tau = rng.randint(0, len(results))
    begun = time.perf_counter()
    again, repeated = play(environment, task, actions[:tau])
    clock.rollback.append(time.perf_counter() - begun)
    if again != said[: tau + 1] or repeated != results[:tau]:
        return f"a replay of task {task.id} to step {tau} differs: {actions[:tau]}"
    return None


def check_junk(environment: Environment, task: Task, name: str) -> str | None:
    """A sentence where a junk text is not answered in words."""
    _, results = play(environment, task, [JUNK[name]])
    if not results[0].observation.strip():
        return f"{name} as an action is not answered in words"
    return f"{name} as an action is rewarded" if results[0].reward > 0 else None


def _kept(what: str, promise: Callable[..., str | None], *given: object) -> str | None:
    """What a check says, an exception included."""
    try:
        return promise(*given)
    except Exception as error:
        return f"{what} raises {type(error).__name__}: {error}"


def play(
    environment: Environment, task: Task, actions: Sequence[str], clock: Clock | None = None
) -> tuple[list[str], list[StepResult]]:
    """(all observations, all results) of actions in a fresh world, until it ends."""
    clock = clock or Clock()
    begun = time.perf_counter()
    env = environment.make()
    try:
        said = [storable(env.start(task))]
        clock.reset.append(time.perf_counter() - begun)
        results = list(_steps(env, actions, clock))
    finally:
        env.close()
    return said + [storable(result.observation) for result in results], results


def _steps(env: Env, actions: Sequence[str], clock: Clock) -> Iterator[StepResult]:
    for action in actions:
        begun = time.perf_counter()
        result = env.step(action)
        clock.step.append(time.perf_counter() - begun)
        yield result
        if result.terminated or result.truncated:
            return


def _random_walk(environment: Environment, task: Task, rng: random.Random) -> list[str]:
    """Some steps of a solution, with other actions and junk between: a walk that gets somewhere."""
    known = environment.solution(task) if isinstance(environment, Solver) else ()
    others = [*environment.actions, *JUNK.values()]
    walk = []
    for action in known[: rng.randint(0, len(known))]:
        walk += rng.sample(others, 1) if rng.random() < 0.2 else []
        walk.append(action)
    walk += rng.choices(environment.actions, k=rng.randint(1, 6))
    return walk[: environment.max_steps]


def _some(tasks: Sequence[Task], count: int, rng: random.Random) -> list[Task]:
    return rng.sample(list(tasks), min(count, len(tasks)))


def _ms(seconds: Sequence[float]) -> float:
    return 1000 * fmean(seconds) if seconds else float("nan")
