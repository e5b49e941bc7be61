"""The trainer's checkpoints: which of them a killed training goes on from.

Trainer writes a checkpoint in place, file by file; one counts once it is marked as whole.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from leafe.training.finite import LossIsNotFinite, all_finite

WHOLE = "whole.json"


def mark_whole(checkpoint: Path) -> None:
    """Note that every file of a checkpoint of the trainer is written: their names and sizes."""
    (checkpoint / WHOLE).write_text(json.dumps(_sizes(checkpoint)))


def last_whole(folder: Path) -> Path | None:
    """The trainer's newest checkpoint in a folder that is whole; torn ones are removed."""
    by_step = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for checkpoint in reversed(by_step):
        try:
            if json.loads((checkpoint / WHOLE).read_text()) == _sizes(checkpoint):
                return checkpoint
        except (OSError, ValueError):
            pass
        shutil.rmtree(checkpoint)
    return None


def _sizes(checkpoint: Path) -> dict[str, int]:
    return {p.name: p.stat().st_size for p in checkpoint.iterdir() if p.name != WHOLE}


class MarkWhole(TrainerCallback):
    """Marks a checkpoint as whole, and sound."""

    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """This process has written its part of it."""
        if not all_finite(weight for weight in model.parameters() if weight.requires_grad):
            raise LossIsNotFinite(f"weights are not finite after step {state.global_step}")
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")
