"""Thoughts, other ends, system texts, dates: what is done about the ways of each family."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from families import FAMILIES, tokenizer_of
from transformers.utils import chat_template_utils

from leafe.chat import Chat, read_prompts
from leafe.episode import Step
from leafe.windowed import Windowed

EMPTY = "<think>\n\n</think>\n\n"
ASKS = "<|im_start|>assistant\n"


def short(name: str) -> Chat:
    return Chat(tokenizer_of(name), read_prompts("short"))


def text_of(name: str, ids: Sequence[int]) -> str:
    return str(tokenizer_of(name).decode(ids))


def ids_of(name: str, text: str) -> tuple[int, ...]:
    """As a model draws it: control tokens are tokens."""
    return tuple(tokenizer_of(name)(text, add_special_tokens=False)["input_ids"])


def test_the_empty_thought_before_an_answer_stays_in_every_earlier_turn() -> None:
    chat = short("qwen3")
    steps = [
        Step("a", chat.encode_answer("a"), (), "no"),
        Step("b", chat.encode_answer("b"), (), ""),
    ]
    told = text_of("qwen3", chat.history("go", steps, {})[0])
    assert told.count(ASKS) == told.count(ASKS + EMPTY) == 3
    talk = [{"role": "user", "content": "0. go"}, {"role": "assistant", "content": "a"}]
    later = tokenizer_of("qwen3").apply_chat_template(
        [*talk, {"role": "user", "content": "1. no"}], tokenize=False, enable_thinking=False
    )
    assert EMPTY not in later  # the template itself drops it


@pytest.mark.parametrize("kind", [Chat, Windowed])
def test_a_thought_nobody_asked_for_is_no_part_of_the_action_and_is_learned(kind: type) -> None:
    chat = kind(tokenizer_of("qwen3"), read_prompts("short" if kind is Chat else "verl-agent"))
    act = "{}" if kind is Chat else "<action>{}</action>"
    drawn = ids_of(
        "qwen3", "<think>\nlabel()?\n</think>\n\n" + act.format("verify()") + "<|im_end|>"
    )
    assert tokenizer_of("qwen3").convert_tokens_to_ids("</think>") in drawn
    assert chat.read_action(drawn) == chat.read_action(drawn[:-1]) == "verify()"
    step = Step("verify()", drawn, (), "no")
    [learned] = chat.sequences("go", [step], {}, range(1))
    assert learned.token_ids[-len(drawn) :] == drawn
    assert sum(learned.loss_mask) == len(drawn)
    if kind is Chat:
        shown = chat.history("go", [step], {})[0]
        assert tuple(shown[: len(learned.token_ids)]) == learned.token_ids


def test_only_a_token_ends_a_thought_and_one_that_never_ends_goes_to_the_world_whole() -> None:
    chat = short("qwen3")
    assert chat.read_action(ids_of("qwen3", "<think>\nI wonder")) == "<think>\nI wonder"
    written = chat.encode_answer("say </think> aloud")
    assert chat.read_action(written) == "say </think> aloud"
    assert short("qwen2.5").read_action(ids_of("qwen2.5", "a</think>b")) == "a</think>b"
    for special in ("<|im_start|>", "<|im_end|>", "<|endoftext|>"):
        assert chat.read_action(ids_of("qwen3", f"<think>{special}</think>a<|im_end|>")) is None


def test_control_tokens_that_the_tokenizer_does_not_name_are_refused_in_an_answer() -> None:
    header = tokenizer_of("llama3.1").convert_tokens_to_ids("<|start_header_id|>")
    assert header not in tokenizer_of("llama3.1").all_special_ids
    assert short("llama3.1").read_action((header, *ids_of("llama3.1", "a<|eot_id|>"))) is None


STOPS = {
    **{"qwen2.5": ("<|im_end|>", "<|endoftext|>"), "qwen3": ("<|im_end|>", "<|endoftext|>")},
    **dict.fromkeys(["llama3.1", "llama3.2"], ("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>")),
    **{"gemma2": ("<end_of_turn>", "<eos>"), "gemma3": ("<end_of_turn>", "<eos>")},
    **{"mistral3": ("</s>",), "mistral7": ("</s>",)},
    "tight": ("</s>",),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_any_end_of_the_family_ends_an_answer_and_the_history_shows_the_templates_own(
    name: str,
) -> None:
    chat = short(name)
    assert tuple(text_of(name, [stop]) for stop in chat.stop_ids) == STOPS[name]
    body = chat.encode_answer("verify()")[:-1]
    usual = Step("verify()", (*body, chat.stop_id), (), "no")
    shown, mask = chat.history("go", [usual], {})
    for stop in chat.stop_ids[1:]:
        assert chat.read_action((*body, stop)) == "verify()"
        other = Step("verify()", (*body, stop), (), "no")
        same, fewer = chat.history("go", [other], {})
        assert same == shown
        # The stop token that stands there was not drawn: it alone is not learned.
        [at] = [n for n in range(len(mask)) if mask[n] != fewer[n]]
        assert shown[at] == chat.stop_id
        [learned] = chat.sequences("go", [other], {}, range(1))
        assert learned.token_ids[-len(body) :] == body


def test_the_day_changes_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Later:
            return cls(2031, 1, 2)

    before = {name: short(name).history("go", [], {})[0] for name in ("llama3.2", "mistral7")}
    monkeypatch.setattr(chat_template_utils, "datetime", Later)
    raw = tokenizer_of("llama3.2").apply_chat_template(
        [{"role": "user", "content": "0. go"}], tokenize=False
    )
    assert "Today Date: 02 Jan 2031" in raw  # the clock did change
    for name, ids in before.items():
        assert short(name).history("go", [], {})[0] == ids
    assert "Today Date: 26 Jul 2024\n" in text_of("llama3.2", before["llama3.2"])
    assert "date is 2024-07-26." in text_of("mistral7", before["mistral7"])


def test_a_system_text_of_the_template_is_told_where_there_is_none_of_ours() -> None:
    told = text_of("qwen2.5", short("qwen2.5").history("go", [], {})[0])
    assert told.startswith("<|im_start|>system\nYou are Qwen, created by Alibaba Cloud.")
    full = Chat(tokenizer_of("qwen2.5"), read_prompts("full"), "You act.")
    assert "Alibaba" not in text_of("qwen2.5", full.history("go", [], {})[0])


@pytest.mark.parametrize("name", ["gemma2", "gemma3", "mistral3"])
def test_a_system_text_without_a_turn_of_its_own_opens_the_first_user_turn_and_stays(
    name: str,
) -> None:
    chat = Chat(tokenizer_of(name), read_prompts("full"), "You act.")
    begin = chat.history("go", [], {})[0]
    told = text_of(name, begin)
    assert told.index("You act.") < told.index("step you are about to take.\n\n0. go")
    assert told.count("user" if name != "mistral3" else "[INST]") == 1
    later = chat.history("go", [Step("a", chat.encode_answer("a"), (), "no")], {})[0]
    assert later[: len(begin)] == begin
    assert text_of(name, later).count("You act.") == 1


def test_observations_are_learned_without_the_words_of_the_frame_before_them() -> None:
    for name in ("qwen2.5", "llama3.1", "gemma3", "mistral7"):
        chat = short(name)
        ids, mask = chat.last_observation("go", [Step("a", chat.encode_answer("a"), (), "no.")])
        said = [token for token, learned in zip(ids, mask, strict=True) if learned]
        assert text_of(name, said) == "1. no."
