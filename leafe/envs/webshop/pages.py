"""The pages of the shop and the buttons on them; what a click leads to.

A page is a value: clicking makes another one. Knows no words but those on the buttons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from leafe.envs.webshop.product import Product

BACK, NEXT, PREVIOUS, BUY = "Back to Search", "Next >", "< Prev", "Buy Now"
DETAILS = ("Description", "Features", "Reviews", "Attributes")
ON_A_PAGE = 10
"""Results that one page shows."""


class Button(NamedTuple):
    """What can be clicked."""

    label: str
    option: str | None = None
    """The option that it is a value of; None for every other button."""


@dataclass(frozen=True)
class Page:
    """Where the shopper is, and what was found and chosen on the way; at first, the search page."""

    results: tuple[Product, ...] | None = None
    """What the last search found; None on the search page."""
    number: int = 1
    """Which page of the results."""
    product: Product | None = None
    """The one that is open; None on the search page and on the results."""
    detail: str | None = None
    """Which of `DETAILS` is open; None on the product's own page."""
    chosen: Mapping[str, str] = field(default_factory=dict)
    """Option -> value, of the open product."""

    @property
    def shown(self) -> tuple[Product, ...]:
        """The results that this page lists."""
        first = (self.number - 1) * ON_A_PAGE
        return (self.results or ())[first : first + ON_A_PAGE]

    @property
    def navigation(self) -> list[Button]:
        """The buttons that lead elsewhere but to a product or its details."""
        if self.results is None:
            return []
        back = self.product is not None or self.number > 1
        on = self.product is None and self.number * ON_A_PAGE < len(self.results)
        labels = [BACK, *[PREVIOUS] * back, *[NEXT] * on]
        return [Button(label) for label in labels]

    def buttons(self) -> Iterator[Button]:
        """All of them."""
        yield from self.navigation
        if self.product is None:
            yield from (Button(product.id) for product in self.shown)
        elif self.detail is None:
            for name, values in self.product.options:
                yield from (Button(value, name) for value in values)
            yield from (Button(label) for label in (*DETAILS, BUY))

    def find(self, label: str) -> Button | None:
        """The button of this label, however it is spelt; None where there is none.

        Where options share a value, the first of them that is not chosen yet.
        """
        plain = _plain(label)
        found = [button for button in self.buttons() if _plain(button.label) == plain]
        fresh = [b for b in found if b.option not in self.chosen]
        return next(iter((*fresh, *found)), None)

    def click(self, button: Button) -> Page:
        """The page that a button leads to; any but Buy Now, which ends the visit."""
        label, option = button
        if option is not None:
            return replace(self, chosen={**self.chosen, option: label})
        if label == BACK:
            return Page()
        if label == NEXT:
            return replace(self, number=self.number + 1)
        if label == PREVIOUS:
            return self._previous()
        if label in DETAILS:
            return replace(self, detail=label)
        return replace(self, product=next(p for p in self.shown if p.id == label))

    def _previous(self) -> Page:
        if self.detail is not None:
            return replace(self, detail=None)
        if self.product is not None:
            return replace(self, product=None, chosen={})
        return replace(self, number=self.number - 1)


def _plain(label: str) -> str:
    return " ".join(label.split()).casefold()
