"""What ScienceWorld says, with a reason where it gives none."""

from __future__ import annotations

from collections.abc import Sequence

NO_MATCH = "No known action matches that input."
"""All that the simulator says to what it does not understand."""
MENU = "Ambiguous request: Please enter the number"
"""How it begins to ask which of several things is meant."""
UNREAD = "Unknown action."
"""How it begins where it was told no number of such a list; it then forgets the request."""
DROPPED = (
    "That is no number of the list, so the request is dropped, and this action with it. Write it"
    " again, with a name that only one thing here has."
)
OBJECTS = "OBJ is a thing in view: write objects to see what each is called."
SOLVED = "The task is solved."
LOST = "The task is lost for good."


def explain(said: str, action: str, forms: Sequence[str], *, asked: bool) -> str:
    """What the simulator said, with the form of the action where it did not understand it.

    `asked` is whether it had just asked for a number. Of ScienceWorld's actions, `forms`, the
    longest that begins as this one does is its form.

    >>> explain(NO_MATCH, "open fridge", ["open OBJ", "wait"], asked=False).split(". ")[1]
    'The form is: open OBJ'
    """
    if asked and said.startswith(UNREAD):
        return DROPPED
    if said != NO_MATCH:
        return said
    words = action.casefold().split()
    begun = [form for form in forms if words[: len(_verb(form))] == _verb(form)]
    if begun:
        return f"{said} The form is: {max(begun, key=len)}. {OBJECTS}"
    return f"{said} Known actions: {', '.join(forms)}. {OBJECTS}"


def say_score(score: int) -> str:
    """The score, where it is told."""
    return f"Score: {score} of 100."


def _verb(form: str) -> list[str]:
    return form.partition(" OBJ")[0].split()
