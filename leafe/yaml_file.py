"""YAML as people write it: read without running anything, every mistake told in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from leafe.errors import BadInput

MAX_BYTES = 10_000_000
"""A larger file is not a settings file."""


class _Loader(yaml.SafeLoader):
    """The safe loader, which refuses a key that is given twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; BadInput names the file, the line and what is wrong with it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than {MAX_BYTES:,} bytes; it must be a YAML file")
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not YAML: byte {error.start} is not UTF-8 text") from error


def parse_yaml(text: str, name: str) -> Any:
    """What a YAML text holds; BadInput names it by `name`."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise BadInput(f"{name} is not YAML that can be read: {_explain(error)}") from error
    except RecursionError as error:
        raise BadInput(f"{name} is not YAML that can be read: it is nested too deeply") from error
    except ValueError as error:
        raise BadInput(f"{name} is not YAML that can be read: a number or date: {error}") from error


def _explain(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if isinstance(error, yaml.constructor.ConstructorError) and "could not determine" in problem:
        tag = problem.rpartition("tag ")[2]
        problem = f"{tag} is not allowed; only plain values are"
    where = f"line {mark.line + 1}: " if mark else ""
    return " ".join(f"{where}{problem}".split())[:300]
