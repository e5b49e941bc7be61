"""Grade 1, words: read one line, print one. A single line of Python will do."""

from __future__ import annotations

from leafe.envs.code.authoring.draw import word, words
from leafe.envs.code.authoring.problem import Problem

PROBLEMS = (
    Problem(
        name="same-line",
        grade=1,
        task="Print the line that you are given.",
        given="One line of 1 to 100 letters, digits, spaces and full stops.",
        wanted="The same line.",
        public=("hello", "The sky is blue."),
        private=lambda rng: ["a", "0", "A b C", "...", *(words(rng, 9, 9) for _ in range(4))],
        solution="print(input())",
        wrong=("print(input().split()[0])",),
    ),
    Problem(
        name="good-morning",
        grade=1,
        task="Wish somebody a good morning, by name.",
        given="One line with a name of 1 to 20 letters.",
        wanted="""The words "Good morning," then a space, the name and an exclamation mark right
            behind it.""",
        public=("Mira", "Otto"),
        private=lambda rng: ["X", "bo", "ABCDEFGHIJKLMNOPQRST", *(word(rng, 7) for _ in range(4))],
        solution='print("Good morning, " + input() + "!")',
        wrong=('print("Good morning,", input(), "!")',),
    ),
    Problem(
        name="word-length",
        grade=1,
        task="Print how many letters a word has.",
        given="One line with a word of 1 to 100 letters.",
        wanted="The number of letters.",
        public=("river", "Go"),
        private=lambda rng: ["a", "x" * 10, "y" * 100, *(word(rng, 3 * n) for n in range(1, 6))],
        solution="print(len(input().strip()))",
        wrong=("print(len(set(input().strip())))",),
    ),
    Problem(
        name="last-letter",
        grade=1,
        task="Print the last letter of a word.",
        given="One line with a word of 1 to 100 letters.",
        wanted="Its last letter.",
        public=("stone", "Key"),
        private=lambda rng: ["a", "aZ", "b" * 99 + "c", *(word(rng, n) for n in range(4, 9))],
        solution="print(input().strip()[-1])",
        wrong=("print(input().strip()[0])",),
    ),
    Problem(
        name="shout",
        grade=1,
        task="Print a line in capital letters. What is no letter stays as it is.",
        given="One line of 1 to 100 letters, digits, spaces and full stops.",
        wanted="The line in capital letters.",
        public=("come here", "Now."),
        private=lambda rng: ["a", "B", "x1y2.", "A b C d", *(words(rng, 8, 8) for _ in range(4))],
        solution="print(input().upper())",
        wrong=("print(input().title())",),
    ),
    Problem(
        name="count-words",
        grade=1,
        task="Print how many words are on a line.",
        given="""One line of 0 to 200 characters: words of letters, with one or more spaces between
            two words. The line may be empty.""",
        wanted="The number of words.",
        public=("one two three", "word"),
        private=lambda rng: ["", "a  b", "x   y z", *(words(rng, n, 6) for n in (2, 4, 9, 20))],
        solution="print(len(input().split()))",
        wrong=('print(input().count(" ") + 1)',),
    ),
    Problem(
        name="backwards",
        grade=1,
        task="Print a word from its end to its beginning.",
        given="One line with a word of 1 to 100 letters.",
        wanted="The word backwards.",
        public=("tram", "Ada"),
        private=lambda rng: [
            "q",
            "ab",
            "level",
            "a" * 50 + "B" * 50,
            *(word(rng, 9) for _ in range(4)),
        ],
        solution="print(input().strip()[::-1])",
        wrong=("print(*sorted(input().strip(), reverse=True), sep='')",),
    ),
)
