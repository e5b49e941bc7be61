"""Policies on disk: plain transformers checkpoint folders, weights in safetensors only.

A folder is refused where it holds pickled weights or asks for code of its own: both can run
anything when loaded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from leafe.errors import BadInput

UNSAFE = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.pickle")


def check_policy(folder: Path) -> None:
    """Refuse a folder that is not a whole, safe checkpoint; BadInput says why."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a checkpoint folder; make it with `dvc repro`")
    pickled = sorted(path.name for pattern in UNSAFE for path in folder.glob(pattern))
    if pickled:
        raise BadInput(f"{folder} holds {pickled[0]}, which can run code; allowed: *.safetensors")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise BadInput(f"{folder} holds no weights; allowed: *.safetensors")
    for path in weights:
        _check_weights(path)
    for name in ("config.json", "tokenizer_config.json"):
        _check_config(folder / name)


def _check_config(path: Path) -> None:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path.parent} holds no {path.name}") from error
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}") from error
    if "auto_map" in config:
        raise BadInput(f"{path} has auto_map, which runs code from the folder; not allowed")


def _check_weights(path: Path) -> None:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - safe_open is no mapping
                if not torch.isfinite(file.get_tensor(name)).all():
                    raise BadInput(f"{path}: {name} holds values that are not finite")
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is not a safetensors file: {error}") from error


def policy_version(folder: Path) -> str:
    """Fingerprint of a policy: 12 hex digits of sha256 over its weights and configuration."""
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*.safetensors")):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:12]


def load_tokenizer(folder: Path) -> Any:
    """The policy's tokenizer."""
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def load_model(folder: Path) -> Any:
    """The policy's weights, on the GPU if there is one."""
    check_policy(folder)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # theirs
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False
    )
    return model.to(device)


def save_policy(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a checkpoint folder; it appears whole or not at all."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # theirs
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new = Path(temporary) / "policy"
        model.save_pretrained(new, safe_serialization=True)
        tokenizer.save_pretrained(new)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
