"""An engine that replays given answers: whole pipelines run without a model.

A script is a YAML list of rules `{when: <regular expression>, say: [<answer>, ...]}`. The first
rule whose expression is found in the prompt's text answers; which of its answers is decided by
the request's seed, so that the order of requests does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from leafe.engine import Completion, EngineError, Finish, Sampling
from leafe.errors import BadInput


class Rule(BaseModel):
    """What to say, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: re.Pattern[str] = re.compile("")
    """Regular expression looked for in the text of the prompt; empty matches always."""
    say: Annotated[tuple[str, ...], Field(min_length=1)]
    """Answers to choose from."""


def read_script(path: Path) -> tuple[Rule, ...]:
    """The rules of a script file; BadInput names the file and what is wrong with it."""
    try:
        return TypeAdapter(tuple[Rule, ...]).validate_python(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise BadInput(f"engine.script: cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"engine.script: {path} is not a list of rules `{{when: ..., say: [...]}}`:"
            f" {f'{key}: ' if key else ''}{first['msg']}"
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(
            f"engine.script: {path} is not YAML: {' '.join(str(error).split())}"
        ) from error


class ScriptedEngine:
    """Answers by rule."""

    def __init__(self, rules: Sequence[Rule], tokenizer: Any) -> None:
        self._rules = rules
        self._tokenizer = tokenizer

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        """The answer that the script has for this prompt."""
        text = self._tokenizer.decode(list(prompt))
        for rule in self._rules:
            if rule.when.search(text):
                answer = rule.say[sampling.seed % len(rule.say)]
                ids = self._tokenizer(answer, add_special_tokens=False)["input_ids"]
                tokens = (*ids, sampling.stop_ids[0])[: sampling.max_tokens]
                finish: Finish = "stop" if tokens[-1] in sampling.stop_ids else "length"
                return Completion(tokens, (0.0,) * len(tokens), finish)
        raise EngineError("the script has no answer for this prompt")

    async def close(self) -> None:
        """Nothing is held."""
