"""A way to reach a goal: words to search for, a product that will do, the options to choose."""

from __future__ import annotations

from leafe.envs.webshop.pages import BUY, NEXT, ON_A_PAGE
from leafe.envs.webshop.product import Catalogue, Goal, Product
from leafe.envs.webshop.reward import fits, judge
from leafe.envs.webshop.search import Index


def solve(catalogue: Catalogue, index: Index, goal: Goal) -> list[str] | None:
    """Actions that reach the goal; None where neither of two searches finds a product for it.

    Both searches use what the instruction is about: attributes and kind, or else the name of the
    product that it was written for. The first product that will do is bought.
    """
    wanted = catalogue.by_id[goal.product]
    for keywords in (f"{' '.join(goal.attributes)} {wanted.query}", wanted.name):
        typed = typeable(keywords)
        for place, product in enumerate(index.search(typed)):
            chosen = choose(goal, product)
            if judge(goal, wanted, product, chosen).reward >= 1:
                clicks = [*[NEXT] * (place // ON_A_PAGE), product.id, *chosen.values(), BUY]
                return [f"search[{typed}]", *(f"click[{label}]" for label in clicks)]
    return None


def choose(goal: Goal, product: Product) -> dict[str, str]:
    """The values of a product's options that the goal wants, as far as there are such.

    They are in the product's order: so a click on a value that two options share means the one
    that is meant (`Page.find`).
    """
    left = dict(product.options)
    chosen = {}
    for name, wanted in goal.options:
        offers = ((own, value) for own, values in left.items() for value in values)
        fitting = [(own, value) for own, value in offers if fits(value, wanted)]
        if fitting:
            own, value = min(fitting, key=lambda offer: (offer[0] != name, offer[1] != wanted))
            chosen[own] = value
            del left[own]
    return {own: chosen[own] for own, _ in product.options if own in chosen}


def typeable(keywords: str) -> str:
    """Keywords without the brackets that would end an action."""
    return " ".join(keywords.replace("[", " ").replace("]", " ").split())
