"""What the desk says: every sentence the agent reads, in several wordings.

Which wording is used depends on the ticket and the step alone, so that a replay reads the same.
"""

from __future__ import annotations

import re
from typing import Literal

from leafe.envs.desk.rulebook import TOOLS, Duty, Ticket
from leafe.seeds import seed_from

Feedback = Literal["what", "that", "nothing"]
"""How much a refusal says: what is needed, only that something is, or nothing."""

TICKETS = (
    "Please {goal} my {status} {kind}, {region}, paid by {payment}.",
    "A {region} customer wants to {goal} a {status} {kind}, paid by {payment}.",
    "Ticket: {goal} a {status} {kind}, {region} customer, paid by {payment}.",
)
REASONS = {
    "region": "a {region} customer",
    "case": "a {status} {goal}",
    "kind": "a {kind}",
    "payment": "a {payment} payment",
    "goal": "this ticket",
}
REFUSALS = (
    "{tool} refused: {reason} needs {needed} first.",
    "no {tool} yet: {reason} needs {needed} first.",
    "{tool} refused: {needed} comes first for {reason}.",
)
LOCKED = " Ticket locked."
SOLVED = " Ticket solved."


def pick(wordings: tuple[str, ...], *key: str | int) -> str:
    """One of the wordings, always the same for the same key."""
    return wordings[seed_from(*key) % len(wordings)]


def say_ticket(ticket: Ticket) -> str:
    """The first observation."""
    return pick(TICKETS, "ticket", *vars(ticket).values()).format(**vars(ticket))


def say_refusal(ticket: Ticket, tool: str, duty: Duty, step: int, level: Feedback) -> str:
    """Why a call was refused, as far as this level of feedback tells."""
    if level == "nothing":
        return say_done(ticket, tool, level)
    if level == "that":
        return f"{tool} refused: something else comes first."
    reason = REASONS[duty.because].format(**vars(ticket))
    key = ("refusal", step, *vars(ticket).values())
    return pick(REFUSALS, *key).format(tool=tool, reason=reason, needed=duty.tool)


def say_done(ticket: Ticket, tool: str, level: Feedback) -> str:
    """That a call was right (which the lowest level of feedback does not tell)."""
    return f"{tool} {'called' if level == 'nothing' else 'done'}, {ticket.goal} open."


def say_unknown() -> str:
    """To anything that is not exactly one call; never echoes what was written."""
    return f"not a call: write one of {', '.join(f'{tool}()' for tool in TOOLS)}."


CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(\s*\)")


def read_call(action: str) -> str | None:
    """The one tool that the text calls; None unless there is exactly one that exists.

    >>> read_call("I will check first: verify()"), read_call("verify(), wait()"), read_call("x()")
    ('verify', None, None)
    """
    called = CALL.findall(action[:2000])
    return called[0] if len(called) == 1 and called[0] in TOOLS else None
