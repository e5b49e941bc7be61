"""WebShop: find the product that an instruction asks for, choose its options, buy it.

Upstream: WebShop (arXiv 2207.01206, github.com/princeton-nlp/WebShop, for academic use only): its
actions, pages and reward are followed, none of its code or data is here. Test goals are about
products that no training goal is about; the original's own split shares products, and in
verl-agent each worker shuffles it anew. Licence: this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leafe.env import Env, StepResult
from leafe.envs.webshop import wording
from leafe.envs.webshop.catalogue import MOST_PRODUCTS, draw_catalogue
from leafe.envs.webshop.goals import draw_goals, split
from leafe.envs.webshop.official import read_official
from leafe.envs.webshop.pages import BUY, Page
from leafe.envs.webshop.product import Catalogue, Goal, read_goal
from leafe.envs.webshop.reward import judge
from leafe.envs.webshop.search import Index
from leafe.envs.webshop.solver import solve
from leafe.errors import BadInput
from leafe.params import PARAMS_FILE
from leafe.task import Split, Task, make_task


class WebShopOptions(BaseModel):
    """The `env` section of `params.yaml` for `env.name: webshop`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    products: int = Field(1000, ge=50, le=MOST_PRODUCTS)
    """Products of the generated catalogue."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the catalogue and of the goals; of official data, of the prices."""
    data: str | None = None
    """Folder with the official files, to use them instead; null generates a catalogue."""
    human_goals: bool = False
    """Of official data: the instructions that people wrote, instead of the made ones."""
    train_tasks: int = Field(200, ge=1)
    """Goals to learn from."""
    test_tasks: int = Field(128, ge=1)
    """Held-out goals, about products that no training goal is about."""
    max_steps: int = Field(15, ge=9, le=999)
    """Actions that one episode may make; no generated goal needs more than 9."""


@dataclass(frozen=True)
class Shop:
    """A catalogue, its search engine and its goals: made once, shared by all episodes."""

    catalogue: Catalogue
    index: Index
    train: tuple[Goal, ...]
    test: tuple[Goal, ...]

    def goal_of(self, task: Task) -> Goal:
        """What a task asks for; BadInput where it was made for another catalogue."""
        if task.payload["catalogue"] != self.catalogue.id:
            raise BadInput(
                f"task {task.id} is of the catalogue {task.payload['catalogue']}, but the shop has"
                f" {self.catalogue.id}; make the tasks anew with `dvc repro`"
            )
        return read_goal(task.payload["goal"])


class WebShop:
    """The family of goals in one shop."""

    name = "webshop"
    options = WebShopOptions
    step_timeout = None
    actions = (
        "search[waterproof hiking boots]",
        "click[Next >]",
        "click[< Prev]",
        "click[Back to Search]",
        "click[Features]",
        "click[red]",
        "click[large]",
        "click[Buy Now]",
    )
    instructions = (
        "You shop online for a customer. Find a product that is all that the instruction asks for, "
        "choose the options that it names, and buy it; a purchase ends the visit. Write one action "
        "a turn: search[keywords], on the search page only, or click[button]. What can be clicked "
        "stands in brackets: products by their ids, values of options, and buttons. "
        "A product's attributes are on the pages Description, Features and Attributes."
    )

    def __init__(self, options: WebShopOptions) -> None:
        self.settings = options
        self.max_steps = options.max_steps

    @property
    def shop(self) -> Shop:
        """The shop that the options ask for; BadInput where the data does not give it."""
        chosen = self.settings
        if chosen.data is not None:
            return _official(chosen.data, chosen.human_goals, chosen.seed)
        return _generated(chosen.products, chosen.seed, chosen.train_tasks, chosen.test_tasks)

    def tasks(self, split: Split) -> list[Task]:
        """The first goals of the split."""
        chosen, shop = self.settings, self.shop
        wanted, goals = (
            (chosen.train_tasks, shop.train) if split == "train" else (chosen.test_tasks, shop.test)
        )
        if len(goals) < wanted:
            where = chosen.data or f"env.products {chosen.products}"
            raise BadInput(
                f"{PARAMS_FILE}: env.{split}_tasks is {wanted}, but {where} gives only"
                f" {len(goals)} goals"
            )
        catalogue = shop.catalogue.id
        payloads = ({"catalogue": catalogue, "goal": goal.as_json()} for goal in goals[:wanted])
        return [make_task(self.name, split, payload) for payload in payloads]

    def solution(self, task: Task) -> list[str]:
        """A search, clicks and Buy Now; BadInput where none of at most `max_steps` is found."""
        shop = self.shop
        actions = solve(shop.catalogue, shop.index, shop.goal_of(task))
        if actions is None or len(actions) > self.max_steps:
            raise BadInput(
                f"no solution of at most {self.max_steps} steps is known for task {task.id}"
                f" ({PARAMS_FILE}: env.max_steps)"
            )
        return actions

    def make(self) -> Env:
        """A fresh visit to the shop."""
        return WebShopEnv(self.shop)


