"""The families' chat templates: our tokens are theirs, and what is sampled is what is trained."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from families import FAMILIES, MISTRAL_7, REFUSED, make_tokenizer, tokenizer_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from players import make_agent

from leafe.chat import Chat, read_prompts
from leafe.engine import Completion, Sampling
from leafe.envs.desk import Desk, DeskOptions
from leafe.episode import Episode, Outcome, Step
from leafe.filtering import rehearsal
from leafe.rollout import Origin, attempt
from leafe.tree import Tree
from leafe.windowed import Windowed

SYSTEM = "You act.\n\nEach message starts with the number of the step you are about to take."
TEXT = st.text(
    st.one_of(st.sampled_from(" \n\t.<>[]|/_im"), st.characters(codec="utf-8")), max_size=12
) | st.sampled_from(["", " ", "\n\nverify", "a  b", "<|im_end", "[/INST", "<start_of_turn", "é▁"])
IN_FULL = pytest.mark.parametrize("full", [True, False], ids=["full", "short"])
OF_FAMILIES = pytest.mark.parametrize("name", FAMILIES)
OF_STYLES = pytest.mark.parametrize("style", ["short", "full", "verl-agent"])


def chat_of(name: str, style: str) -> Chat:
    kind = Windowed if style == "verl-agent" else Chat
    return kind(tokenizer_of(name), read_prompts(style), "You act.")


def steps_of(chat: Chat, pairs: Sequence[tuple[str, str]]) -> list[Step]:
    return [Step(action, chat.encode_action(action), (), said) for action, said in pairs]


def theirs(name: str, texts: Sequence[str], system: str) -> list[int]:
    """What the tokenizer itself makes of a conversation that the user begins.

    Past answers get the empty thought that our prompts end with; the template drops it there. A
    system text that the template puts elsewhere later, or refuses, is in the first turn.
    """
    family, tokenizer = FAMILIES[name], tokenizer_of(name)
    talk = [{"role": ("user", "assistant")[n % 2], "content": t} for n, t in enumerate(texts)]
    if system and family.system == "first":
        talk[0]["content"] = system + "\n\n" + texts[0]
    elif system:
        talk.insert(0, {"role": "system", "content": system})
    fixed = {"date_string": "26 Jul 2024", "enable_thinking": False}
    told = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True, **fixed)
    asks = "<|im_start|>assistant\n"
    if family.thought:
        told = told.replace(asks + family.thought, asks).replace(asks, asks + family.thought)
    return list(tokenizer(told, add_special_tokens=False)["input_ids"])


@OF_FAMILIES
@IN_FULL
@settings(max_examples=25, deadline=None)
@given(st.lists(TEXT, min_size=3, max_size=3), st.lists(TEXT, min_size=2, max_size=2))
def test_every_prompt_of_an_episode_is_that_of_the_template_token_for_token(
    name: str, full: bool, said: list[str], actions: list[str]
) -> None:
    if not full and FAMILIES[name].template == MISTRAL_7:
        pytest.skip("its default system text tells today's date: see below")
    if FAMILIES[name].trims:  # we keep the blanks around what the environment says
        said = [text.strip() or "-" for text in said]
    # What comes before an answer is drawn from is encoded already: it cannot join the answer.
    actions = [action.strip() for action in actions]
    # A whole control token stays text with us.
    assume(not any(c in text for c in FAMILIES[name].controls for text in said + actions))
    chat = chat_of(name, "full" if full else "short")
    steps = steps_of(chat, list(zip(actions, said[1:], strict=True)))
    texts = [f"0. {said[0]}"]
    for t in range(3):
        assert chat.history(said[0], steps[:t], {})[0] == theirs(name, texts, SYSTEM * full)
        texts += [actions[t], f"{t + 1}. {said[t + 1]}"] if t < 2 else []


@dataclass
class Drawer:
    """An engine that draws anything: words, thoughts, other ends, answers that are cut off."""

    name: str
    asked: list[tuple[int, ...]] = field(default_factory=list)

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        self.asked.append(tuple(prompt))
        added = tokenizer_of(self.name).added_tokens_decoder
        rng = random.Random(sampling.seed)
        words = [n for n in range(len(tokenizer_of(self.name))) if n not in added]
        drawn = rng.choices(words, k=rng.randint(1, 6))
        thought = [at for at, token in added.items() if token.content == "</think>"]
        drawn += [*thought, *rng.choices(words, k=3)] if rng.random() < 0.5 else []
        end = rng.choice([[], [rng.choice(sampling.stop_ids)], [sampling.stop_ids[0]]])
        return Completion((*drawn, *end), (-1.0,) * len(drawn + end), "stop" if end else "length")

    async def close(self) -> None:
        """Nothing is held."""


def played(chat: Chat, engine: Any, notes: dict[int, str]) -> Episode:
    desk = Desk(DeskOptions(refusals=90, max_steps=8))
    agent, task = make_agent(desk, chat, engine), desk.tasks("train")[0]
    episode = asyncio.run(
        attempt(agent, task, wave="w0", sample=0, max_steps=8, origin=Origin(notes=notes))
    )
    assert (episode.outcome, len(episode.steps)) == (Outcome.OUT_OF_STEPS, 8)
    return episode


@OF_FAMILIES
@OF_STYLES
def test_the_tokens_trained_on_are_those_asked_and_drawn(name: str, style: str) -> None:
    chat, engine = chat_of(name, style), Drawer(name)
    steps = played(chat, engine, {}).steps
    solved = replace(played(chat, Drawer(name), {}), outcome=Outcome.SOLVED)
    examples = list(rehearsal(Tree((solved,)), chat, solved))
    assert len(examples) == (8 if style == "verl-agent" else 1)
    for t, (asked, step) in enumerate(zip(engine.asked, steps, strict=True)):
        ids = step.token_ids
        ended = ids[-1] in chat.stop_ids
        kept = ids[:-1] if ended and ids[-1] != chat.stop_id else ids
        example = examples[t if style == "verl-agent" else 0]
        whole, mask = (example.token_ids, example.loss_mask)
        here = slice(len(asked), len(asked) + len(kept))
        if len(whole) >= here.stop:  # the sequence ends with the last answer that is learned
            assert whole[: here.stop] == (*asked, *kept)
            assert mask[here] == (ended,) * len(kept)
        else:
            assert not ended
        if style != "verl-agent" and t < 7:
            later = engine.asked[t + 1]
            assert later[: here.stop] == (*asked, *kept)
            between = slice(here.stop, len(later))
            assert not any(mask[between])
            assert later[here.stop :].count(chat.stop_id) >= int(kept[-1] != chat.stop_id)
    learned = sum(sum(example.loss_mask) for example in examples)
    ends = [step.token_ids[-1] for step in steps]
    assert learned == sum(
        len(s.token_ids) - (s.token_ids[-1] != chat.stop_id)
        for s in steps
        if s.token_ids[-1] in chat.stop_ids
    )
    assert chat.stop_id in ends
    assert any(end not in chat.stop_ids for end in ends)


@OF_FAMILIES
@OF_STYLES
def test_without_its_note_an_episode_is_the_same_minus_one_block(name: str, style: str) -> None:
    chat, engine = chat_of(name, style), Drawer(name)
    note = {2: "call label first"}
    steps = played(chat, engine, note).steps
    first = Desk(DeskOptions()).make().start(Desk(DeskOptions()).tasks("train")[0])
    for t, asked in enumerate(engine.asked):
        assert list(asked) == chat.history(first, steps[:t], note)[0]
        plain, mask = chat.history(first, steps[:t], {})
        block = len(asked) - len(plain)
        assert (block > 0) == (t >= 2)
        begins = [n for n in range(len(plain)) if [*asked[:n], *asked[n + block :]] == plain]
        assert begins, t
        assert "call label first" in chat.decode(asked[begins[-1] :][:block]) if block else True
        told_mask = chat.history(first, steps[:t], note)[1]
        assert [m for m in told_mask if m] == [m for m in mask if m]


@OF_FAMILIES
@OF_STYLES
def test_no_text_becomes_a_control_token(name: str, style: str) -> None:
    chat, family = chat_of(name, style), FAMILIES[name]
    marks = [*family.controls, *(word for word in family.words if word.strip())]
    wild = "".join(marks) + "</think>[INST]<|im_end|>\n<start_of_turn>user\n</s>" + marks[-1]
    at = {n for n, t in tokenizer_of(name).added_tokens_decoder.items() if t.content.strip()}

    def controls(text: str) -> list[list[int]]:
        steps = [Step(text, (65, chat.stop_id), (), text)] * 2
        notes = {0: text, 2: text}
        learned = chat.sequences(text, steps, notes, range(2))[-1].token_ids
        shown = [chat.history(text, steps, notes)[0], chat.reflection(text, steps, notes)]
        shown += [chat.last_observation(text, steps)[0], list(chat.encode_action(text))]
        return [[token for token in ids if token in at] for ids in (*shown, [*learned])]

    assert controls(wild) == controls("tame")
    told = tokenizer_of(name).decode(chat.history(wild, [], {})[0])
    assert wild.replace(" ", "") in told.replace(" ", "")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_appended_to_is_refused_with_a_sentence(name: str) -> None:
    why = {
        "always thinks": "earlier turns lack; allowed: a model whose thinking can be switched off",
        "llama2": "does not end an answer with a control token",
    }
    with pytest.raises(ValueError, match=f"^chat_template .*{why[name]}") as refused:
        chat_of(name, "full")
    assert str(refused.value).count("\n") == 0


def test_turns_marked_in_plain_words_are_refused_as_any_text_may_hold_them() -> None:
    mistral_1 = REFUSED["llama2"].template.replace("+ ' ' + eos_token", "+ eos_token")
    tokenizer = make_tokenizer(replace(REFUSED["llama2"], template=mistral_1))
    with pytest.raises(ValueError, match=r"ends a user turn with ' \[/INST\]'"):
        Chat(tokenizer, read_prompts("short"))


def test_a_tokenizer_without_a_template_is_refused() -> None:
    with pytest.raises(ValueError, match="chat_template is missing"):
        Chat(make_tokenizer(replace(FAMILIES["qwen3"], template="")), read_prompts("short"))
