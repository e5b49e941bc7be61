"""Tiny tokenizers and chat templates as the families publish theirs, in our own short words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

WORDS = [
    "Please refund my packed book, local, paid by voucher. verify() done, label refused: it is no",
    "You act at a desk. Note from an earlier attempt: call approve before label() system user",
    "0. go 1. no 2. assistant model think",
    "Cutting Knowledge Date: December Today Answer with JSON alone: null",
]
TEXTS = [*WORDS, *(word for text in WORDS for word in text.split())] * 3

CHATML = """\
{%- for m in messages if m.role != 'system' -%}
{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
QWEN_2_5 = (
    """\
{%- if messages[0].role == 'system' -%}{%- set told = messages[0].content -%}
{%- else -%}
{%- set told = 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' -%}
{%- endif -%}
{{ '<|im_start|>system\\n' + told + '<|im_end|>\\n' }}
""".replace("\n", "")
    + CHATML
)
# An answer keeps its thought until the next user turn; the prompt may begin with an empty one.
QWEN_3 = """\
{%- set at = namespace(last=-1) -%}
{%- for m in messages if m.role == 'user' -%}{%- set at.last = messages.index(m) -%}{%- endfor -%}
{%- for m in messages -%}
{%- set said, thought = m.content, '' -%}
{%- if m.role == 'assistant' and '</think>' in said -%}
{%- set thought = said.split('</think>')[0].split('<think>')[-1].strip('\\n') -%}
{%- set said = said.split('</think>')[-1].lstrip('\\n') -%}
{%- endif -%}
{{ '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' and loop.index0 > at.last -%}
{{ '<think>\\n' + thought + '\\n</think>\\n\\n' }}
{%- endif -%}
{{ said + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and not enable_thinking -%}
{{ '<think>\\n\\n</think>\\n\\n' }}{%- endif -%}
{%- endif -%}
"""
# Thinks in every prompt, and forgets it: as models that only reason.
ALWAYS_THINKS = QWEN_3.replace("<think>\\n\\n</think>\\n\\n' }}{%- endif", "' }}{%- endif").replace(
    "{{ '<|im_start|>assistant\\n' }}", "{{ '<|im_start|>assistant\\n<think>\\n' }}"
)
LLAMA_3 = """\
{%- if messages[0].role == 'system' -%}{%- set told = messages[0].content | trim -%}
{%- set talk = messages[1:] -%}{%- else -%}{%- set told, talk = '', messages -%}{%- endif -%}
{{ bos_token + '<|start_header_id|>system<|end_header_id|>\\n\\n' }}
{{- 'Cutting Knowledge Date: December 2023\\nToday Date: ' + DATE + '\\n\\n' }}
{{- told + '<|eot_id|>' }}
{%- for m in talk -%}
{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif -%}
"""
LLAMA_3_1 = LLAMA_3.replace("DATE", "date_string | default('26 Jul 2024')")
LLAMA_3_2 = LLAMA_3.replace("DATE", "date_string | default(strftime_now('%d %b %Y'))")
ALTERNATE = """\
{%- for m in talk -%}{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif -%}{%- endfor -%}
"""
GEMMA = """\
{{ bos_token }}
{%- for m in talk -%}
{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' }}
{{- (told if loop.first else '') + m.content | trim + '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}
"""
GEMMA_2 = (
    "{%- if messages[0].role == 'system' -%}{{ raise_exception('System role not supported') }}"
    "{%- endif -%}{%- set talk, told = messages, '' -%}" + ALTERNATE + GEMMA
)
WITH_SYSTEM = (
    "{%- if messages[0].role == 'system' -%}"
    "{%- set talk, told = messages[1:], messages[0].content + '\\n\\n' -%}"
    "{%- else -%}{%- set talk, told = messages, '' -%}{%- endif -%}" + ALTERNATE
)
GEMMA_3 = WITH_SYSTEM + GEMMA
# The system text is in the last user turn, wherever that is; a blank is before every answer.
MISTRAL_3 = (
    WITH_SYSTEM
    + """\
{{ bos_token }}
{%- for m in talk -%}
{%- if m.role == 'user' -%}
{{ '[INST] ' + (told if loop.last else '') + m.content + '[/INST]' }}
{%- else -%}{{ ' ' + m.content | trim + eos_token }}{%- endif -%}
{%- endfor -%}
"""
)
MISTRAL_7 = """\
{%- if messages[0].role == 'system' -%}{%- set told = messages[0].content -%}
{%- else -%}
{%- set told = 'You are Mistral Small. The current date is ' + strftime_now('%Y-%m-%d') + '.' -%}
{%- endif -%}
{{ bos_token + '[SYSTEM_PROMPT]' + told + '[/SYSTEM_PROMPT]' }}
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ '[INST]' + m.content + '[/INST]' }}
{%- elif m.role == 'assistant' -%}{{ m.content + eos_token }}{%- endif -%}
{%- endfor -%}
"""
# Marks its turns in plain words.
LLAMA_2 = """\
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ bos_token + '[INST] ' + m.content + ' [/INST]' }}
{%- else -%}{{ ' ' + m.content + ' ' + eos_token }}{%- endif -%}
{%- endfor -%}
"""


@dataclass(frozen=True)
class Family:
    """What a family publishes."""

    template: str
    controls: tuple[str, ...]
    """Special tokens; the last one is the tokenizer's eos."""
    words: tuple[str, ...] = ()
    """Added tokens that are not called special."""
    bos: str | None = None
    kind: str = "bytes"
    """How it splits text: `bytes`, `metaspace` or `gemma`."""
    system: str = "role"
    """Where a system text goes: a turn of its own (`role`), or the first user turn (`first`)."""
    trims: bool = False
    """Whether its template strips contents."""
    thought: str = ""
    """What its prompts end with."""


QWEN_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
THINK = ("<think>", "</think>", "<tool_call>")
LLAMA_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>")
LLAMA_TOKENS += ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")
LLAMA = {"controls": LLAMA_TOKENS, "bos": "<|begin_of_text|>", "trims": True}
GEMMA_TOKENS = ("<pad>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<eos>")
GEMMA_WORDS = ("\n", "\n\n", "<table>", "<unused0>")
GEMMAS: dict[str, Any] = {
    **{"controls": GEMMA_TOKENS, "words": GEMMA_WORDS, "bos": "<bos>", "kind": "gemma"},
    **{"system": "first", "trims": True},
}
MISTRAL_TOKENS = ("<unk>", "<s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
MISTRAL_TOKENS += ("</s>",)
FAMILIES = {
    "qwen2.5": Family(QWEN_2_5, QWEN_TOKENS, ("<tool_call>",)),
    "qwen3": Family(QWEN_3, QWEN_TOKENS, THINK, thought="<think>\n\n</think>\n\n"),
    "llama3.1": Family(LLAMA_3_1, **LLAMA),  # type: ignore[arg-type]
    "llama3.2": Family(LLAMA_3_2, **LLAMA),  # type: ignore[arg-type]
    "gemma2": Family(GEMMA_2, **GEMMAS),
    "gemma3": Family(GEMMA_3, **GEMMAS),
    "mistral3": Family(MISTRAL_3, MISTRAL_TOKENS, (), "<s>", "metaspace", "first"),
    "mistral7": Family(MISTRAL_7, MISTRAL_TOKENS, (), "<s>"),
    # Such as no family has: words begin with blanks, and its template writes none.
    "tight": Family(MISTRAL_7, MISTRAL_TOKENS, (), "<s>", "metaspace"),
}
REFUSED = {
    "always thinks": Family(ALWAYS_THINKS, QWEN_TOKENS, THINK),
    "llama2": Family(LLAMA_2, ("<unk>", "<s>", "</s>"), (), "<s>", "metaspace"),
}


def make_tokenizer(family: Family) -> Any:
    """A tokenizer of a few hundred tokens with the family's control tokens and template."""
    tokenizer = _words(family.kind)
    tokenizer.add_tokens([AddedToken(w, special=False, normalized=False) for w in family.words])
    tokenizer.add_special_tokens([AddedToken(c, special=True) for c in family.controls])
    # Llama names no other special token than these two: the rest is special all the same.
    named = {"eos_token": family.controls[-1], "pad_token": family.controls[0]}
    if family.bos:
        named["bos_token"] = family.bos
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)  # type: ignore[no-untyped-call]
    fast.chat_template = family.template
    return fast


@cache
def tokenizer_of(name: str) -> Any:
    """The tokenizer of a family by its name."""
    return make_tokenizer({**FAMILIES, **REFUSED}[name])


def _words(kind: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if kind == "bytes":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(TEXTS, trainer)
        return tokenizer
    blanks: list[Any] = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if kind == "gemma":
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", split=False)
        blanks.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(blanks)
    # Single words: across blanks it would learn whole sentences.
    tokenizer.train_from_iterator(
        [f" {word}" for text in TEXTS for word in text.split()],
        BpeTrainer(vocab_size=300, show_progress=False),
    )
    tokenizer.model = _with_bytes(tokenizer)
    return tokenizer


def _with_bytes(tokenizer: Tokenizer) -> models.BPE:
    """The model of a trained tokenizer, with bytes for what it has no letters for."""
    import json

    model = json.loads(tokenizer.to_str())["model"]
    vocab = dict(model["vocab"])
    for byte in range(256):
        vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    merges = [tuple(merge) for merge in model["merges"]]
    return models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True)
