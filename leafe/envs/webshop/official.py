"""The official WebShop, where a user has its files; nothing of them comes with this project.

Read as the original reads them (`load_products` and `get_goals` of princeton-nlp/WebShop): the
same products are left out, the same options, attributes and prices are kept, and the goals stand
in its order, a shuffle with seed 233. Its first 500 goals are the held-out ones (the first half,
where there are fewer than 1000). Unlike there, no training goal is about a product that one of
these is about. A price within a range and the bound of an instruction are drawn from the seed;
there, nothing seeds them, so no two runs had the same. Reviews are not read.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from leafe.envs.webshop.goals import draw_bound, say_bound, say_options
from leafe.envs.webshop.official_files import (
    INSTRUCTION_FILES,
    PEOPLE_FILES,
    PRODUCT_FILES,
    ByPeople,
    Instruction,
    Item,
    find_file,
    read_lists,
    read_mapping,
    read_rows,
)
from leafe.envs.webshop.product import Catalogue, Goal, Product
from leafe.errors import BadInput
from leafe.seeds import seed_from
from leafe.text import storable

ORDER = 233
HELD_OUT = 500
NO_PRICE = 100.0
"""Dollars that a product without a price costs."""
LONGEST_ID = 10


class Wish(NamedTuple):
    """One instruction, without its price."""

    words: str
    attributes: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


class Official(NamedTuple):
    """What a folder holds."""

    catalogue: Catalogue
    train: tuple[Goal, ...]
    test: tuple[Goal, ...]


Wishes = Callable[[Product], Iterator[Wish]]


def read_official(folder: Path, *, human_goals: bool, seed: int) -> Official:
    """The catalogue and the goals of a folder; BadInput names the file, the key and the value."""
    traits = read_mapping(find_file(folder, INSTRUCTION_FILES), Instruction)
    products = tuple(_read_products(find_file(folder, PRODUCT_FILES), traits, seed))
    wishes = _by_people(folder) if human_goals else _from_traits(traits)
    goals = list(_goals(products, wishes, seed))
    random.Random(ORDER).shuffle(goals)
    held_out = min(HELD_OUT, len(goals) // 2)
    about = {goal.product for goal in goals[:held_out]}
    train = (goal for goal in goals[held_out:] if goal.product not in about)
    return Official(Catalogue(products), _once(train), _once(goals[:held_out]))


def _once(goals: Iterable[Goal]) -> tuple[Goal, ...]:
    """People may have written the same of the same product: equal tasks would have one id."""
    return tuple(dict.fromkeys(goals))


def _read_products(path: Path, traits: Mapping[str, Instruction], seed: int) -> Iterator[Product]:
    """Each product once, without those that have no proper id; BadInput where there are none."""
    seen: set[str] = set()
    for item in read_rows(path, Item):
        asin = item.asin.upper()
        if asin != "NAN" and 0 < len(asin) <= LONGEST_ID and asin not in seen:
            seen.add(asin)
            yield _product(item, traits.get(item.asin, Instruction()).attributes, seed)
    if not seen:
        raise BadInput(f"{path}: no product in it; it must be the list of WebShop's products")


def _product(item: Item, attributes: Sequence[str], seed: int) -> Product:
    prices = item.prices or [NO_PRICE]
    low, high = min(prices[:2]), max(prices[:2])
    within = random.Random(seed_from("webshop price", seed, item.asin)).uniform(low, high)
    features = item.small_description or []
    return Product(
        id=item.asin.upper(),
        name=_plain(item.name),
        query=item.query.lower().strip(),
        category=item.product_category,
        description=_plain(item.full_description or ""),
        features=tuple(map(_plain, [features] if isinstance(features, str) else features)),
        attributes=tuple(map(_plain, attributes)),
        options=tuple(dict(_options(item)).items()),
        price=low if low == high else round(within, 2),
        price_tag=f"${low:.2f}" if low == high else f"${low:.2f} to ${high:.2f}",
        rating="N.A.",
        reviews=(),
    )


def _options(item: Item) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, contents in (item.customization_options or {}).items():
        if contents is not None:
            values = (_plain(one.value).replace("/", " | ").lower() for one in contents)
            yield _plain(name).lower(), tuple(dict.fromkeys(value for value in values if value))


def _plain(text: str) -> str:
    return " ".join(storable(text).split())


def _goals(products: Sequence[Product], wishes: Wishes, seed: int) -> Iterator[Goal]:
    """The goals in the order of the products, before the shuffle."""
    for product in products:
        for number, wish in enumerate(wishes(product)):
            rng = random.Random(seed_from("webshop bound", seed, product.id, number))
            upper = draw_bound(product.price, rng)
            words = wish.words + say_bound(upper)
            yield Goal(product.id, words, wish.attributes, wish.options, upper)


def _from_traits(traits: Mapping[str, Instruction]) -> Wishes:
    """The instructions that were made for products: one for each combination of their options."""
    by_id = {asin.upper(): given for asin, given in traits.items()}

    def wishes(product: Product) -> Iterator[Wish]:
        given = by_id.get(product.id)
        if given is None or given.instruction is None or not given.instruction_attributes:
            return
        names, values = zip(*sorted(product.options), strict=True) if product.options else ((), ())
        for combination in itertools.product(*values):
            options = tuple(zip(names, combination, strict=True))
            attributes = tuple(map(_plain, given.instruction_attributes))
            yield Wish(_plain(given.instruction) + say_options(options), attributes, options)

    return wishes


def _by_people(folder: Path) -> Wishes:
    """The instructions that people wrote."""
    written = read_lists(find_file(folder, PEOPLE_FILES), ByPeople)
    by_id = {asin.upper(): given for asin, given in written.items()}

    def wishes(product: Product) -> Iterator[Wish]:
        for given in by_id.get(product.id, ()):
            if given.instruction_attributes:
                attributes = tuple(map(_plain, given.instruction_attributes))
                options = tuple((_plain(name), _plain(value)) for name, value in given.options)
                yield Wish(_plain(given.instruction).strip("."), attributes, options)

    return wishes
