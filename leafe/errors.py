"""Bad input, told to a person."""

from __future__ import annotations


class BadInput(ValueError):
    """One sentence that names the file, the key, the value and what is allowed; exit code 2."""
