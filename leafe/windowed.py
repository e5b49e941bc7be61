"""The second prompt style: each step is asked for anew, with only the last two steps in view.

So prompt large models the framework of the paper, verl-agent (arXiv 2505.10978), and its figures
compare with ours only so. An answer holds a thought and an action, `<think>..</think>
<action>..</action>`; the environment sees the action, later prompts too, the thought nobody. An
answer without an action goes to the environment whole, which says so in words. Differs: there the
task is cut out of the first observation, which is shown whole here; and there an answer in the
wrong form costs 0.1 of the reward.

A note stays in view from tau on, as the last block. To look back, the whole episode is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from string import Template
from typing import Any

from leafe.chat import Chat, Learned, Prompts
from leafe.episode import Step

VIEW = 2
"""Steps in view."""
ACTION = re.compile(r"<action>(.*?)</action>", re.DOTALL)


class Windowed(Chat):
    """Renders each step of an episode as a conversation of one turn, the user's."""

    def __init__(self, tokenizer: Any, prompts: Prompts, instructions: str = "") -> None:
        super().__init__(tokenizer, replace(prompts, system=""))
        self._instructions = self._say(prompts.system, instructions=instructions) + "\n"

    def encode_action(self, action: str) -> tuple[int, ...]:
        """The tokens of an action that nobody sampled, without a thought."""
        return self.encode_answer(f"<think></think><action>{action}</action>")

    def encode_reasoned(self, thought: str, step: Step) -> tuple[int, ...]:
        """The tokens of a thought, and after it the action of a step."""
        return self.encode_answer(f"<think>{thought}</think><action>{step.action}</action>")

    def read_action(self, token_ids: Sequence[int]) -> str | None:
        """What stands in the last action tags; without any, the whole answer."""
        answer = self.decode(token_ids)
        found = ACTION.findall(answer or "")
        return found[-1].strip() if found else answer

    def history(
        self, first_observation: str, steps: Sequence[Step], notes: Mapping[int, str]
    ) -> tuple[list[int], list[bool]]:
        """The prompt of step t = len(steps); no token of it is an action of the policy."""
        t, seen = len(steps), _seen(first_observation, steps)
        parts = [self._instructions]
        if t:
            parts.append(self._say(self._prompts.task, observation=seen[0], step=t))
            parts += self._past(seen, steps, range(max(0, t - VIEW), t))
        parts.append(self._say(self._prompts.turn, observation=seen[t], step=t))
        in_view = [step for step in notes if step <= t]
        if in_view:
            parts.append(self._say(self._prompts.experience, experience=notes[max(in_view)]))
        ids = self._turn(parts)
        return ids, [False] * len(ids)

    def sequences(
        self, first_observation: str, steps: Sequence[Step], notes: Mapping[int, str], learn: range
    ) -> list[Learned]:
        """One sequence a step: its prompt, and its answer unless that was cut off."""
        learned = []
        for t in learn:
            prompt, _ = self.history(first_observation, steps[:t], notes)
            answer, whole = self._kept(steps[t].token_ids)
            mask = (False,) * len(prompt) + (whole,) * len(answer)
            learned.append(Learned((*prompt, *answer), mask, {t: len(prompt)}))
        return learned

    def reflection(
        self, first_observation: str, steps: Sequence[Step], notes: Mapping[int, str]
    ) -> list[int]:
        """The whole episode, its notes included, and the request to look back."""
        seen = _seen(first_observation, steps)
        parts = [self._instructions]
        for t, past in enumerate(self._past(seen, steps, range(len(steps)))):
            parts.append(past)
            if t in notes:
                note = self._say(self._prompts.experience, experience=notes[t])
                parts.append(note.lstrip() + "\n")
        ask = {"last_step": len(steps) - 1, "observation": seen[-1]}
        return self._turn([*parts, self._say(self._prompts.reflect, **ask)])

    def last_observation(
        self, first_observation: str, steps: Sequence[Step]
    ) -> tuple[list[int], list[bool]]:
        """The last step's prompt and answer, and what was observed then; which tokens are that."""
        prompt, _ = self.history(first_observation, steps[:-1], notes={})
        answer, _ = self._kept(steps[-1].token_ids)
        lead = self._frame.assistant_to_user.lead
        said = self._content(lead + steps[-1].feedback)
        ids = [*prompt, *answer, *self._close(answer), *said]
        begin = len(ids) - len(said) + self._led(lead, said)
        return ids, [at >= begin for at in range(len(ids))]

    def _past(self, seen: Sequence[str], steps: Sequence[Step], which: range) -> Iterator[str]:
        for t in which:
            yield self._say(self._prompts.past, step=t, observation=seen[t], action=steps[t].action)

    def _say(self, text: str, **values: object) -> str:
        return Template(text).safe_substitute(values)

    def _turn(self, parts: Sequence[str]) -> list[int]:
        """Contents, each encoded by itself, as one user turn."""
        frame = self._frame
        told = [frame.first.lead + parts[0], *parts[1:]]
        ids = [token for part in told for token in self._content(part)]
        return [*frame.first.ids, *ids, *frame.user_to_assistant]


def _seen(first_observation: str, steps: Sequence[Step]) -> list[str]:
    """o_0 ... o_t."""
    return [first_observation, *(step.feedback for step in steps)]
