"""Bad input, told to a person in one sentence.

It may quote hostile text, so it is made plain before it is shown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
"""A name that becomes part of paths and of stage names."""
NAME_IN_WORDS = "a letter, then letters, digits or _, at most 40 characters"

WORDS = (
    ("Input should be a valid dictionary", "it must be a mapping of keys to values"),
    ("Input should be a valid integer", "it must be an integer"),
    ("Input should be a valid number", "it must be a number"),
    ("Input should be a finite number", "it must be a finite number"),
    ("Input should be a valid string", "it must be a text"),
    ("Input should be a valid boolean", "it must be true or false"),
    ("Input should be greater than or equal to ", "it must be at least "),
    ("Input should be less than or equal to ", "it must be at most "),
    ("Input should be ", "it must be "),
)
"""Pydantic's words -> ours; the first that fits."""
UNKNOWN = {"extra_forbidden", "invalid_key"}
"""Pydantic's names for a key that no model has."""


class BadInput(ValueError):
    """One sentence that names the file, the key, the value and what is allowed; exit code 2."""

    def __str__(self) -> str:
        return plain(super().__str__())


def visible(text: str) -> str:
    r"""A text without anything that a terminal would obey or reorder: such characters are spelt.

    >>> visible("two\nlines, red \x1b[31m, reversed \u202e")
    'two\nlines, red \\x1b[31m, reversed \\u202e'
    """
    spaced = text.replace("\r\n", "\n").expandtabs(4)
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in spaced)


def plain(text: str) -> str:
    r"""The same on one line.

    >>> plain("a\n  b\x00")
    'a b\\x00'
    """
    return visible(" ".join(text.split()))


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """The one of the allowed names that is close, or all of them.

    >>> did_you_mean("step", ["steps", "batch"]), did_you_mean("x", ["steps", "batch"])
    ('did you mean steps?', 'allowed: steps, batch')
    """
    names = list(allowed)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(names)}"


def show_value(value: object) -> str:
    """A value as a person may have written it, and not too long.

    >>> show_value("ten"), show_value(None), show_value(True), show_value([1])
    ("'ten'", 'null', 'true', 'a list')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    # The digits of a huge integer cannot even be written out in decimal.
    text = hex(value) if isinstance(value, int) and abs(value) > 10**60 else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def describe(path: Path, error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """One sentence for what pydantic found; `prefix` is the key under which the model stands."""
    errors = error.errors()
    # A misspelt key is both unknown and missing: say the former, which helps.
    first = min(errors, key=lambda found: found["type"] not in UNKNOWN)
    loc, inner = _place(model, first["loc"])
    key = ".".join([*([prefix] if prefix else []), *loc])
    if first["type"] in UNKNOWN:
        said = f"{key} is not a known key; {did_you_mean(loc[-1], _keys(inner))}"
    elif first["type"] == "missing":
        said = f"{key} is missing; {_needed(inner)}"
    elif first["loc"][-1:] == ("[key]",):
        said = f"{key} has the key {show_value(first['input'])}; {_allowed(first)}"
    elif first["type"] == "value_error" and _keys(inner):
        # Of a whole model: its sentence begins with the key that it is about, or with none.
        message = _allowed(first)
        dot = "." if message.partition(" ")[0].partition(".")[0] in _keys(inner) else ": "
        said = f"{key}{dot if key else ''}{message}"
    else:
        same = [found for found in errors if _place(model, found["loc"])[0] == loc]
        allowed = [_allowed(found) for found in same]
        allowed = [allowed[0], *(words.removeprefix("it must be ") for words in allowed[1:])]
        null = ["null"] if NoneType in get_args(inner) else []
        said = f"{key or 'it'} is {show_value(first['input'])}; {', or '.join(allowed + null)}"
    return f"{path}: {said}"


def _allowed(error: ErrorDetails) -> str:
    """What would have been right."""
    if error.get("ctx", {}).get("pattern") == NAME or error["type"] == "string_too_long":
        return f"allowed: {NAME_IN_WORDS}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    message = error["msg"]
    for theirs, ours in WORDS:
        if message.startswith(theirs):
            whole = theirs.endswith((" ", "number"))
            message = ours + message.removeprefix(theirs) if whole else ours
            break
    given = error["input"]
    if error["type"] in {"float_type", "int_type"} and isinstance(given, str):
        # YAML takes 5e-4 for a text: it wants a dot.
        if re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", given):
            message += f", written with a dot, e.g. {re.sub('[eE]', '.0e', given)}"
        elif re.fullmatch(r"[-+]?[\d.]+", given):
            message += ", without quotes"
    return message


def _place(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[list[str], Any]:
    """The keys of an error's place, and the type that stands there.

    Pydantic adds to them which member of a union it tried; a person has not written that.
    """
    keys: list[str] = []
    inner: Any = model
    for part in loc:
        if part == "[key]":
            return keys[:-1], inner
        either = [one for one in get_args(inner) if one is not NoneType]
        inner = either[0] if NoneType in get_args(inner) and len(either) == 1 else inner
        fields = getattr(inner, "model_fields", None)
        if fields is not None:
            inner = fields[part].annotation if part in fields else inner
        elif getattr(inner, "__origin__", None) in (dict, list, tuple):
            inner = get_args(inner)[inner.__origin__ is dict]
        else:
            break
        keys.append(str(part))
    return keys, inner


def _keys(inner: Any) -> list[str]:
    return list(getattr(inner, "model_fields", {}))


def _needed(inner: Any) -> str:
    keys = _keys(inner)
    return f"it must hold {', '.join(keys)}" if keys else "it has no default"
