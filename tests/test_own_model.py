"""A checkpoint that leafe did not make: another family, other control tokens, another template."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Runner, change_params
from safes import STAGES, play_safes
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from leafe.codec import Codec
from leafe.engine import Completion, Sampling
from leafe.engines.transformers import TransformersEngine
from leafe.frame import read_frame
from leafe.store import read_episodes
from leafe.training.checkpoint import save_policy

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chatml_tokenizer(template: str = CHATML) -> Any:
    """A tokenizer as large models have them: other control tokens, other template than ours."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=control, show_progress=False
    )
    tokenizer.train_from_iterator(["system user assistant turn(1) A safe"], trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
    )
    fast.chat_template = template
    return fast


SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.3,
}


@pytest.mark.parametrize(
    ("config", "family"),
    [
        (Qwen2Config(vocab_size=300, **SIZES), Qwen2ForCausalLM),
        (Qwen3Config(vocab_size=300, head_dim=16, **SIZES), Qwen3ForCausalLM),
    ],
)
def test_the_engine_draws_what_a_model_of_another_family_says(config: Any, family: Any) -> None:
    torch.manual_seed(0)
    model = family(config).eval()
    prompts = [torch.randint(3, 300, (length,)).tolist() for length in (3, 17, 40)]

    async def draw_all() -> list[Completion]:
        engine = TransformersEngine(model, rows=2, max_length=64)
        greedy = Sampling(0.0, 8, seed=0, stop_ids=())
        return await asyncio.gather(*(engine.generate(prompt, greedy) for prompt in prompts))

    for prompt, drawn in zip(prompts, asyncio.run(draw_all()), strict=True):
        whole = torch.tensor([[*prompt, *drawn.token_ids]])
        logprobs = model(whole).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        assert tuple(logprobs.argmax(-1).tolist()) == drawn.token_ids
        assert drawn.logprobs == pytest.approx(logprobs.max(-1).values.tolist(), abs=1e-4)


def test_a_checkpoint_made_elsewhere_acts_through_the_stages(
    workspace: Path, run_stage: Runner
) -> None:
    tokenizer = chatml_tokenizer()
    config = LlamaConfig(vocab_size=len(tokenizer), **SIZES)
    save_policy(LlamaForCausalLM(config), tokenizer, workspace / "llama")
    play_safes(workspace)
    change_params(
        workspace,
        model={"path": "llama"},
        engine={"name": "transformers", "script": None, "rows": 8},
        sampling={"action_tokens": 6, "reflection_tokens": 12},
        rollout={"samples": 1},
    )
    for stage in STAGES[:3]:
        done = run_stage(*stage)
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    roots = read_episodes(workspace / "data/leafe/i1/tree/w0/episodes.parquet")
    assert len(roots) == 16
    assert not any(episode.outcome.is_infrastructure for episode in roots)
    assert any(step.logprobs for episode in roots for step in episode.steps)


def test_a_chat_template_that_rewrites_earlier_turns_is_refused() -> None:
    forgetful = CHATML.replace("{{ m.content }}", "{{ m.content if loop.last else '' }}")
    with pytest.raises(ValueError, match="only appends"):
        read_frame(Codec(chatml_tokenizer(forgetful)), "You act.")
