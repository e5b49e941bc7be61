"""What a run may cost before it is run: requests, tokens and bytes of every kind of stage.

The sum is an upper bound: every episode takes all its steps, every answer all its tokens, every
prompt fills the context. Waves share a budget, here in equal parts. A prompt's tokens are read, not
drawn; a cache of prefixes spares most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path

from leafe.errors import BadInput
from leafe.params import Params

STEP_BYTES = 100
"""Of a step in a file of episodes, besides its tokens: the action, what was said, compressed."""
TOKEN_BYTES = 12
"""Of a drawn token there: its id, and its log-probability."""
WEIGHT_BYTES = 4
"""Weights are kept as float32."""


@dataclass(frozen=True)
class Size:
    """How large the whole is."""

    train_tasks: int
    test_tasks: int
    steps: int
    """Of an episode, at most."""
    weights: int | None
    """Numbers in the model; None where its folder is not there."""
    trained: int | None
    """Numbers that `sft` trains and writes."""


@dataclass(frozen=True)
class Cost:
    """Of one stage, or of several."""

    requests: int = 0
    drawn: int = 0
    """Tokens."""
    read: int = 0
    """Tokens of prompts, or of examples that are trained on."""
    disk: int = 0
    """Bytes that stay."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.requests + other.requests,
            self.drawn + other.drawn,
            self.read + other.read,
            self.disk + other.disk,
        )


def acting(params: Params, steps: int, reflections: int = 0) -> Cost:
    """Of so many steps and reflections."""
    sampling, requests = params.sampling, steps + reflections
    drawn = steps * sampling.action_tokens + reflections * sampling.reflection_tokens
    disk = requests * STEP_BYTES + drawn * TOKEN_BYTES
    return Cost(requests, drawn, requests * params.model.context, disk)


def warm_start(params: Params, size: Size) -> Cost:
    """The base policy, and its probe: roots, a look back, and a branch with e and one without."""
    tasks, samples = min(params.warm_start.probe_tasks, size.train_tasks), params.rollout.samples
    roots = tasks * samples
    probe = acting(params, 3 * roots * size.steps, roots)
    section, given = params.warm_start, params.model.path is not None
    learned = 0 if given else section.steps * section.batch * params.model.context
    weights = (size.weights or 0) * WEIGHT_BYTES
    return Cost(probe.requests, probe.drawn, probe.read + learned, weights)


def rollout(params: Params, size: Size) -> Cost:
    """The root episodes."""
    per_task = min(params.rollout.samples * size.steps, params.rollout.max_steps)
    return acting(params, size.train_tasks * per_task)


def reflect(params: Params, size: Size) -> Cost:
    """A wave's reflections: one for each attempt of the wave before, and one each K steps."""
    looks = 1 + (size.steps // params.reflect.every if params.reflect.every else 0)
    share = ceil(params.rollout.max_attempts / max(1, len(params.waves)))
    attempts = max(params.rollout.samples, share)
    return acting(params, 0, size.train_tasks * attempts * looks)


def branch(params: Params, size: Size) -> Cost:
    """A wave's branches: an equal share of what the roots leave of the budget."""
    left = params.rollout.max_steps - params.rollout.samples * size.steps
    waves = max(1, len(params.waves))
    return acting(params, size.train_tasks * max(0, left) // waves)


def alternatives(params: Params, size: Size) -> Cost:
    """What the roots leave of the budget."""
    left = params.rollout.max_steps - params.rollout.samples * size.steps
    return acting(params, size.train_tasks * max(0, left))


def filtering(params: Params, size: Size) -> Cost:
    """The training examples: two sets, so many per task."""
    examples = 2 * params.filter.max_per_task * size.train_tasks
    return Cost(disk=examples * params.model.context)


def sft(params: Params, size: Size) -> Cost:
    """What is trained on, and the policy."""
    read = params.sft.steps * params.sft.batch * params.model.context
    return Cost(read=read, disk=(size.trained or 0) * WEIGHT_BYTES)


def grpo(params: Params, size: Size) -> Cost:
    """Rounds until the budget is spent, read again in each epoch; all weights are trained."""
    spent = acting(params, size.train_tasks * params.rollout.max_steps)
    learned = spent.read * params.grpo.epochs
    return spent + Cost(read=learned, disk=(size.weights or 0) * WEIGHT_BYTES)


def evaluate(params: Params, size: Size) -> Cost:
    """Episodes on the held-out tasks."""
    return acting(params, size.test_tasks * params.evaluate.samples * size.steps)


KINDS: Mapping[str, Callable[[Params, Size], Cost]] = {
    "warm_start": warm_start,
    "rollout": rollout,
    "reflect": reflect,
    "branch": branch,
    "alternatives": alternatives,
    "filter": filtering,
    "sft": sft,
    "grpo": grpo,
    "evaluate_i0": evaluate,
    "evaluate": evaluate,
}
"""Kind of stage -> its cost; the others draw nothing and write little."""


def cost(params: Params, size: Size, stage: str) -> Cost:
    """Of a stage by its name in DVC, such as `rollout@i1` or `sft@grpo-i2`."""
    kind, _, name = stage.partition("@")
    tables = [table for table in params.plan.values() if name in table]
    method = tables[0][name].method if tables else None
    own = params if method is None else params.of(method)
    return KINDS[kind](own, size) if kind in KINDS else Cost()


def shapes_of(params: Params) -> dict[str, tuple[int, ...]] | None:
    """Name -> shape of the model's weights; None where `model.path` is not there."""
    model = params.model
    if model.path is None:
        wide, inner = model.hidden, model.hidden * 5 // 2
        square, tall = (wide, wide), (inner, wide)
        layer = {"q_proj": square, "k_proj": square, "v_proj": square, "o_proj": square}
        layer |= {"gate_proj": tall, "up_proj": tall, "down_proj": tall}
        layers = {f"{n}.{key}": shape for n in range(model.layers) for key, shape in layer.items()}
        norms = {"norms": ((2 * model.layers + 1) * wide,)}
        return {"embed_tokens": (model.vocabulary, wide), **norms, **layers}
    files = sorted(Path(model.path).glob("*.safetensors"))
    found: dict[str, tuple[int, ...]] = {}
    for path in files:
        found |= _shapes(path)
    return found or None


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """What a safetensors file says that it holds."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is not a safetensors file: {error}") from error


def numbers(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """In all of these weights.

    >>> numbers({"a": (2, 3), "b": (4,)})
    10
    """
    return sum(prod(shape) for shape in shapes.values())


def trained(params: Params, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many numbers `sft` trains: all, or rank * (wide + high) for each adapted layer.

    (arXiv 2106.09685, section 4.1.)
    """
    lora = params.sft.lora
    if lora is None:
        return numbers(shapes)
    layers = {k.removesuffix(".weight"): v for k, v in shapes.items() if len(v) == 2}
    return sum(
        lora.rank * sum(shape)
        for name, shape in layers.items()
        if (
            not name.endswith(("embed_tokens", "lm_head"))
            if lora.targets == "all-linear"
            else name.rpartition(".")[2] in lora.targets
        )
    )
