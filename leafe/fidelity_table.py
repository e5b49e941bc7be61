"""`leafe env check`: every environment that is installed, played and timed, as a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from leafe.env import Environment
from leafe.envs import ENVIRONMENTS, make_environment
from leafe.errors import BadInput, did_you_mean, show_value
from leafe.fidelity import Fidelity
from leafe.params import PARAMS_FILE, load_params

HEADING = ("environment", "tasks", "reset", "step", "rollback", "solved", "replays", "passed")


def sections(names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The `env` section by which each is checked: that of `params.yaml`, or its defaults.

    Without names: all that come with leafe, and the one in `params.yaml` if it is another.
    """
    used = load_params(check_plan=False).env if PARAMS_FILE.exists() else {}
    chosen = {name: {"name": name} for name in ENVIRONMENTS}
    if used:
        chosen[str(used.get("name"))] = dict(used)
    for name in names:
        if name not in chosen:
            said = did_you_mean(name, chosen)
            raise BadInput(f"the environment {show_value(name)} is not known; {said}")
    return {name: chosen[name] for name in names or chosen}


def installed(
    wanted: Mapping[str, Mapping[str, Any]], named: Sequence[str]
) -> tuple[list[Environment], list[str]]:
    """The environments, and a sentence for each that cannot start here.

    One that is named, or set up in `params.yaml`, must start: BadInput says why it does not.
    """
    found, missing = [], []
    for name, section in wanted.items():
        try:
            found.append(make_environment(section))
        except BadInput as error:
            if name in named or len(section) > 1:
                raise
            missing.append(f"{name} is left out: {error}")
    return found, missing


def as_table(checked: Sequence[Fidelity]) -> Table:
    """Markdown, so that it can be copied into a page."""
    table = Table(box=box.MARKDOWN)
    for n, name in enumerate(HEADING):
        table.add_column(name, justify="right" if n else "left", no_wrap=True)
    for one in checked:
        table.add_row(
            one.name,
            f"{one.train_tasks} + {one.test_tasks}",
            f"{one.reset_ms:.2f} ms",
            f"{one.step_ms:.3f} ms",
            f"{one.rollback_ms:.2f} ms",
            "-" if one.solved is None else f"{one.solved} of {one.tried}",
            f"{one.walks}",
            "yes" if one.passed else "no",
        )
    return table


def as_json(checked: Sequence[Fidelity]) -> str:
    """The same for programs, by the environments' names."""
    told = {one.name: asdict(one) | {"passed": one.passed} for one in checked}
    return json.dumps(told, indent=2)
