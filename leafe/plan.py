"""Writes the sections `plan` and `curves` of `params.yaml`, which follow from the others.

Only these are written; every other byte of the file, comments included, stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from leafe.errors import BadInput
from leafe.params import load_params
from leafe.store import atomic
from leafe.yaml_file import parse_yaml, read_yaml

EXPLANATION = {
    "plan": "The stages of every method and iteration, for DVC, which cannot join tables.",
    "curves": "The curves that DVC lays over each other in one plot.",
}
"""Of each section that is written, in a file that had none."""


def update_plan(path: Path) -> bool:
    """Bring both sections of a parameter file up to date; returns whether they were not.

    Atomic. Raises BadInput for a file that is wrong in any other section.
    """
    params = load_params(path, check_plan=False)
    wanted = params.section(*EXPLANATION)
    old = read_yaml(path)
    if {name: old.get(name) for name in wanted} == wanted:
        return False
    write_sections(path, wanted)
    return True


def write_sections(path: Path, wanted: Mapping[str, Any]) -> None:
    """Put sections into a parameter file; the others keep every byte.

    Atomic. Raises BadInput where a section shares lines with others.
    """
    old = read_yaml(path)
    path = path.resolve()  # a link stays a link
    text = path.read_bytes().decode("utf-8")
    try:
        for name, entries in wanted.items():
            text = with_section(text, name, entries)
        alone = parse_yaml(text, str(path)) == {**old, **wanted}
    except (yaml.YAMLError, BadInput):
        alone = False
    if not alone:
        raise BadInput(
            f"{path}: {' and '.join(wanted)} cannot be replaced alone, as other sections share"
            " lines with them; write every section on lines of its own"
        )
    with atomic(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def with_section(text: str, name: str, entries: Mapping[str, Any] | Sequence[Any]) -> str:
    r"""The text of a parameter file with this section in place of its own, or at its end.

    >>> print(with_section("plan: {}  # old\n\n# last\nb: 1\n", "plan", {"a": {"x": 1}}), end="")
    plan:
      a: {x: 1}
    <BLANKLINE>
    # last
    b: 1
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    values = entries.values() if isinstance(entries, Mapping) else [{}]
    nested = any(isinstance(entry, Mapping) for entry in values)
    style = None if nested else False  # one line an entry, or for a list
    section = yaml.safe_dump(
        {name: entries}, default_flow_style=style, sort_keys=False, width=10**6
    ).replace("\n", newline)
    place = find_section(text, name)
    if place is None:
        end = "" if not text or text.endswith("\n") else newline
        comment = f"{newline}# {EXPLANATION[name]} Made by `leafe plan`.{newline}"
        return text + end + comment + section
    return text[: place[0]] + section + text[place[1] :]


def find_section(text: str, name: str) -> tuple[int, int] | None:
    """Where a section starts in the text and where it ends; None where the file has none.

    Blank lines and comments at the margin above the next section belong to that.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    keys = root.value if isinstance(root, yaml.MappingNode) else []
    starts = {key.value: key.start_mark.index for key, _ in keys}
    if name not in starts:
        return None
    first = starts[name]
    end = min((start for start in starts.values() if start > first), default=len(text))
    for line in reversed(text[first:end].splitlines(keepends=True)[1:]):
        if line.strip() and not line.startswith("#"):
            break
        end -= len(line)
    return first, end
