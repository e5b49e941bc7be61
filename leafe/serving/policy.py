"""A policy behind vLLM: on servers that we start and keep, or on servers that are given."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

from leafe import layout
from leafe.engines.vllm import VllmEngine
from leafe.errors import BadInput, show_value
from leafe.params import PARAMS_FILE, Params
from leafe.serving.demand import FOLDER, Demand, Setup, Weights, server_socket
from leafe.serving.given import offer
from leafe.serving.lease import Lease
from leafe.serving.server import gpus

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Of adapters, for which vLLM makes room."""


def make_vllm(params: Params, policy: Path) -> VllmEngine:
    """The engine, once its servers have the policy; BadInput says why they cannot."""
    engine, weights = params.engine, weights_of(policy)
    if not engine.start:
        # The base policy is a copy of it.
        same = params.model.path if Path(weights.base) == layout.policy(layout.BASE) else None
        model = offer(engine.urls, weights, same, params.model.context, engine.timeout)
        return connect(params, engine.urls, model, None)
    print(f"vLLM: waiting for {engine.replicas} of its servers; logs in {FOLDER}")
    began = time.monotonic()
    lease = Lease(Demand(setup=setup_of(params, weights), weights=weights))
    print(f"vLLM: ready after {time.monotonic() - began:.0f} s")
    sockets = [str(server_socket(n)) for n in range(engine.replicas)]
    return connect(params, sockets, weights.model, lease)


def connect(params: Params, replicas: list[str], model: str, lease: Lease | None) -> VllmEngine:
    """The engine for servers that answer."""
    return VllmEngine(
        replicas,
        model,
        max_length=params.model.context,
        rows=params.engine.rows,
        timeout=params.engine.timeout,
        tries=params.engine.tries,
        structured=params.engine.structured,
        kept=lease,
    )


def setup_of(params: Params, weights: Weights) -> Setup:
    """How servers for these weights are started; BadInput where there is no vLLM."""
    engine = params.engine
    python = shutil.which(engine.python)
    if python is None:
        raise BadInput(
            f"{PARAMS_FILE}: engine.python is {show_value(engine.python)}, which is no program;"
            " `make vllm` makes .venv-vllm/bin/python"
        )
    there = len(gpus())
    if 0 < there < engine.replicas:
        raise BadInput(
            f"{PARAMS_FILE}: engine.replicas is {engine.replicas}, but there are {there} GPUs"
        )
    return Setup(
        python=os.path.abspath(python),
        arguments=tuple(engine.arguments),
        replicas=engine.replicas,
        length=params.model.context,
        rank=rank_of(params),
        timeout=engine.timeout,
        family=family(Path(weights.base)),
    )


def rank_of(params: Params) -> int | None:
    """The rank that servers make room for, one of those that vLLM knows; None without adapters."""
    lora = params.sft.lora
    if lora is None:
        return None
    for rank in RANKS:
        if rank >= lora.rank:
            return rank
    raise BadInput(
        f"{PARAMS_FILE}: sft.lora.rank is {lora.rank}; vLLM serves adapters up to {RANKS[-1]}"
    )


def weights_of(policy: Path) -> Weights:
    """What servers are asked to have."""
    from leafe.training.adapter import base_of, is_adapter
    from leafe.training.checkpoint import policy_version

    version = policy_version(policy)
    if not is_adapter(policy):
        return Weights(version=version, base=str(policy), base_version=version, adapter=None)
    base = base_of(policy)
    return Weights(
        version=version, base=str(base), base_version=policy_version(base), adapter=str(policy)
    )


def family(base: Path) -> str:
    """Fingerprint of all but the weights."""
    whole = hashlib.sha256()
    for path in (base / "config.json", base / "tokenizer.json"):
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()[:12]
