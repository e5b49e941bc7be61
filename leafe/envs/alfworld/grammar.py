"""The packaged grammar (`alfred.twl2`): how commands are written, and what is said to them.

A sentence may name a rule, `#look.feedback#`, a thing's name, `{r.name}`, or list what makes facts
true, `[{r.name | receptacleatlocation(r:receptacle, l:location)}]`. Of a rule's sentences the first
whose facts hold is said. TextWorld would evaluate what stands in the braces as Python; here it is
read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from leafe.envs.alfworld.facts import Binding, Fact, Facts

BLOCK = re.compile(r'grammar :: """(.*?)"""', re.DOTALL)
ACTION = re.compile(r'action (\w+) \{\s*template :: "(.*?)";\s*feedback :: "#(.*?)#";')
PIECE = re.compile(r"#(?P<rule>[^#\s]+)#|\[\{(?P<each>[^}]*)\}\]|\{(?P<value>[^}]*)\}")
ATOM = re.compile(r"(\w+)\(([^)]*)\)")
ARTICLE = "a"


@dataclass(frozen=True)
class Wording:
    """How one kind of action is commanded and answered."""

    command: str
    """With the variables in braces: `take {o} from {r}`."""
    answer: str
    """The rule that answers it."""


class Grammar:
    """The rules and the commands of a `twl2` text."""

    def __init__(self, text: str) -> None:
        self._rules: dict[str, list[dict[str, str]]] = {}
        for block in BLOCK.findall(text):
            self._rules.update(json.loads(block))
        # "go to" lists the receptacle that it has as a variable anyway.
        plain = re.sub(r"\[\{(\w+)\.name \|[^}]*\}\]", r"{\1}", text)
        self.wordings: Mapping[str, Wording] = {
            name.lower(): Wording(command, answer)
            for name, command, answer in ACTION.findall(plain)
        }

    def say(self, rule: str, facts: Facts, binding: Binding, names: Mapping[str, str]) -> str:
        """What a rule says where these facts hold; `names` tells what things are called."""
        sentence = next(
            given["rhs"].lstrip()
            for given in self._rules[rule]
            if any(True for _ in facts.all_matches(_patterns(given.get("condition", "")), binding))
        )
        return self._fill(sentence, facts, binding, names)

    def _fill(self, text: str, facts: Facts, binding: Binding, names: Mapping[str, str]) -> str:
        def fill(piece: re.Match[str]) -> str:
            if piece["rule"]:
                return self.say(piece["rule"], facts, binding, names)
            if piece["value"]:
                return _value(piece["value"], binding, names)
            each, _, query = piece["each"].partition(" | ")
            shown = each if each.startswith("#") else f"{{{each}}}"
            found = facts.all_matches(_patterns(query), binding)
            return _join([self._fill(shown, facts, one, names) for one in found])

        return PIECE.sub(fill, text)


@cache
def _patterns(query: str) -> Sequence[Fact]:
    """The patterns of a query.

    >>> _patterns("openable(r:receptacle) & holds(a:agent, o:object)")
    [('openable', '?r'), ('holds', '?a', '?o')]
    """
    return [
        (name, *(f"?{argument.strip().partition(':')[0]}" for argument in arguments.split(",")))
        for name, arguments in ATOM.findall(query)
    ]


def _value(expression: str, binding: Binding, names: Mapping[str, str]) -> str:
    """A name or an article, or a sum of them and of texts in quotes."""
    terms = []
    for term in expression.split(" + "):
        variable, _, attribute = term.partition(" or ")[0].partition(".")
        if term.startswith("'"):
            terms.append(term[1:-1])
        else:
            terms.append(ARTICLE if attribute == "indefinite" else names[binding[f"?{variable}"]])
    return "".join(terms)


def _join(items: list[str]) -> str:
    """As the grammar's rules for lists do: nothing; one; one, and two.

    >>> _join(["a cup", "a pan", "an egg"])
    'a cup, a pan, and an egg'
    """
    if len(items) < 2:
        return items[0] if items else "nothing"
    return f"{', '.join(items[:-1])}, and {items[-1]}"
