"""The exploration tree of a task: every step once; a history is a walk from the root.

Invariant: `path(e)` is exactly what the agent saw in episode e, and `notes(e)` where it had help.
Knows nothing about environments, models or tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from leafe.episode import Episode, Step


@dataclass(frozen=True)
class Tree:
    """All attempts at the tasks of an iteration, in the order they were made."""

    episodes: tuple[Episode, ...]

    @cached_property
    def _by_id(self) -> Mapping[str, Episode]:
        return {episode.id: episode for episode in self.episodes}

    @cached_property
    def _by_task(self) -> Mapping[str, tuple[Episode, ...]]:
        by_task: dict[str, list[Episode]] = {}
        for episode in self.episodes:
            by_task.setdefault(episode.task_id, []).append(episode)
        return {task_id: tuple(episodes) for task_id, episodes in by_task.items()}

    def __getitem__(self, episode_id: str) -> Episode:
        """An episode by its id; KeyError where the tree has no such attempt."""
        return self._by_id[episode_id]

    def lineage(self, episode: Episode) -> tuple[Episode, ...]:
        """From the root down to this episode."""
        line = [episode]
        while line[0].parent is not None:
            line.insert(0, self._by_id[line[0].parent])
        return tuple(line)

    def path(self, episode: Episode) -> tuple[Step, ...]:
        """All steps of the episode from the task's start, the ancestors' included."""
        steps: tuple[Step, ...] = ()
        for attempt in self.lineage(episode):
            steps = steps[: attempt.rollback_step] if attempt.parent else ()
            steps += attempt.steps
        return steps

    def notes(self, episode: Episode) -> dict[int, str]:
        """Step -> the experience that was in view there."""
        notes: dict[int, str] = {}
        for attempt in self.lineage(episode):
            tau = attempt.rollback_step
            if tau is not None:
                notes = {step: note for step, note in notes.items() if step < tau}
                if attempt.experience is not None:
                    notes[tau] = attempt.experience
        return notes

    def revisions(self, episode: Episode) -> tuple[int, ...]:
        """The steps on the path at which some ancestor (or it) was rolled back, ascending."""
        taus: list[int] = []
        for attempt in self.lineage(episode):
            tau = attempt.rollback_step
            if tau is not None:
                taus = [step for step in taus if step < tau] + [tau]
        return tuple(taus)

    def first_observation(self, episode: Episode) -> str:
        """o_0 of the episode's task."""
        first = self.lineage(episode)[0].first_observation
        return first if first is not None else ""

    def branches(self, episode: Episode) -> tuple[Episode, ...]:
        """The attempts made from this one."""
        return tuple(child for child in self.episodes if child.parent == episode.id)

    def of_task(self, task_id: str) -> Tree:
        """The part of the tree that is about one task."""
        return Tree(self._by_task.get(task_id, ()))

    def tasks(self) -> tuple[str, ...]:
        """Ids of the tasks attempted, in order of first attempt."""
        return tuple(self._by_task)


def join(parts: Iterable[Iterable[Episode]]) -> Tree:
    """The tree of several waves."""
    return Tree(tuple(episode for part in parts for episode in part))
