"""The ablations leave out what they say, and every method's examples come from its own episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from five_methods import BRANCHING, METHODS, branches, explored

from leafe import layout
from leafe.chat import Chat
from leafe.episode import Outcome
from leafe.example import Example, TrainingSet
from leafe.store import read_examples, read_json
from leafe.tree import Tree

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def folder(five_methods: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(five_methods[0])
    return five_methods[0]


def test_leafe_goes_back_to_the_verdicts_step_with_its_note(folder: Path) -> None:
    tree, said = explored("leafe")
    assert (found := branches(tree))
    wanted = {(r.episode_id, r.verdict.rollback_step, r.verdict.experience) for r in said}
    assert {(e.parent, e.rollback_step, e.experience) for e in found} <= wanted
    assert len({e.rollback_step for e in found}) > 2


def test_without_experience_a_branch_starts_at_the_same_step_and_sees_no_note(
    folder: Path,
) -> None:
    tree, said = explored("leafe_no_experience")
    assert said == explored("leafe")[1], "the same verdicts, notes and all"
    found = branches(tree)
    taus = {r.episode_id: r.verdict.rollback_step for r in said}
    assert all(e.rollback_step == taus[str(e.parent)] for e in found)
    assert len({e.rollback_step for e in found}) > 2
    for episode in found:
        assert episode.experience is None
        assert tree.notes(episode) == {}
    # Where the note would have decided the first action, it did not.
    told = {(e.parent, e.rollback_step): e for e in branches(explored("leafe")[0])}
    first = [(told[e.parent, e.rollback_step], e) for e in found if e.rollback_step == 0]
    assert len(first) > 3
    assert any(a.steps[0].action != b.steps[0].action for a, b in first if b.steps)


def test_a_restart_replays_nothing_and_has_the_note_in_view_at_the_first_step(
    folder: Path,
) -> None:
    tree, said = explored("leafe_restart")
    found = branches(tree)
    notes = {r.episode_id: r.verdict.experience for r in said}
    taus = {r.episode_id: r.verdict.rollback_step for r in said}
    assert {taus[str(e.parent)] for e in found} >= {0, 1, 2}, "verdicts about later steps, too"
    for episode in found:
        assert (episode.rollback_step, episode.replayed_steps) == (0, 0)
        assert tree.notes(episode) == {0: notes[str(episode.parent)]}
        # The scripted policy obeys a note in its last turn; a ticket itself names no call.
        called = (episode.experience or "").split()[-1].removesuffix(".")
        assert episode.steps[0].action == f"{called}()"
    assert read_json(layout.exploration("i1", "leafe_restart"))["replayed_steps_per_task"] == 0


def rendering_of(example: Example, tree: Tree, chat: Chat) -> bool:
    """Whether an example's tokens are those of the episode it names, as far as they go."""
    episode = tree[example.episode_id]
    first, path = tree.first_observation(episode), tree.path(episode)
    if example.set is TrainingSet.SELF_REFLECTION:
        before, _ = chat.history(first, path[: example.step], {})
        after = path[example.step or 0].token_ids
        ids = list(example.token_ids)
        return ids[: len(before)] == before and tuple(ids[-len(after) :]) == after
    whole, _ = chat.history(first, path, {})
    return whole[: len(example.token_ids)] == list(example.token_ids)


SETS = {method: {TrainingSet.REHEARSAL, TrainingSet.COUNTERFACTUAL} for method in BRANCHING} | {
    "rejection_sampling": {TrainingSet.REHEARSAL},
    "early_experience": {
        TrainingSet.REHEARSAL,
        TrainingSet.WORLD_MODEL,
        TrainingSet.SELF_REFLECTION,
    },
}


@pytest.mark.parametrize("method", METHODS)
def test_every_example_traces_to_an_episode_of_its_method_and_task(
    folder: Path, chat: Chat, tokenizer: Any, method: str
) -> None:
    tree, said = explored(method)
    examples = read_examples(layout.examples("i1", method))
    assert {example.set for example in examples} == SETS[method]
    notes = {f" {r.verdict.experience}" for r in said if r.verdict.experience}
    for example in examples:
        episode = tree[example.episode_id]
        assert episode.task_id == example.task_id
        world = example.set is TrainingSet.WORLD_MODEL
        assert (episode.outcome is Outcome.SOLVED) or world
        assert rendering_of(example, tree, chat)
        text = tokenizer.decode(example.token_ids)
        assert "Note:" not in text
        if example.set is TrainingSet.SELF_REFLECTION:
            answer = [t for t, m in zip(example.token_ids, example.loss_mask, strict=True) if m]
            after = len(episode.steps[example.step or 0].token_ids)
            assert tokenizer.decode(answer[:-after]) in notes
        else:
            assert not any(note in text for note in notes)
