"""A recipe: parameters for one model in one environment, put into `params.yaml` by `leafe recipe`.

It names what is otherwise than there, by keys such as `sft.batch` or by whole sections.
"""

from __future__ import annotations

from pathlib import Path

from leafe.errors import BadInput, show_value
from leafe.params import PARAMS_FILE, check_params
from leafe.plan import write_sections
from leafe.workspace import with_settings
from leafe.yaml_file import read_yaml

MADE = ("plan", "curves")
"""Sections that follow from the others."""


def apply(recipe: Path, path: Path = PARAMS_FILE) -> list[str]:
    """Put a recipe into a parameter file; returns the sections that it changed.

    All of it or nothing. Sections that do not change keep every byte. Raises BadInput where the
    recipe is none, or its parameters are wrong.
    """
    settings = read_yaml(recipe)
    if not isinstance(settings, dict) or not settings:
        raise BadInput(f"{recipe} is {show_value(settings)}; it must be a mapping of parameters")
    old = read_yaml(path)
    new = with_settings(old, settings)
    params = check_params(new, path, check_plan=False)
    wanted = {**new, **params.section(*MADE)}
    changed = {name: said for name, said in wanted.items() if said != old.get(name)}
    write_sections(path, changed)
    return [name for name in changed if name not in MADE]
