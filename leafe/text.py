"""Text that others wrote, made fit to store and to encode."""

from __future__ import annotations


def storable(text: str) -> str:
    r"""The text with every lone surrogate as `?`: UTF-8 has no bytes for one, so no file takes it.

    All else stays as it is, NUL and escape sequences too.

    >>> storable("a\ud800b\0")
    'a?b\x00'
    """
    return text.encode("utf-8", "replace").decode()
