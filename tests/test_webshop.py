"""WebShop: its goals, its catalogue, its solutions, and what of it is shared."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from shopping import play, visit

from leafe.envs.webshop import WebShop, WebShopOptions
from leafe.envs.webshop.catalogue import MOST_PRODUCTS, draw_catalogue
from leafe.envs.webshop.product import Product, read_goal
from leafe.envs.webshop.reward import has_attribute, same
from leafe.envs.webshop.search import MOST_RESULTS, Index, words
from leafe.envs.webshop.vocabulary import DEPARTMENTS, VALUES
from leafe.errors import BadInput
from leafe.task import check_disjoint


@pytest.fixture(scope="module")
def webshop() -> WebShop:
    return WebShop(WebShopOptions())


def test_every_solution_is_rewarded_in_full_at_its_last_step_and_is_short(webshop: WebShop) -> None:
    for task in (*webshop.tasks("train"), *webshop.tasks("test")):
        results = play(visit(webshop, task), *webshop.solution(task))
        assert [r.reward for r in results] == [0.0] * (len(results) - 1) + [1.0]
        assert [r.terminated for r in results] == [False] * (len(results) - 1) + [True]
        assert len(results) <= 9
        assert results[-1].observation.endswith("All is met: solved.")


def test_what_is_searched_for_are_words_of_the_instruction(webshop: WebShop) -> None:
    for task in webshop.tasks("test"):
        told = set(words(read_goal(task.payload["goal"]).instruction))
        assert set(words(webshop.solution(task)[0])) <= told | {"search"}


def test_the_product_that_a_goal_was_written_for_meets_it(webshop: WebShop) -> None:
    for task in webshop.tasks("train"):
        goal = read_goal(task.payload["goal"])
        product = webshop.shop.catalogue.by_id[goal.product]
        assert all(has_attribute(product, attribute) for attribute in goal.attributes)
        assert all(value in dict(product.options)[name] for name, value in goal.options)
        assert product.price < goal.price_upper


def test_held_out_goals_are_about_other_products_and_say_other_things(webshop: WebShop) -> None:
    train, test = webshop.tasks("train"), webshop.tasks("test")
    check_disjoint(train, test)
    goals = [[read_goal(task.payload["goal"]) for task in tasks] for tasks in (train, test)]
    products = [{goal.product for goal in split} for split in goals]
    assert not products[0] & products[1]
    instructions = [goal.instruction for split in goals for goal in split]
    assert len(set(instructions)) == len(instructions) == 328
    more = WebShop(WebShopOptions(train_tasks=300))
    assert more.tasks("test") == test, "more to learn from, the same to be measured on"
    assert more.tasks("train")[:200] == train
    assert WebShop(WebShopOptions(seed=1)).tasks("test") != test


def test_more_goals_than_there_are_products_stay_held_out_and_too_many_are_refused() -> None:
    small = WebShop(WebShopOptions(products=100, train_tasks=150, test_tasks=50))
    about = [{t.payload["goal"]["product"] for t in small.tasks(s)} for s in ("train", "test")]
    assert (len(about[0]) <= 75, len(about[1]) <= 25, about[0] & about[1]) == (True, True, set())
    greedy = WebShop(WebShopOptions(products=100, train_tasks=5000))
    words = r"env\.train_tasks is 5000, but env\.products 100 gives only \d+ goals"
    with pytest.raises(BadInput, match=words):
        greedy.tasks("train")


def test_a_task_of_another_catalogue_is_refused(webshop: WebShop) -> None:
    other = WebShop(WebShopOptions(seed=1))
    task = webshop.tasks("train")[0]
    words = f"task {task.id} is of the catalogue {webshop.shop.catalogue.id}, but the shop has"
    with pytest.raises(BadInput, match=words):
        other.make().start(task)
    with pytest.raises(BadInput, match=words):
        other.solution(task)


def test_the_vocabulary_is_unambiguous() -> None:
    kinds = [kind for department in DEPARTMENTS for kind in department.kinds]
    assert (len(DEPARTMENTS), len(kinds)) == (10, 50)
    heads = Counter(word for kind in kinds for word in words(kind.name))
    assert set(heads.values()) == {1}
    for department in DEPARTMENTS:
        pairs = itertools.combinations(department.attributes, 2)
        assert [pair for pair in pairs if same(*pair)] == []
        told = {word for attribute in department.attributes for word in words(attribute)}
        assert not told & set(heads)
    for key, values in VALUES.items():
        if not key.startswith("size"):
            assert [pair for pair in itertools.combinations(values, 2) if same(*pair)] == []
    assert {key for kind in kinds for key in kind.options} == set(VALUES)


def test_products_are_distinct_and_tell_no_attribute_that_they_do_not_have() -> None:
    catalogue = draw_catalogue(1000, seed=3)
    assert len(catalogue.by_id) == len({p.name.split()[0] for p in catalogue.products}) == 1000
    pools = {d.name: d.attributes for d in DEPARTMENTS}
    assert {p.category.partition(" ")[0] for p in catalogue.products} == set(pools)
    for product in catalogue.products:
        pool = pools[product.category.partition(" ")[0]]
        assert {a for a in pool if has_attribute(product, a)} == set(product.attributes)
    assert catalogue.id == draw_catalogue(1000, seed=3).id
    assert catalogue.id != draw_catalogue(999, seed=3).id


def test_visits_share_the_shop_and_only_a_search_searches(
    webshop: WebShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = WebShop(WebShopOptions())
    assert twin.shop is webshop.shop
    visits = [visit(webshop), visit(twin)]
    assert visits[0]._shop is visits[1]._shop
    searched = []
    search = Index.search
    monkeypatch.setattr(Index, "search", lambda s, k: searched.append(k) or search(s, k))
    play(visits[0], *webshop.solution(webshop.tasks("train")[0])[:-1], "click[Features]", "?")
    assert len(searched) == 2, "one by the solution, one by the visit"


def test_ten_times_the_products_leave_pages_as_long_and_results_as_many() -> None:
    for count in (MOST_PRODUCTS // 10, MOST_PRODUCTS):
        found = Index(draw_catalogue(count, seed=0).products).search("waterproof color size")
        assert len(found) == MOST_RESULTS
        assert len({product.id for product in found}) == MOST_RESULTS


def test_equal_scores_stand_in_the_order_of_the_catalogue() -> None:
    products = [
        Product(f"P{n}", "red kettle", "kettle", "", "", (), (), (), 1.0, "$1.00", "", ())
        for n in range(200)
    ]
    assert Index(products).search("Kettles") == tuple(products[:MOST_RESULTS])
    assert Index(products).search("the of") == Index(products).search("teapot") == ()
