"""Rollout: one attempt at a task, from its start or from a step that was rolled back to.

Rollback is replay: a fresh environment gets the first tau actions again, and every observation
must equal the recorded one; a difference ends the attempt as `replay_diverged`, which is counted
and never trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from leafe.chat import Chat
from leafe.engine import Engine, EngineError, PromptTooLong, Sampling
from leafe.env import Env, Environment
from leafe.episode import Episode, Outcome, Step, with_content_id
from leafe.seeds import seed_from
from leafe.task import Task
from leafe.text import storable
from leafe.worlds import WorldFailed, act, call, places

Result = TypeVar("Result")


@dataclass(frozen=True)
class Agent:
    """A policy, the world it acts in, and how it is sampled."""

    environment: Environment
    engine: Engine
    chat: Chat
    policy: str
    """Version of the weights behind the engine."""
    temperature: float
    action_tokens: int
    """Tokens that one action may have."""
    reflection_tokens: int
    """Tokens that one reflection may have."""
    seed: int
    """The run's seed."""
    iteration: str
    place: AbstractAsyncContextManager[object] = field(init=False)
    """Held while a world is open."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", places(self.environment))

    def sampling(
        self, tokens: int, task_id: str, *place: str | int, pattern: str | None = None
    ) -> Sampling:
        """How an answer is drawn; its seed follows from its place within the iteration."""
        return Sampling(
            self.temperature,
            tokens,
            seed_from(self.seed, self.iteration, *place),
            stop_ids=self.chat.stop_ids,
            affinity=task_id,
            pattern=pattern,
        )


@dataclass(frozen=True)
class Origin:
    """Where an attempt starts from; the task's start unless it is a branch."""

    parent: str | None = None
    first_observation: str | None = None
    """Of the parent's root; None for a root."""
    prefix: tuple[Step, ...] = ()
    """The first tau steps, to be replayed."""
    notes: Mapping[int, str] = field(default_factory=dict)
    """Experience in view on the way, that at tau included."""


ROOT = Origin()


@dataclass
class Play:
    """An attempt under way."""

    first_observation: str = ""
    steps: list[Step] = field(default_factory=list)
    """Replayed and new steps."""
    replayed: int = 0
    error: str | None = None


async def attempt(
    agent: Agent, task: Task, *, wave: str, sample: int, max_steps: int, origin: Origin = ROOT
) -> Episode:
    """Play one episode of at most `max_steps` new steps; every failure is an outcome."""
    play = Play()
    try:
        async with agent.place:
            env = await call(agent.environment, agent.environment.make)
            try:
                outcome = await _play(agent, env, task, wave, sample, max_steps, origin, play)
            finally:
                await call(agent.environment, env.close)
    except WorldFailed as failed:
        outcome, play.error = failed.outcome, str(failed)
    except EngineError as failed:
        outcome, play.error = Outcome.ENGINE_ERROR, str(failed)
    tau = len(origin.prefix)
    branch = origin.parent is not None
    return with_content_id(
        Episode(
            id="",
            task_id=task.id,
            iteration=agent.iteration,
            wave=wave,
            sample=sample,
            policy=agent.policy,
            parent=origin.parent,
            rollback_step=tau if branch else None,
            experience=origin.notes.get(tau) if branch else None,
            first_observation=None if branch else play.first_observation,
            steps=tuple(play.steps[tau:]),
            outcome=outcome,
            replayed_steps=play.replayed,
            error=play.error,
        )
    )


async def _play(
    agent: Agent,
    env: Env,
    task: Task,
    wave: str,
    sample: int,
    max_steps: int,
    origin: Origin,
    play: Play,
) -> Outcome:
    if not await _replay(agent, env, task, origin, play):
        return Outcome.REPLAY_DIVERGED
    allowed = len(play.steps) + max_steps
    last = min(allowed, agent.environment.max_steps)
    while len(play.steps) < last:
        place = (task.id, wave, sample, len(play.steps), "action")
        sampling = agent.sampling(agent.action_tokens, task.id, *place)
        prompt, _ = agent.chat.history(play.first_observation, play.steps, origin.notes)
        try:
            drawn = await agent.engine.generate(prompt, sampling)
        except PromptTooLong:
            return Outcome.OVERLONG
        action = agent.chat.read_action(drawn.token_ids)
        if action is None:
            return Outcome.INVALID_ACTION
        result = await call(agent.environment, partial(act, env, action))
        play.steps.append(Step(action, drawn.token_ids, drawn.logprobs, result.observation))
        if result.terminated:
            return Outcome.SOLVED if result.reward >= 1 else Outcome.FAILED
        if result.truncated:
            return Outcome.OUT_OF_STEPS
    cut_off = allowed < agent.environment.max_steps
    return Outcome.OUT_OF_BUDGET if cut_off else Outcome.OUT_OF_STEPS


async def _replay(agent: Agent, env: Env, task: Task, origin: Origin, play: Play) -> bool:
    """Start the world and repeat the prefix; false where it says something else than before."""
    play.first_observation = await call(agent.environment, lambda: storable(env.start(task)))
    if origin.first_observation not in (None, play.first_observation):
        return False
    for step in origin.prefix:
        result = await call(agent.environment, partial(act, env, step.action))
        play.replayed += 1
        if result.observation != step.feedback or result.terminated:
            play.error = f"step {play.replayed - 1}: the replayed observation differs"
            return False
        play.steps.append(step)
    return True


@dataclass
class Budget:
    """What a task may still spend in an iteration; never overdrawn."""

    attempts: int
    """Episodes, roots and branches alike."""
    steps: int
    """New environment steps; replayed ones are counted apart."""

    def spend(self, episode: Episode) -> None:
        """Book an attempt."""
        self.attempts -= 1
        self.steps -= episode.steps_taken

    @property
    def spent(self) -> bool:
        """Whether no attempt can be afforded."""
        return self.attempts <= 0 or self.steps <= 0


async def roots(agent: Agent, task: Task, samples: int, budget: Budget) -> list[Episode]:
    """Stage 1, first wave: attempts at a task from its start, as far as the budget goes.

    One after the other, so that the step budget is exact; tasks run side by side.
    """
    episodes: list[Episode] = []
    for sample in range(samples):
        if budget.spent:
            break
        episode = await attempt(agent, task, wave="w0", sample=sample, max_steps=budget.steps)
        budget.spend(episode)
        episodes.append(episode)
    return episodes
