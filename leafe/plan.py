"""The `plan` section of `params.yaml`: every wave of every iteration, written out for DVC.

DVC cannot join two tables, so the join stands in the file. Only that section is written; every
other byte of the file, comments included, stays.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from leafe.errors import BadInput
from leafe.params import load_params, make_plan
from leafe.store import atomic
from leafe.yaml_file import parse_yaml, read_yaml

EXPLANATION = """\

# Every wave of every iteration, for DVC, which cannot join two tables. Made by `leafe plan`.
"""


def update_plan(path: Path) -> bool:
    """Bring the section `plan` of a parameter file up to date; returns whether it was not.

    Atomic. Raises BadInput for a file that is wrong in any other section.
    """
    params = load_params(path, check_plan=False)
    wanted = make_plan(params.iterations, params.waves)
    old = read_yaml(path)
    if old.get("plan") == wanted:
        return False
    path = path.resolve()  # a link stays a link
    text = path.read_bytes().decode("utf-8")
    new = with_plan(text, wanted)
    if parse_yaml(new, str(path)) != {**old, "plan": wanted}:
        raise BadInput(
            f"{path}: plan cannot be replaced alone, as other sections share lines with it;"
            " write every section on lines of its own"
        )
    with atomic(path) as temporary:
        temporary.write_bytes(new.encode("utf-8"))
    return True


def with_plan(text: str, plan: dict[str, dict[str, str]]) -> str:
    r"""The text of a parameter file with this plan in place of its own, or at its end.

    >>> print(with_plan("plan: {}  # old\n\n# last\nb: 1\n", {"i1-w1": {"prev": "w0"}}), end="")
    plan:
      i1-w1: {prev: w0}
    <BLANKLINE>
    # last
    b: 1
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    section = render(plan).replace("\n", newline)
    place = find_section(text)
    if place is None:
        end = "" if not text or text.endswith("\n") else newline
        return text + end + EXPLANATION.replace("\n", newline) + section
    return text[: place[0]] + section + text[place[1] :]


def render(plan: dict[str, dict[str, str]]) -> str:
    """The section as text: one entry a line."""
    if not plan:
        return "plan: {}\n"
    entries = (
        yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10**6)
        for entry in plan.values()
    )
    lines = (f"  {key}: {entry}" for key, entry in zip(plan, entries, strict=True))
    return "plan:\n" + "".join(lines)


def find_section(text: str) -> tuple[int, int] | None:
    """Where `plan` starts in the text and where it ends; None where the file has none.

    Blank lines and comments at the margin above the next section belong to that.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    keys = root.value if isinstance(root, yaml.MappingNode) else []
    starts = {key.value: key.start_mark.index for key, _ in keys}
    if "plan" not in starts:
        return None
    first = starts["plan"]
    end = min((start for start in starts.values() if start > first), default=len(text))
    for line in reversed(text[first:end].splitlines(keepends=True)[1:]):
        if line.strip() and not line.startswith("#"):
            break
        end -= len(line)
    return first, end
