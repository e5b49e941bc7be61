"""Advantages: attempts at a task are measured against each other, and every attempt is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from players import Player, clerk, make_agent

from leafe.advantage import Group, advantages, make_group
from leafe.chat import Chat
from leafe.engine import Completion, Sampling
from leafe.engines.transformers import TransformersEngine
from leafe.envs.desk import Desk, DeskOptions
from leafe.envs.desk.rulebook import TOOLS
from leafe.episode import Episode, Outcome
from leafe.rollout import Budget, roots
from leafe.training.checkpoint import load_model
from leafe.training.policy_gradient import collate, token_logprobs

FIT = 10_000
"""Tokens that every episode here has room in."""
SOLVED, FAILED = Outcome.SOLVED, Outcome.FAILED


@dataclass
class Numbered(Player):
    """A player of whom every token has a log-probability of its own, and some answers no end."""

    cut: bool = False
    drawn: int = 0
    cuts: list[Completion] = field(default_factory=list)

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> Completion:
        answer = await super().generate(prompt, sampling)
        if self.cut and sampling.seed % 3 == 0:
            answer = Completion(answer.token_ids[:-1], (), "length")
            self.cuts.append(answer)
        logprobs = [-(self.drawn + n + 1) / 1024 for n in range(len(answer.token_ids))]
        self.drawn += len(logprobs)
        return replace(answer, logprobs=tuple(logprobs))


def play(desk: Desk, chat: Chat, engine: Numbered, samples: int) -> list[Episode]:
    agent, task = make_agent(desk, chat, engine), desk.tasks("train")[0]
    return asyncio.run(roots(agent, task, samples, Budget(samples, 10_000)))


@pytest.fixture(scope="module")
def episodes(desk: Desk, chat: Chat, tokenizer: Any) -> list[Episode]:
    """Attempts at one task, some solved and some not."""
    return play(desk, chat, Numbered(tokenizer, clerk(desk, knows=0.8)), samples=24)


def ended(episodes: Sequence[Episode], *outcomes: Outcome) -> list[Episode]:
    """The first episodes, said to have ended like this."""
    return [replace(e, outcome=o) for e, o in zip(episodes, outcomes, strict=False)]


def gains(group: Group) -> list[float]:
    return [sequence.advantage for sequence in group.sequences]


@given(st.lists(st.sampled_from([0.0, 1.0, 0.25, 0.1]), max_size=20))
def test_advantages_have_mean_0_and_spread_1_or_are_all_0(rewards: list[float]) -> None:
    found = advantages(rewards)
    assert len(found) == len(rewards)
    assert sum(found) == pytest.approx(0, abs=1e-9)
    if len(set(rewards)) < 2:
        assert set(found) <= {0.0}
    else:
        assert sum(a * a for a in found) / len(found) == pytest.approx(1)
        assert sorted(rewards) == [r for _, r in sorted(zip(found, rewards, strict=True))]


def test_a_rare_success_counts_for_more_than_a_frequent_one() -> None:
    rare, frequent = advantages([1, 0, 0, 0]), advantages([1, 1, 1, 0])
    assert rare == pytest.approx([3**0.5, *[-(3**-0.5)] * 3])
    assert frequent == pytest.approx([-a for a in reversed(rare)])


def test_solved_episodes_are_pulled_up_and_all_others_down(
    chat: Chat, episodes: list[Episode]
) -> None:
    group = make_group(episodes, chat, FIT)
    solved = {e.id for e in episodes if e.outcome is SOLVED}
    assert 0 < len(solved) < len(episodes)
    assert [s.episode_id for s in group.sequences] == [e.id for e in episodes]
    assert {s.episode_id for s in group.sequences if s.advantage > 0} == solved
    assert sum(gains(group)) == pytest.approx(0)
    others = (Outcome.OUT_OF_STEPS, Outcome.INVALID_ACTION, Outcome.OVERLONG)
    found = gains(make_group(ended(episodes, SOLVED, *others), chat, FIT))
    assert found == pytest.approx(advantages([1, 0, 0, 0]))


@pytest.mark.parametrize("outcomes", [[SOLVED] * 3, [FAILED] * 3, [SOLVED], [FAILED]], ids=str)
def test_a_group_that_agrees_teaches_nothing(
    chat: Chat, episodes: list[Episode], outcomes: list[Outcome]
) -> None:
    group = make_group(ended(episodes, *outcomes), chat, FIT)
    assert group == Group((), {"no_signal": len(outcomes)})


def test_no_attempts_give_an_empty_group(chat: Chat) -> None:
    assert make_group([], chat, FIT) == Group((), {})


@settings(deadline=None)
@given(outcomes=st.lists(st.sampled_from([*Outcome]), max_size=12), room=st.integers(0, 200))
def test_every_attempt_is_kept_or_counted(
    chat: Chat, episodes: list[Episode], outcomes: list[Outcome], room: int
) -> None:
    group = make_group(ended(episodes, *outcomes), chat, room)
    assert len(group.sequences) + sum(group.rejected.values()) == len(outcomes)
    assert all(group.rejected.values())
    lost = sum(o.is_infrastructure for o in outcomes)
    assert group.rejected.get("infrastructure", 0) == lost
    assert group.rejected.get("budget", 0) == outcomes.count(Outcome.OUT_OF_BUDGET)


def test_what_the_machinery_or_the_budget_cut_short_is_not_even_in_the_mean(
    chat: Chat, episodes: list[Episode]
) -> None:
    lost = [o for o in Outcome if o.is_infrastructure or o is Outcome.OUT_OF_BUDGET]
    group = make_group(ended(episodes, *lost, SOLVED, FAILED, FAILED), chat, FIT)
    assert gains(group) == pytest.approx(advantages([1, 0, 0]))
    assert group.rejected == {"budget": 1, "infrastructure": len(lost) - 1}


def test_an_episode_too_long_or_without_a_step_is_rejected_but_in_the_mean(
    chat: Chat, episodes: list[Episode]
) -> None:
    one, two = ended(episodes[:1] * 2, SOLVED, FAILED)
    room = len(make_group([one, two], chat, FIT).sequences[0].token_ids)
    group = make_group(
        [one, two, replace(two, steps=two.steps * 2), replace(two, steps=())], chat, room
    )
    assert group.rejected == {"no_supervised_token": 1, "overlong": 1}
    assert gains(group) == pytest.approx(advantages([1, 0, 0, 0])[:2])


def test_a_sequence_is_the_history_up_to_its_last_action(
    chat: Chat, episodes: list[Episode]
) -> None:
    for episode, sequence in zip(episodes, make_group(episodes, chat, FIT).sequences, strict=True):
        ids, mask = chat.history(episode.first_observation or "", episode.steps, {})
        end = len(sequence.token_ids)
        assert sequence.token_ids == tuple(ids[:end])
        assert sequence.loss_mask == tuple(mask[:end])
        assert mask[end - 1]
        assert not any(mask[end:])


def test_cut_off_answers_carry_no_loss_and_do_not_shift_the_log_probabilities(
    desk: Desk, chat: Chat, tokenizer: Any
) -> None:
    engine = Numbered(tokenizer, clerk(desk, knows=0.8), cut=True)
    played = [e for e in play(desk, chat, engine, samples=24) if len(e.steps) > 2]
    assert len(engine.cuts) > 20
    some = [replace(e, outcome=FAILED if n else SOLVED) for n, e in enumerate(played)]
    found = make_group(some, chat, FIT)
    assert not found.rejected
    after = 0
    for episode, sequence in zip(played, found.sequences, strict=True):
        whole = [step.token_ids[-1] == chat.stop_id for step in episode.steps]
        drawn = [
            (token, logprob)
            for step, learn in zip(episode.steps, whole, strict=True)
            for token, logprob in zip(step.token_ids, step.logprobs, strict=True)
            if learn
        ]
        at = zip(sequence.token_ids, sequence.old_logprobs, sequence.loss_mask, strict=True)
        assert [(token, logprob) for token, logprob, learn in at if learn] == drawn
        at = zip(sequence.token_ids, sequence.old_logprobs, sequence.loss_mask, strict=True)
        assert all(logprob == 0.0 for _, logprob, learn in at if not learn)
        after += True in whole[whole.index(False) :] if False in whole else 0
    assert after > 3


def test_only_root_attempts_at_one_task_are_compared(chat: Chat, episodes: list[Episode]) -> None:
    one, two = ended(episodes, SOLVED, FAILED)
    with pytest.raises(ValueError, match="of one task"):
        make_group([one, replace(two, task_id="another")], chat, FIT)
    with pytest.raises(ValueError, match="only roots"):
        make_group([one, replace(two, parent=one.id, first_observation=None)], chat, FIT)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_log_probabilities_of_whole_episodes_are_those_the_engine_drew_with(
    chat: Chat, tokenizer: Any, policy_dir: Path, temperature: float
) -> None:
    patient = Desk(DeskOptions(refusals=5))
    engine = TransformersEngine(chatty(policy_dir, chat, tokenizer), rows=5, max_length=512)
    agent = replace(make_agent(patient, chat, engine), temperature=temperature, action_tokens=4)
    played = asyncio.run(roots(agent, patient.tasks("train")[0], 16, Budget(16, 1000)))
    assert all(len(episode.steps) >= 6 for episode in played)
    assert len({step.feedback for episode in played for step in episode.steps}) > 4
    ends = [step.token_ids[-1] == chat.stop_id for e in played for step in e.steps]
    assert 0.3 < sum(ends) / len(ends) < 0.9
    group = make_group(ended(played, SOLVED, *[FAILED] * 15), chat, FIT)
    batch = collate(group.sequences, "cpu")
    with torch.no_grad():
        found = token_logprobs(
            chatty(policy_dir, chat, tokenizer), batch.ids, batch.attention, batch.mask, temperature
        )
    assert (found - batch.old_logprobs).abs().max() < 1e-4
    assert len({round(x, 3) for x in found[batch.mask].tolist()}) > 50


def chatty(policy_dir: Path, chat: Chat, tokenizer: Any) -> Any:
    """The tiny policy, made to write bits of calls and to end about half its answers."""
    model = load_model(policy_dir).eval()
    torch.manual_seed(0)
    # Not tied to the embeddings, or it would say the same word over and over.
    head = torch.nn.Linear(model.config.hidden_size, len(tokenizer))
    with torch.no_grad():
        head.bias.zero_()[tokenizer.all_special_ids] = -1e4
        for tool in TOOLS:
            name, call, *_ = tokenizer(f"{tool}()")["input_ids"]
            head.bias[name], head.bias[call] = 8.0, 10.0
        head.bias[chat.stop_id] = 10.0
    model.lm_head = head
    return model
