"""The frame: what a model's own chat template puts around the contents of a conversation.

The template is asked once, with marks in place of contents. After that turns are appended, so a
longer history starts with the tokens of the shorter one; a template that changes earlier turns is
refused. One change is left undone instead: where an empty thought ends the prompt (Qwen3, its
thinking switched off), the template drops it from earlier turns, and here it stays, as it was
when the answer was drawn.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leafe.codec import Codec, Opening

EMPTY_THOUGHT = re.compile(r"<think>\s*</think>\s*")
FOLD = "\n\n"
"""Between system text and observation where they share a turn, as Gemma 3 and Mistral have it."""
TODAY = datetime(2024, 7, 26)
"""For templates that tell the date, by which no prompt shall vary: the day in Llama 3.1's own."""
DATED = "".join(f".replace('%{c}', '{TODAY.strftime('%' + c)}')" for c in "aAbBdHIjmMpSyY")
STOPPED_CLOCK = f"{{% macro strftime_now(form) %}}{{{{ form{DATED} }}}}{{% endmacro %}}\n"
"""Put before a template, in place of the clock that it would be given."""
ENDS = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"}
ENDS |= {"<end_of_turn>", "<eos>", "</s>"}
"""How models end what they say; one may draw another end than its template writes."""
REWRITES = "chat_template changes earlier turns when one is added; allowed: one that only appends"


@dataclass(frozen=True)
class Frame:
    """What the chat template puts around contents, as tokens."""

    first: Opening
    """Opens the first user turn; the system text is in it."""
    user_to_assistant: tuple[int, ...]
    blank: str
    """Comes before an answer, and is for the policy to draw."""
    assistant_to_user: Opening
    """Starts with the stop token, which the policy itself should have drawn."""
    other_ends: tuple[int, ...]
    """Control tokens that end an answer too, the stop token apart."""


@dataclass(frozen=True)
class Told:
    """The same, as the template writes it."""

    before: tuple[str, ...]
    """Before the system text, if it has a place for one, and before the first observation."""
    asks: str
    """After an observation, where the policy is to answer."""
    answers: str
    """The same in an earlier turn."""
    closes: str


def read_frame(codec: Codec, system: str) -> Frame:
    """Ask the chat template for its frame; ValueError says why it cannot be used.

    Where it has no place for a system text, that opens the first user turn.
    """
    if not codec.tokenizer.chat_template:
        raise ValueError("chat_template is missing; allowed: a tokenizer that has one")
    told, first = _open(codec, system)
    closes = codec.open([told.closes])
    if not closes.ids or closes.ids[0] not in codec.special:
        raise ValueError("chat_template does not end an answer with a control token")
    if not codec.open([told.asks]).ids:
        raise ValueError(
            f"chat_template ends a user turn with {told.asks!r}, which any text may hold; allowed:"
            " a control token"
        )
    ends = {codec.controls[end] for end in ENDS & codec.controls.keys()}
    ends |= {codec.tokenizer.eos_token_id} & codec.special
    return Frame(
        first=first,
        user_to_assistant=codec.close(told.asks),
        blank=_blank(told),
        assistant_to_user=closes,
        other_ends=tuple(sorted(ends - {closes.ids[0]})),
    )


def _open(codec: Codec, system: str) -> tuple[Told, Opening]:
    """What the template writes, and how it opens the first user turn."""
    if system:
        with suppress(ValueError):
            told = _ask(codec.tokenizer, [system])
            return told, codec.open(told.before, [system])
    told = _ask(codec.tokenizer, [])
    first = codec.open(told.before)
    return told, Opening(first.ids, first.lead + (system and system + FOLD))


def _ask(tokenizer: Any, system: list[str]) -> Told:
    """Render marks, as one turn and as three, and see what is around them."""
    roles = ["system"] * len(system) + ["user", "assistant"] * 2 + ["user"]
    marks = [f"LEAFE{n}MARK" for n in range(len(roles))]
    talk = [{"role": r, "content": m} for r, m in zip(roles, marks, strict=True)]
    start = len(system) + 1
    *before, asks = _split(_render(tokenizer, talk[:start]), marks[:start])
    whole = _split(_render(tokenizer, talk), marks)
    answers, closes = whole[start : start + 2]
    if whole != [*before, answers, closes, answers, closes, asks]:
        raise ValueError(REWRITES)
    return Told(tuple(before), asks, answers, closes)


def _split(text: str, marks: list[str]) -> list[str]:
    """What stands around the marks; ValueError unless each is there once, in order."""
    parts = re.split("|".join(marks), text)
    if re.findall("|".join(marks), text) != marks:
        raise ValueError(REWRITES)
    return parts


def _render(tokenizer: Any, talk: list[dict[str, str]]) -> str:
    from jinja2 import TemplateError

    try:
        return str(
            tokenizer.apply_chat_template(
                talk,
                chat_template=STOPPED_CLOCK + tokenizer.get_chat_template(),
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
        )
    except (TemplateError, TypeError) as error:
        raise ValueError(f"chat_template cannot be used: {error}") from error


def _blank(told: Told) -> str:
    """What comes before an answer, beyond what asks for it; ValueError if it is more than that."""
    if told.answers.startswith(told.asks):
        blank = told.answers[len(told.asks) :]
        if not blank.strip():
            return blank
    elif told.asks.startswith(told.answers):
        thought = told.asks[len(told.answers) :]
        if EMPTY_THOUGHT.fullmatch(thought):
            return ""
        raise ValueError(
            f"chat_template asks for an answer with {thought!r}, which earlier turns lack;"
            " allowed: a model whose thinking can be switched off"
        )
    raise ValueError(REWRITES)
