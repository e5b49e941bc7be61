"""LoRA adapters: a policy as a small change of the base policy.

An adapter's folder holds `adapter_config.json`, `adapter_model.safetensors` and the tokenizer, as
peft and vLLM read them. Its base is the base policy, named by the way there from the adapter's own
folder, so that a project can be moved, and by its version, so that no other base will do. What
else peft could be told in that file is not allowed: some of it imports modules, or has weights
elsewhere.

Invariant: an adapter that can be loaded changes linear layers within the decoder, and nothing else.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from warnings import catch_warnings, simplefilter

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leafe.errors import BadInput, describe
from leafe.store import read_json

if TYPE_CHECKING:
    from leafe.training_sections import Lora

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


class AdapterConfig(BaseModel):
    """`adapter_config.json`: all that it may say, in peft's words."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    base_model_name_or_path: Literal["../../leafe/i0"] = "../../leafe/i0"
    """From the adapter's folder, policies/<method>/<iteration>, to the base policy's."""
    revision: str = Field(pattern="^[0-9a-f]{12}$")
    """The base policy's version."""
    r: int = Field(ge=1, le=1024)
    lora_alpha: int = Field(ge=1)
    lora_dropout: float = Field(ge=0, lt=1)
    target_modules: list[str] = Field(min_length=1)
    """Sorted; the layers whose names end so."""
    peft_type: Literal["LORA"] = "LORA"
    task_type: Literal["CAUSAL_LM"] = "CAUSAL_LM"
    bias: Literal["none"] = "none"
    fan_in_fan_out: Literal[False] = False
    inference_mode: Literal[True] = True
    modules_to_save: None = None
    use_dora: Literal[False] = False
    use_rslora: Literal[False] = False

    def fits(self, other: AdapterConfig) -> bool:
        """Whether the weights of one mean the same in the other."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("revision", "r", "lora_alpha", "target_modules")
        )


def is_adapter(folder: Path) -> bool:
    """Whether a policy's folder holds an adapter, not all weights."""
    return (folder / CONFIG).is_file()


def base_of(folder: Path) -> Path:
    """The base policy's folder, of an adapter's."""
    default: str = AdapterConfig.model_fields["base_model_name_or_path"].default
    return Path(os.path.normpath(folder / default))


def read_config(folder: Path) -> AdapterConfig:
    """What an adapter says of itself; BadInput for anything that is not allowed."""
    path = folder / CONFIG
    try:
        return AdapterConfig.model_validate(read_json(path))
    except ValidationError as error:
        raise BadInput(describe(path, error, AdapterConfig)) from error


def in_words(folder: Path) -> str:
    """How a policy was trained, for the results.

    >>> in_words(Path("policies/leafe/i0"))
    'all weights'
    """
    return f"LoRA rank {read_config(folder).r}" if is_adapter(folder) else "all weights"


def start(base: Any, lora: Lora, folder: Path) -> Any:
    """A new adapter on a base, which it freezes; it changes nothing yet.

    BadInput, naming the base's folder, where the base has no such layers.
    """
    every = lora.targets == "all-linear"
    targets = "all-linear" if every else sorted(set(lora.targets))
    try:
        return _wrap(base, lora.rank, lora.alpha, lora.dropout, targets)
    except ValueError as error:
        said = str(error).partition("\n")[0]
        raise BadInput(f"sft.lora.targets does not fit {folder}: {said}") from error


def config_of(model: Any, version: str) -> AdapterConfig:
    """What an adapter's file has to say, on a base of that version."""
    made = model.peft_config["default"]
    return AdapterConfig(
        revision=version,
        r=made.r,
        lora_alpha=made.lora_alpha,
        lora_dropout=made.lora_dropout,
        # Their kinds; peft itself names each one in a small model, e.g. model.layers.0.mlp.up_proj.
        target_modules=sorted({name.rpartition(".")[2] for name in _changed(model)}),
    )


def attach(base: Any, folder: Path) -> Any:
    """The adapter of a folder on its base; BadInput where its weights do not fit that."""
    config = read_config(folder)
    try:
        rank, alpha, dropout = config.r, config.lora_alpha, config.lora_dropout
        model = _wrap(base, rank, alpha, dropout, config.target_modules)
    except ValueError as error:
        raise BadInput(f"{folder / CONFIG} does not fit its base: {error}") from error
    load_weights(model, folder)
    return model


def load_weights(model: Any, folder: Path) -> None:
    """Give an adapter the weights of a folder; BadInput where any is missing or unfit."""
    import torch
    from safetensors.torch import load_file

    wanted, found = _weights(model), load_file(folder / WEIGHTS)
    for name in sorted(wanted.keys() ^ found.keys()):
        lacks = "lacks" if name in wanted else "has, which is no part of it,"
        raise BadInput(f"{folder / WEIGHTS} {lacks} the weights {name}")
    with torch.no_grad():
        for name, weight in wanted.items():
            if weight.shape != found[name].shape:
                raise BadInput(
                    f"{folder / WEIGHTS}: {name} is {tuple(found[name].shape)}; allowed:"
                    f" {tuple(weight.shape)}"
                )
            weight.copy_(found[name])


def save(model: Any, version: str, folder: Path) -> None:
    """Write an adapter's own two files, on a base of that version; equal ones have equal bytes."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    weights = {name: w.detach().cpu().contiguous() for name, w in _weights(model).items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    said = json.dumps(config_of(model, version).model_dump(), indent=2, sort_keys=True)
    (folder / CONFIG).write_text(said + "\n", encoding="utf-8")


def _wrap(base: Any, rank: int, alpha: int, dropout: float, targets: str | list[str]) -> Any:
    """Put adapter layers into a model; ValueError where they cannot be there."""
    from peft import LoraConfig, get_peft_model
    from torch.nn import Linear

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with catch_warnings():
        simplefilter("ignore", FutureWarning)  # of transformers, at names that peft still uses
        model = get_peft_model(base, config)
    changed = _changed(model)
    for name, layer in changed.items():
        if not isinstance(layer.get_base_layer(), Linear) or layer is base.get_output_embeddings():
            raise ValueError(f"{name} is no linear layer within the decoder")
    named = {name.rpartition(".")[2] for name in changed}
    if isinstance(targets, list) and (unknown := sorted({*targets} - named)):
        raise ValueError(f"no layer is called {unknown[0]}")
    return model


def _changed(model: Any) -> dict[str, Any]:
    """The layers that an adapter changes, by their names in the model."""
    from peft.tuners.lora import LoraLayer

    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}


def _weights(model: Any) -> dict[str, Any]:
    """The adapter's own weights, in memory, by their names in a file."""
    from peft import get_peft_model_state_dict

    # Not "auto", which asks the hub whether the base's embeddings have grown.
    found: dict[str, Any] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return found
