"""Goals for generated products: what one of them has is asked for in words.

The products are split first, so a test goal is never about a product that a training goal is
about; no instruction is given twice. Every goal is one that `solver` reaches with a search for
its own words, so each can be met and found. Held-out goals hang on the catalogue alone: more to
learn from leaves what is measured as it is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from leafe.envs.webshop.product import NO_BOUND, Catalogue, Goal, Product
from leafe.envs.webshop.search import Index
from leafe.envs.webshop.solver import solve
from leafe.seeds import seed_from

HELD_OUT = 0.25
"""Share of the products that only test goals are about."""
ROUNDS = 8
"""Goals about one product, at most."""
BOUNDS = tuple(10.0 * tens for tens in range(1, 100))
"""What an instruction may name as a price."""
INSTRUCTIONS = (
    "Find me {attributes} {kind}",
    "I am looking for {attributes} {kind}",
    "Please buy {attributes} {kind}",
    "I need {kind}: {attributes}",
)


def split(catalogue: Catalogue, seed: int) -> tuple[list[Product], list[Product]]:
    """(products of training goals, held-out products)."""
    products = list(catalogue.products)
    random.Random(seed_from("webshop split", seed)).shuffle(products)
    held_out = round(HELD_OUT * len(products))
    return products[held_out:], products[:held_out]


def draw_goals(
    products: Sequence[Product], catalogue: Catalogue, index: Index, seed: int, said: set[str]
) -> Iterator[Goal]:
    """Goals about these products, one of each a round; `said` is what no instruction may be.

    What they say is added to it.
    """
    for turn in range(ROUNDS):
        for product in products:
            rng = random.Random(seed_from("webshop goal", seed, product.id, turn))
            goal = draw_goal(product, rng)
            if goal.instruction not in said and solve(catalogue, index, goal) is not None:
                said.add(goal.instruction)
                yield goal


def draw_goal(product: Product, rng: random.Random) -> Goal:
    """Two or three attributes, a value of every option, and a price that it stays below."""
    attributes = tuple(rng.sample(product.attributes, rng.choice((2, 3))))
    options = tuple((name, rng.choice(values)) for name, values in product.options)
    price_upper = draw_bound(product.price, rng)
    asked = rng.choice(INSTRUCTIONS).format(attributes=", ".join(attributes), kind=product.query)
    instruction = asked + say_options(options) + say_bound(price_upper)
    return Goal(product.id, f"{instruction}.", attributes, options, price_upper)


def draw_bound(price: float, rng: random.Random) -> float:
    """The larger of two of the next four full tens of dollars, as the original draws it."""
    above = [bound for bound in BOUNDS if bound > price][:4]
    return max(rng.sample(above, 2)) if len(above) >= 2 else NO_BOUND


def say_options(options: Sequence[tuple[str, str]]) -> str:
    """The part of an instruction that names options.

    >>> say_options([("color", "red"), ("size", "8")])
    ' with color: red, and size: 8'
    """
    said = ", and ".join(f"{name}: {value}" for name, value in options)
    return f" with {said}" if said else ""


def say_bound(price_upper: float) -> str:
    """The part that names a price."""
    if price_upper == NO_BOUND:
        return ""
    return f", and price lower than {price_upper:.2f} dollars"
