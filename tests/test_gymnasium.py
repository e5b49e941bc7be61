"""Text environments of the Gymnasium API behind our port."""

from __future__ import annotations

import string
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Text

from leafe.envs.gymnasium import Gymnasium, GymnasiumOptions
from leafe.envs.gymnasium.taxi import MOVES
from leafe.errors import BadInput
from leafe.task import check_disjoint

LETTERS = string.ascii_lowercase + string.digits + " "


class Countdown(gymnasium.Env[str, str]):
    """Say `go` as often as the seed says; whatever else is said costs a point."""

    observation_space = action_space = Text(max_length=20, charset=LETTERS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self._left = self._all = int(self.np_random.integers(1, 9))
        self._points = 2.0
        return f"{self._left} to go", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        good = action == "go"
        self._left -= good
        self._points -= not good
        done = self._left == 0
        return f"{self._left} to go", self._points if done else 0.5, done, False, {}


gymnasium.register(id="leafe/Countdown-v0", entry_point=Countdown, max_episode_steps=10)


def countdown(**options: Any) -> Gymnasium:
    chosen = {"id": "leafe/Countdown-v0", "actions": ["go"], "train_tasks": 4, "test_tasks": 4}
    return Gymnasium(GymnasiumOptions(**{**chosen, **options}))


def test_an_episode_is_solved_by_its_last_reward_alone() -> None:
    for success, solved in ((1.0, True), (2.0, False)):
        world = countdown(success=success)
        task = world.tasks("train")[0]
        env = world.make()
        steps = int(env.start(task).split()[0])
        results = [env.step(action) for action in ("stop", *["go"] * steps)]
        assert [r.reward for r in results[:-1]] == [0.0] * steps
        assert (results[-1].terminated, results[-1].reward) == (True, float(solved))
        env.close()


def test_its_own_step_limit_truncates() -> None:
    world = countdown()
    env = world.make()
    env.start(world.tasks("test")[0])
    results = [env.step("stop") for _ in range(10)]
    assert [r.truncated for r in results] == [False] * 9 + [True]
    assert not results[-1].terminated


def test_seeds_that_begin_alike_are_one_task() -> None:
    world = countdown()
    train, test = world.tasks("train"), world.tasks("test")
    check_disjoint(train, test)
    assert len({task.payload["first"] for task in (*train, *test)}) == 8
    assert countdown(train_tasks=2).tasks("test") == test
    with pytest.raises(BadInput, match=r"is 9, but the seeds of .* give only 8 different first"):
        countdown(train_tasks=5).tasks("train")


def test_a_text_outside_the_action_space_is_refused_in_words() -> None:
    world = countdown()
    env = world.make()
    before = env.start(world.tasks("train")[0])
    assert env.step("GO!").observation == "Not an action: use plain words."
    assert env.step("stop").observation == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"id": "leafe/Nothing-v0"}, "env.id is 'leafe/Nothing-v0', but"),
        ({"id": "no.such.module:X-v0"}, "No module named 'no'"),
        ({"id": "CliffWalking-v1"}, "whose observations and actions are no texts; wrap it"),
        ({"kwargs": {"speed": 3}}, "speed"),
        ({"actions": None}, "env.actions is null, and leafe/Countdown-v0 has no attribute"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        countdown(**options)


def test_taxi_tells_why_nothing_happened_and_is_solved_by_its_known_way() -> None:
    world = Gymnasium(GymnasiumOptions())
    assert world.actions == MOVES
    told = set()
    for task in world.tasks("train")[:40]:
        env = world.make()
        env.start(task)
        refused = [env.step(move).observation.split(".")[0] for move in ("dropoff", *["east"] * 5)]
        told |= set(refused)
        env.close()
    assert {"Nobody is in the taxi", "You cannot go east: a wall is there", "You go east"} <= told
    task = world.tasks("test")[0]
    env = world.make()
    env.start(task)
    results = [env.step(f"I go {move.upper()}.") for move in world.solution(task)]
    assert results[-1].observation.endswith("Solved.")
    assert [r.reward for r in results] == [0.0] * (len(results) - 1) + [1.0]
