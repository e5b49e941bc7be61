"""The schema of the official WebShop's files, and how they are read: nothing is taken on trust.

Keys that are not needed are passed over. Each sentence about a bad file names the file, the place
in it, the value and what is allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError, field_validator

from leafe.errors import BadInput, describe, show_value
from leafe.params import PARAMS_FILE

PRODUCT_FILES = ("items_shuffle_1000.json", "items_shuffle.json")
INSTRUCTION_FILES = ("items_ins_v2_1000.json", "items_ins_v2.json")
PEOPLE_FILES = ("items_human_ins.json",)
"""Names of files; the first that is there is read."""

PRICE = re.compile(r"\$\s*(\d[\d,]*(?:\.\d+)?)")
MOST = 1_000_000
"""Dollars, of a price that is one."""


class OptionValue(BaseModel):
    """One value of an option."""

    value: str


class Item(BaseModel):
    """One product of the products file."""

    asin: str
    name: str
    query: str
    product_category: str
    full_description: str | None = None
    small_description: list[str] | str | None = None
    pricing: str | None = None
    """One price, or the least and the most."""
    customization_options: dict[str, list[OptionValue] | None] | Literal[""] | None = None

    @property
    def prices(self) -> list[float]:
        """The prices of `pricing`, in dollars; none where it tells none."""
        return [float(price.replace(",", "")) for price in PRICE.findall(self.pricing or "")]

    @field_validator("pricing")
    @classmethod
    def _check_pricing(cls, pricing: str | None) -> str | None:
        prices = [float(price.replace(",", "")) for price in PRICE.findall(pricing or "")]
        if (pricing and not prices) or any(price > MOST for price in prices):
            raise ValueError("it must be a price like $12.99, or two for a range")
        return pricing


class Instruction(BaseModel):
    """What the file of made instructions has on one product."""

    attributes: list[str] = []
    instruction: str | None = None
    """None where nothing is asked of this product."""
    instruction_attributes: list[str] | None = None


class ByPeople(BaseModel):
    """One instruction that a person wrote."""

    instruction: str
    instruction_attributes: list[str]
    instruction_options: list[str] | dict[str, str] = []

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """(name, value); the name is empty where only values are given."""
        given = self.instruction_options
        named = given.items() if isinstance(given, dict) else (("", value) for value in given)
        return tuple((name.lower(), value.lower()) for name, value in named)


Row = TypeVar("Row", bound=BaseModel)


def find_file(folder: Path, names: Sequence[str]) -> Path:
    """The first of these files that a folder has; BadInput where it has none."""
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        said = f"which has no {names[0]}" if folder.is_dir() else "which is no folder"
        raise BadInput(
            f"{PARAMS_FILE}: env.data is {show_value(str(folder))}, {said};"
            f" it must be a folder with WebShop's files, {names[0]} among them"
        )
    return found


def read_rows(path: Path, row: type[Row]) -> Iterator[Row]:
    """The entries of a file that is a list."""
    kept = _read(path, list, "a list of products")
    return (_check(path, row, str(number), entry) for number, entry in enumerate(kept))


def read_mapping(path: Path, row: type[Row]) -> dict[str, Row]:
    """The entries of a file that maps ids of products to one entry each."""
    kept = _read(path, dict, "a mapping of ids of products to what is said of them")
    return {asin: _check(path, row, asin, entry) for asin, entry in kept.items()}


def read_lists(path: Path, row: type[Row]) -> dict[str, list[Row]]:
    """The same, with a list of entries for each id."""
    kept = _read(path, dict, "a mapping of ids of products to lists of instructions")
    for asin, entries in kept.items():
        if not isinstance(entries, list):
            raise BadInput(f"{path}: {asin} is {show_value(entries)}; it must be a list")
    return {
        asin: [_check(path, row, f"{asin}.{number}", entry) for number, entry in enumerate(entries)]
        for asin, entries in kept.items()
    }


def _read(path: Path, shape: type, words: str) -> Any:
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: {error}; it must be a JSON file") from error
    if not isinstance(kept, shape):
        raise BadInput(f"{path}: it is {show_value(kept)}; it must be {words}")
    return kept


def _check(path: Path, row: type[Row], place: str, entry: object) -> Row:
    try:
        return row.model_validate(entry)
    except ValidationError as error:
        raise BadInput(describe(path, error, row, prefix=place)) from error
