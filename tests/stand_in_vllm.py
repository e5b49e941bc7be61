"""Stands in for vLLM's server: the same command line, API and processes, and no model.

`python -m vllm.entrypoints.openai.api_server ...`, with this file's folder of that name first on
the path, or `python stand_in_vllm.py`. What it draws says which weights it has. Notes what happens
to it in `$STAND_IN/notes.jsonl`, and does what files there ask for: `dies_at_start`, `dies`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiohttp import web

HOME = Path(os.environ.get("STAND_IN", "."))


def note(**what: Any) -> None:
    with (HOME / "notes.jsonl").open("a") as file:
        file.write(json.dumps(what | {"pid": os.getpid()}) + "\n")


def tokens_of(folder: str) -> list[int]:
    """What a model with these weights says to anything: token ids that name them."""
    return list(sha256((Path(folder) / "model.safetensors").read_bytes()).digest()[:4])


class StandIn:
    """A server's state."""

    def __init__(self, model: str) -> None:
        self.has = tokens_of(model)
        self.adapters: dict[str, list[int]] = {}
        self.cached = False

    async def complete(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if (HOME / "dies").exists():
            os._exit(1)
        known = asked["model"] in ("policy", *self.adapters)
        if not known:
            return web.json_response({"error": "no such model"}, status=404)
        self.cached = True
        says = [*self.adapters.get(asked["model"], self.has), *asked.get("stop_token_ids", [])]
        says = says[-asked["max_tokens"] :]
        choice = {
            "token_ids": says,
            "logprobs": {"token_logprobs": [-1.0] * len(says)},
            "finish_reason": "stop" if asked.get("stop_token_ids") else "length",
        }
        return web.json_response({"choices": [choice]})

    async def call(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.has = tokens_of(asked["kwargs"]["folder"])
        note(event=asked["method"], weights=asked["kwargs"]["folder"])
        return web.json_response({"results": [None]})

    async def empty(self, request: web.Request) -> web.Response:
        note(event="reset_prefix_cache", cached=self.cached)
        self.cached = False
        return web.json_response({"success": True})

    async def load(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.adapters[asked["lora_name"]] = tokens_of(asked["lora_path"])
        note(event="load", name=asked["lora_name"])
        return web.Response(text="Success")

    async def unload(self, request: web.Request) -> web.Response:
        asked = await request.json()
        del self.adapters[asked["lora_name"]]
        note(event="unload", name=asked["lora_name"])
        return web.Response(text="Success")

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": request.app["models"]})


def end_without_child(child: subprocess.Popen[bytes]) -> None:
    """As vLLM's API server ends when its engine does."""
    child.wait()
    os._exit(1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--uds")
    parser.add_argument("--port", type=int)
    parser.add_argument("--max-model-len", type=int, default=512)
    options, _ = parser.parse_known_args()
    # The child, as vLLM's engine, does not end with its parent.
    sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-S", "-c", sleeper])
    note(event="start", model=options.model, child=child.pid, arguments=sys.argv[1:])
    if (HOME / "dies_at_start").exists():
        child.kill()
        sys.exit("cannot start")
    while (HOME / "starts_slowly").exists():
        time.sleep(0.05)
    threading.Thread(target=end_without_child, args=(child,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: (child.kill(), os._exit(0)))
    server = StandIn(options.model)
    app = web.Application()
    app["models"] = [
        {"id": "policy", "root": options.model, "max_model_len": options.max_model_len}
    ]
    app.router.add_post("/v1/completions", server.complete)
    app.router.add_post("/collective_rpc", server.call)
    app.router.add_post("/reset_prefix_cache", server.empty)
    app.router.add_post("/v1/load_lora_adapter", server.load)
    app.router.add_post("/v1/unload_lora_adapter", server.unload)
    app.router.add_get("/v1/models", server.models)
    where: dict[str, Any] = (
        {"path": options.uds} if options.uds else {"host": "127.0.0.1", "port": options.port}
    )
    web.run_app(app, **where, print=None, handle_signals=False)


if __name__ == "__main__":
    main()
