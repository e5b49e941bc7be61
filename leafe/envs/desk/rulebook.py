"""A rulebook: which calls a ticket needs, in which order; and the tickets there are.

A rulebook is drawn from a seed or read from a file. Rules compose: the region asks for one call,
then the case (goal and status) for up to two, then the kind of item, then the payment, and the
goal itself closes the ticket. A call that two rules ask for is made once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from leafe.errors import BadInput, describe, did_you_mean, show_value
from leafe.params import PARAMS_FILE
from leafe.seeds import seed_from
from leafe.yaml_file import read_yaml

GOALS = ("refund", "cancel", "exchange", "resend")
STATUSES = ("packed", "shipped", "delivered")
KINDS = ("book", "phone", "lamp", "wine")
PAYMENTS = ("card", "wire", "voucher")
REGIONS = ("local", "remote", "foreign")
CASES = tuple(f"{goal} {status}" for goal, status in product(GOALS, STATUSES))
FACTS = {"region": REGIONS, "kind": KINDS, "payment": PAYMENTS, "case": CASES}
CALLS = ("verify", "label", "inspect", "approve", "photo", "quote", "wait", "notify")
TOOLS = (*CALLS, *GOALS)

# How often each kind of rule asks for what: every drawn rulebook deals out exactly these, so that
# all are about equally hard, and a new clerk can guess but not know.
QUOTAS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "region": (("verify",), ("label",), ()),
    "kind": (("inspect",), ("inspect",), ("photo",), ()),
    "payment": (("wait",), ("quote",), ()),
    "case": (
        *[()] * 2,
        *[("approve",)] * 4,
        *[("notify",)] * 2,
        *[("approve", "notify")] * 2,
        ("notify", "approve"),
        ("quote",),
    ),
}
Call = Literal["verify", "label", "inspect", "approve", "photo", "quote", "wait", "notify"]


@dataclass(frozen=True)
class Ticket:
    """A customer's wish and the facts that the rules look at."""

    goal: str
    status: str
    kind: str
    payment: str
    region: str

    def fact(self, rule: str) -> str:
        """What a rule of this kind looks at."""
        return f"{self.goal} {self.status}" if rule == "case" else str(getattr(self, rule))


@dataclass(frozen=True)
class Duty:
    """One call that a ticket needs, and the rule that asks for it."""

    tool: str
    because: str
    """The rule: `region`, `case`, `kind`, `payment`, or `goal` for the closing call."""


def _known_case(name: str) -> str:
    if name not in CASES:
        raise ValueError(did_you_mean(name, CASES))
    return name


class Rulebook(BaseModel):
    """A company's procedures; the agent never sees them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: dict[Literal["local", "remote", "foreign"], tuple[Call, ...]]
    """Region -> the calls it asks for, in order; so for every kind of rule."""
    case: dict[Annotated[str, AfterValidator(_known_case)], tuple[Call, ...]]
    """`<goal> <status>` -> calls."""
    kind: dict[Literal["book", "phone", "lamp", "wine"], tuple[Call, ...]]
    """Kind of item -> calls."""
    payment: dict[Literal["card", "wire", "voucher"], tuple[Call, ...]]
    """Way of payment -> calls."""

    @field_validator("region", "case", "kind", "payment")
    @classmethod
    def _in_order(
        cls, rules: dict[str, tuple[Call, ...]], info: ValidationInfo
    ) -> dict[str, tuple[Call, ...]]:
        # The tasks of a split hang on the text of the rulebook, not on how a person sorted it.
        return {fact: rules[fact] for fact in FACTS[info.field_name or ""] if fact in rules}

    def duties(self, ticket: Ticket) -> tuple[Duty, ...]:
        """All calls that solve the ticket, in order, the goal last."""
        asked = {
            rule: getattr(self, rule).get(ticket.fact(rule), ())
            for rule in ("region", "case", "kind", "payment")
        }
        first: dict[str, Duty] = {}
        for rule, tools in (*asked.items(), ("goal", (ticket.goal,))):
            for tool in tools:
                first.setdefault(tool, Duty(tool, rule))
        return tuple(first.values())


def draw_rulebook(seed: int | str) -> Rulebook:
    """The rulebook of a seed.

    >>> draw_rulebook(0) == draw_rulebook(0), draw_rulebook(0) == draw_rulebook(1)
    (True, False)
    """
    rng = random.Random(seed_from("rulebook", str(seed)))
    dealt = {
        rule: dict(zip(names, rng.sample(QUOTAS[rule], len(names)), strict=True))
        for rule, names in FACTS.items()
    }
    return Rulebook.model_validate(dealt)


def read_rulebook(path: Path) -> Rulebook:
    """A rulebook from a YAML file; BadInput names the file and the key."""
    if not path.is_file():
        raise BadInput(
            f"{PARAMS_FILE}: env.rulebook is {show_value(str(path))}, which is no file;"
            " allowed: a seed, or the path of a YAML file"
        )
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise BadInput(f"{path} is {show_value(data)}; it must be {', '.join(QUOTAS)}")
    try:
        return Rulebook.model_validate(data)
    except ValidationError as error:
        raise BadInput(describe(path, error, Rulebook)) from error


def all_tickets() -> tuple[Ticket, ...]:
    """Every ticket that there is, in a fixed order.

    >>> len(all_tickets())
    432
    """
    return tuple(
        Ticket(goal, status, kind, payment, region)
        for goal, status, kind, payment, region in product(
            GOALS, STATUSES, KINDS, PAYMENTS, REGIONS
        )
    )
