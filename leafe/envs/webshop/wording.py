"""What the shop says: every page, every sentence about an action, and how an action is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from leafe.envs.webshop.pages import (
    BACK,
    BUY,
    DETAILS,
    NEXT,
    ON_A_PAGE,
    PREVIOUS,
    Button,
    Page,
)
from leafe.envs.webshop.product import Goal, Product
from leafe.envs.webshop.reward import Verdict

SOLVED = " All is met: solved."
LONGEST = 4000
"""Characters of an action that is still read; a thought may come before it."""
LONGEST_TEXT = 2000
"""Characters of a product's text that are shown."""
MOST_BUTTONS = 40
"""Buttons that a refusal lists."""
VERB = re.compile(r"\b(search|click)\s*\[", re.IGNORECASE)
GRAMMAR = "write search[keywords] or click[button], one of them a turn"


class Action(NamedTuple):
    """One thing to do."""

    verb: str
    """`search` or `click`."""
    value: str


def read_action(text: str) -> Action | None:
    """The one action that a text names; None unless there is exactly one.

    >>> read_action("A search, then: Search[red  shoes]"), read_action("click[a] click[b]")
    (Action(verb='search', value='red shoes'), None)
    >>> read_action("click[[2 pack] blue]").value, read_action("click red")
    ('[2 pack] blue', None)
    """
    found = list(VERB.finditer(text[:LONGEST])) if len(text) <= LONGEST else []
    if len(found) != 1:
        return None
    value = _within(text[found[0].end() :])
    return None if value is None else Action(found[0][1].lower(), " ".join(value.split()))


def _within(text: str) -> str | None:
    """What stands before the bracket that closes; None where none does."""
    depth = 1
    for place, sign in enumerate(text):
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if depth == 0:
            return text[:place]
    return None


def show(page: Page) -> str:
    """A page: what can be clicked stands in brackets."""
    if page.results is None:
        return "You are on the search page: write search[keywords]."
    if page.product is None:
        lines = [f"[{p.id}] {p.name}, {p.price_tag}" for p in page.shown]
        return "\n".join((_buttons(page.navigation), *lines))
    if page.detail is not None:
        lines = [f"- {_cut(line)}" for line in tell(page.product, page.detail)]
        return "\n".join((*lines, _buttons(page.navigation)))
    return "\n".join((_buttons(page.navigation), *_item(page.product, page.chosen)))


def _item(product: Product, chosen: Mapping[str, str]) -> list[str]:
    lines = [_cut(product.name), f"Price: {product.price_tag}. Rating: {product.rating}."]
    for name, values in product.options:
        own = f" (chosen: {chosen[name]})" if name in chosen else ""
        lines.append(f"{name}{own}: {_buttons([Button(value, name) for value in values])}")
    return [*lines, _buttons([Button(label) for label in (*DETAILS, BUY)])]


def tell(product: Product, detail: str) -> tuple[str, ...]:
    """What a page of details says."""
    told = {
        "Description": (product.description,) if product.description else (),
        "Features": product.features,
        "Reviews": product.reviews,
        "Attributes": product.attributes,
    }[detail]
    return told or (f"This product has no {detail.lower()}.",)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _buttons(buttons: list[Button]) -> str:
    return " ".join(f"[{button.label}]" for button in buttons)


def say_found(page: Page) -> str:
    """How many products there are, and which of them are on this page."""
    total = len(page.results or ())
    if not total:
        return "Nothing found: no product has any of these words."
    first = (page.number - 1) * ON_A_PAGE
    return f"Results {first + 1} to {min(first + ON_A_PAGE, total)} of {total}."


def say_clicked(before: Page, button: Button, after: Page) -> str:
    """What a click did."""
    if button.option is not None:
        return f"You chose {button.option}: {button.label}."
    if after.results is None:
        return f"You are back.{_forgotten(before)}"
    if after.product is None:
        return say_found(after) + _forgotten(before)
    if after.detail is not None:
        return f"{after.detail} of {after.product.id}:"
    return f"You are on the page of {after.product.id}."


def _forgotten(page: Page) -> str:
    return (
        f" What you chose for {page.product.id} is undone." if page.chosen and page.product else ""
    )


def say_unknown() -> str:
    """To what is no action, or more than one; never echoes what was written."""
    return f"Not an action: {GRAMMAR}."


def say_no_search(page: Page) -> str:
    """Why a search is not possible here."""
    if page.results is None:
        return "Nothing to search for: write keywords between the brackets."
    return f"You can only search on the search page: click[{BACK}] leads there."


def say_no_button(page: Page, label: str) -> str:
    """Why a click did nothing, and what can be clicked; never echoes what was written."""
    buttons = list(page.buttons())
    if not buttons:
        return "No button on the search page: write search[keywords]."
    more = f" and {len(buttons) - MOST_BUTTONS} more" * (len(buttons) > MOST_BUTTONS)
    listed = f"{_buttons(buttons[:MOST_BUTTONS])}{more}"
    return f"No such button on this page{_why(page, label)}. Its buttons: {listed}"


def _why(page: Page, label: str) -> str:
    """A reason, for buttons that other pages have."""
    plain = label.casefold()
    if plain == BUY.casefold():
        return ": go back to the product" if page.product else ": open a product first"
    if plain in {detail.casefold() for detail in DETAILS}:
        return f": click[{PREVIOUS}] first" if page.detail else ": open a product first"
    if plain == NEXT.casefold():
        return ": only results have a next page" if page.product else ": these are the last results"
    return ": these are the first results" if plain == PREVIOUS.casefold() else ""


def say_bought(product: Product, goal: Goal, chosen: Mapping[str, str], verdict: Verdict) -> str:
    """The end: what was bought, and all that the instruction asks for and it is not."""
    options = "".join(f", {name}: {value}" for name, value in chosen.items())
    said = f"You bought {product.id}{options}, for ${product.price:.2f}."
    if verdict.reward >= 1:
        return said + SOLVED
    wrong = [*_wrong_type(verdict), *(f"the attribute {a} is missing" for a in verdict.attributes)]
    wrong += [_wrong_option(name, value, chosen) for name, value in verdict.options]
    if not verdict.price_met:
        wrong.append(f"it costs more than {goal.price_upper:.2f} dollars")
    return f"{said} Not what was asked for: {'; '.join(wrong)}. Score {verdict.reward:.2f} of 1."


def _wrong_type(verdict: Verdict) -> list[str]:
    if verdict.type_factor == 1:
        return []
    return [f"it is another kind of product (all else counts {verdict.type_factor:g})"]


def _wrong_option(name: str, wanted: str, chosen: Mapping[str, str]) -> str:
    own = f"you chose {chosen[name]}" if name in chosen else "you did not choose it"
    return f"{name or 'an option'} should be {wanted}, {own}"
