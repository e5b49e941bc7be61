"""A catalogue from a seed: kinds of product in equal numbers, each product with its own traits.

A product's text names its own attributes only, some in the name, some only on a page of details,
so that a shopper has to look; no word of it was taken from anywhere.
"""

from __future__ import annotations

import random

from leafe.envs.webshop.product import Catalogue, Product
from leafe.envs.webshop.vocabulary import (
    BLAME,
    DEPARTMENTS,
    ENDS,
    MIDDLES,
    OPENINGS,
    PRAISE,
    REMARKS,
    STARTS,
    VALUES,
    Department,
    Kind,
)
from leafe.seeds import seed_from

MOST_PRODUCTS = len(STARTS) * len(MIDDLES) * len(ENDS)
"""As many as there are names."""
SIGNS = "BCDFGHJKLMNPQRSTVWXZ0123456789"
"""What an id is made of: without vowels it is no word."""
IN_NAME = 2
"""Attributes that a product's name tells."""


def draw_catalogue(count: int, seed: int) -> Catalogue:
    """The catalogue of a seed."""
    rng = random.Random(seed_from("webshop catalogue", seed, count))
    kinds = [(department, kind) for department in DEPARTMENTS for kind in department.kinds]
    names = rng.sample(range(MOST_PRODUCTS), count)
    ids = rng.sample(range(len(SIGNS) ** 5), count)
    products = [
        _draw_product(*kinds[number % len(kinds)], _name(name), _id(code), rng)
        for number, (name, code) in enumerate(zip(names, ids, strict=True))
    ]
    rng.shuffle(products)
    return Catalogue(tuple(products))


def _name(number: int) -> str:
    rest, end = divmod(number, len(ENDS))
    start, middle = divmod(rest, len(MIDDLES))
    return (STARTS[start] + MIDDLES[middle] + ENDS[end]).capitalize()


def _id(number: int) -> str:
    signs = ""
    for _ in range(5):
        number, sign = divmod(number, len(SIGNS))
        signs += SIGNS[sign]
    return f"W{signs}"


def _draw_product(
    department: Department, kind: Kind, model: str, code: str, rng: random.Random
) -> Product:
    attributes = tuple(rng.sample(department.attributes, rng.choice((5, 6))))
    options = [(key.partition(":")[0], _some(VALUES[key], rng)) for key in kind.options]
    price = round(rng.randint(*kind.prices) + rng.choice((0.0, 0.25, 0.5, 0.95, 0.99)), 2)
    stars = rng.randint(28, 50) / 10
    return Product(
        id=code,
        name=f"{model} {kind.name}, {', '.join(attributes[:IN_NAME])}",
        query=kind.name,
        category=f"{department.name} › {kind.name.capitalize()}",
        description=_describe(model, kind, attributes[IN_NAME], rng),
        features=(f"Sold by {model}", *map(str.capitalize, attributes[IN_NAME + 1 :])),
        attributes=attributes,
        options=tuple(options),
        price=price,
        price_tag=f"${price:.2f}",
        rating=f"{stars} of 5",
        reviews=tuple(_review(stars, rng) for _ in range(rng.randint(0, 3))),
    )


def _some(values: list[str], rng: random.Random) -> tuple[str, ...]:
    """Most of the values of an option, in their usual order."""
    kept = set(rng.sample(values, rng.randint(min(3, len(values)), min(5, len(values)))))
    return tuple(value for value in values if value in kept)


def _describe(model: str, kind: Kind, attribute: str, rng: random.Random) -> str:
    opening = rng.choice(OPENINGS).format(model=model, kind=kind.name)
    return f"{opening} {rng.choice(REMARKS).format(attribute=attribute)}"


def _review(stars: float, rng: random.Random) -> str:
    given = max(1, min(5, round(stars + rng.choice((-1.5, -0.5, 0.5, 1.5)))))
    return f"{rng.choice(PRAISE if given > 3 else BLAME)} ({given} of 5)"
