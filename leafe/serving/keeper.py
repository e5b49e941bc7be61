"""The keeper: one process per project, `python -m leafe.serving.keeper`, that owns its servers.

Stages and flows connect to its socket. A connection that has sent a demand may use the servers as
long as it is open; one that sends none only keeps them. Servers that die or hang are started anew,
with the weights that they should have. When the last connection is gone, so are the servers, after
a while in which the next stage may come; a flow's connection lasts from stage to stage.

Invariant: while a demand is open, no server answers with other weights than it asked for.
"""

from __future__ import annotations

import asyncio
import signal
import time
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from itertools import count
from typing import Any

from pydantic import ValidationError

from leafe.command import guarded
from leafe.lock import hold
from leafe.orphans import adopt_orphans
from leafe.serving.demand import FOLDER, KEEPER, Answer, Demand
from leafe.serving.server import Server, ServerFailed

LINGER_SECONDS = 30.0
"""For which servers that nobody uses wait for the next stage."""
PROBE_SECONDS = 10
"""Between two probes whether a server hangs; whether it lives is looked at every second."""
REPLACED = 5
"""Servers that are replaced during a stage before it is given up."""
PAUSE_SECONDS = 1.0
"""After a server that did not start."""


class Keeper:
    """Owns the servers; every change of them holds `_changing`."""

    def __init__(self) -> None:
        self._servers: list[Server] = []
        self._has: Demand | None = None
        """What the servers are and have; None while there are none."""
        self._users: list[asyncio.StreamWriter] = []
        """Connections whose demand is met or in work."""
        self._connections = 0
        self._left = time.monotonic()
        self._replaced = 0
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Serve until nobody needs it, or a signal comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        KEEPER.unlink(missing_ok=True)
        listening = await asyncio.start_unix_server(self._serve, KEEPER)
        self._begin(self._leave())
        await self._over.wait()
        KEEPER.unlink(missing_ok=True)
        listening.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stop()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # No server rather than one that nobody looks after.
            traceback.print_exception(error)
            self._over.set()

    async def _leave(self) -> None:
        """End it all when nobody has been there for a while."""
        while self._connections or time.monotonic() - self._left < LINGER_SECONDS:
            await asyncio.sleep(0.2)
        self._over.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._over.is_set():  # without a welcome: who came too late starts the next keeper
            writer.close()
            return
        self._connections += 1
        try:
            await _say(writer, Answer())
            line = await reader.readline()
            if line.strip():
                meeting = self._begin(self._meet(line, writer))
                try:
                    await reader.read()  # ends when the other side is gone, or fails then
                finally:
                    meeting.cancel()
        except (ConnectionError, ValueError):
            pass
        finally:
            self._forget(writer)
            self._connections -= 1
            self._left = time.monotonic()
            writer.close()

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        if writer in self._users:
            self._users.remove(writer)

    async def _meet(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        """Make the servers what a demand asks for, and say so."""
        try:
            demand = Demand.model_validate_json(line)
            async with self._changing:
                if self._users and self._has != demand:
                    raise ServerFailed(
                        "another stage uses the servers here with another policy, or other"
                        " parameters of engine, model.context or sft.lora"
                    )
                self._users.append(writer)
                self._replaced = 0
                await self._become(demand)
        except ValidationError as error:
            await _say(writer, Answer(error=f"not a demand: {error}"))
        except ServerFailed as failed:
            self._forget(writer)
            await _say(writer, Answer(error=str(failed)))
        else:
            await _say(writer, Answer(ready=True))

    async def _become(self, demand: Demand) -> None:
        has = self._has
        if has is not None and has.setup == demand.setup:
            if has.weights == demand.weights:
                return
            with suppress(ServerFailed):  # then by a new start
                self._has = None
                for server in self._servers:
                    await server.give(has.weights, demand.weights)
                self._has = demand
                return
        await self._stop()
        self._servers = [Server(demand.setup, n) for n in range(demand.setup.replicas)]
        try:
            async with asyncio.TaskGroup() as group:
                for server in self._servers:
                    group.create_task(server.start(demand.weights))
        except BaseException as error:
            await self._stop()
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from error
            raise
        self._has = demand
        for server in self._servers:
            self._begin(self._watch(server))

    async def _watch(self, server: Server) -> None:
        """Replace a server that died or, at a probe, gives no token in time."""
        for second in count(1):
            await asyncio.sleep(1.0)
            if server not in self._servers:
                return
            demand = self._has
            if demand is None or self._changing.locked():
                continue
            probed = second % PROBE_SECONDS == 0
            if server.alive and (not probed or await server.answers(demand.weights.model)):
                continue
            async with self._changing:
                if self._has is demand:
                    await self._replace(server, demand)

    async def _replace(self, server: Server, demand: Demand) -> None:
        """Start a server anew; where that fails again and again, its users are told."""
        while self._replaced < REPLACED:
            self._replaced += 1
            try:
                await server.stop()
                await server.start(demand.weights)
            except ServerFailed:
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
        why = f"vLLM died or hung more than {REPLACED} times; its log is {server.log}"
        users, self._users = self._users, []
        for user in users:
            await _say(user, Answer(error=why))
        await self._stop()

    async def _stop(self) -> None:
        self._has = None
        await asyncio.gather(*(server.stop() for server in self._servers))
        self._servers = []


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    with suppress(ConnectionError):
        writer.write(answer.model_dump_json().encode() + b"\n")
        await writer.drain()


def main() -> None:
    """Keep servers here; where another process does, say so."""
    adopt_orphans()
    with hold(FOLDER / "keeper.lock", "the keeper of the servers"):
        asyncio.run(Keeper().run())


if __name__ == "__main__":
    guarded(main)()
