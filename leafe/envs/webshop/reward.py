"""What a purchase is worth, and what of the goal it does not meet.

The formula of arXiv 2207.01206, as `get_reward` of the original computes it:
(attributes met + options met + price met) / (attributes + options + 1) * type factor. Differs:

- Nouns of a name are told by spaCy there. Here they are its words without function words, numbers,
  colours and the words of the product's attributes, which describe and do not name.
- A colour is found as a whole word; there `ash` is found in `washed`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from leafe.envs.webshop.product import Goal, Product

SAME = 85
"""Two texts whose likeness is above it count as the same."""
COLORS = (
    "aqua", "beige", "black", "blue", "bronze", "brown", "burgundy", "charcoal", "copper", "coral",
    "cream", "crimson", "cyan", "fuchsia", "gold", "gray", "green", "grey", "indigo", "ivory",
    "khaki", "lavender", "lilac", "magenta", "maroon", "mint", "mustard", "navy", "olive", "orange",
    "peach", "pink", "plum", "purple", "red", "rose", "rust", "sand", "silver", "tan", "taupe",
    "teal", "turquoise", "violet", "white", "wine", "yellow",
)  # fmt: skip
"""In the order in which they are looked for."""
FUNCTION_WORDS = frozenset(
    (
        "an", "and", "are", "as", "at", "by", "for", "from", "in", "into", "is", "of", "on", "or",
        "per", "plus", "that", "the", "this", "to", "up", "with",
    )
)  # fmt: skip
WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Verdict:
    """What one purchase meets of a goal."""

    attributes: tuple[str, ...]
    """Those that are not met."""
    options: tuple[tuple[str, str], ...]
    """(name, value) of those that are not met."""
    price_met: bool
    type_factor: float
    """1 for the right kind of product, down to 0 for one that has nothing to do with it."""
    reward: float
    """0 to 1; 1 only where all is met."""


def judge(goal: Goal, wanted: Product, bought: Product, chosen: Mapping[str, str]) -> Verdict:
    """Weigh a purchase; `wanted` is the product that the goal was written for."""
    attributes = tuple(a for a in goal.attributes if not has_attribute(bought, a))
    options = unmet_options(goal, chosen)
    price_met = bought.price <= goal.price_upper
    wishes = len(goal.attributes) + len(goal.options) + 1
    met = wishes - len(attributes) - len(options) - (not price_met)
    factor = type_factor(wanted, bought)
    return Verdict(attributes, options, price_met, factor, met / wishes * factor)


def has_attribute(product: Product, attribute: str) -> bool:
    """Whether a product lists an attribute, or one like it, or says it somewhere."""
    if any(same(listed, attribute) for listed in product.attributes):
        return True
    return attribute.lower() in product.text


def unmet_options(goal: Goal, chosen: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The wanted options that no chosen value fits, whatever the option is called."""
    return tuple(
        (name, value)
        for name, value in goal.options
        if not any(fits(own, value) for own in chosen.values())
    )


def fits(chosen: str, wanted: str) -> bool:
    """Whether a chosen value is the wanted one, or like it.

    >>> fits("light blue", "blue stripes"), fits("x-large", "large"), fits("8", "9")
    (True, True, False)
    """
    return same(plain_color(chosen), plain_color(wanted))


def plain_color(value: str) -> str:
    """The first colour that a value names, of the list; the value itself where it names none."""
    named = set(WORD.findall(value.lower()))
    return next((color for color in COLORS if color in named), value.lower())


def type_factor(wanted: Product, bought: Product) -> float:
    """How much a purchase counts, by its kind: query, category and the nouns of its name."""
    named = nouns(wanted)
    shared = len(set(named) & set(nouns(bought)))
    score = shared / len(named) if named else 0.2
    if score < 0.1:
        return 0.1 if score > 0 else 0.0
    related = wanted.query == bought.query or len(_path(wanted) & _path(bought)) >= 2
    return 1.0 if related or score > 0.2 else 0.5


def nouns(product: Product) -> list[str]:
    """The words of a name that say what it is, those twice that stand there twice."""
    described = {word for attribute in product.attributes for word in _words(attribute)}
    passed_over = described.union(COLORS, FUNCTION_WORDS)
    return [word for word in _words(product.name) if word not in passed_over]


def _path(product: Product) -> set[str]:
    return {part.strip() for part in product.category.split("›")}


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def same(one: str, other: str) -> bool:
    """Whether two texts are alike enough.

    >>> same("essential oil", "essential oils"), same("tea bag", "tea tree")
    (True, False)
    """
    return round(fuzz.token_set_ratio(one, other, processor=default_process)) > SAME
