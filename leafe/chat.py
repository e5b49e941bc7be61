"""The one renderer: histories to token ids, for sampling and for training alike.

The model's own chat template wraps every turn; it is asked once for its frame (the tokens around
a content), and after that turns are appended, so that a longer history starts with the tokens of
the shorter one. Sampled tokens are kept as they are. Text of the environment or of a note is
encoded apart from the frame and can never become a control token.

The experience e is the last block of the user turn at tau: without it, the tokens are the same
minus that block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

from leafe.episode import Step
from leafe.text import storable

PROMPTS = Path(__file__).parent / "prompts"


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
class Frame:
    """Token ids that the chat template puts around contents."""

    before_system: tuple[int, ...]
    system_to_user: tuple[int, ...]
    before_user: tuple[int, ...]
    """Opens the first user turn where there is no system turn."""
    user_to_assistant: tuple[int, ...]
    assistant_to_user: tuple[int, ...]
    """Starts with the stop token, which the policy itself should have drawn."""


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
        self._tokenizer = tokenizer
        self._prompts = prompts
        self._system = Template(prompts.system).safe_substitute(instructions=instructions).strip()
        self._frame = read_frame(tokenizer, with_system=bool(self._system))
        self._special = frozenset(tokenizer.all_special_ids)
        self.stop_id: int = self._frame.assistant_to_user[0]
        self._content = lru_cache(maxsize=65536)(self._encode_content)

    def _encode_content(self, text: str) -> tuple[int, ...]:
        encoded = self._tokenizer(
            storable(text), add_special_tokens=False, split_special_tokens=True
        )
        return tuple(encoded["input_ids"])

    def encode_answer(self, text: str) -> tuple[int, ...]:
        """The tokens of an answer that nobody sampled (a demonstration), stop token included."""
        return (*self._content(text), self.stop_id)

    def encode_action(self, action: str) -> tuple[int, ...]:
        """The tokens of an action that nobody sampled."""
        return self.encode_answer(action)

    def encode_reasoned(self, thought: str, step: Step) -> tuple[int, ...]:
        """The tokens of a thought, and after it the action of a step."""
        return self._content(thought) + step.token_ids

    def read_action(self, token_ids: Sequence[int]) -> str | None:
        """The action of an answer; None where it holds a control token before its end."""
        return self.decode(token_ids)

    def decode(self, token_ids: Sequence[int]) -> str | None:
        """The text of an answer; None where it holds a control token before its end."""
        body = token_ids[:-1] if token_ids and token_ids[-1] == self.stop_id else token_ids
        if any(token in self._special for token in body):
            return None
        text = str(self._tokenizer.decode(body, clean_up_tokenization_spaces=False))
        # Many tokenizers write a space before the first word too.
        return text.removeprefix(" ")

    def _user(self, step: int, observation: str, experience: str | None) -> tuple[int, ...]:
        turn = Template(self._prompts.turn).substitute(step=step, observation=observation)
        block: tuple[int, ...] = ()
        if experience is not None:
            note = Template(self._prompts.experience).substitute(experience=experience)
            block = self._content(note)
        return self._content(turn) + block

    def history(
        self, first_observation: str, steps: Sequence[Step], notes: Mapping[int, str]
    ) -> tuple[list[int], list[bool]]:
        """h_t for t = len(steps), up to where the policy answers; and which tokens are actions.

        The mask is true on sampled answers (stop token included) that were not cut off.
        """
        ids, mask = self._open(first_observation, notes.get(0))
        for t, step in enumerate(steps):
            self._append(ids, mask, step.token_ids)
            user = self._user(t + 1, step.feedback, notes.get(t + 1))
            self._close(ids, mask, step.token_ids, user)
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
        said = len(self._user(len(steps), steps[-1].feedback, None))
        return ids, [at >= len(ids) - said for at in range(len(ids))]

    def _open(self, observation: str, experience: str | None) -> tuple[list[int], list[bool]]:
        frame = self._frame
        if self._system:
            head = frame.before_system + self._content(self._system) + frame.system_to_user
        else:
            head = frame.before_user
        ids = [*head, *self._user(0, observation, experience), *frame.user_to_assistant]
        return ids, [False] * len(ids)

    def _append(self, ids: list[int], mask: list[bool], answer: Sequence[int]) -> None:
        # An answer that was cut off is in view, but nobody shall learn to end like that.
        whole = bool(answer) and answer[-1] == self.stop_id
        ids += answer
        mask += [whole] * len(answer)

    def _close(
        self, ids: list[int], mask: list[bool], answer: Sequence[int], user: tuple[int, ...]
    ) -> None:
        frame = self._frame
        drawn = bool(answer) and answer[-1] == self.stop_id
        turn = (*frame.assistant_to_user[int(drawn) :], *user, *frame.user_to_assistant)
        ids += turn
        mask += [False] * len(turn)


def read_frame(tokenizer: Any, *, with_system: bool) -> Frame:
    """Ask a chat template for its frame; raises ValueError where it cannot be appended to."""
    mark = [f"LEAFE{n}MARK" for n in range(4)]
    system = [{"role": "system", "content": mark[0]}] if with_system else []
    messages = [
        *system,
        {"role": "user", "content": mark[1]},
        {"role": "assistant", "content": mark[2]},
        {"role": "user", "content": mark[3]},
    ]

    def render(turns: list[dict[str, str]]) -> str:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    short, whole = render(messages[:-2]), render(messages)
    if not whole.startswith(short + mark[2]):
        raise ValueError(
            "the chat template changes earlier turns when one is added;"
            " leafe needs one that only appends"
        )

    def ids(text: str) -> tuple[int, ...]:
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    head, user_to_assistant = short.split(mark[1])
    before_system, _, system_to_user = head.partition(mark[0]) if with_system else ("", "", "")
    between = whole.split(mark[2])[1].split(mark[3])[0]
    frame = Frame(
        ids(before_system),
        ids(system_to_user),
        () if with_system else ids(head),
        ids(user_to_assistant),
        ids(between),
    )
    if not frame.assistant_to_user or frame.assistant_to_user[0] not in tokenizer.all_special_ids:
        raise ValueError("the chat template does not end an answer with a control token")
    return frame
