"""What the stages that act share: the policy behind an engine, in its environment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leafe.chat import Chat, read_prompts
from leafe.engine import Engine
from leafe.env import Environment
from leafe.envs import make_environment
from leafe.episode import Episode
from leafe.errors import BadInput
from leafe.params import Params
from leafe.rollout import Agent
from leafe.stages.threads import use_threads
from leafe.windowed import Windowed

ACTING = ("env", "model", "engine", "sampling")
"""The sections that decide how a policy acts."""


def make_agent(params: Params, policy: Path, iteration: str, engine: Engine | None = None) -> Agent:
    """The policy of a folder, ready to act in the environment of the parameters.

    `engine` has it in memory already; None loads it.
    """
    from leafe.training.checkpoint import check_policy, load_tokenizer, policy_version

    environment = make_environment(params.env)
    check_policy(policy)
    tokenizer = load_tokenizer(policy)
    chat = make_chat(params, tokenizer, environment)  # before an engine, which may take minutes
    return Agent(
        environment=environment,
        engine=engine or make_engine(params, policy, tokenizer),
        chat=chat,
        policy=policy_version(policy),
        temperature=params.sampling.temperature,
        action_tokens=params.sampling.action_tokens,
        reflection_tokens=params.sampling.reflection_tokens,
        seed=params.run.seed,
        iteration=iteration,
    )


def failures(episodes: Sequence[Episode]) -> list[str | None]:
    """What the machinery failed with, episode by episode; None where it held."""
    return [f"{e.outcome} {e.error}" if e.outcome.is_infrastructure else None for e in episodes]


def make_chat(params: Params, tokenizer: Any, environment: Environment) -> Chat:
    """The renderer for this tokenizer and environment; BadInput for an unfit chat template."""
    style = params.model.prompts
    kind = Windowed if style == "verl-agent" else Chat
    try:
        return kind(tokenizer, read_prompts(style), environment.instructions)
    except ValueError as error:
        raise BadInput(f"{tokenizer.name_or_path}: {error}") from error


def make_engine(params: Params, policy: Path, tokenizer: Any) -> Engine:
    """The engine that the parameters name."""
    if params.engine.name == "scripted" and params.engine.script is not None:
        from leafe.engines.scripted import ScriptedEngine, read_script

        return ScriptedEngine(read_script(Path(params.engine.script)), tokenizer)
    if params.engine.name == "vllm":
        from leafe.serving.policy import make_vllm

        return make_vllm(params, policy)
    from leafe.engines.transformers import TransformersEngine
    from leafe.training.checkpoint import load_model

    use_threads(params)
    model = load_model(policy)
    return TransformersEngine(model, rows=params.engine.rows, max_length=params.model.context)
