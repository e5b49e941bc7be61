"""What is sold, and what is wanted.

Values only: where they come from is the business of `catalogue`, `official` and `goals`, what a
purchase is worth that of `reward`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

NO_BOUND = 1_000_000.0
"""The price that stands for no bound, as in the original."""


@dataclass(frozen=True)
class Product:
    """One thing that can be bought."""

    id: str
    """What its link says; capitals and digits."""
    name: str
    query: str
    """What one would look for to find this kind of product."""
    category: str
    """A path: parts with › between."""
    description: str
    features: tuple[str, ...]
    attributes: tuple[str, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]
    """(name, values), all in small letters."""
    price: float
    """Dollars that it costs."""
    price_tag: str
    """What the page says that it costs; official products may name a range."""
    rating: str
    reviews: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """Where an attribute may be said that is not listed: name, features, description."""
        return "\n".join((self.name, " ".join(self.features), self.description)).lower()


@dataclass(frozen=True)
class Catalogue:
    """All products of a shop, in a fixed order."""

    products: tuple[Product, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Product]:
        """The products by what their links say."""
        return {product.id: product for product in self.products}

    @cached_property
    def id(self) -> str:
        """16 hex digits of sha256 over all products: a task names the catalogue it is of."""
        digest = hashlib.sha256()
        for product in self.products:
            digest.update(json.dumps(asdict(product), separators=(",", ":")).encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Goal:
    """What the instruction asks for."""

    product: str
    """Id of the product that it was written for; its kind is what is asked for."""
    instruction: str
    attributes: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    """(name, value); the name is empty where it is not known (instructions by people)."""
    price_upper: float
    """Dollars; `NO_BOUND` where the instruction names no price."""

    def as_json(self) -> dict[str, Any]:
        """What a task's payload keeps of it."""
        lists = {"attributes": list(self.attributes), "options": [list(o) for o in self.options]}
        return {**asdict(self), **lists}


def read_goal(kept: Mapping[str, Any]) -> Goal:
    """The goal that a payload keeps."""
    options = tuple((name, value) for name, value in kept["options"])
    return Goal(**{**kept, "attributes": tuple(kept["attributes"]), "options": options})
