"""Filtering: what is learned from, never with a note in sight, and every example accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from players import Explored, Player, clerk, explore, make_agent

from leafe.chat import Chat
from leafe.envs.desk import Desk
from leafe.episode import Episode, Outcome
from leafe.example import Example, TrainingSet
from leafe.filtering import Variant, candidates, keep
from leafe.tree import Tree

VARIANTS: tuple[Variant, ...] = ("revised_action", "continuation")
REH, CF = TrainingSet.REHEARSAL, TrainingSet.COUNTERFACTUAL


@pytest.fixture(scope="module")
def explored(desk: Desk, chat: Chat, tokenizer: Any) -> Explored:
    agent = make_agent(desk, chat, Player(tokenizer, clerk(desk, knows=0.75)))
    return explore(agent, desk.tasks("train")[:80], samples=3, waves=3, per_reflection=2)


def solved(explored: Explored, *, branches: bool) -> list[Episode]:
    return [
        e
        for e in explored.tree.episodes
        if e.outcome is Outcome.SOLVED and (e.parent is not None) == branches
    ]


def learned(example: Example) -> tuple[int, ...]:
    return tuple(t for t, m in zip(example.token_ids, example.loss_mask, strict=True) if m)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_example_traces_to_a_solved_episode_of_its_kind(
    explored: Explored, chat: Chat, variant: Variant
) -> None:
    offered = list(candidates(explored.tree, chat, variant))
    reh, cf = ([e for e in offered if e.set is s] for s in (REH, CF))
    assert [e.episode_id for e in reh] == [e.id for e in solved(explored, branches=False)]
    assert {e.episode_id for e in cf} == {e.id for e in solved(explored, branches=True)}
    assert len(reh) > 20
    assert len(cf) > 20
    assert all(explored.tree[e.episode_id].task_id == e.task_id for e in offered)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_note_is_in_any_training_input(
    explored: Explored, chat: Chat, tokenizer: Any, variant: Variant
) -> None:
    notes = {e.experience for e in explored.tree.episodes if e.experience}
    assert len(notes) > 5
    texts = [tokenizer.decode(e.token_ids) for e in candidates(explored.tree, chat, variant)]
    # The search itself works: the policy did see them.
    told = [
        tokenizer.decode(chat.history("", explored.tree.path(e), explored.tree.notes(e))[0])
        for e in solved(explored, branches=True)
    ]
    assert all(any(note in text for note in notes) and "Note:" in text for text in told)
    for text in texts:
        assert "Note:" not in text
        assert not any(note in text for note in notes)
        assert "Reflect." not in text


def test_rehearsal_learns_every_action_of_the_root(explored: Explored, chat: Chat) -> None:
    for example in candidates(explored.tree, chat, "continuation"):
        if example.set is REH:
            steps = explored.tree[example.episode_id].steps
            assert learned(example) == tuple(t for step in steps for t in step.token_ids)
            assert example.step is None


def test_the_continuation_learns_all_actions_from_the_first_tau_on(
    explored: Explored, chat: Chat
) -> None:
    seen_deep = False
    for example in candidates(explored.tree, chat, "continuation"):
        if example.set is CF:
            episode = explored.tree[example.episode_id]
            taus = explored.tree.revisions(episode)
            steps = explored.tree.path(episode)[taus[0] :]
            assert learned(example) == tuple(t for step in steps for t in step.token_ids)
            assert example.step == taus[0]
            seen_deep |= len(taus) > 1
    assert seen_deep


def test_the_revised_action_learns_one_action_for_each_tau_on_the_way(
    explored: Explored, chat: Chat
) -> None:
    tree, found = explored.tree, Counter[str]()
    for example in candidates(tree, chat, "revised_action"):
        if example.set is CF:
            episode = tree[example.episode_id]
            assert example.step is not None
            path = tree.path(episode)
            assert learned(example) == path[example.step].token_ids
            before, _ = chat.history(tree.first_observation(episode), path[: example.step], {})
            assert list(example.token_ids) == before + list(path[example.step].token_ids)
            found[episode.id] += 1
    assert found == {e.id: len(tree.revisions(e)) for e in solved(explored, branches=True)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_sampled_tokens_carry_loss_and_the_last_of_them_ends_the_example(
    explored: Explored, chat: Chat, variant: Variant
) -> None:
    for example in candidates(explored.tree, chat, variant):
        episode = explored.tree[example.episode_id]
        ids, sampled = chat.history(
            explored.tree.first_observation(episode), explored.tree.path(episode), {}
        )
        end = len(example.token_ids)
        assert list(example.token_ids) == ids[:end]
        assert all(s or not m for m, s in zip(example.loss_mask, sampled[:end], strict=True))
        assert example.loss_mask[-1]


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.SOLVED])
def test_nothing_is_taken_from_an_episode_that_was_not_solved(
    explored: Explored, chat: Chat, outcome: Outcome
) -> None:
    spoiled = Tree(tuple(replace(e, outcome=outcome) for e in explored.tree.episodes))
    assert list(candidates(spoiled, chat, "continuation")) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_kept_and_rejected_add_up_to_all_candidates(
    explored: Explored, chat: Chat, variant: Variant
) -> None:
    offered = list(candidates(explored.tree, chat, variant))
    kept = keep(iter(offered), max_per_task=2, max_tokens=110)
    assert len(offered) == len(kept.examples) + sum(kept.rejected.values())
    assert set(kept.rejected) >= {"duplicate", "task_cap"}
    assert max(Counter((e.task_id, e.set) for e in kept.examples).values()) == 2
    assert len({(e.set, e.token_ids, e.loss_mask) for e in kept.examples}) == len(kept.examples)
    assert all(len(e.token_ids) <= 110 for e in kept.examples)


def example(ids: tuple[int, ...], mask: tuple[bool, ...], **change: Any) -> Example:
    return replace(Example("t", "e", REH, None, ids, mask), **change)


def test_each_reason_drops_what_it_says() -> None:
    good = example((1, 2), (False, True))
    offered = [
        good,
        example((1, 2), (False, False)),
        example((1, 2, 3, 4), (False, True, True, True)),
        replace(good, episode_id="other"),
        example((1, 3), (False, True)),
        example((1, 4), (False, True)),
        example((1, 4), (False, True), task_id="u"),
        replace(good, set=CF),  # a correction counts, whether it is rehearsed too or not
        example((1, 2), (True, True), set=CF),
    ]
    kept = keep(iter(offered), max_per_task=2, max_tokens=3)
    assert kept.examples == tuple(offered[n] for n in (0, 4, 6, 7, 8))
    assert kept.rejected == {
        "duplicate": 1,
        "no_supervised_token": 1,
        "overlong": 1,
        "task_cap": 1,
    }
