"""One vLLM server: how it is started, asked, given weights, and ended with all its processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from leafe.orphans import group_is_gone
from leafe.serving.demand import NAME, Setup, Weights, server_log, server_socket

END_SECONDS = 8.0
"""For a server's end, which takes its guard five at most."""
START_SECONDS = 1800.0
"""For a server to answer: a large model is read, compiled and warmed up."""
GUARD = Path(__file__).with_name("guard.py").resolve()
INSIDE = Path(__file__).with_name("inside").resolve()
"""What vLLM's processes can import of ours."""


class ServerFailed(RuntimeError):
    """A server did not start, died, or does not answer."""


def command(setup: Setup, base: str, replica: int) -> list[str]:
    """The server's command line.

    `api_server` and not `vllm serve`, which looks for a distribution named vllm: the CPU build has
    another name. The last arguments are the user's, and win.
    """
    lora = ["--enable-lora", "--max-lora-rank", str(setup.rank)] if setup.rank else []
    # A seeded request whose prompt is prefilled in chunks kills vLLM 0.32 on the CPU.
    whole = [
        "--no-enable-chunked-prefill",
        "--max-num-batched-tokens",
        f"{max(8192, setup.length)}",
    ]
    return [
        setup.python,
        *("-m", "vllm.entrypoints.openai.api_server"),
        *("--model", base, "--served-model-name", NAME),
        *("--uds", str(server_socket(replica))),
        *("--max-model-len", str(setup.length)),
        # Sampling is ours to say: not what the model's folder recommends.
        *("--generation-config", "vllm"),
        # At the sampling temperature, as `Completion` has them.
        *("--logprobs-mode", "processed_logprobs"),
        *("--worker-extension-cls", "leafe_worker.GivesWeights"),
        "--enable-prefix-caching",
        # Else the log has a line per request.
        "--disable-uvicorn-access-log",
        *lora,
        *([] if gpus() else ["--dtype", "float32", *whole]),
        *setup.arguments,
    ]


def gpus() -> list[str]:
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES has them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    return [str(n) for n in range(_gpus_here())]


@cache
def _gpus_here() -> int:
    """As many as nvidia-smi lists, by which .ci/install-vllm, too, chooses a build."""
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def environment(setup: Setup, replica: int) -> dict[str, str]:
    """The server's environment: ours without our packages, nothing to fetch, its GPUs."""
    own = {
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_SERVER_DEV_MODE": "1",  # new weights without a new start
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(INSIDE),
    }
    names = gpus()
    if names:
        each = max(1, len(names) // setup.replicas)
        own["CUDA_VISIBLE_DEVICES"] = ",".join(names[replica * each : (replica + 1) * each])
    else:
        own["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return inherited | own


class Server:
    """A replica, from its start to its end."""

    def __init__(self, setup: Setup, replica: int) -> None:
        self._setup = setup
        self._replica = replica
        self.log = server_log(replica)
        self._process: subprocess.Popen[bytes] | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self, weights: Weights) -> None:
        """Start it with these weights and wait for a first answer; raises ServerFailed."""
        socket = server_socket(self._replica)
        socket.unlink(missing_ok=True)
        self._process = self._launch(weights)
        # A connection each: one that is kept may be closed from there just when it is used again.
        connector = aiohttp.UnixConnector(str(socket), force_close=True)
        self._http = aiohttp.ClientSession(connector=connector)
        deadline = time.monotonic() + START_SECONDS
        while not await self.answers(NAME):
            if not self.alive:
                raise ServerFailed(f"vLLM ended while it started; its log is {self.log}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"vLLM did not start in {START_SECONDS:.0f} s; see {self.log}")
            await asyncio.sleep(0.5)
        if weights.adapter is not None:
            await self._load(weights)

    def _launch(self, weights: Weights) -> subprocess.Popen[bytes]:
        """The guard, which runs the server, both in a process group of their own."""
        server = command(self._setup, weights.base, self._replica)
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-S", str(GUARD), *server],
                env=environment(self._setup, self._replica),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    async def answers(self, model: str) -> bool:
        """Whether it gives one token in time: a server that only says it is well may hang."""
        asked = {"model": model, "prompt": [0], "max_tokens": 1, "temperature": 0.0, "seed": 0}
        try:
            await self._post("/v1/completions", asked)
        except ServerFailed:
            return False
        return True

    async def give(self, old: Weights, new: Weights) -> None:
        """Put other weights in the place of the old ones; raises ServerFailed."""
        if new.base_version != old.base_version:
            if self._setup.rank is not None:
                raise ServerFailed("layers that are made for adapters may keep old weights")
            folder = {"folder": str(Path(new.base).resolve())}
            await self._post("/collective_rpc", {"method": "give_weights", "kwargs": folder})
            # Keys and values of the old weights must not serve the new ones. What still runs is
            # a probe, or was asked by a stage that has gone.
            emptied = await self._post("/reset_prefix_cache?reset_running_requests=true", None)
            if emptied != {"success": True}:
                raise ServerFailed("vLLM kept its cache of the old weights")
        if old.adapter is not None:
            await self._post("/v1/unload_lora_adapter", {"lora_name": old.model})
        if new.adapter is not None:
            await self._load(new)

    async def _load(self, weights: Weights) -> None:
        assert weights.adapter is not None
        path = str(Path(weights.adapter).resolve())
        asked = {"lora_name": weights.model, "lora_path": path}
        await self._post("/v1/load_lora_adapter", asked)

    async def _post(self, path: str, asked: dict[str, Any] | None) -> Any:
        assert self._http is not None
        timeout = aiohttp.ClientTimeout(self._setup.timeout)
        try:
            async with self._http.post(f"http://vllm{path}", json=asked, timeout=timeout) as said:
                text = await said.text()
                if said.status != 200:
                    raise ServerFailed(f"vLLM refused {path}: {said.status} {text[:300]}")
                return await said.json() if said.content_type == "application/json" else text
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServerFailed(f"vLLM does not answer: {type(error).__name__} {error}") from error

    async def stop(self) -> None:
        """End it and every process that it started."""
        if self._http is not None:
            await self._http.close()
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()  # at which the guard ends the group, itself included
        await _until(lambda: not self.alive)
        group = self._process.pid
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)  # where something killed the guard
        self._process.wait()
        await _until(lambda: group_is_gone(group))  # until then they hold memory
        self._process = None  # its number may soon be another's
        server_socket(self._replica).unlink(missing_ok=True)


async def _until(happened: Callable[[], bool]) -> None:
    """Wait for something for some seconds."""
    deadline = time.monotonic() + END_SECONDS
    while not happened() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
