"""What the stages that train share: threads, progress, resuming, and the loss curve as a file."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leafe.progress import Progress
from leafe.sections import Training
from leafe.stages.stage import Stage
from leafe.stages.threads import use_threads
from leafe.store import atomic

if TYPE_CHECKING:
    from leafe.training.trainer import WeightedTokens

CHECKPOINTS = Path(".leafe") / "training"


@dataclass(frozen=True)
class Curve:
    """The losses of a training run, and where its checkpoints lie until it is published."""

    points: tuple[tuple[int, float], ...]
    """(step, loss)."""
    checkpoints: Path | None
    """None where nothing was trained."""

    @property
    def first(self) -> float:
        """The first loss logged."""
        return self.points[0][1]

    @property
    def last(self) -> float:
        """The last loss logged."""
        return self.points[-1][1]

    def write(self, path: Path) -> None:
        """As CSV, for `dvc plots`."""
        write_losses(path, self.points)

    def clean(self) -> None:
        """The weights are published: drop the checkpoints."""
        if self.checkpoints:
            shutil.rmtree(self.checkpoints, ignore_errors=True)


def write_losses(path: Path, points: Sequence[tuple[int, float]]) -> None:
    """A loss curve as CSV with columns `step,loss`."""
    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("step", "loss"))
        rows.writerows(points)


def train_stage(
    stage: Stage,
    model: Any,
    tokenizer: Any,
    sequences: Sequence[WeightedTokens],
    section: Training,
    seed: int,
) -> Curve:
    """Train as a section says, showing progress; resumes where a killed run of it was."""
    from transformers import TrainerCallback

    from leafe.training.checkpoint import last_whole
    from leafe.training.trainer import TrainSettings, train

    use_threads(stage.params)

    class Show(TrainerCallback):
        loss = ""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            self.loss = f"loss {logs['loss']:.3f}" if "loss" in logs else self.loss

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.advance(self.loss, by=state.global_step - progress.done)

    folder = CHECKPOINTS / stage.name.replace("@", "-") / stage.fingerprint[:32]
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    names = {field.name for field in fields(TrainSettings)} & set(type(section).model_fields)
    settings = TrainSettings(seed=seed, **{name: getattr(section, name) for name in names})
    resume = last_whole(folder)
    already = int(resume.name.rpartition("-")[2]) if resume else 0
    # Many have none; what it is does not matter, as padding is masked and weighs nothing.
    pad, show = tokenizer.pad_token_id or 0, [Show()]
    with Progress(stage.name, section.steps, already, unit="steps") as progress:
        points = train(model, pad, sequences, settings, folder, resume, callbacks=show)
    return Curve(tuple(points), folder)
