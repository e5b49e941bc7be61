"""Servers that others started: taken where they have the policy, refused with a sentence else."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from serving import HERE, make_python, wait_for
from stand_in_vllm import tokens_of

from leafe.engine import Completion, Sampling
from leafe.engines.vllm import VllmEngine
from leafe.errors import BadInput
from leafe.serving import server
from leafe.serving.demand import Weights
from leafe.serving.given import offer
from leafe.serving.policy import setup_of

Start = Callable[..., str]
BASE = Weights(version="a", base="policies/leafe/i0", base_version="a", adapter=None)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a server of a policy, over TCP; its URL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    started: list[subprocess.Popen[bytes]] = []

    def start(model: str = "policies/leafe/i0", length: int = 512) -> str:
        Path(model).mkdir(parents=True, exist_ok=True)
        (Path(model) / "model.safetensors").write_text(model)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, str(HERE / "stand_in_vllm.py"), "--model", model]
        command += ["--port", str(port), "--max-model-len", str(length)]
        started.append(subprocess.Popen(command))

        def listens() -> bool:
            with socket.socket() as there:
                return there.connect_ex(("127.0.0.1", port)) == 0

        wait_for(listens)
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.terminate()
        process.wait()


def test_a_server_of_the_policy_is_taken(serve: Start) -> None:
    assert offer([serve()], BASE, None, 512, 5) == "policy"


def test_a_server_elsewhere_is_known_by_the_name_of_the_base_model(serve: Start) -> None:
    urls = [serve("elsewhere/Qwen2.5-7B-Instruct")]
    assert offer(urls, BASE, "/models/Qwen2.5-7B-Instruct", 512, 5) == "policy"
    with pytest.raises(BadInput, match=r"serves elsewhere/Qwen2.5-7B-Instruct; start it with --mo"):
        offer(urls, BASE, "/models/Qwen2.5-14B-Instruct", 512, 5)


def test_a_server_of_another_policy_is_refused_by_name(serve: Start) -> None:
    right, wrong = serve(), serve("policies/leafe/i1")
    sentence = rf"{wrong} serves policies/leafe/i1; start it with --model policies/leafe/i0"
    with pytest.raises(BadInput, match=sentence):
        offer([right, wrong], BASE, None, 512, 5)


def test_a_server_with_too_small_a_context_is_refused(serve: Start) -> None:
    with pytest.raises(BadInput, match=r"has a context of 256, less than model\.context"):
        offer([serve(length=256)], BASE, None, 512, 5)


def test_an_adapter_is_given_to_servers_of_its_base_once(serve: Start) -> None:
    url = serve()
    Path("adapter").mkdir()
    Path("adapter/model.safetensors").write_text("adapter")
    weights = BASE.model_copy(update={"version": "b", "adapter": "adapter"})
    assert offer([url], weights, None, 512, 5) == "leafe-b"
    drawn = draw([url], "leafe-b", ["task"])
    assert drawn[0].token_ids[:-1] == tuple(tokens_of("adapter"))


def test_what_is_no_such_server_is_told_in_a_sentence(serve: Start) -> None:
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:1 does not answer|:1/v1/models does"):
        offer(["http://127.0.0.1:1"], BASE, None, 512, 5)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(BadInput, match="is no server of vLLM's; it says"):
            offer([f"http://127.0.0.1:{other.server_port}"], BASE, None, 512, 5)
        other.shutdown()


def draw(urls: list[str], model: str, keys: list[str]) -> list[Completion]:
    engine = VllmEngine(
        urls, model, max_length=512, rows=4, timeout=5, tries=1, structured=True, kept=None
    )

    async def run() -> list[Completion]:
        asked = (engine.generate([1], Sampling(1.0, 5, 0, (300,), key)) for key in keys)
        try:
            return await asyncio.gather(*asked)
        finally:
            await engine.close()

    return asyncio.run(run())


def test_tasks_are_spread_over_the_servers_and_each_stays_with_one(serve: Start) -> None:
    # So that answers tell where they come from, the two do not have the same weights.
    urls = [serve(), f"{serve('policies/leafe/i1')}/"]
    keys = [f"task {n}" for n in range(20)]
    first = [drawn.token_ids for drawn in draw(urls, "policy", keys)]
    assert len(set(first)) == 2
    assert [drawn.token_ids for drawn in draw(urls, "policy", keys)] == first


def test_more_servers_than_gpus_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leafe.params import load_params

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    params = load_params()
    settings = {"name": "vllm", "replicas": 2, "python": str(make_python(tmp_path))}

    def with_replicas(number: int) -> object:
        engine = params.engine.model_copy(update=settings | {"replicas": number})
        return setup_of(params.model_copy(update={"engine": engine}), BASE)

    setup = setup_of(
        params.model_copy(update={"engine": params.engine.model_copy(update=settings)}), BASE
    )
    shares = [server.environment(setup, n)["CUDA_VISIBLE_DEVICES"] for n in range(2)]
    assert shares == ["0,1", "2,3"]
    with pytest.raises(BadInput, match=r"engine\.replicas is 5, but there are 4 GPUs"):
        with_replicas(5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with_replicas(5)


@pytest.mark.parametrize(
    ("listed", "names"), [("GPU 0: A\n  MIG 3g: B\nGPU 1: C", ["0", "1"]), ("", [])]
)
def test_gpus_are_those_that_nvidia_smi_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str, names: list[str]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{listed}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    server._gpus_here.cache_clear()
    try:
        assert server.gpus() == names
    finally:
        server._gpus_here.cache_clear()
