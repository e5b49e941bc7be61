"""A workspace: a copy of the project in which one point of a comparison runs.

It is a DVC project of its own inside `.leafe`, with the cache of this one. What git ignores is
not copied, so data and policies are made there anew, or taken from the cache.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from leafe.errors import BadInput, did_you_mean, show_value
from leafe.params import PARAMS_FILE
from leafe.plan import update_plan
from leafe.store import atomic
from leafe.yaml_file import read_yaml

MADE = ("metrics", "plots", "dvc.lock")
"""What git keeps, but stages make."""
CONFIG = """[core]
    no_scm = true
    analytics = false
[cache]
    dir = {cache}
"""


def prepare(folder: Path, methods: list[str], settings: Mapping[str, Any]) -> None:
    """Bring a workspace up to date with the project in this folder.

    `settings` are parameters by their path, e.g. `env.rulebook`. What was made there stays.
    Raises BadInput where a setting is unknown or does not fit.
    """
    params = with_settings(read_yaml(PARAMS_FILE), {"methods": methods, **settings})
    files = project_files()
    for top in {path.parts[0] for path in files if len(path.parts) > 1}:
        shutil.rmtree(folder / top, ignore_errors=True)
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder / path)
    config = folder / ".dvc" / "config"
    config.parent.mkdir(exist_ok=True)
    config.write_text(CONFIG.format(cache=Path(".dvc/cache").resolve()))
    with atomic(folder / PARAMS_FILE) as temporary:
        temporary.write_text(yaml.safe_dump(params, sort_keys=False))
    update_plan(folder / PARAMS_FILE)


def project_files() -> list[Path]:
    """The files of the project that stages may need: all that git has or does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        raise BadInput("a comparison copies the project's files, as git lists them: use git here")
    paths = [Path(name) for name in listed.stdout.split("\0") if name]
    return [p for p in paths if p.is_file() and p.parts[0] not in (*MADE, ".dvc")]


def with_settings(params: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with some of them set; BadInput for a section or key that is not there.

    >>> with_settings({"run": {"seed": 0, "threads": 0}}, {"run.seed": 5})
    {'run': {'seed': 5, 'threads': 0}}
    """
    if not isinstance(params, dict):
        raise BadInput(f"{PARAMS_FILE} is {show_value(params)}; it must be a mapping of sections")
    changed: dict[str, Any] = deepcopy(params)
    for key, value in settings.items():
        *way, last = str(key).split(".")
        at = changed
        for part in way:
            at = at.setdefault(part, {}) if way[0] == "overrides" else at.get(part, {})
            if not isinstance(at, dict):
                raise BadInput(f"{PARAMS_FILE} has no key {key}, as {part} is {show_value(at)}")
        # The environment has defaults of its own, and overrides name what they change.
        if last not in at and way[:1] not in (["env"], ["overrides"]):
            raise BadInput(f"{PARAMS_FILE} has no key {key}; {did_you_mean(last, map(str, at))}")
        at[last] = value
    return changed
