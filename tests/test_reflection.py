"""Reflections: hostile text is read strictly, rejected by reason, and never raises."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafe.reflection import (
    MAX_EXPERIENCE,
    Parse,
    Verdict,
    checkpoints,
    read_verdict,
    verdict_pattern,
    write_verdict,
)

NOTE = '"experience": "label first."'


@pytest.mark.parametrize(
    ("text", "parse"),
    [
        ("", Parse.NOT_JSON),
        ("I do not know.", Parse.NOT_JSON),
        ("{", Parse.NOT_JSON),
        ('{"rollback_to": 1 "experience": "x"}', Parse.NOT_JSON),
        ("[" * 100_000, Parse.NOT_JSON),
        ('{"a":' * 100_000, Parse.NOT_JSON),
        ("[1]", Parse.WRONG_FIELDS),
        ("null", Parse.WRONG_FIELDS),
        ("{}", Parse.WRONG_FIELDS),
        ('{"rollback_to": "1", "experience": "x"}', Parse.WRONG_FIELDS),
        ('{"rollback_to": 1.0, "experience": "x"}', Parse.WRONG_FIELDS),
        ('{"rollback_to": true, "experience": "x"}', Parse.WRONG_FIELDS),
        ('{"rollback_to": [1], "experience": "x"}', Parse.WRONG_FIELDS),
        ('{"rollback_to": 1, "experience": 5}', Parse.WRONG_FIELDS),
        ('{"rollback_to": 1, "experience": "x", "more": 1}', Parse.WRONG_FIELDS),
        ('{"rollback_to": null, "experience": "but a note"}', Parse.WRONG_FIELDS),
        (f'{{"rollback_to": -1, {NOTE}}}', Parse.STEP_OUT_OF_RANGE),
        (f'{{"rollback_to": 3, {NOTE}}}', Parse.STEP_OUT_OF_RANGE),
        (f'{{"rollback_to": {10**30}, {NOTE}}}', Parse.STEP_OUT_OF_RANGE),
        ('{"rollback_to": 1}', Parse.EMPTY_NOTE),
        ('{"rollback_to": 1, "experience": "  \\n"}', Parse.EMPTY_NOTE),
        (f'{{"rollback_to": 1, "experience": "{"x" * 501}"}}', Parse.NOTE_TOO_LONG),
    ],
)
def test_a_bad_answer_is_rejected_under_its_reason(text: str, parse: Parse) -> None:
    assert read_verdict(text, steps=3) == Verdict(parse)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"rollback_to": 1, {NOTE}}}',
        f'```json\n{{"rollback_to": 1, {NOTE}}}\n```',
        f'Let me see.\n{{{NOTE}, "rollback_to": 1}} So.',
    ],
)
def test_text_around_the_braces_is_the_one_repair(text: str) -> None:
    assert read_verdict(text, steps=3) == Verdict(Parse.OK, 1, "label first.")


@given(st.integers(0, 20), st.text(min_size=1, max_size=MAX_EXPERIENCE))
def test_what_is_written_is_read_back(step: int, note: str) -> None:
    read = read_verdict(write_verdict((step, note)), steps=21)
    expected = note.strip()
    assert read == (Verdict(Parse.OK, step, expected) if expected else Verdict(Parse.EMPTY_NOTE))


@settings(max_examples=300)
@given(st.text(), st.integers(0, 5))
def test_no_text_raises_or_leads_to_a_step_that_was_not_visited(text: str, steps: int) -> None:
    for answer in (
        text,
        f'{{"rollback_to": {text}}}',
        f'{{"rollback_to": 0, "experience": "{text}"}}',
    ):
        verdict = read_verdict(answer, steps)
        assert (verdict.rollback_step is None) == (verdict.experience is None)
        assert verdict.rollback_step is None or 0 <= verdict.rollback_step < steps
        assert verdict.rollback_step is None or verdict.parse is Parse.OK


@given(st.integers(0, 40), st.booleans(), st.integers(0, 12))
def test_checkpoints_are_every_k_steps_and_the_failed_end(
    steps: int, solved: bool, every: int
) -> None:
    looked = checkpoints(steps, solved, every)
    regular = {n for n in range(1, steps) if every and n % every == 0}
    assert set(looked) == regular | ({steps} if steps and not solved else set())
    assert list(looked) == sorted(set(looked))


@settings(max_examples=200)
@given(st.data(), st.integers(1, 12))
def test_what_the_pattern_admits_is_a_verdict(data: st.DataObject, steps: int) -> None:
    text = data.draw(st.from_regex(verdict_pattern(steps), fullmatch=True))
    verdict = read_verdict(text, steps)
    if verdict.parse is Parse.EMPTY_NOTE:  # of blanks beyond ASCII
        assert json.loads(text)["experience"].strip() == ""
    else:
        assert verdict.parse is Parse.OK


@given(st.integers(0, 11), st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_the_pattern_admits_what_is_written(step: int, note: str) -> None:
    written = write_verdict((step, note.strip() or "x"))
    assert re.fullmatch(verdict_pattern(12), written)
    assert not re.fullmatch(verdict_pattern(step), written)
    assert re.fullmatch(verdict_pattern(step), write_verdict(None))


def test_the_pattern_admits_no_note_that_is_too_long() -> None:
    longest, longer = (write_verdict((0, "x" * (MAX_EXPERIENCE + n))) for n in (0, 1))
    assert re.fullmatch(verdict_pattern(1), longest)
    assert not re.fullmatch(verdict_pattern(1), longer)
