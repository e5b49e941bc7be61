"""The scripted engine answers by rule and seed, whatever the order of the requests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from leafe.chat import Chat
from leafe.engine import Completion, EngineError, Sampling
from leafe.engines.scripted import Rule, ScriptedEngine, read_script
from leafe.errors import BadInput


def sampling(seed: int, stop: int, tokens: int = 16) -> Sampling:
    return Sampling(1.0, tokens, seed, (stop,))


def ask(engine: ScriptedEngine, prompts: list[list[int]], how: list[Sampling]) -> list[Completion]:
    async def all_of_them() -> list[Completion]:
        asked = zip(prompts, how, strict=True)
        return await asyncio.gather(*(engine.generate(p, s) for p, s in asked))

    return asyncio.run(all_of_them())


def test_the_first_rule_that_matches_answers_and_the_seed_chooses(
    tokenizer: Any, chat: Chat
) -> None:
    rules = [Rule(when="label", say=("verify()", "wait()")), Rule(say=("photo()",))]
    engine = ScriptedEngine(rules, tokenizer)
    stop = tokenizer.eos_token_id
    texts = ["needs label first", "needs label first", "ticket"]
    prompts = [tokenizer(text)["input_ids"] for text in texts]
    drawn = ask(engine, prompts, [sampling(seed, stop) for seed in (0, 1, 5)])
    assert [chat.decode(d.token_ids) for d in drawn] == ["verify()", "wait()", "photo()"]
    assert all(d.token_ids[-1] == stop and d.finish == "stop" for d in drawn)
    backwards = ask(engine, prompts[::-1], [sampling(seed, stop) for seed in (5, 1, 0)])
    assert backwards == drawn[::-1]


def test_an_answer_over_the_limit_is_cut_and_says_so(tokenizer: Any) -> None:
    engine = ScriptedEngine([Rule(say=("a rather long answer indeed",))], tokenizer)
    (drawn,) = ask(engine, [[5]], [sampling(0, tokenizer.eos_token_id, tokens=2)])
    assert (len(drawn.token_ids), len(drawn.logprobs), drawn.finish) == (2, 2, "length")


def test_a_prompt_without_a_rule_is_an_engine_error(tokenizer: Any) -> None:
    engine = ScriptedEngine([Rule(when="never", say=("x",))], tokenizer)
    with pytest.raises(EngineError, match="no answer"):
        ask(engine, [[5]], [sampling(0, tokenizer.eos_token_id)])


@pytest.mark.parametrize(
    "text", ["- {say: []}", "- {when: '(', say: [x]}", "{", "say: x", "- {say: [x], seed: 1}"]
)
def test_a_bad_script_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"script\.yaml"):
        read_script(path)


def test_a_missing_script_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"engine\.script.*none\.yaml"):
        read_script(tmp_path / "none.yaml")
