"""Servers that others started: whether they have the policy, or can take it as an adapter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from leafe.errors import BadInput
from leafe.serving.demand import Weights

DIRECT = build_opener(ProxyHandler({}))
"""As the engine asks: past any proxy of the environment's."""


def offer(
    urls: Sequence[str], weights: Weights, same: str | None, length: int, timeout: float
) -> str:
    """The name under which all servers have the policy; BadInput where one has not.

    Whole weights must be those that they were started with, from their folder or from one called
    as `same`; an adapter is given to them.
    """
    names = {_name_at(url, weights, same, length, timeout) for url in urls}
    if len(names) > 1:
        raise BadInput(f"engine.urls: the servers name their model differently: {sorted(names)}")
    return names.pop()


def _name_at(url: str, weights: Weights, same: str | None, length: int, timeout: float) -> str:
    models = _models(url, timeout)
    roots = {str(model.get("root")): model for model in models if not model.get("parent")}
    own = [model for root, model in roots.items() if _is_it(Path(root), Path(weights.base), same)]
    if not own:
        served = ", ".join(roots)
        raise BadInput(
            f"engine.urls: {url} serves {served or 'nothing'}; start it with --model"
            f" {same or weights.base}, or let engine.start be true"
        )
    room = own[0]["max_model_len"]
    if room < length:
        raise BadInput(f"engine.urls: {url} has a context of {room}, less than model.context")
    if weights.adapter is None:
        return str(own[0]["id"])
    if weights.model not in {model["id"] for model in models}:
        asked = {"lora_name": weights.model, "lora_path": str(Path(weights.adapter).resolve())}
        _ask(f"{url.rstrip('/')}/v1/load_lora_adapter", asked, timeout)
    return weights.model


def _models(url: str, timeout: float) -> list[dict[str, Any]]:
    said = _ask(f"{url.rstrip('/')}/v1/models", None, timeout)
    try:
        models = [dict(model) for model in json.loads(said)["data"]]
        # An adapter has no length of its own.
        return [
            {**m, "id": str(m["id"]), "max_model_len": int(m.get("max_model_len") or 0)}
            for m in models
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"engine.urls: {url} is no server of vLLM's; it says {said[:100]!r}"
        ) from error


def _is_it(root: Path, base: Path, same: str | None) -> bool:
    """Whether a server's model is ours, as far as paths tell; other machines have other parents."""
    return root.resolve() == base.resolve() or (same is not None and root.name == Path(same).name)


def _ask(url: str, body: dict[str, Any] | None, timeout: float) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"})
    try:
        with DIRECT.open(request, timeout=timeout) as said:
            return bytes(said.read())
    except HTTPError as error:
        told = error.read()[:300].decode(errors="replace")
        raise BadInput(f"engine.urls: {url} answers {error.code}: {told}") from error
    except (URLError, HTTPException, OSError) as error:
        raise BadInput(f"engine.urls: {url} does not answer: {error}") from error
