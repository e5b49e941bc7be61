"""What a stage asks the keeper of the servers for; plain values, sent as one line of JSON."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

FOLDER = Path(".leafe") / "serving"
"""Sockets and logs. Sockets, not ports: only who may enter the folder can speak to a server, and a
server that takes new weights must not listen to others."""
KEEPER = FOLDER / "keeper.sock"
NAME = "policy"
"""What servers call their base model, whatever its weights are at the moment."""


def server_socket(replica: int) -> Path:
    """Where a replica listens, however often it was started anew."""
    return FOLDER / f"server-{replica}.sock"


def server_log(replica: int) -> Path:
    """Where a replica's output goes."""
    return FOLDER / f"server-{replica}.log"


class Message(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Setup(Message):
    """How the servers are started; other values need other servers."""

    python: str
    """An interpreter that has vLLM."""
    arguments: tuple[str, ...]
    """For the server, after ours."""
    replicas: int
    length: int
    """Tokens of context."""
    rank: int | None
    """The largest rank of adapters; None where there are none."""
    timeout: float
    """Seconds for a token, after which a server counts as hanging."""
    family: str
    """Fingerprint of the model's shape: weights of the same one can be put in its place."""


class Weights(Message):
    """A version of the policy."""

    version: str
    """`policy_version`."""
    base: str
    """Folder of the whole weights."""
    base_version: str
    """Of that folder; `version` itself where there is no adapter."""
    adapter: str | None
    """Folder of the adapter on them."""

    @property
    def model(self) -> str:
        """The name to ask for: an adapter's is its own, as one that is reused may meet old keys.

        vLLM caches keys and values of a prefix under an adapter's name.
        """
        return NAME if self.adapter is None else f"leafe-{self.version}"


class Demand(Message):
    """Servers that are set up so and have these weights."""

    setup: Setup
    weights: Weights


class Answer(Message):
    """What the keeper says: that the servers are ready, or why it gave up, also later.

    First it says one that holds nothing: a welcome. As long as anybody is welcome, it stays.
    """

    ready: bool = False
    error: str | None = None
