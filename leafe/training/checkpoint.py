"""Policies on disk: plain transformers checkpoint folders, or adapters on the base policy's.

Weights are in safetensors only. A folder is refused where it holds pickled weights or asks for code
of its own: both can run anything when loaded.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from leafe.errors import BadInput
from leafe.training import adapter

UNSAFE = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.pickle")
VOCABULARIES = ("tokenizer.json", "vocab.json", "tokenizer.model")
"""A tokenizer is loaded from one of these; without any, transformers makes an empty one."""


SCALES = ("final_logit_softcapping", "attn_logit_softcapping", "logits_scaling", "logit_scale")
"""What some families do to their logits beyond the plain product."""
SHAPE = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size")


def check_policy(folder: Path) -> None:
    """Refuse a folder that is not a whole, safe checkpoint; BadInput says why."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a checkpoint folder; make it with `dvc repro`")
    pickled = sorted(path.name for pattern in UNSAFE for path in folder.rglob(pattern))
    if pickled:
        raise BadInput(f"{folder} holds {pickled[0]}, which can run code; allowed: *.safetensors")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise BadInput(f"{folder} holds no weights; allowed: *.safetensors")
    for path in weights:
        _check_weights(path)
    if adapter.is_adapter(folder):
        _check_adapter(folder, weights)
    else:
        _check_config(folder / "config.json")
    _check_config(folder / "tokenizer_config.json")
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise BadInput(f"{folder} holds no vocabulary; allowed: {', '.join(VOCABULARIES)}")


def _check_adapter(folder: Path, weights: list[Path]) -> None:
    """Its configuration, and that its base is the one that it was trained on."""
    config, base = adapter.read_config(folder), adapter.base_of(folder)
    if [path.name for path in weights] != [adapter.WEIGHTS]:
        raise BadInput(f"{folder} is an adapter; allowed of weights: {adapter.WEIGHTS} alone")
    if adapter.is_adapter(base):
        raise BadInput(f"{base} is an adapter itself; {folder} needs all weights there")
    check_policy(base)
    if (version := policy_version(base)) != config.revision:
        raise BadInput(
            f"{folder / adapter.CONFIG} is an adapter on the base policy {config.revision}, but"
            f" {base} is {version}; train it anew, or bring its base back"
        )


def _check_config(path: Path) -> None:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path.parent} holds no {path.name}") from error
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise BadInput(f"{path} is not a JSON object")
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
    """Fingerprint of a policy: 12 hex digits of sha256 over its weights and configuration.

    An adapter's configuration has its base's fingerprint, which `check_policy` compares.
    """
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*.safetensors")):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:12]


def load_tokenizer(folder: Path) -> Any:
    """The policy's tokenizer; BadInput where its files are broken."""
    with _told(folder):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def load_model(folder: Path) -> Any:
    """The policy, on the GPU if there is one, an adapter merged into its base.

    BadInput where any weight is missing or unfit.
    """
    check_policy(folder)
    if adapter.is_adapter(folder):
        base = load_plain(adapter.base_of(folder))
        return adapter.attach(base, folder).merge_and_unload()
    return load_plain(folder)


def load_plain(folder: Path, *, frozen: bool = False) -> Any:
    """All weights of a folder that is checked already."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # theirs
    # What matters of its report is said below.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # theirs
    device = "cuda" if torch.cuda.is_available() else "cpu"
    as_stored = frozen and device == "cuda"  # where those of a large model take half the memory
    with _told(folder):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            # At these learning rates, most updates would be lost in the rounding of bfloat16.
            dtype="auto" if as_stored else torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    model, told = loaded
    # For these, transformers would go on with random numbers.
    for name in sorted({*told["missing_keys"], *(key for key, *_ in told["mismatched_keys"])}):
        raise BadInput(f"{folder} lacks the weights {name}, or has them in another shape")
    check_attention(folder, model.config)
    return model.to(device)


def check_attention(folder: Path, config: Any) -> None:
    """BadInput for a model whose forward pass is not the plain one that our engine does."""
    windowed = getattr(config, "sliding_window", None) is not None and (
        "sliding_attention" in (getattr(config, "layer_types", None) or ["sliding_attention"])
    )
    scaled = [key for key in SCALES if getattr(config, key, None) not in (None, 1)]
    for key in [*(["sliding_window"] if windowed else []), *scaled]:
        raise BadInput(
            f"{folder / 'config.json'}: {key} is {getattr(config, key)}, which the engine cannot"
            " sample from; allowed: null"
        )
    for key in SHAPE:
        if not hasattr(config, key):
            raise BadInput(
                f"{folder / 'config.json'}: {key} is missing, so the engine cannot sample from a"
                f" {config.model_type} model; allowed: families such as llama, mistral and qwen3"
            )


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Transformers raises many things for a broken folder; all of them are bad input."""
    try:
        yield
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise BadInput(f"{folder} cannot be loaded: {type(error).__name__}: {first}") from error


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """OSError naming the folder where its disk is full: each library tells that in its own way."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except Exception as error:
        # torch says no more than that a file came out too short.
        short = type(error) is RuntimeError and shutil.disk_usage(folder).free < 2**20
        full = os.strerror(errno.ENOSPC)
        if short or full in str(error):
            raise OSError(errno.ENOSPC, full, str(folder)) from error
        raise


def save_policy(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a checkpoint folder; it appears whole or not at all."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # theirs
    for stale in folder.parent.glob(f".{folder.name}.*.part"):  # a killed process left it
        shutil.rmtree(stale)
    with (
        saving(folder.parent),
        tempfile.TemporaryDirectory(".part", f".{folder.name}.", folder.parent) as temporary,
    ):
        new = Path(temporary) / "policy"
        if hasattr(model, "peft_config"):
            adapter.save(model, policy_version(adapter.base_of(folder)), new)
        else:
            model.save_pretrained(new, safe_serialization=True)
        tokenizer.save_pretrained(new)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)


def merge_policy(folder: Path, out: Path) -> None:
    """Write any policy as a plain checkpoint; BadInput where something is there already."""
    if out.exists() or out.is_symlink():
        raise BadInput(f"{out} exists already; name a folder that does not")
    if out.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{out} is within {folder}, which stays as it is; name another folder")
    save_policy(load_model(folder), load_tokenizer(folder), out)
