"""Reflection: the policy looks back, names tau and writes e; its answer is read strictly.

What a model writes is hostile input: an answer is either exactly a verdict, or rejected by rule
and counted under its reason. It never raises, and never leads to a step that was not visited.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, StrictInt, StrictStr, ValidationError

from leafe.text import storable

MAX_EXPERIENCE = 500
"""Characters of a note; a longer one is rejected, not cut."""


class Parse(StrEnum):
    """How reading an answer went."""

    OK = "ok"
    CUT_OFF = "cut_off"
    """The token limit came before the end."""
    CONTROL_TOKEN = "control_token"
    NOT_JSON = "not_json"
    WRONG_FIELDS = "wrong_fields"
    STEP_OUT_OF_RANGE = "step_out_of_range"
    EMPTY_NOTE = "empty_note"
    NOTE_TOO_LONG = "note_too_long"
    OVERLONG = "overlong"
    """The history did not fit the context: nothing was drawn."""
    ENGINE_ERROR = "engine_error"
    """The engine failed: nothing was drawn."""


@dataclass(frozen=True)
class Verdict:
    """What an answer says."""

    parse: Parse
    rollback_step: int | None = None
    """tau; None where the answer says "on track" or was rejected."""
    experience: str | None = None
    """e; None exactly where tau is None."""


class Answer(BaseModel):
    """The form of an answer: `{"rollback_to": 2, "experience": "..."}`; null means on track."""

    model_config = ConfigDict(extra="forbid")

    rollback_to: StrictInt | None
    experience: StrictStr | None = None


def read_verdict(text: str, steps: int) -> Verdict:
    """Read an answer about a history of `steps` actions.

    The one repair: text around the single outermost braces (such as a code fence) is dropped.

    >>> read_verdict('{"rollback_to": 1, "experience": "label first."}', steps=3)
    Verdict(parse=<Parse.OK: 'ok'>, rollback_step=1, experience='label first.')
    >>> read_verdict('{"rollback_to": null}', steps=3)
    Verdict(parse=<Parse.OK: 'ok'>, rollback_step=None, experience=None)
    >>> read_verdict('{"rollback_to": 7, "experience": "x"}', steps=3).parse.value
    'step_out_of_range'
    """
    braces = re.search(r"\{.*\}", text[:20_000], re.DOTALL)
    try:
        data = json.loads(braces.group() if braces else text[:20_000])
    except (ValueError, RecursionError):
        return Verdict(Parse.NOT_JSON)
    try:
        answer = Answer.model_validate(data)
    except ValidationError:
        return Verdict(Parse.WRONG_FIELDS)
    return _check(answer, steps)


def _check(answer: Answer, steps: int) -> Verdict:
    tau, note = answer.rollback_to, storable(answer.experience or "").strip()
    if tau is None:
        return Verdict(Parse.WRONG_FIELDS if note else Parse.OK)
    if not 0 <= tau < steps:
        return Verdict(Parse.STEP_OUT_OF_RANGE)
    if not note:
        return Verdict(Parse.EMPTY_NOTE)
    if len(note) > MAX_EXPERIENCE:
        return Verdict(Parse.NOTE_TOO_LONG)
    return Verdict(Parse.OK, tau, note)


def write_verdict(verdict: tuple[int, str] | None) -> str:
    """An answer in the form that `read_verdict` reads.

    >>> write_verdict((1, "label first."))
    '{"rollback_to": 1, "experience": "label first."}'
    """
    if verdict is None:
        return '{"rollback_to": null}'
    return json.dumps({"rollback_to": verdict[0], "experience": verdict[1]}, ensure_ascii=False)


def verdict_pattern(steps: int) -> str:
    """A regular expression of answers that `read_verdict` takes on a history of `steps` actions.

    As `write_verdict` writes them, within what vLLM's grammars and `re` have in common. Many
    tokenizers write a space first.

    >>> bool(re.fullmatch(verdict_pattern(3), ' {"rollback_to": 2, "experience": "x"}'))
    True
    >>> bool(re.fullmatch(verdict_pattern(3), '{"rollback_to": 3, "experience": "x"}'))
    False
    """
    named = "|".join(map(str, range(steps)))
    first = r'([^"\\\x00-\x20]|\\["\\/])'
    rest = rf'([^"\\\x00-\x1f]|\\["\\/bfnrt]){{0,{MAX_EXPERIENCE - 1}}}'
    note = f'"{first}{rest}"'
    return rf' ?\{{"rollback_to": (null|({named}), "experience": {note})\}}'


@dataclass(frozen=True)
class Reflection:
    """One verdict on one episode at one checkpoint."""

    id: str
    """`<episode id>@<checkpoint>`."""
    episode_id: str
    task_id: str
    checkpoint: int
    """Steps of the history that were shown."""
    text: str
    """The answer as it was written; control tokens left out."""
    token_ids: tuple[int, ...]
    verdict: Verdict


def checkpoints(steps: int, solved: bool, every: int) -> tuple[int, ...]:
    """After how many steps the policy looks back: every K steps, and at a failed end.

    >>> checkpoints(5, solved=False, every=2), checkpoints(5, solved=True, every=2)
    ((2, 4, 5), (2, 4))
    >>> checkpoints(5, solved=False, every=0), checkpoints(5, solved=True, every=0)
    ((5,), ())
    """
    regular = range(every, steps, every) if every else ()
    return (*regular,) if solved or steps == 0 else (*regular, steps)