class WebShopEnv:
    """One visit. Buying something ends it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def start(self, task: Task) -> str:
        """Tell the instruction; BadInput for a task of another catalogue."""
        self._goal = self._shop.goal_of(task)
        self._page = Page()
        return f"Instruction: {self._goal.instruction}\n{wording.show(self._page)}"

    def step(self, action: str) -> StepResult:
        """Search, or click a button."""
        read = wording.read_action(action)
        if read is None:
            return _go_on(wording.say_unknown())
        return self._search(read.value) if read.verb == "search" else self._click(read.value)

    def _search(self, keywords: str) -> StepResult:
        if self._page.results is not None or not keywords:
            return _go_on(wording.say_no_search(self._page))
        self._page = Page(self._shop.index.search(keywords))
        return self._show(wording.say_found(self._page))

    def _click(self, label: str) -> StepResult:
        button = self._page.find(label)
        if button is None:
            return _go_on(wording.say_no_button(self._page, label))
        if button.label == BUY and button.option is None:
            return self._buy()
        before, self._page = self._page, self._page.click(button)
        return self._show(wording.say_clicked(before, button, self._page))

    def _buy(self) -> StepResult:
        bought, chosen, goal = self._page.product, self._page.chosen, self._goal
        assert bought is not None, "only a product's page has this button"
        verdict = judge(goal, self._shop.catalogue.by_id[goal.product], bought, chosen)
        said = wording.say_bought(bought, goal, chosen, verdict)
        return StepResult(said, verdict.reward, terminated=True, truncated=False)

    def _show(self, said: str) -> StepResult:
        return _go_on(f"{said}\n{wording.show(self._page)}")

    def close(self) -> None:
        """Nothing is held."""


def _go_on(said: str) -> StepResult:
    return StepResult(said, 0.0, terminated=False, truncated=False)


@lru_cache(maxsize=4)
def _generated(products: int, seed: int, train_tasks: int, test_tasks: int) -> Shop:
    """The shop of a seed, with as many goals as are asked for, or as there are."""
    catalogue, index = _stock(products, seed)
    to_learn, held_out = split(catalogue, seed)
    said: set[str] = set()
    # The held-out goals are drawn first, so that they do not hang on what is learned from.
    test = tuple(islice(draw_goals(held_out, catalogue, index, seed, said), test_tasks))
    train = tuple(islice(draw_goals(to_learn, catalogue, index, seed, said), train_tasks))
    return Shop(catalogue, index, train, test)


@lru_cache(maxsize=4)
def _stock(products: int, seed: int) -> tuple[Catalogue, Index]:
    catalogue = draw_catalogue(products, seed)
    return catalogue, Index(catalogue.products)


@lru_cache(maxsize=1)
def _official(folder: str, human_goals: bool, seed: int) -> Shop:
    catalogue, train, test = read_official(Path(folder), human_goals=human_goals, seed=seed)
    return Shop(catalogue, Index(catalogue.products), train, test)
