"""The sections of `params.yaml` that say how weights are made and changed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafe.sections import Count, Positive, Section, Several, Share, Weight

Layer = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=40)]
"""The last part of a module's name."""


class Training(Section):
    """Supervised training, for `warm_start` and `sft` alike."""

    steps: Count
    batch: Count
    """Sequences per step."""
    learning_rate: Positive
    warmup: Annotated[int, Field(ge=0)]
    """Steps."""
    weight_decay: Weight
    save_every: Count
    """Steps between the checkpoints that a killed stage resumes from."""


class WarmStart(Training):
    """How the small base model is made, and measured."""

    lessons: Count
    """Lessons on other worlds to learn from."""
    reading: Share
    """Weight of an environment token in the loss, an action token weighing 1: a model that
    starts from nothing must learn to read too."""
    probe_tasks: Count
    """Tasks of an unseen world on which the base is measured."""


class Lora(Section):
    """An adapter in place of all weights: low-rank changes of linear layers, on a frozen base."""

    rank: Annotated[int, Field(ge=1, le=1024)]
    alpha: Annotated[int, Field(ge=1, le=4096)]
    """The change is scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """On what goes into the adapter, while it is trained."""
    targets: Literal["all-linear"] | Annotated[list[Layer], Field(min_length=1)]
    """The layers that are changed: names such as q_proj, or all linear ones but the last."""
    fresh: bool
    """true: every iteration starts a new adapter on the base policy and learns from its own
    examples alone; what the adapters before had learned is only in the episodes that they found.
    false: the adapter of the iteration before is trained on."""


class Sft(Training):
    """Distilling the corrections."""

    beta: Weight
    """Weight of the rehearsal term: L = L_cf + beta L_reh. Episodes that succeeded in spite of an
    error rehearse the error too."""
    lora: Lora | None
    """null trains all weights. An adapter wants a higher learning rate, e.g. 2e-4 for a large
    model where all weights want 1e-6."""
    micro_batch: Count | None
    """Sequences in memory at a time, per process; a step's gradient is still that of the whole
    batch. null: a process's share of the batch at once."""
    checkpointing: bool
    """Compute activations again in the backward pass: less memory, a third more time."""
    processes: Several
    """Training processes on this machine: one per GPU, or on the CPU. Each has all of the model
    (data parallel); models that do not fit one GPU (FSDP, DeepSpeed) and several machines are
    not supported."""

    share_prefixes: bool
    """Compute what examples of a batch begin with once, where the model's loss stays exactly its
    own and it is cheaper. A batch then takes the examples of a task together; false draws them
    one by one."""

    @model_validator(mode="after")
    def _divides(self) -> Self:
        micro = self.micro_batch or 1
        if self.batch % (self.processes * micro):
            parts = f"processes * micro_batch = {self.processes} * {micro}"
            raise ValueError(
                f"batch is {self.batch}; it must be a multiple of"
                f" {parts if self.micro_batch else f'processes, here of {self.processes}'}"
            )
        return self


class EarlyExperience(Section):
    """The baseline of arXiv 2510.08558: its exploration, and the weights of its sets in `sft`."""

    per_step: Several
    """K: other actions tried at each step of an episode that succeeded."""
    world_model: Weight
    """Of implicit world modelling: what the environment says to such an action."""
    self_reflection: Weight
    """Of the rationale, and then the action that succeeded."""


class Grpo(Section):
    """The baseline of arXiv 2402.03300: rounds of fresh episodes, and updates on them."""

    group: Annotated[int, Field(ge=2, le=10_000)]
    """G: episodes per task, whose mean reward is the baseline."""
    tasks: Several
    """Tasks per round."""
    epochs: Several
    """Passes over the episodes of a round."""
    batch: Count
    """Episodes per update."""
    learning_rate: Positive
    weight_decay: Weight
    clip: Annotated[float, Field(gt=0, lt=1)]
    """epsilon: how far an action's probability may move in a round and still be pushed on."""
    kl: Weight
    """Weight of the divergence from the base policy; 0 leaves it out."""
