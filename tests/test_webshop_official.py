"""The official WebShop's files: here small ones in their schema, with nothing of theirs in them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from shopping import play, visit

from leafe.envs import make_environment
from leafe.envs.webshop import WebShop, WebShopOptions
from leafe.envs.webshop.official import read_official
from leafe.envs.webshop.product import NO_BOUND, read_goal
from leafe.errors import BadInput

ITEMS, MADE, PEOPLE = "items_shuffle_1000.json", "items_ins_v2_1000.json", "items_human_ins.json"


def item(number: int, **changes: Any) -> dict[str, Any]:
    """A product as the products file has it, unused keys included."""
    return {
        "asin": f"B0TEST{number:04}",
        "name": f"Model{chr(97 + number % 26)} desk lamp, quiet  number {number}",
        "query": " Desk Lamps ",
        "category": "home",
        "product_category": "Home › Lighting › Desk Lamps",
        "full_description": "A lamp\nfor a desk.",
        "small_description": ["Bright light", "Steel base"],
        "pricing": "$1,012.50" if number == 3 else f"${number}.50",
        "customization_options": {
            "Color": [{"value": " Red/Blue ", "asin": None, "image": ""}, {"value": "Green"}],
            "Size": [{"value": "Large"}, {"value": "Large"}],
            "Style": None,
        },
        "images": ["x.jpg"],
        "total_reviews": "12",
    } | changes


def made(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "attributes": ["easy clean", f"mark {number}"],
        "instruction": f"Find me easy clean desk lamps, mark {number}",
        "instruction_attributes": ["easy clean"],
    } | changes


def write(folder: Path, count: int = 40, **files: Any) -> Path:
    """A folder with the three files."""
    kept = {
        ITEMS: [item(n) for n in range(count)],
        MADE: {f"B0TEST{n:04}": made(n) for n in range(count)},
        PEOPLE: {
            f"B0TEST{n:04}": [
                {
                    "asin": f"B0TEST{n:04}",
                    "instruction": f"i want a desk lamp of mark {n}.",
                    "instruction_attributes": ["easy clean"],
                    "instruction_options": ["Green"],
                    "worker_id": "w",
                },
                {"instruction": "?", "instruction_attributes": [], "instruction_options": []},
            ]
            for n in range(0, count, 2)
        },
    }
    for name, content in (kept | {ITEMS: kept[ITEMS]} | files).items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text)
    return folder


def family(folder: Path, **options: Any) -> WebShop:
    sizes = {"train_tasks": 20, "test_tasks": 10} | options
    return WebShop(WebShopOptions(data=str(folder), **sizes))


def test_products_are_read_as_the_original_reads_them(tmp_path: Path) -> None:
    strange = [
        item(90, asin="nan"),
        item(92, asin=""),
        item(91, asin="B0TEST000091"),
        item(0, name="twice"),
    ]
    items = [*(item(n) for n in range(4)), *strange, item(5, pricing=None), item(6, pricing="")]
    items += [item(7, pricing="$9.00 - $19.00", customization_options={}, small_description=None)]
    products = read_official(
        write(tmp_path, **{ITEMS: items}), human_goals=False, seed=0
    ).catalogue.products
    assert [p.id for p in products] == [f"B0TEST{n:04}" for n in (0, 1, 2, 3, 5, 6, 7)]
    first = products[0]
    assert (first.name, first.query) == ("Modela desk lamp, quiet number 0", "desk lamps")
    assert first.options == (("color", ("red | blue", "green")), ("size", ("large",)))
    assert first.attributes == ("easy clean", "mark 0")
    assert [p.price for p in products[1:6]] == [1.5, 2.5, 1012.5, 100.0, 100.0]
    assert products[6].price_tag == "$9.00 to $19.00"
    assert 9 < products[6].price < 19
    assert (products[6].options, products[6].features) == ((), ())


def test_goals_stand_in_the_order_of_the_original_and_the_first_are_held_out(
    tmp_path: Path,
) -> None:
    official = read_official(write(tmp_path, 600), human_goals=False, seed=0)
    order = [(f"B0TEST{n:04}", color) for n in range(600) for color in ("red | blue", "green")]
    random.Random(233).shuffle(order)
    told = [(goal.product, dict(goal.options)["color"]) for goal in official.test]
    assert told == order[:500]
    about = {product for product, _ in told}
    left = [goal for goal in order[500:] if goal[0] not in about]
    assert [(g.product, dict(g.options)["color"]) for g in official.train] == left
    assert official.test[0].instruction.startswith("Find me easy clean desk lamps, mark ")
    assert ", and size: large, and price lower than " in official.test[0].instruction
    prices = official.catalogue.by_id
    assert all(prices[g.product].price < g.price_upper for g in (*official.test, *official.train))


def test_of_few_goals_half_are_held_out_and_too_few_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    shop = family(folder).shop
    assert len(shop.test) == 40
    assert not {g.product for g in shop.test} & {g.product for g in shop.train}
    with pytest.raises(BadInput, match=r"env\.test_tasks is 41, but .* gives only 40 goals"):
        family(folder, test_tasks=41).tasks("test")


def test_goals_by_people_name_values_only(tmp_path: Path) -> None:
    webshop = family(write(tmp_path), human_goals=True, train_tasks=5)
    goals = [read_goal(task.payload["goal"]) for task in webshop.tasks("test")]
    assert {goal.options for goal in goals} == {(("", "green"),)}
    assert all(goal.instruction.startswith("i want a desk lamp of mark ") for goal in goals)
    for task in (*webshop.tasks("train"), *webshop.tasks("test")):
        assert play(visit(webshop, task), *webshop.solution(task))[-1].reward == 1
    twice = {"B0TEST0001": [{"instruction": "x", "instruction_attributes": ["easy clean"]}] * 50}
    (tmp_path / "twice").mkdir()
    folder = write(tmp_path / "twice", **{PEOPLE: twice})
    held_out = read_official(folder, human_goals=True, seed=0).test
    assert 1 <= len(set(held_out)) == len(held_out) <= 3, "equal but for the three bounds"
    named = {"B0TEST0001": [{"instruction": "x", "instruction_attributes": ["easy clean"],
                             "instruction_options": {"color": "Green"}}]}  # fmt: skip
    (tmp_path / "named").mkdir()
    official = read_official(write(tmp_path / "named", **{PEOPLE: named}), human_goals=True, seed=0)
    assert [goal.options for goal in official.train] == [(("color", "green"),)]


def test_solutions_solve_whatever_a_product_is_called(tmp_path: Path) -> None:
    odd = [item(n, name=f"[2 pack] lamp ] {n} <|end|>\ud800") for n in range(40)]
    options = {"Color": [{"value": "[2 pack] red"}], "Style": [{"value": "[2 pack] red"}]}
    odd = [one | {"customization_options": options} for one in odd]
    webshop = family(write(tmp_path, **{ITEMS: odd}), train_tasks=10)
    for task in (*webshop.tasks("train"), *webshop.tasks("test")):
        results = play(visit(webshop, task), *webshop.solution(task))
        assert results[-1].reward == 1
        assert all(r.observation.encode() for r in results)
    dear = [g for g in webshop.shop.test if g.product == "B0TEST0003"]
    assert all(goal.price_upper == NO_BOUND and "price" not in goal.instruction for goal in dear)


def test_a_task_names_its_data_and_other_data_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = family(write(tmp_path / "a")), family(write(tmp_path / "b", 41))
    [task, *_] = one.tasks("test")
    with pytest.raises(BadInput, match="is of the catalogue"):
        other.make().start(task)


def test_the_file_of_all_products_is_read_where_it_is_the_one_there(tmp_path: Path) -> None:
    folder = write(tmp_path)
    few = read_official(folder, human_goals=False, seed=0)
    (folder / ITEMS).rename(folder / "items_shuffle.json")
    (folder / MADE).rename(folder / "items_ins_v2.json")
    assert read_official(folder, human_goals=False, seed=0) == few


def without(key: str) -> list[dict[str, Any]]:
    kept = item(1)
    del kept[key]
    return [item(0), kept]


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({ITEMS: "["}, rf"{ITEMS}: Expecting value.*; it must be a JSON file"),
    ({ITEMS: "[" * 200_000}, rf"{ITEMS}: .*it must be a JSON file"),
    ({ITEMS: {}}, rf"{ITEMS}: it is a mapping; it must be a list of products"),
    ({ITEMS: []}, rf"{ITEMS}: no product in it"),
    ({ITEMS: without("asin")}, rf"{ITEMS}: 1\.asin is missing"),
    ({ITEMS: [item(0, name=7)]}, rf"{ITEMS}: 0\.name is 7; it must be a text"),
    ({ITEMS: [3]}, rf"{ITEMS}: 0 is 3; it must be"),
    ({ITEMS: [item(0, pricing="a lot")]}, r"0\.pricing is 'a lot'; it must be a price like \$12"),
    ({ITEMS: [item(0, pricing="$" + "9" * 400)]}, r"0\.pricing is .*; it must be a price like"),
    ({ITEMS: [item(0, customization_options={"Color": [{}]})]}, r"0\.customization_options.* is"),
    ({MADE: []}, rf"{MADE}: it is a list; it must be a mapping"),
    ({MADE: {"B0TEST0001": made(1, attributes="x")}}, r"B0TEST0001\.attributes is 'x'; it must"),
    ({PEOPLE: {"B0TEST0001": 3}}, rf"{PEOPLE}: B0TEST0001 is 3; it must be a list"),
    ({PEOPLE: {"B0TEST0001": [{"instruction": "x"}]}}, r"B0TEST0001\.0\.instruction_attributes is"),
]


@pytest.mark.parametrize(("files", "words"), BROKEN, ids=range(len(BROKEN)))
def test_a_bad_file_is_told_in_one_sentence(
    tmp_path: Path, files: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        family(write(tmp_path, **files), human_goals=True).tasks("train")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"env\.data is .*, which has no items_ins_v2_1000\.json"):
        family(tmp_path).tasks("train")
    section = {"name": "webshop", "data": str(tmp_path / "none")}
    with pytest.raises(BadInput, match="which is no folder; it must be a folder with WebShop's"):
        make_environment(section).tasks("train")
    write(tmp_path)
    (tmp_path / PEOPLE).unlink()
    with pytest.raises(BadInput, match="which has no items_human_ins"):
        family(tmp_path, human_goals=True).tasks("train")
