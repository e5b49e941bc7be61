"""What Early Experience learns, token by token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from players import ROOT_EPISODE

from leafe.chat import Chat
from leafe.early_experience import candidates
from leafe.episode import Outcome, Step
from leafe.example import TrainingSet
from leafe.reflection import Parse, Reflection, Verdict
from leafe.tree import Tree

REH, WORLD, SELF = (
    TrainingSet.REHEARSAL,
    TrainingSet.WORLD_MODEL,
    TrainingSet.SELF_REFLECTION,
)
Explored = tuple[Tree, list[Reflection]]


def step(chat: Chat, action: str, feedback: str) -> Step:
    return Step(action, chat.encode_answer(action), (), feedback)


def by_hand(chat: Chat) -> Explored:
    """A success of one step, another action in its place, and what is said of that."""
    root = replace(ROOT_EPISODE, steps=(step(chat, "label()", "done."),))
    other = replace(
        root,
        id="other",
        wave="alternatives",
        parent="root",
        rollback_step=0,
        first_observation=None,
        steps=(step(chat, "verify()", "refused: label first."),),
        outcome=Outcome.OUT_OF_BUDGET,
    )
    verdict = Verdict(Parse.OK, 0, "call label.")
    return Tree((root, other)), [Reflection("r", "other", "t", 1, "", (), verdict)]


def test_tokens_and_masks_drawn_by_hand(chat: Chat, tokenizer: Any) -> None:
    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    first, world, why = candidates(*by_hand(chat), chat)
    end = [tokenizer.eos_token_id]
    ask = ids("<|user|>") + ids("0. go") + ids("<|end|><|assistant|>")
    # <|user|>0. go<|end|><|assistant|> label() <|end|>
    #                                   ^^^^^^^ ^^^^^^^ what succeeded
    answer = ids("label()") + end
    assert (first.set, list(first.token_ids)) == (REH, ask + answer)
    assert list(first.loss_mask) == [False] * len(ask) + [True] * len(answer)
    # <|user|>0. go<|end|><|assistant|> verify() <|end|><|user|> 1. refused: label first.
    #                                                            ^^^^^^^^^^^^^^^^^^^^^^^^
    before, said = ask + ids("verify()") + end + ids("<|user|>"), ids("1. refused: label first.")
    assert (world.set, list(world.token_ids)) == (WORLD, before + said)
    assert list(world.loss_mask) == [False] * len(before) + [True] * len(said)
    # <|user|>0. go<|end|><|assistant|> call label. label() <|end|>
    #                                   ^^^^^^^^^^^ ^^^^^^^ ^^^^^^^ why, and then what succeeded
    answer = ids("call label.") + ids("label()") + end
    assert (why.set, list(why.token_ids)) == (SELF, ask + answer)
    assert list(why.loss_mask) == [False] * len(ask) + [True] * len(answer)
    assert [e.episode_id for e in (first, world, why)] == ["root", "other", "root"]
    assert tokenizer.decode(why.token_ids[len(ask) :]) == " call label. label()<|end|>"


def test_a_success_whose_action_was_cut_off_is_nobodys_model(chat: Chat) -> None:
    (root, other), said = by_hand(chat)[0].episodes, by_hand(chat)[1]
    whole = root.steps[0]
    cut = replace(root, steps=(replace(whole, token_ids=whole.token_ids[:-1]),))
    learned = [*candidates(Tree((cut, other)), said, chat)]
    assert not [e for e in learned if e.set is not WORLD and any(e.loss_mask)]


@pytest.mark.parametrize("parse", [p for p in Parse if p is not Parse.OK])
def test_a_verdict_that_was_rejected_gives_no_rationale(chat: Chat, parse: Parse) -> None:
    tree, (said,) = by_hand(chat)
    rejected = [replace(said, verdict=Verdict(parse))]
    assert [e.set for e in candidates(tree, rejected, chat)] == [REH, WORLD]
    assert [e.set for e in candidates(tree, [], chat)] == [REH, WORLD]
