"""Visits to WebShop, for its tests."""

from __future__ import annotations

import re

from leafe.env import StepResult
from leafe.envs.webshop import WebShop, WebShopEnv
from leafe.task import Task


def visit(webshop: WebShop, task: Task | None = None) -> WebShopEnv:
    """A visit that has begun."""
    env = webshop.make()
    env.start(task or webshop.tasks("train")[0])
    assert isinstance(env, WebShopEnv)
    return env


def play(env: WebShopEnv, *actions: str) -> list[StepResult]:
    """What each action is told."""
    return [env.step(action) for action in actions]


def said(env: WebShopEnv, *actions: str) -> str:
    """What the last of the actions is told."""
    return play(env, *actions)[-1].observation


def ids(page: str) -> list[str]:
    """The products that a page of results lists."""
    return re.findall(r"^\[(W\w{5})\]", page, flags=re.MULTILINE)
