"""WebShop's reward, against values worked out by hand from the formula."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafe.envs.webshop.product import NO_BOUND, Goal, Product
from leafe.envs.webshop.reward import (
    Verdict,
    fits,
    has_attribute,
    judge,
    same,
    type_factor,
)
from leafe.envs.webshop.wording import say_bought

BOOTS = Product(
    id="WBOOTS",
    name="Norvek hiking boots, waterproof",
    query="hiking boots",
    category="Footwear › Boots › Hiking boots",
    description="Boots with arch support.",
    features=("Hand stitched",),
    attributes=("waterproof", "memory foam"),
    options=(("color", ("red", "black")), ("size", ("8", "9"))),
    price=59.5,
    price_tag="$59.50",
    rating="4.0 of 5",
    reviews=(),
)
GOAL = Goal(
    "WBOOTS",
    "Find me waterproof, memory foam hiking boots ...",
    ("waterproof", "memory foam"),
    (("color", "red"), ("size", "8")),
    60.0,
)
RIGHT = {"color": "red", "size": "8"}


def bought(chosen: dict[str, str] = RIGHT, goal: Goal = GOAL, **changes: object) -> Verdict:
    return judge(goal, BOOTS, replace(BOOTS, **changes), chosen)


def test_all_that_is_wanted_gives_one() -> None:
    assert bought() == Verdict((), (), True, 1.0, 1.0)


def test_each_thing_that_is_missing_costs_its_share() -> None:
    # two attributes, two options and the price: fifths
    assert bought(attributes=("waterproof",)).reward == pytest.approx(4 / 5)
    assert bought({"color": "red"}).reward == pytest.approx(4 / 5)
    assert bought({"color": "red", "size": "9"}).reward == pytest.approx(4 / 5)
    assert bought({}).reward == pytest.approx(3 / 5)
    assert bought(price=60.01).reward == pytest.approx(4 / 5)
    assert bought({}, attributes=(), name="boots", price=61.0).reward == 0
    assert bought(price=60.0).reward == 1


def test_no_bound_no_options_and_the_price_still_counts_as_one() -> None:
    free = replace(GOAL, options=(), price_upper=NO_BOUND)
    assert bought({}, free, attributes=(), price=900.0).reward == pytest.approx(2 / 3)
    assert bought({}, free, attributes=(), name="wet boots").reward == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        # The goal's nouns: norvek, hiking, boots (waterproof is an attribute).
        ({"name": "Sola hiking boots", "query": "x", "category": "y"}, 1.0),  # 2/3 > .2
        ({"name": "Sola sandals", "query": "hiking boots"}, 0.0),  # 0/3, whatever the query
        ({"name": "Sola waterproof sandals", "query": "x", "category": "y"}, 0.0),
        ({"name": "Sola boots"}, 1.0),
    ],
)
def test_the_kind_of_product_is_a_factor(changes: dict[str, str], factor: float) -> None:
    assert type_factor(BOOTS, replace(BOOTS, **changes)) == factor
    assert bought(**changes).reward == factor, "all else is met"


LONG = "ab cd ef gh ij kl mn op qr st"
"""Ten nouns."""


@pytest.mark.parametrize(
    ("name", "query", "category", "factor"),
    [
        (f"{LONG} uv wx", "other", "Other", 1.0),
        ("ab cd", "other", "Other", 0.5),  # 2/10 is not above .2, and nothing else fits
        ("ab cd", "hiking boots", "Other", 1.0),
        ("ab cd", "other", "Boots › Footwear", 1.0),  # two parts, in any order
        ("ab cd", "other", "Footwear › Footwear", 0.5),
        ("uv", "hiking boots", "Footwear › Boots", 0.0),
    ],
)
def test_query_category_and_name_decide_the_kind(
    name: str, query: str, category: str, factor: float
) -> None:
    wanted = replace(BOOTS, name=LONG, attributes=())
    other = replace(BOOTS, name=name, query=query, category=category, attributes=())
    assert type_factor(wanted, other) == factor
    eleven = replace(wanted, name=f"{LONG} zz")
    one = replace(other, name="ab")
    assert type_factor(eleven, one) == 0.1, "1 of 11 nouns is less than .1"
    nameless = replace(wanted, name="8 - 9")
    assert type_factor(nameless, other) in (1.0, 0.5)


def test_an_attribute_may_be_listed_in_like_words_or_said_in_the_text() -> None:
    assert has_attribute(BOOTS, "memory foams")
    assert has_attribute(BOOTS, "foam memory")
    assert has_attribute(BOOTS, "Hand Stitched")
    assert has_attribute(BOOTS, "arch support")
    assert not has_attribute(BOOTS, "vegan leather")


@pytest.mark.parametrize(
    ("chosen", "wanted", "fit"),
    [
        ("light blue", "blue", True),
        ("blue | white", "navy blue", True),
        ("washed out", "ash", False),
        ("powder snow", "cool powder snow", True),
        ("vanilla", "lemon", False),
        ("large", "large", True),
        ("x-large", "large", True),  # in the original, too
        ("8", "9", False),
    ],
)
def test_options_are_compared_in_like_words(chosen: str, wanted: str, fit: bool) -> None:
    assert fits(chosen, wanted) == fit


def test_options_have_no_names_where_they_are_compared() -> None:
    nameless = replace(GOAL, options=(("", "8"), ("", "red")))
    assert bought(RIGHT, nameless).reward == 1


def test_what_was_not_asked_for_neither_helps_nor_hurts() -> None:
    assert bought({**RIGHT, "style": "red"}).reward == 1
    assert bought({"size": "8", "style": "bold"}).reward == pytest.approx(4 / 5)


@given(
    st.dictionaries(
        st.sampled_from(["color", "size", "style"]), st.sampled_from(["red", "8", "x"])
    ),
    st.lists(st.sampled_from(["waterproof", "memory foam", "vegan"]), max_size=3),
    st.floats(0, 100),
)
def test_a_reward_is_within_bounds_and_one_exactly_where_nothing_is_missing(
    chosen: dict[str, str], attributes: list[str], price: float
) -> None:
    verdict = bought(chosen, attributes=tuple(attributes), price=price)
    assert 0 <= verdict.reward <= 1
    met = not verdict.attributes and not verdict.options and verdict.price_met
    assert (verdict.reward == 1) == met


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("essential oil", "essential oils", True),
        ("stain resistant", "water resistant", False),
        ("pack of 2", "pack of 12", True),  # in the original, too
        ("cool powder snow", "powder snow", True),
        ("", "red", False),
        ("!!", "??", False),
        ("GREY", "grey!", True),
    ],
)
def test_likeness_passes_over_order_case_and_signs(one: str, other: str, alike: bool) -> None:
    assert same(one, other) == same(other, one) == alike


def test_the_end_names_all_that_is_not_met() -> None:
    chosen = {"color": "black"}
    verdict = bought(chosen, attributes=("waterproof",), price=75.0)
    assert say_bought(replace(BOOTS, price=75.0), GOAL, chosen, verdict) == (
        "You bought WBOOTS, color: black, for $75.00. Not what was asked for: the attribute memory"
        " foam is missing; color should be red, you chose black; size should be 8, you did not"
        " choose it; it costs more than 60.00 dollars. Score 0.20 of 1."
    )
    other = replace(BOOTS, name="Sola kettle", query="kettle")
    said = say_bought(other, GOAL, RIGHT, judge(GOAL, BOOTS, other, RIGHT))
    assert "Not what was asked for: it is another kind of product (all else counts 0)." in said
