"""The desk played by `verifiers`: a process of its own, as its packages do not go with ours.

`python -m benchmarks.verifiers_desk <settings as JSON>`; then each line that it reads makes it play
all tickets once and write what that took, as a line of JSON. The last release line in which an
episode runs in process, as a `MultiTurnEnv`: later ones run a program for each episode behind a
server that intercepts its requests. Tickets, world and words are ours.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator
from string import Template
from typing import Any

import httpx
import verifiers as vf
from datasets import Dataset
from openai import AsyncOpenAI
from verifiers.clients import OpenAIChatCompletionsClient
from verifiers.types import UserMessage

from leafe.envs.desk import Desk, DeskOptions
from leafe.task import Task


class DeskEnv(vf.MultiTurnEnv):  # type: ignore[misc]  # theirs has no types here
    """The desk as their environment; an episode's world is in its state."""

    def __init__(self, desk: Desk, turn: str, tasks: list[Task]) -> None:
        self._desk, self._turn, self._tasks = desk, Template(turn), tasks
        rows = [{"prompt": [self._first(task)], "answer": ""} for task in tasks]
        super().__init__(dataset=Dataset.from_list(rows), rubric=vf.Rubric(funcs=[solved]))

    def _first(self, task: Task) -> dict[str, str]:
        return {"role": "user", "content": self._say(0, self._desk.make().start(task))}

    def _say(self, step: int, observation: str) -> str:
        return self._turn.substitute(step=step, observation=observation)

    async def setup_state(self, state: Any) -> None:
        """Open the ticket."""
        state["world"] = self._desk.make()
        state["world"].start(self._tasks[state["example_id"]])

    async def env_response(self, messages: Any, state: Any, **_: Any) -> Any:
        """Make a call."""
        result = state["world"].step(messages[-1].content)
        steps = len(state["trajectory"])
        said = [UserMessage(content=self._say(steps, result.observation))]
        if result.terminated or steps >= self._desk.max_steps:
            state["solved"] = result.reward
            state["final_env_response"] = said
        return said


async def solved(state: Any) -> float:
    """The reward."""
    return float(state.get("solved", 0.0))


async def play(env: DeskEnv, rows: list[Any], settings: dict[str, Any]) -> list[Any]:
    """An episode of each row, so many at a time."""
    waiting, made = iter(rows), list[Any]()
    limits = httpx.Limits(max_connections=None)
    transport = httpx.AsyncHTTPTransport(uds=settings["socket"], limits=limits)
    http = httpx.AsyncClient(transport=transport, timeout=600)
    client = OpenAIChatCompletionsClient(
        AsyncOpenAI(base_url="http://vllm/v1", api_key="none", http_client=http)
    )

    async def seat(waiting: Iterator[Any]) -> None:
        for row in waiting:
            made.append(
                await env.run_rollout(
                    row,
                    client,
                    settings["model"],
                    settings["sampling"],
                    state_columns=["trajectory"],
                )
            )

    await asyncio.gather(*(seat(waiting) for _ in range(settings["in_flight"])))
    await client.close()
    return made


def pass_of(env: DeskEnv, settings: dict[str, Any]) -> dict[str, Any]:
    """Play all tickets; what it took."""
    rows = env.get_dataset().to_list()
    clock, cpu = time.perf_counter(), time.process_time()
    made = asyncio.run(play(env, rows, settings))
    taken = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - cpu}
    steps = [step for one in made for step in one["trajectory"]]
    return taken | {
        "episodes": len(made),
        "steps": len(steps),
        "tokens": sum(len(step["tokens"]["completion_ids"]) for step in steps),
        "errors": sum(one["error"] is not None for one in made),
        "solved": sum(one["reward"] for one in made),
    }


def main() -> None:
    """Play whenever asked."""
    logging.disable()
    settings = json.loads(sys.argv[1])
    desk = Desk(DeskOptions(train_tasks=settings["tickets"], test_tasks=1))
    env = DeskEnv(desk, settings["turn"], desk.tasks("train")[: settings["tasks"]])
    print("{}", flush=True)
    for _ in sys.stdin:
        print(json.dumps(pass_of(env, settings)), flush=True)


if __name__ == "__main__":
    main()
