"""A policy behind a vLLM server of its own; benchmarks with the same policy share it."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from benchmarks.benchmark import CannotRun
from benchmarks.small_policy import CONTEXT, SmallPolicy
from leafe.engines.vllm import VllmEngine
from leafe.errors import BadInput

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Served:
    """A server, and what it serves."""

    policy: SmallPolicy
    socket: str
    """Path of the server's Unix socket."""
    model: str
    """What the server calls the policy."""

    def engine(self, rows: int) -> VllmEngine:
        """Our engine on it, with so many requests in flight."""
        return VllmEngine(
            [self.socket],
            self.model,
            max_length=CONTEXT,
            rows=rows,
            timeout=600,
            tries=1,
            structured=False,
            kept=None,
        )

    def session(self) -> aiohttp.ClientSession:
        """Bare connections to it."""
        connector = aiohttp.UnixConnector(self.socket, limit=0)
        return aiohttp.ClientSession("http://vllm", connector=connector)

    async def forget(self) -> None:
        """Empty its cache of prompts, so that no side profits from the one before."""
        async with self.session() as session, session.post("/reset_prefix_cache") as said:
            answer = await said.json()
        assert answer == {"success": True}, answer


@contextmanager
def serving(policy: SmallPolicy) -> Iterator[Served]:
    """A server of it, the one before if that has the same; CannotRun where there is no vLLM."""
    from leafe.params import load_params
    from leafe.serving.demand import Demand, server_socket
    from leafe.serving.lease import Lease
    from leafe.serving.policy import setup_of, weights_of
    from leafe.training.checkpoint import save_policy

    params = load_params(ROOT / "params.yaml")
    folder = home()
    save_policy(policy.model, policy.tokenizer, folder / "policy")
    weights = weights_of(folder / "policy")
    try:
        with chdir(ROOT):  # engine.python is relative to it
            setup = setup_of(params, weights)
        with chdir(folder):  # a keeper serves the folder that it is started in
            lease = Lease(Demand(setup=setup, weights=weights))
    except BadInput as missing:
        raise CannotRun(str(missing)) from missing
    with closing(lease):
        yield Served(policy, str(folder / server_socket(0)), weights.model)


@cache
def home() -> Path:
    """Where the server's keeper lives, until this process ends."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)
