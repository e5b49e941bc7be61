"""How a command ends: 0, or 2 with one sentence, or 130; no trace for what a person did wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from leafe.errors import BadInput, plain

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


def guarded(main: Callable[..., None]) -> Callable[..., None]:
    """The same command, its bad input told in a sentence on stderr; other exceptions pass.

    To be called inside typer, which would turn Ctrl-C into an exit code of its own.
    """

    @wraps(main)
    def command(*arguments: Any, **options: Any) -> None:
        try:
            main(*arguments, **options)
            sys.stdout.flush()
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:  # e.g. `leafe tree | head`: who reads has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(BROKEN_PIPE) from None
        except Exception as error:
            sentence = explain(error)
            if sentence is None:
                raise
            print(f"Error: {sentence}", file=sys.stderr)
            raise SystemExit(BAD_INPUT) from None

    return command


def explain(error: BaseException) -> str | None:
    """The sentence for an error that a person can put right; None for one in the program.

    >>> explain(BadInput("sft.steps is 0")), explain(KeyError("x"))
    ('sft.steps is 0', None)
    >>> explain(ExceptionGroup("of tasks", [FileNotFoundError(2, "No such file", "a.txt")]))
    'cannot use a.txt: No such file'
    """
    if isinstance(error, BaseExceptionGroup):
        said = [explain(inner) for inner in error.exceptions]
        return said[0] if all(said) else None
    if isinstance(error, BadInput):
        return str(error)
    if isinstance(error, OSError):
        if error.filename is None:
            return plain(error.strerror or str(error))
        return plain(f"cannot use {error.filename}: {error.strerror}")
    return None
