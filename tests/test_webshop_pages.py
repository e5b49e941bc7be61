"""WebShop's pages: where buttons lead, what is refused and why, and what any text is told."""

from __future__ import annotations

import re

import pytest
import yaml
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from shopping import ids, play, said, visit

from leafe.envs.webshop import WebShop, WebShopOptions
from leafe.envs.webshop.pages import ON_A_PAGE
from leafe.envs.webshop.search import MOST_RESULTS

PAGE = (ROOT / "leafe/envs/webshop/README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def webshop() -> WebShop:
    return WebShop(WebShopOptions())


def test_results_come_ten_to_a_page_and_one_can_turn_them_both_ways(webshop: WebShop) -> None:
    env = visit(webshop)
    pages = play(env, "search[jacket boots shoes kettle]", *["click[Next >]"] * 4)
    shown = [ids(page.observation) for page in pages]
    assert [len(page) for page in shown] == [ON_A_PAGE] * 5
    assert len({product for page in shown for product in page}) == MOST_RESULTS
    assert [page.observation.splitlines()[0] for page in pages][::4] == [
        "Results 1 to 10 of 50.",
        "Results 41 to 50 of 50.",
    ]
    assert "[< Prev]" not in pages[0].observation
    assert "[Next >]" not in pages[4].observation
    assert said(env, "click[next >]").startswith("No such button on this page: these are the last")
    assert ids(said(env, "click[< prev]")) == shown[3]


def test_details_and_choices_are_kept_until_one_leaves_the_product(webshop: WebShop) -> None:
    env = visit(webshop)
    [product] = [p for p in env._shop.catalogue.products if p.query == "kettle"][:1]
    color = dict(product.options)["color"][0]
    page = said(env, f"search[{product.name}]", f"click[{product.id.lower()}]")
    assert page.splitlines()[0] == f"You are on the page of {product.id}."
    assert f"Price: {product.price_tag}." in page
    assert said(env, f"click[{color.upper()}]").startswith(f"You chose color: {color}.\n")
    for detail in ("Description", "Features", "Reviews", "Attributes"):
        opened = said(env, f"click[{detail}]")
        assert opened.startswith(f"{detail} of {product.id}:\n- ")
        assert opened.endswith("\n[Back to Search] [< Prev]")
        assert f"color (chosen: {color}): " in said(env, "click[< Prev]")
    assert all(
        a in said(env, "click[Attributes]", "click[< Prev]", "click[Attributes]")
        for a in product.attributes
    )
    left = said(env, "click[< Prev]", "click[< Prev]")
    assert left.startswith(f"Results 1 to 10 of 50. What you chose for {product.id} is undone.\n")
    assert "(chosen" not in said(env, f"click[{product.id}]")
    back = said(env, "click[Back to Search]")
    assert back == "You are back.\nYou are on the search page: write search[keywords]."


REFUSALS = [
    (["click[Buy Now]"], "No button on the search page: write search[keywords]."),
    (["search[]"], "Nothing to search for: write keywords between the brackets."),
    (["search[kettle]", "search[pan]"], "You can only search on the search page: click[Back to"),
    (["search[kettle]", "click[Buy Now]"], "No such button on this page: open a product first. It"),
    (["search[kettle]", "click[Features]"], "No such button on this page: open a product first."),
    (["search[kettle]", "click[< Prev]"], "No such button on this page: these are the first res"),
    (["search[kettle]", "click[x]"], "No such button on this page. Its buttons: [Back to Search] "),
    (["search[kettle] search[pan]"], "Not an action: write search[keywords] or click[button], one"),
    (["buy now"], "Not an action: write search[keywords] or click[button], one of them a turn."),
    (["search[kettle"], "Not an action: write search"),
    (["search[qqqq zzzz]"], "Nothing found: no product has any of these words."),
]


@pytest.mark.parametrize(("actions", "words"), REFUSALS, ids=range(len(REFUSALS)))
def test_it_says_why_it_did_not(webshop: WebShop, actions: list[str], words: str) -> None:
    assert said(visit(webshop), *actions).startswith(words)


def test_on_a_product_it_says_where_the_button_is(webshop: WebShop) -> None:
    env = visit(webshop)
    [first, *_] = ids(said(env, "search[kettle]"))
    page = said(env, f"click[{first}]", "click[purple polka dots]")
    assert page.startswith("No such button on this page. Its buttons: [Back to Search] [< Prev] ")
    assert page.endswith("[Buy Now]")
    assert "only results have a next page" in said(env, "click[Next >]")
    assert "click[< Prev] first" in said(env, "click[Features]", "click[Reviews]")
    assert "go back to the product" in said(env, "click[Buy Now]")


JUNK = ["", " \n", "\0", "\ud800", "x" * 200_000, "click[" * 50_000, "click[\ud800\0<|end|>]"]
JUNK += ["click[" + "[" * 3000, "search]x[", f"click[{'y' * 3000}]", "click[]"]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_is_answered_in_words_that_do_not_echo_it(webshop: WebShop, junk: str) -> None:
    env = visit(webshop)
    for page in ("search[kettle]", "click[Next >]", "click[Back to Search]"):
        answered, _ = play(env, junk, page)
        assert re.match(r"No(t an action| such button| button)", answered.observation)
        assert len(answered.observation) < 300
        assert not {"\0", "\ud800", "yy", "<|"} & set(
            re.findall(r"\0|\ud800|yy|<\|", answered.observation)
        )


ACTIONS = ["click[Next >]", "click[< Prev]", "click[Features]", "click[Buy Now]", "search[kettle]"]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_text_makes_it_raise_and_only_buying_ends_it(data: st.DataObject) -> None:
    env = visit(WebShop(WebShopOptions()))
    page, texts = "", st.text(st.characters(codec=None))
    for _ in range(8):
        buttons = [f"click[{label}]" for label in re.findall(r"\[(.*?)\]", page)]
        wild = texts | texts.map(lambda text: f"click[{text}]") | texts.map("search[{}]".format)
        result = env.step(data.draw(wild | st.sampled_from([*ACTIONS, *buttons])))
        page = result.observation
        assert page.strip()
        assert 0 <= result.reward <= 1
        assert result.terminated == page.startswith("You bought ")
        if result.terminated:
            return


def test_an_action_may_follow_a_thought(webshop: WebShop) -> None:
    page = said(visit(webshop), "The customer wants boots.\nSo: SEARCH[ hiking   boots ] now.")
    assert page == said(visit(webshop), "search[hiking boots]")


def test_its_page_shows_a_visit_as_it_is_and_the_parameters_with_their_defaults(
    webshop: WebShop,
) -> None:
    [shown] = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    first, *steps = re.split(r"^> ", shown, flags=re.MULTILINE)
    [task] = [t for t in webshop.tasks("train") if webshop.make().start(t) == first.strip()]
    env = visit(webshop, task)
    for step in steps:
        action, _, answer = step.strip().partition("\n")
        assert env.step(action).observation == answer
    [told] = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    section = yaml.safe_load(told)["env"]
    assert section.pop("name") == "webshop"
    assert section == WebShopOptions().model_dump()
