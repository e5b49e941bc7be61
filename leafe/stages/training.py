"""What the stages that train share: processes, progress, resuming, the loss curve as a file."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leafe import layout
from leafe import training_sections as sections
from leafe.layout import BASE
from leafe.params import Params
from leafe.progress import Progress
from leafe.stages.stage import Stage
from leafe.stages.threads import use_threads
from leafe.store import atomic

if TYPE_CHECKING:
    from leafe.training.trainer import TrainSettings, WeightedTokens

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


@dataclass(frozen=True)
class Training:
    """One training of a stage, as each process that does it is told."""

    name: str
    """The stage's."""
    params: Params
    settings: TrainSettings
    folder: Path
    """Of its checkpoints."""
    resume: Path | None
    """The checkpoint to go on from."""

    def run(
        self, model: Any, tokenizer: Any, sequences: Sequence[WeightedTokens]
    ) -> list[tuple[int, float]]:
        """Train in place, the first process showing progress; returns the curve."""
        from transformers import TrainerCallback

        from leafe.training.processes import is_first
        from leafe.training.trainer import train

        class Show(TrainerCallback):
            loss = ""

            def on_log(
                self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any
            ) -> None:
                self.loss = f"loss {logs['loss']:.3f}" if "loss" in logs else self.loss

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                progress.advance(self.loss, by=state.global_step - progress.done)

        # Many have none; what it is does not matter, as padding is masked and weighs nothing.
        pad = tokenizer.pad_token_id or 0
        given = (model, pad, sequences, self.settings, self.folder, self.resume)
        if not is_first():
            return train(*given)
        already = int(self.resume.name.rpartition("-")[2]) if self.resume else 0
        with Progress(self.name, self.settings.steps, already, unit="steps") as progress:
            return train(*given, callbacks=[Show()])


def plan_training(stage: Stage, section: sections.Training, seed: int) -> Training:
    """Train as a section says; it resumes where a killed run of the stage was."""
    from leafe.training.resuming import last_whole
    from leafe.training.trainer import TrainSettings

    folder = CHECKPOINTS / stage.name.replace("@", "-") / stage.fingerprint[:32]
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    names = {field.name for field in fields(TrainSettings)} & set(type(section).model_fields)
    settings = TrainSettings(seed=seed, **{name: getattr(section, name) for name in names})
    return Training(stage.name, stage.params, settings, folder, last_whole(folder))


def train_stage(
    stage: Stage,
    model: Any,
    tokenizer: Any,
    sequences: Sequence[WeightedTokens],
    section: sections.Training,
    seed: int,
) -> Curve:
    """Train a model in this process."""
    use_threads(stage.params)
    training = plan_training(stage, section, seed)
    return Curve(tuple(training.run(model, tokenizer, sequences)), training.folder)


def distil_stage(
    stage: Stage, policy: Path, sequences: Sequence[WeightedTokens], seed: int, out: Path
) -> Curve:
    """Train a policy as the section `sft` says, in so many processes, and write what it became."""
    from leafe.training.processes import in_processes

    section = stage.params.sft
    training = plan_training(stage, section, seed)
    given = (training, policy, sequences, out)
    points = in_processes(section.processes, training.folder, distil, *given)
    return Curve(tuple(points), training.folder)


def distil(
    training: Training, policy: Path, sequences: Sequence[WeightedTokens], out: Path
) -> list[tuple[int, float]]:
    """What each of the processes does; the first writes the policy."""
    from leafe.training.checkpoint import load_tokenizer, save_policy
    from leafe.training.processes import is_first
    from leafe.training.starting import load_for_training

    section, seed = training.params.sft, training.settings.seed
    use_threads(training.params, section.processes)
    model = load_for_training(policy, section.lora, layout.policy(BASE), seed)
    tokenizer = load_tokenizer(policy)
    points = training.run(model, tokenizer, sequences)
    if is_first():
        save_policy(model, tokenizer, out)
    return points
