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
from contextlib import suppress
from itertools import count

from pydantic import ValidationError

from leafe.lock import hold
from leafe.serving.demand import FOLDER, KEEPER, Answer, Demand
from leafe.serving.server import Server, ServerFailed

LINGER_SECONDS = 30.0
"""For which servers that nobody uses wait for the next stage."""
PROBE_SECONDS = 10
"""Between two probes whether a server hangs; whether it lives is looked at every second."""
RESTARTS = 5
"""Servers that are replaced before the keeper gives up."""


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
        self._restarts = 0
        self._changing = asyncio.Lock()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Serve until nobody needs it, or a signal comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        KEEPER.unlink(missing_ok=True)
        listening = await asyncio.start_unix_server(self._serve, KEEPER)
        watching = asyncio.create_task(self._watch())
        await self._over.wait()
        KEEPER.unlink(missing_ok=True)
        listening.close()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await self._stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            line = await reader.readline()
            if line.strip():
                meeting = asyncio.create_task(self._meet(line, writer))
                await reader.read()  # returns when the other side is gone
                meeting.cancel()
        except (ConnectionError, ValueError):
            pass
        finally:
            if writer in self._users:
                self._users.remove(writer)
            self._connections -= 1
            self._left = time.monotonic()
            writer.close()

    async def _meet(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        """Make the servers what a demand asks for, and say so."""
        try:
            demand = Demand.model_validate_json(line)
            async with self._changing:
                if self._users and self._has not in (None, demand):
                    raise ServerFailed("another stage uses the servers here with another policy")
                self._users.append(writer)
                await self._become(demand)
        except ValidationError as error:
            await _say(writer, Answer(error=f"not a demand: {error}"))
        except ServerFailed as failed:
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

    async def _watch(self) -> None:
        """Replace servers that died or hang; end when nobody is left."""
        for second in count():
            await asyncio.sleep(1.0)
            if not self._connections and time.monotonic() - self._left > LINGER_SECONDS:
                self._over.set()
            if self._has is not None and not self._changing.locked():
                probed = second % PROBE_SECONDS == 0
                async with asyncio.TaskGroup() as group:
                    for server in self._servers:
                        group.create_task(self._mend(server, self._has, probed))

    async def _mend(self, server: Server, demand: Demand, probed: bool) -> None:
        """Replace a server that is gone or, where it is probed, gives no token in time."""
        if server.alive and (not probed or await server.answers(demand.weights.model)):
            return
        async with self._changing:
            if self._has is not demand:
                return
            self._restarts += 1
            try:
                if self._restarts > RESTARTS:
                    raise ServerFailed(f"vLLM died or hung {self._restarts} times; see {FOLDER}")
                await server.stop()
                await server.start(demand.weights)
            except ServerFailed as failed:
                for user in self._users:
                    await _say(user, Answer(error=str(failed)))
                await self._stop()

    async def _stop(self) -> None:
        self._has = None
        for server in self._servers:
            await server.stop()
        self._servers = []


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    with suppress(ConnectionError):
        writer.write(answer.model_dump_json().encode() + b"\n")
        await writer.drain()


if __name__ == "__main__":
    only_one = hold(FOLDER / "keeper.lock", "the keeper of the servers")
    asyncio.run(Keeper().run())
