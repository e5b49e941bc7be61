"""Implementations of the environment port, by name; a user's own by `package.module:Class`.

A family class has a pydantic model `options` for the rest of the `env` section, and is built
from one.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from leafe.env import Environment
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE, describe

ENVIRONMENTS = {
    "desk": "leafe.envs.desk:Desk",
}


def make_environment(section: Mapping[str, Any]) -> Environment:
    """The environment that an `env` section asks for; BadInput names the key that is wrong."""
    options = dict(section)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise BadInput(f"{PARAMS_FILE}: env.name is missing; allowed: {_allowed()}")
    family = _family(name)
    try:
        chosen = family.options.model_validate(options)
    except ValidationError as error:
        sentence = describe(PARAMS_FILE, error.errors()[0], family.options, prefix="env")
        raise BadInput(sentence) from error
    environment: Environment = family(chosen)
    return environment


def _family(name: str) -> Any:
    place = ENVIRONMENTS.get(name, name)
    module, _, attribute = place.partition(":")
    if not attribute:
        raise BadInput(f"{PARAMS_FILE}: env.name is {name!r}; allowed: {_allowed()}")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"{PARAMS_FILE}: env.name is {name!r}, but {error}") from error


def _allowed() -> str:
    return f"{', '.join(ENVIRONMENTS)}, or your own as package.module:Class"
