"""Text to token ids and back, control tokens apart.

A control token is written by the frame of a turn alone (`leafe/frame.py`): text, whoever wrote it,
never becomes one. Control tokens are those that the tokenizer calls special, and others that it
adds in brackets, such as Qwen3's `<think>`, which its library would find in any text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leafe.text import storable

BRACKETED = re.compile(r"[<\[]\S+[>\]]")


@dataclass(frozen=True)
class Opening:
    """What comes before a content."""

    ids: tuple[int, ...]
    """Up to its last control token."""
    lead: str
    """The words after that: encoded together with the content, as the tokenizer does it."""


class Codec:
    """Encodes and decodes with one tokenizer; ValueError for one that cannot be taken apart."""

    def __init__(self, tokenizer: Any) -> None:
        if not hasattr(tokenizer, "backend_tokenizer"):
            raise ValueError(
                f"the tokenizer is a {type(tokenizer).__name__}, which finds control tokens in any"
                " text; allowed: one with a tokenizer.json"
            )
        added = tokenizer.added_tokens_decoder
        self.tokenizer = tokenizer
        self.special = frozenset(at for at, token in added.items() if token.special)
        """Control tokens that never stand within an answer."""
        self.controls: dict[str, int] = {
            token.content: at
            for at, token in added.items()
            if token.special or BRACKETED.fullmatch(token.content)
        }
        """All of them, as they are written."""
        tokens = sorted((added[at] for at in self.controls.values()), key=_longest_first)
        self._control = re.compile("|".join(map(_swallowing, tokens)) or "(?!)")
        self._plain = _without(tokenizer, self.controls.values())
        self.encode = lru_cache(maxsize=65536)(self._encode)

    def _encode(self, text: str) -> tuple[int, ...]:
        """Text without any control token, whatever it looks like."""
        return tuple(self._plain.encode(storable(text), add_special_tokens=False).ids)

    def open(self, frame: Sequence[str], contents: Sequence[str] = ()) -> Opening:
        """Texts of a frame with contents between them, up to where the next content begins."""
        ids: list[int] = []
        words = ""
        for text, content in zip(frame, (*contents, ""), strict=True):
            end = 0
            for found in self._control.finditer(text):
                ids += self.encode(words + text[end : found.start()])
                ids.append(self.controls[str(found[found.lastindex or 0])])
                words, end = "", found.end()
            words += text[end:] + content
        return Opening(tuple(ids), words)

    def close(self, text: str) -> tuple[int, ...]:
        """A text of a frame to its end."""
        opening = self.open([text])
        return (*opening.ids, *self.encode(opening.lead))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens."""
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def _longest_first(token: Any) -> int:
    return -len(token.content)


def _swallowing(token: Any) -> str:
    """A pattern for a control token, with the blanks beside it that some of them swallow."""
    before, after = (r"\s*" if swallows else "" for swallows in (token.lstrip, token.rstrip))
    return f"{before}({re.escape(token.content)}){after}"


def _without(tokenizer: Any, controls: Collection[int]) -> Any:
    """A tokenizer of the same words that finds no control token in a text."""
    from tokenizers import Tokenizer

    said = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in said["added_tokens"]:
        # It leaves unseen only what is called special.
        token["special"] = token["special"] or token["id"] in controls
    splitter = said["pre_tokenizer"] or {}
    for step in (splitter, *splitter.get("pretokenizers", ())):
        if step.get("prepend_scheme") == "first":  # a control token is: contents come after one
            step["prepend_scheme"] = "never"
    plain = Tokenizer.from_str(json.dumps(said))
    plain.encode_special_tokens = True
    plain.no_truncation()
    plain.no_padding()
    return plain
