"""Trees: every step stored once; paths, notes and revisions are derived; ids vouch for ancestry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leafe.episode import Episode, Outcome, Step, with_content_id
from leafe.tree import Tree, join


def steps(text: str) -> tuple[Step, ...]:
    return tuple(Step(a, (ord(a), 0), (-1.0, -1.0), a.upper()) for a in text)


def root(text: str, sample: int = 0, task: str = "t") -> Episode:
    return with_content_id(
        Episode(
            "", task, "i1", "w0", sample, "p", None, None, None, "o", steps(text), Outcome.FAILED, 0
        )
    )


def child(parent: Episode, tau: int, text: str, note: str | None, wave: str = "w1") -> Episode:
    return with_content_id(
        replace(
            root(text, task=parent.task_id),
            wave=wave,
            parent=parent.id,
            rollback_step=tau,
            experience=note,
            first_observation=None,
            replayed_steps=tau,
        )
    )


A = root("abcd")
B = child(A, 2, "xy", "note at 2")
C = child(B, 3, "z", "note at 3", "w2")
EARLY = child(C, 1, "uv", "note at 1", "w3")
SAME = child(B, 2, "w", "another at 2", "w2")
PLAIN = child(A, 0, "q", None)
TREE = Tree((A, B, C, EARLY, SAME, PLAIN))


@pytest.mark.parametrize(
    ("episode", "actions", "notes", "taus"),
    [
        (A, "abcd", {}, ()),
        (B, "abxy", {2: "note at 2"}, (2,)),
        (C, "abxz", {2: "note at 2", 3: "note at 3"}, (2, 3)),
        (EARLY, "auv", {1: "note at 1"}, (1,)),
        (SAME, "abw", {2: "another at 2"}, (2,)),
        (PLAIN, "q", {}, (0,)),
    ],
    ids=["root", "branch", "branch of a branch", "back before the first tau", "same tau", "no e"],
)
def test_path_notes_and_revisions_of(
    episode: Episode, actions: str, notes: dict[int, str], taus: tuple[int, ...]
) -> None:
    assert "".join(step.action for step in TREE.path(episode)) == actions
    assert TREE.notes(episode) == notes
    assert TREE.revisions(episode) == taus
    assert TREE.first_observation(episode) == "o"


def test_steps_are_stored_once() -> None:
    assert sum(len(e.steps) for e in TREE.episodes) == len("abcd" + "xy" + "z" + "uv" + "w" + "q")


def test_lineage_and_branches_are_each_others_inverse() -> None:
    assert TREE.lineage(EARLY) == (A, B, C, EARLY)
    assert TREE.branches(A) == (B, PLAIN)
    assert TREE.branches(B) == (C, SAME)
    assert all(e in TREE.branches(TREE[e.parent]) for e in TREE.episodes if e.parent)


def test_an_id_changes_with_any_content_and_with_any_ancestor() -> None:
    changed = [
        replace(A, sample=1),
        replace(A, outcome=Outcome.SOLVED),
        replace(A, steps=(*A.steps[:-1], replace(A.steps[-1], feedback="x"))),
        replace(A, steps=(*A.steps[:-1], replace(A.steps[-1], token_ids=(1,)))),
        replace(A, policy="q"),
    ]
    for other in changed:
        renamed = with_content_id(other)
        assert renamed.id != A.id
        heir = child(child(renamed, 2, "xy", "note at 2"), 3, "z", "note at 3", "w2")
        assert heir.id != C.id
    assert with_content_id(A) == A
    assert child(child(root("abcd"), 2, "xy", "note at 2"), 3, "z", "note at 3", "w2").id == C.id


def test_waves_join_and_tasks_come_apart() -> None:
    other = root("zz", task="u")
    whole = join([[A, other], [B]])
    assert whole.episodes == (A, other, B)
    assert whole.tasks() == ("t", "u")
    assert whole.of_task("t").episodes == (A, B)


def test_an_episode_whose_ancestor_is_missing_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Tree((C,)).path(C)
