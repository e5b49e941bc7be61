"""An episode: what one attempt at a task did, and how it ended.

Invariant: an episode holds only the steps it took itself. A branch names its parent and the step
it was rolled back to; what came before is found by walking up (`leafe/tree.py`). Its id is a hash
over its content and its parent's id, so an episode vouches for its whole ancestry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Outcome(StrEnum):
    """How an episode ended; a bad episode is data, never the end of a batch."""

    SOLVED = "solved"
    FAILED = "failed"
    """The environment ended it unsolved."""
    OUT_OF_STEPS = "out_of_steps"
    """The environment's step cap was reached."""
    OUT_OF_BUDGET = "out_of_budget"
    """What the task may spend was spent: how it would have ended is unknown."""
    INVALID_ACTION = "invalid_action"
    """The policy wrote a control token inside an action."""
    OVERLONG = "overlong"
    """The history no longer fitted the context."""
    ENV_ERROR = "env_error"
    ENGINE_ERROR = "engine_error"
    TIMEOUT = "timeout"
    REPLAY_DIVERGED = "replay_diverged"
    """Replaying the first tau actions did not give the recorded observations."""

    @property
    def is_infrastructure(self) -> bool:
        """The machinery failed, not the policy: reported beside Pass@k, never counted in it."""
        return self in {
            Outcome.ENV_ERROR,
            Outcome.ENGINE_ERROR,
            Outcome.TIMEOUT,
            Outcome.REPLAY_DIVERGED,
        }


@dataclass(frozen=True)
class Step:
    """One action and what the environment said to it."""

    action: str
    """The text the environment was given."""
    token_ids: tuple[int, ...]
    """The sampled tokens as they were, stop token included if one was drawn."""
    logprobs: tuple[float, ...]
    """Of each sampled token (nats)."""
    feedback: str
    """The observation that followed."""


@dataclass(frozen=True)
class Episode:
    """One attempt: a root, or a branch from a step of its parent."""

    id: str
    task_id: str
    iteration: str
    """The iteration whose exploration (or evaluation) this is, e.g. `i1`."""
    wave: str
    """`w0` for roots."""
    sample: int
    """Counts the attempts at this task within the wave, from 0."""
    policy: str
    """Version of the policy that acted: a fingerprint of its weights."""
    parent: str | None
    """Id of the episode that was rolled back; None for a root."""
    rollback_step: int | None
    """tau: the step that was gone back to, counted from the task's start; None for a root."""
    experience: str | None
    """e: the note in view at tau; None for a root, and in the ablation without e."""
    first_observation: str | None
    """o_0; None for a branch, whose root has it."""
    steps: tuple[Step, ...]
    """The steps this attempt took itself; replayed ones are the ancestors'."""
    outcome: Outcome
    replayed_steps: int
    """Steps repeated to reach tau: they cost time, not information."""
    error: str | None = None
    """What the machinery said, for the outcomes that are its fault."""

    @property
    def steps_taken(self) -> int:
        """New interaction, in environment steps."""
        return len(self.steps)

    @property
    def sampled_tokens(self) -> int:
        """Tokens drawn for its actions."""
        return sum(len(step.token_ids) for step in self.steps)


def with_content_id(episode: Episode) -> Episode:
    """The same episode, named by its content (20 hex digits of sha256)."""
    # As `asdict` has it, which copies every number.
    content = {**vars(episode), "id": "", "steps": [vars(step) for step in episode.steps]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return replace(episode, id=hashlib.sha256(text.encode()).hexdigest()[:20])


def counted(episodes: Iterable[Episode]) -> dict[str, list[Episode]]:
    """Task id -> its episodes that the policy itself ended; empty where the machinery ended all."""
    by_task: dict[str, list[Episode]] = {}
    for episode in episodes:
        kept = by_task.setdefault(episode.task_id, [])
        if not episode.outcome.is_infrastructure:
            kept.append(episode)
    return by_task
