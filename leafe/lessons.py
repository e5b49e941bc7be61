"""Lessons to token sequences: what a small model that starts from nothing is trained on.

Each lesson is an episode with a reflection at its end. Actions and reflections weigh 1 a token;
the environment's own words weigh `reading`, for a model that starts from nothing must learn to
read them too. (Distillation, later, never puts loss on the environment's words.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leafe.chat import Chat
from leafe.env import Lesson
from leafe.episode import Step
from leafe.reflection import write_verdict


def render(chat: Chat, lesson: Lesson) -> list[tuple[tuple[int, ...], tuple[bool, ...]]]:
    """Token ids of a lesson, and which of them the policy is to write.

    One sequence, actions and reflection; where the chat does not grow, one for each of them.
    """
    answered = zip(lesson.actions, lesson.observations[1:], strict=True)
    steps = [Step(action, chat.encode_action(action), (), said) for action, said in answered]
    first, learn = lesson.observations[0], range(lesson.learn_from, len(steps))
    asked = tuple(chat.reflection(first, steps, lesson.notes))
    verdict = chat.encode_answer(write_verdict(lesson.verdict))
    *rendered, last = [
        (learned.token_ids, learned.loss_mask)
        for learned in chat.sequences(first, steps, lesson.notes, learn)
    ] or [((), ())]
    ids, mask = last
    if asked[: len(ids)] != ids:  # the reflection does not go on where the actions end
        rendered.append(last)
        mask = ()
    between = (False,) * (len(asked) - len(mask))
    return [*rendered, (asked + verdict, mask + between + (True,) * len(verdict))]


def words(lessons: Sequence[Lesson], turn: str) -> Iterator[str]:
    """Every text that the lessons hold, for training a tokenizer; `turn` as in `Prompts`."""
    for lesson in lessons:
        for step, said in enumerate(lesson.observations):
            yield turn.replace("$step", str(step)).replace("$observation", said)
        yield from lesson.actions
        yield from lesson.notes.values()
        yield write_verdict(lesson.verdict)
