"""Grade 2, words: one condition or one loop."""

from __future__ import annotations

import string
from random import Random

from leafe.envs.code.authoring.draw import word, words
from leafe.envs.code.authoring.problem import Problem


def _mirrored(rng: Random, length: int) -> str:
    """A word that reads the same both ways but for the case of its letters."""
    half = word(rng, length)
    return "".join(rng.choice([c, c.upper()]) for c in half + half[::-1])


def _spaced(rng: Random, count: int) -> str:
    gaps = (word(rng, 4) + " " * rng.randint(1, 3) for _ in range(count))
    return " " * rng.randint(0, 2) + "".join(gaps)


PROBLEMS = (
    Problem(
        name="count-vowels",
        grade=2,
        task="Count the vowels on a line: a, e, i, o and u, small or capital.",
        given="One line of 0 to 200 letters and spaces. It may be empty.",
        wanted="The number of vowels.",
        public=("green tea", "Rhythm"),
        private=lambda rng: [
            "",
            "A",
            "AEIOU aeiou",
            "xyz",
            "Under a Tree",
            *(words(rng, 9, 9, string.ascii_letters) for _ in range(4)),
        ],
        solution='print(sum(c in "aeiouAEIOU" for c in input()))',
        wrong=('print(sum(c in "aeiou" for c in input()))',),
    ),
    Problem(
        name="same-both-ways",
        grade=2,
        task="""Tell whether a word reads the same from both ends. Small and capital letters count
            as equal.""",
        given="One line with a word of 1 to 100 letters.",
        wanted="The word yes or the word no.",
        public=("noon", "lamp"),
        private=lambda rng: [
            "a",
            "Anna",
            "ab",
            "Aa",
            "abca",
            _mirrored(rng, 5),
            _mirrored(rng, 50),
            _mirrored(rng, 49) + "x",
            word(rng, 6, "ab"),
        ],
        solution="""
            word = input().strip().lower()
            print("yes" if word == word[::-1] else "no")
        """,
        wrong=(
            """
            word = input().strip()
            print("yes" if word == word[::-1] else "no")
            """,
        ),
    ),
    Problem(
        name="dashes-between",
        grade=2,
        task="Join the words of a line with one dash between two words.",
        given="""One line with 1 to 50 words of letters. There are one or more spaces between two
            words, and there may be spaces before the first and behind the last one.""",
        wanted="The words, joined with dashes, without spaces.",
        public=("blue and green", "word"),
        private=lambda rng: [
            "a  b",
            " x y",
            "x y ",
            "  one   two  ",
            "z",
            *(_spaced(rng, n) for n in (2, 10, 50)),
        ],
        solution='print("-".join(input().split()))',
        wrong=('print(input().replace(" ", "-"))',),
    ),
    Problem(
        name="every-second-word",
        grade=2,
        task="Print the first, the third, the fifth word of a line and so on.",
        given="One line with 1 to 50 words of letters, one space between two words.",
        wanted="These words on one line, in the same order.",
        public=("we all go home", "red blue"),
        private=lambda rng: ["a", "a b c", *(words(rng, n, 7) for n in (4, 5, 20, 49, 50))],
        solution="print(*input().split()[::2])",
        wrong=(
            """
            words = input().split()
            print(*[words[i] for i in range(0, len(words) - 1, 2)])
            """,
        ),
    ),
)
