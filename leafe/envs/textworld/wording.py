"""What a game says, without what its interpreter adds; and what it may be told.

An interpreter has commands that are no actions: `save` writes a file, `script NAME` one that the
player names, `restore` brings back what another world saved. None of them reaches it.
"""

from __future__ import annotations

import re

LONGEST = 200
"""Characters of a command that is still read."""
COMMAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9 '-]*")
NOTHING = "Nothing is said to that."
META = frozenset(
    {
        *("save", "restore", "restart", "quit", "q", "undo", "again", "g", "oops"),
        *("script", "transcript", "unscript", "recording", "replay"),
        *("verbose", "brief", "superbrief", "long", "normal", "short", "notify", "restrict"),
        *("print", "pronouns", "nouns", "score", "full", "test", "verify", "version"),
    }
)
"""First words that speak to the interpreter, not to the world."""
BANNER = re.compile(r"[\s_|\\/$><]*\$\$[\s_|\\/$><]*|[\s_|\\/]+")
"""A line of the title picture."""
STATUS = re.compile(r"\n>[^\S\n]*(-=[^\n]*)?\s*\Z")
"""The prompt, and after it the line with the room, the score and the turns."""
ENDING = re.compile(r"(\*\*\* [^*]+ \*\*\*).*", re.DOTALL)
"""How the game ended, and what its interpreter then asks."""


def read_command(action: str) -> str | None:
    """The one command that a text is, in lower case; None where the game is not to see it.

    >>> read_command(" Take the knife "), read_command("script notes"), read_command("look. wait")
    ('take the knife', None, None)
    """
    command = " ".join(action[: LONGEST + 1].split(" ")).strip()
    if len(action) > LONGEST or not COMMAND.fullmatch(command):
        return None
    words = command.lower().split()
    refused = words[0] in META or words[0].startswith("tw-") or "then" in words
    return None if refused else " ".join(words)


def say_refused() -> str:
    """To anything that is no command; never echoes what was written."""
    return (
        f"Not understood: write one command of at most {LONGEST} letters, without full stops or"
        " commas, such as: look; commands to the interpreter, such as save or undo, are not read."
    )


def clean(said: str) -> str:
    r"""The words of the world: no title picture, prompt, status line or blank lines.

    >>> clean("\n  \\$$  | $$\n\nYou take it.\n\n>     -= Kitchen =-0/1")
    'You take it.'
    """
    said = ENDING.sub(r"\1", STATUS.sub("", "\n" + said))
    lines = (" ".join(line.split()) for line in said.splitlines())
    return "\n".join(line for line in lines if line and not BANNER.fullmatch(line))
