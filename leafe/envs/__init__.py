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
from leafe.errors import BadInput, describe, did_you_mean, show_value
from leafe.params import PARAMS_FILE

ENVIRONMENTS = {
    "desk": "leafe.envs.desk:Desk",
    "sokoban": "leafe.envs.sokoban:Sokoban",
    "textworld": "leafe.envs.textworld:TextWorld",
    "webshop": "leafe.envs.webshop:WebShop",
    "code": "leafe.envs.code:Code",
    "alfworld": "leafe.envs.alfworld:Alfworld",
    "scienceworld": "leafe.envs.scienceworld:ScienceWorld",
    "gymnasium": "leafe.envs.gymnasium:Gymnasium",
}
EXTRAS = {name: name for name in ("alfworld", "gymnasium", "scienceworld", "textworld")}
"""Environment -> the extra of leafe that brings what it stands on."""
OWN = "your own as package.module:Class"


def make_environment(section: Mapping[str, Any]) -> Environment:
    """The environment that an `env` section asks for; BadInput names the key that is wrong."""
    options = dict(section)
    name = options.pop("name", None)
    if not isinstance(name, str):
        said = f"is {show_value(name)}" if "name" in section else "is missing"
        raise BadInput(f"{PARAMS_FILE}: env.name {said}; {did_you_mean('', [*ENVIRONMENTS, OWN])}")
    family = _family(name)
    try:
        chosen = family.options.model_validate(options)
    except ValidationError as error:
        raise BadInput(describe(PARAMS_FILE, error, family.options, prefix="env")) from error
    environment: Environment = family(chosen)
    return environment


def _family(name: str) -> Any:
    place = ENVIRONMENTS.get(name, name)
    module, _, attribute = place.partition(":")
    if not attribute:
        close = did_you_mean(name, [*ENVIRONMENTS, OWN])
        raise BadInput(f"{PARAMS_FILE}: env.name is {show_value(name)}; {close}")
    try:
        family = getattr(importlib.import_module(module), attribute)
        family.options.model_validate  # noqa: B018 - whether it is an environment at all
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        if name in EXTRAS:
            error = ImportError(f"{error}; install leafe[{EXTRAS[name]}]")
        raise BadInput(f"{PARAMS_FILE}: env.name is {show_value(name)}, but {error}") from error
    return family
