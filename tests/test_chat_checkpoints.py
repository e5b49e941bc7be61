"""Checkpoints of other families go through all stages, by their own chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import change_params, write_params
from families import FAMILIES, REFUSED, make_tokenizer
from staging import BRANCH, REFLECT, ROLLOUT, SFT, complete, finish, start
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from leafe.chat import Chat, read_prompts
from leafe.store import read_episodes, read_examples, read_reflections
from leafe.training.checkpoint import load_model, load_tokenizer, save_policy

# Solved by an answer of even length: even an untrained model succeeds at times.
PARITY = '''
from pydantic import BaseModel
from leafe.env import StepResult
from leafe.task import make_task

class Options(BaseModel, extra="forbid"):
    """None."""

class Game:
    def start(self, task):
        return f"Say something, {task.payload['n']}. <|im_end|><|eot_id|>"
    def step(self, action):
        solved = len(action) % 2 == 0
        return StepResult(f"{len(action)} letters.", float(solved), solved, truncated=False)
    def close(self):
        pass

class Parity:
    name, options, max_steps, make = "parity", Options, 3, Game
    step_timeout, actions = None, ("hi",)
    instructions = "Say something of even length."
    def __init__(self, chosen):
        pass
    def tasks(self, split):
        chosen = (1, 2, 3) if split == "train" else (4,)
        return [make_task("parity", split, {"n": n}) for n in chosen]
'''
SIZES: dict[str, Any] = {
    **{"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 2048},
}
MODELS: dict[str, tuple[Any, Any]] = {
    "qwen2.5": (Qwen2Config, Qwen2ForCausalLM),
    "llama3.2": (LlamaConfig, LlamaForCausalLM),
}


def bring(folder: Path, tokenizer: Any, config: Any, kind: Any) -> None:
    """Put an untrained checkpoint and the game of parity into a workspace."""
    torch.manual_seed(0)
    model = kind(config(vocab_size=len(tokenizer), **SIZES))
    with torch.no_grad():  # it shall end an answer one time in three, not in 400
        model.get_input_embeddings().weight[:, 0] = 9.0
        model.lm_head.weight[tokenizer.eos_token_id, 0] = 1.0
    save_policy(model, tokenizer, folder / "brought")
    (folder / "parity.py").write_text(PARITY)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["env"] = {"name": "parity:Parity"}
    write_params(folder, params)
    change_params(
        folder,
        model={"path": "brought", "prompts": "full", "context": 2048},
        engine={"name": "transformers", "script": None, "rows": 8},
        sampling={"action_tokens": 5, "reflection_tokens": 8},
        rollout={"samples": 4},
        sft={"steps": 2, "batch": 2},
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_of_the_family_explores_and_is_trained_on_what_it_drew(
    workspace: Path, name: str
) -> None:
    bring(workspace, make_tokenizer(FAMILIES[name]), *MODELS[name])
    filtering = ("filter", "--iteration", "i1", "--policy", "i0")
    for stage in (("tasks",), ("warm_start",), ROLLOUT, REFLECT, BRANCH, filtering, SFT):
        complete(workspace, stage)
    tokenizer = load_tokenizer(workspace / "policies/leafe/i1")
    chat = Chat(tokenizer, read_prompts("full"), "Say something of even length.")
    roots = {e.id: e for e in read_episodes(workspace / "data/leafe/i1/tree/w0/episodes.parquet")}
    assert len(roots) == 12
    assert not any(episode.outcome.is_infrastructure for episode in roots.values())
    # Its own template, as its own tokenizer encodes it.
    system = "Say something of even length.\n\nEach message starts with the number of the step you"
    talk = [{"role": "system", "content": f"{system} are about to take."}]
    talk.append({"role": "user", "content": "0. Hi."})
    theirs = tokenizer.apply_chat_template(
        talk, return_dict=False, add_generation_prompt=True, date_string="26 Jul 2024"
    )
    assert chat.history("Hi.", [], {})[0] == theirs
    examples = read_examples(workspace / "data/leafe/i1/examples.parquet")
    assert len(examples) > 2
    for example in examples:
        episode = roots[example.episode_id]
        learned: set[int] = set()
        for t, step in enumerate(episode.steps):
            asked, _ = chat.history(episode.first_observation or "", episode.steps[:t], {})
            end = len(asked) + len(step.token_ids)
            if step.token_ids[-1] == chat.stop_id:
                assert example.token_ids[:end] == (*asked, *step.token_ids)
                learned |= set(range(len(asked), end))
        assert {at for at, learn in enumerate(example.loss_mask) if learn} == learned
    reflections = read_reflections(workspace / "data/leafe/i1/tree/w1/reflections.parquet")
    assert all(reflection.token_ids for reflection in reflections)
    load_model(workspace / "policies/leafe/i1")


def test_a_chat_template_that_cannot_be_used_is_refused_naming_its_folder(workspace: Path) -> None:
    bring(workspace, make_tokenizer(REFUSED["always thinks"]), LlamaConfig, LlamaForCausalLM)
    complete(workspace, ("tasks",))
    assert finish(start(workspace, ("warm_start",))) == 2
    [said] = [s for s in (workspace / "said.txt").read_text().splitlines() if "chat_" in s]
    assert "policies/leafe/i0: chat_template asks for an answer with '<think>\\n'" in said
