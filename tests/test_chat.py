"""The renderer: histories only grow, sampled tokens stay, e is one block that can be left out."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from leafe.chat import Chat, read_prompts
from leafe.episode import Step

# As Qwen's: a system turn of its own unless one is given, newlines after the control tokens.
QWEN = """\
{%- if messages[0]['role'] == 'system' -%}
<|system|>system
{{ messages[0]['content'] }}<|end|>
{% else -%}
<|system|>system
You are a helpful assistant.<|end|>
{% endif -%}
{%- for message in messages if message['role'] != 'system' -%}
{%- if message['role'] == 'assistant' -%}
<|assistant|>assistant
{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}
{% else -%}
<|user|>user
{{ message['content'] }}<|end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>assistant
{% endif -%}
"""
# As Llama's: opens with a token of its own, trims contents, no newline between turns.
LLAMA = """\
{{- '<|system|>' -}}
{%- for message in messages -%}
{{- '<|user|>' + message['role'] + '<|assistant|>\\n\\n' -}}
{%- if message['role'] == 'assistant' -%}
{% generation %}{{- message['content'] | trim -}}{{- '<|end|>' -}}{% endgeneration %}
{%- else -%}
{{- message['content'] | trim + '<|end|>' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|user|>assistant<|assistant|>\\n\\n' -}}{%- endif -%}
"""
# As some reasoning models': what was said earlier is dropped once a user turn follows.
REWRITES = """\
{%- for message in messages -%}
<|{{ message['role'] }}|>
{%- if message['role'] == 'user' or loop.last -%}{{ message['content'] }}{%- endif -%}<|end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""
NO_STOP = """\
{%- for message in messages -%}{{ message['role'] }}: {{ message['content'] }}
{% endfor -%}
{%- if add_generation_prompt -%}assistant: {% endif -%}
"""
TEMPLATES = {"small": None, "qwen": QWEN, "llama": LLAMA}


def with_template(tokenizer: Any, template: str | None) -> Any:
    changed = copy.deepcopy(tokenizer)
    if template:
        changed.chat_template = template
        # As theirs, which put no space before a text.
        changed.backend_tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return changed


@pytest.fixture(params=TEMPLATES)
def other(request: pytest.FixtureRequest, tokenizer: Any) -> Any:
    """The tiny tokenizer with chat templates of several families."""
    return with_template(tokenizer, TEMPLATES[request.param])


def steps_of(chat: Chat, *pairs: tuple[str, str]) -> list[Step]:
    return [Step(a, chat.encode_answer(a), (), said) for a, said in pairs]


PLAYED = (("verify()", "verify refused: label comes first."), ("label()", "label done."))


def test_tokens_and_mask_drawn_by_hand(chat: Chat, tokenizer: Any) -> None:
    # <|user|>0. go<|end|><|assistant|> verify() <|end|> <|user|>1. no (note)<|end|><|assistant|>
    #                                   ^^^^^^^^ ^^^^^^^ sampled: mask true
    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    note = read_prompts("short").experience.replace("$experience", "n")
    answer = [*ids("verify()"), tokenizer.eos_token_id]
    before = ids("<|user|>") + ids("0. go") + ids("<|end|><|assistant|>")
    after = ids("<|user|>") + ids("1. no") + ids(note) + ids("<|end|><|assistant|>")
    got, mask = chat.history("go", steps_of(chat, ("verify()", "no")), {1: "n"})
    assert got == before + answer + after
    assert mask == [False] * len(before) + [True] * len(answer) + [False] * len(after)


def test_an_answer_that_was_cut_off_is_closed_and_carries_no_loss(chat: Chat) -> None:
    whole = chat.encode_answer("verify()")
    cut = Step("verify()", whole[:-1], (), "no")
    got, mask = chat.history("go", [cut], {})
    same, full = chat.history("go", [Step("verify()", whole, (), "no")], {})
    assert got == same
    differ = [at for at, (a, b) in enumerate(zip(mask, full, strict=True)) if a != b]
    assert [got[at] for at in differ] == list(whole)


@pytest.mark.parametrize("style", ["short", "full"])
def test_a_longer_history_starts_with_the_shorter_one_and_the_sampled_tokens(
    other: Any, desk: Any, style: str
) -> None:
    chat = Chat(other, read_prompts(style), desk.instructions)
    # Not how the text would be encoded: sampled tokens must never be encoded again.
    odd = (*other("ver")["input_ids"], *other("ify()")["input_ids"], chat.stop_id)
    assert odd != chat.encode_answer("verify()")
    steps = [Step("verify()", odd, (), said) for said in ("a.", "b.", "c.")]
    notes = {0: "first", 2: "third"}
    ids, mask = chat.history("go", [], notes)
    assert not any(mask)
    for t in range(len(steps)):
        longer, longer_mask = chat.history("go", steps[: t + 1], notes)
        assert longer[: len(ids) + len(odd)] == ids + list(odd)
        drawn = [False] * len(ids) + [True] * len(odd)
        assert longer_mask[: len(drawn)][len(mask) :] == drawn[len(mask) :]
        assert not any(longer_mask[len(drawn) :])
        ids, mask = longer, longer_mask


@pytest.mark.parametrize("style", ["short", "full"])
@pytest.mark.parametrize("tau", [0, 1, 2])
def test_without_e_the_tokens_are_the_same_minus_one_block_at_the_end_of_its_turn(
    other: Any, desk: Any, style: str, tau: int
) -> None:
    chat = Chat(other, read_prompts(style), desk.instructions)
    steps = steps_of(chat, *PLAYED)
    told, told_mask = chat.history("go", steps, {tau: "call label first"})
    plain, plain_mask = chat.history("go", steps, {})
    turn, _ = chat.history("go", steps[:tau], {})
    end = len(turn) - len(chat._frame.user_to_assistant)
    block = len(told) - len(plain)
    assert "call label first" in other.decode(told[end : end + block])
    assert told[:end] + told[end + block :] == plain
    assert told_mask[:end] + told_mask[end + block :] == plain_mask


def messages_of(texts: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in texts]


@pytest.mark.parametrize("style", ["short", "full"])
def test_the_tokens_and_the_mask_are_those_of_the_chat_template(
    other: Any, desk: Any, style: str
) -> None:
    prompts = read_prompts(style)
    chat = Chat(other, prompts, desk.instructions)
    system = prompts.system.replace("$instructions", desk.instructions).strip()
    talk = messages_of(
        [
            *([("system", system)] if system else []),
            ("user", "0. Please refund my packed book."),
            ("assistant", "verify()"),
            ("user", "1. verify done."),
            ("assistant", "label()"),
        ]
    )
    ids, mask = chat.history(
        "Please refund my packed book.",
        steps_of(chat, ("verify()", "verify done."), ("label()", "")),
        {},
    )
    end = max(at for at, sampled in enumerate(mask) if sampled) + 1
    theirs = other.apply_chat_template(
        talk, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    whole = theirs["input_ids"]
    # Some templates put a newline after the last turn; nobody samples it.
    assert whole[:end] == ids[:end]
    assert not other.decode(whole[end:]).strip()
    marked = [bool(m) for m in theirs["assistant_masks"]][:end]
    assert marked == mask[:end]
    assert sum(marked) == sum(
        map(len, (chat.encode_answer("verify()"), chat.encode_answer("label()")))
    )


def test_the_small_models_template_is_matched_token_for_token(chat: Chat, tokenizer: Any) -> None:
    steps = steps_of(chat, *PLAYED)
    talk = [("user", "0. go")]
    for t, (action, said) in enumerate(PLAYED):
        talk += [("assistant", action), ("user", f"{t + 1}. {said}")]
        theirs = tokenizer.apply_chat_template(
            messages_of(talk), tokenize=True, add_generation_prompt=True, return_dict=True
        )["input_ids"]
        assert chat.history("go", steps[: t + 1], {})[0] == theirs


def test_the_full_style_tells_the_instructions_first(tokenizer: Any, desk: Any) -> None:
    chat = Chat(tokenizer, read_prompts("full"), desk.instructions)
    text = tokenizer.decode(chat.history("go", [], {})[0])
    assert text.startswith("<|system|>")
    assert desk.instructions in text.partition("<|user|>")[0]


@pytest.mark.parametrize("style", ["short", "full"])
def test_the_reflection_is_the_history_with_the_request_as_its_last_block(
    other: Any, desk: Any, style: str
) -> None:
    prompts = read_prompts(style)
    chat = Chat(other, prompts, desk.instructions)
    steps = steps_of(chat, *PLAYED)
    tail = len(chat._frame.user_to_assistant)
    ids, _ = chat.history("go", steps, {0: "n"})
    asked = chat.reflection("go", steps, {0: "n"})
    assert asked[: len(ids) - tail] == ids[:-tail]
    assert asked[-tail:] == ids[-tail:]
    request = other.decode(asked[len(ids) - tail : -tail])
    # The small model's tokenizer writes a space before every text.
    assert request.removeprefix(" ") == prompts.reflect.replace("$last_step", "1")


def test_a_template_that_rewrites_earlier_turns_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ValueError, match="only appends"):
        Chat(with_template(tokenizer, REWRITES), read_prompts("short"))


def test_a_template_that_ends_answers_without_a_control_token_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ValueError, match="control token"):
        Chat(with_template(tokenizer, NO_STOP), read_prompts("short"))
