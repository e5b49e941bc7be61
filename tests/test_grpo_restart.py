"""Stage grpo, killed: it goes on where it was, to the same bytes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from conftest import change_params
from luck import MADE, ROUNDS, states

# Fixtures are imported under their own names: pytest finds them there.
from luck import coin as coin
from luck import fresh as fresh
from luck import undisturbed as undisturbed
from staging import GRPO, complete, finish, hashes, journal_keys, kill_when, start

PAUSE = "0.03"
"""Seconds that a call takes: a round takes one or two."""


def made_by(folder: Path) -> dict[str, str]:
    """Path -> sha256 of all that the stage makes."""
    made = hashes(folder, ("data/grpo", "policies", "metrics/grpo", "plots/grpo"))
    wanted = {MADE, "policies/grpo/i1/model.safetensors", "plots/grpo/i1.loss.csv"}
    assert wanted | {"metrics/grpo/i1.exploration.json", "policies/grpo/i1.record.json"} <= {*made}
    return made


def test_killed_between_rounds_it_ends_with_the_same_bytes(fresh: Path, undisturbed: Path) -> None:
    for number in range(1, ROUNDS):
        # Between the state of a round and its journal line, or soon after that.
        slow = start(fresh, GRPO, PAUSE=PAUSE)
        assert kill_when(slow, lambda number=number: max(states(fresh), default=0) >= number)
        done = journal_keys(fresh)
        assert done == [str(n) for n in range(1, len(done) + 1)]
        assert len(done) >= number - 1
        assert not done or len(done) in states(fresh), "the state that it goes on from"
        assert not (fresh / "policies/grpo").exists()
        assert not (fresh / MADE).exists()
    assert "done before" in complete(fresh, GRPO)
    assert made_by(fresh) == made_by(undisturbed)
    assert not journal_keys(fresh)
    assert not states(fresh)


@pytest.mark.parametrize("broken", ["journal", "state"])
def test_with_its_journal_or_its_state_broken_it_begins_anew(
    fresh: Path, undisturbed: Path, broken: str
) -> None:
    assert kill_when(start(fresh, GRPO, PAUSE=PAUSE), lambda: len(journal_keys(fresh)) >= 2)
    if broken == "journal":
        (path,) = fresh.glob(".leafe/journal/grpo-grpo-i1/*.jsonl")
        path.write_bytes(path.read_bytes().replace(b'"key":"1"', b'"key":"7"'))
    else:
        for path in states(fresh).values():
            path.unlink()
    assert "done before" not in complete(fresh, GRPO)
    assert made_by(fresh) == made_by(undisturbed)


def test_the_states_of_other_parameters_are_cleared_away(fresh: Path) -> None:
    assert kill_when(start(fresh, GRPO, PAUSE=PAUSE), lambda: bool(states(fresh)))
    change_params(fresh, grpo={"clip": 0.3})
    complete(fresh, GRPO)
    assert not list(fresh.glob(".leafe/training/*"))
    assert not list(fresh.glob(".leafe/journal/grpo-grpo-i1/*"))


def test_killed_while_the_policy_is_saved_it_leaves_nothing_half(
    fresh: Path, undisturbed: Path
) -> None:
    policies = fresh / "policies/grpo"
    assert finish(start(fresh, GRPO, DIE="saving")) == -signal.SIGKILL
    assert list(policies.glob(".i1.*.part/policy/model.safetensors"))
    assert not (policies / "i1").exists()
    assert len(journal_keys(fresh)) == ROUNDS
    complete(fresh, GRPO)
    assert made_by(fresh) == made_by(undisturbed)
    assert sorted(path.name for path in policies.iterdir()) == ["i1", "i1.record.json"]
