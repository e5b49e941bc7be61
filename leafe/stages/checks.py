"""What a stage checks before any work: the names on its command line, and where it writes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from leafe.chain import ROOTS
from leafe.errors import BadInput, did_you_mean, show_value
from leafe.layout import BASE
from leafe.method import METHODS
from leafe.params import PARAMS_FILE, Params

OUTPUTS = ("data", "metrics", "plots", "policies", ".leafe")
"""The folders that stages write into."""


def check_names(params: Params, options: Mapping[str, str | None]) -> None:
    """BadInput where an option names what `params.yaml` does not have, or a wrong predecessor."""
    iterations = [BASE, *params.iterations]
    known = {"method": [*METHODS], "iteration": iterations, "policy": iterations}
    if "wave" in options:
        known |= {"wave": [*params.waves], "prev": [ROOTS, *params.waves]}
    else:
        known["prev"] = iterations
    for option, allowed in known.items():
        name = options.get(option)
        if name is not None and name not in allowed:
            raise BadInput(
                f"--{option} is {show_value(name)}, which {_holder(option)} does not have;"
                f" {did_you_mean(name, allowed)}"
            )
    iteration, method = options.get("iteration"), options.get("method")
    if iteration in params.iterations and method not in params.overrides:
        raise BadInput(
            f"{PARAMS_FILE}: overrides.{method} is missing; it must be a mapping, {{}} if the"
            " method sets nothing otherwise"
        )
    before = "policy" if "policy" in options else "prev"
    if iteration in params.iterations and options.get(before) != params.iterations[iteration].prev:
        raise BadInput(
            f"--{before} is {show_value(options.get(before))}; it must be"
            f" {params.iterations[iteration].prev}, which {PARAMS_FILE} names as the prev of"
            f" {iteration}"
        )


def _holder(option: str) -> str:
    """What an option's value is looked up in."""
    return "leafe" if option == "method" else str(PARAMS_FILE)


def check_writable() -> None:
    """BadInput, before any work, where the results could not be written."""
    for name in OUTPUTS:
        folder = Path(name)
        if not folder.exists() and not folder.is_symlink():
            folder = Path()
        if not folder.is_dir():
            raise BadInput(f"{name} is a file; it must be a folder, as results go there")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise BadInput(f"{folder.resolve()} cannot be written; {name} in it takes the results")
