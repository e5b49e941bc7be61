"""The one renderer: histories to token ids, for sampling and for training alike.

The model's own chat template wraps every turn (`leafe/frame.py`), and turns are only appended, so
that a longer history starts with the tokens of the shorter one. Sampled tokens are kept as they
are. Text of the environment or of a note can never become a control token (`leafe/codec.py`).

The experience e is the last block of the user turn at tau: without it, the tokens are the same
minus that block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from leafe.codec import Codec
from leafe.episode import Step
from leafe.frame import read_frame

PROMPTS = Path(__file__).parent / "prompts"
THOUGHT = "</think>"
"""Ends a thought, where the tokenizer has a token for it."""


@dataclass(frozen=True)
class Prompts:
    """The texts of one style; files under `leafe/prompts/<style>/`."""

    system: str
    """Told once at the start; empty for a model that knows its environment."""
    turn: str
    experience: str
    reflect: str
    task: str = ""
    """Where the history is cut (`leafe/windowed.py`): how the episode began."""
    past: str = ""
    """There: a step that is still in view."""


def read_prompts(style: str) -> Prompts:
    """The prompt files of a style; a missing `system.txt` means no system turn."""
    folder = PROMPTS / style
    texts = {path.stem: path.read_text() for path in folder.glob("*.txt")}
    return Prompts(**{"system": "", **texts})


@dataclass(frozen=True)
class Learned:
    """A sequence to learn actions from."""

    token_ids: tuple[int, ...]
    """Up to the last action token that is learned."""
    loss_mask: tuple[bool, ...]
    """True on the tokens of those actions; as long as `token_ids`."""
    starts: Mapping[int, int]
    """Step -> where its answer begins."""


class Chat:
    """Renders the histories of one environment for one tokenizer."""

    def __init__(self, tokenizer: Any, prompts: Prompts, instructions: str = "") -> None:
        self._prompts = prompts
        system = Template(prompts.system).safe_substitute(instructions=instructions).strip()
        self._codec = Codec(tokenizer)
        self._content = self._codec.encode
        self._frame = read_frame(self._codec, system)
        self._thought_ends = self._codec.controls.get(THOUGHT)
        self.stop_id: int = self._frame.assistant_to_user.ids[0]
        self.stop_ids: tuple[int, ...] = (self.stop_id, *self._frame.other_ends)
        """All that end an answer, the one that the template writes first."""

    def encode_answer(self, text: str) -> tuple[int, ...]:
        """The tokens of an answer that nobody sampled (a demonstration), stop token included."""
        return (*self._content(self._frame.blank + text), self.stop_id)

    def encode_action(self, action: str) -> tuple[int, ...]:
        """The tokens of an action that nobody sampled."""
        return self.encode_answer(action)

    def encode_reasoned(self, thought: str, step: Step) -> tuple[int, ...]:
        """The tokens of a thought, and after it the action of a step."""
        return self._content(self._frame.blank + thought) + step.token_ids

    def read_action(self, token_ids: Sequence[int]) -> str | None:
        """The action of an answer; None where it holds a control token before its end."""
        return self.decode(token_ids)

    def decode(self, token_ids: Sequence[int]) -> str | None:
        """The text of an answer; None where it holds a control token before its end.

        A thought before it, which some models write unasked, is none of it.
        """
        body = token_ids[:-1] if self._ended(token_ids) else token_ids
        if any(token in self._codec.special for token in body):
            return None
        thoughts = [at for at, token in enumerate(body) if token == self._thought_ends]
        if thoughts:
            return self._codec.decode(body[thoughts[-1] + 1 :]).lstrip()
        # Many tokenizers write a space before the first word too.
        return self._codec.decode(body).removeprefix(" ")

    def _ended(self, answer: Sequence[int]) -> bool:
        return bool(answer) and answer[-1] in self.stop_ids

    def _kept(self, answer: Sequence[int]) -> tuple[Sequence[int], bool]:
        """What stays in view of an answer, and whether it is whole: only then it is learned.

        An end that the template does not write gives way to the one that it does.
        """
        whole = self._ended(answer)
        return (answer[:-1] if whole and answer[-1] != self.stop_id else answer), whole

    def _user(
        self, lead: str, step: int, observation: str, experience: str | None
    ) -> tuple[int, ...]:
        turn = Template(self._prompts.turn).substitute(step=step, observation=observation)
        block: tuple[int, ...] = ()
        if experience is not None:
            note = Template(self._prompts.experience).substitute(experience=experience)
            block = self._content(note)
        return self._content(lead + turn) + block

    def history(
        self, first_observation: str, steps: Sequence[Step], notes: Mapping[int, str]
    ) -> tuple[list[int], list[bool]]:
        """h_t for t = len(steps), up to where the policy answers; and which tokens are actions.

        The mask is true on sampled answers (stop token included) that were not cut off.
        """
        frame = self._frame
        first = self._user(frame.first.lead, 0, first_observation, notes.get(0))
        ids = [*frame.first.ids, *first, *frame.user_to_assistant]
        mask = [False] * len(ids)
        for t, step in enumerate(steps, 1):
            answer, learned = self._kept(step.token_ids)
            user = self._user(frame.assistant_to_user.lead, t, step.feedback, notes.get(t))
            turn = (*self._close(answer), *user, *frame.user_to_assistant)
            ids += (*answer, *turn)
            mask += [learned] * len(answer) + [False] * len(turn)
        return ids, mask

    def reflection(
        self, first_observation: str, steps: Sequence[Step], notes: Mapping[int, str]
    ) -> list[int]:
        """The history with, as the last block of its last turn, the request to look back."""
        ids, _ = self.history(first_observation, steps, notes)
        request = Template(self._prompts.reflect).substitute(last_step=len(steps) - 1)
        tail = self._frame.user_to_assistant
        return ids[: len(ids) - len(tail)] + list(self._content(request)) + list(tail)

    def sequences(
        self, first_observation: str, steps: Sequence[Step], notes: Mapping[int, str], learn: range
    ) -> list[Learned]:
        """What to learn these steps' actions from: here all of them in one sequence."""
        starts = {t: len(self.history(first_observation, steps[:t], notes)[0]) for t in learn}
        ids, actions = self.history(first_observation, steps[: learn.stop], notes)
        begin = starts.get(learn.start, len(ids))
        mask = [action and at >= begin for at, action in enumerate(actions)]
        end = len(mask) - mask[::-1].index(True) if True in mask else 0
        return [Learned(tuple(ids[:end]), tuple(mask[:end]), starts)]

    def last_observation(
        self, first_observation: str, steps: Sequence[Step]
    ) -> tuple[list[int], list[bool]]:
        """The history up to the end of its last observation; and which tokens are that."""
        ids, _ = self.history(first_observation, steps, notes={})
        del ids[len(ids) - len(self._frame.user_to_assistant) :]
        lead = self._frame.assistant_to_user.lead
        said = self._user(lead, len(steps), steps[-1].feedback, None)
        begin = len(ids) - len(said) + self._led(lead, said)
        return ids, [at >= begin for at in range(len(ids))]

    def _close(self, answer: Sequence[int]) -> tuple[int, ...]:
        """What follows an answer up to the next user turn, its stop token if it was not drawn."""
        drawn = bool(answer) and answer[-1] == self.stop_id
        return self._frame.assistant_to_user.ids[int(drawn) :]

    def _led(self, lead: str, tokens: Sequence[int]) -> int:
        """How many tokens of a turn are those of the frame's words before it."""
        pairs = zip(self._content(lead), tokens, strict=False)
        return next((n for n, (a, b) in enumerate(pairs) if a != b), len(self._content(lead)))
