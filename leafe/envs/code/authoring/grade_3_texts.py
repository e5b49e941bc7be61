"""Grade 3, words and tables: counting, shifting, walking."""

from __future__ import annotations

import string
from random import Random

from leafe.envs.code.authoring.draw import grid, numbers, rows, word, words
from leafe.envs.code.authoring.problem import Problem


def _walk(rng: Random, width: int, height: int, steps: int) -> str:
    return rows([width, height], word(rng, steps, "NESW"))


def _table(rng: Random, height: int, width: int) -> str:
    return rows([height, width], *grid(rng, height, width, "abc."))


PROBLEMS = (
    Problem(
        name="most-frequent-word",
        grade=3,
        task="""Find the word that is on a line most often. If several are there equally often,
            take the one that comes first in the alphabet.""",
        given="""One line with 1 to 1000 words of 1 to 10 small letters, one space between two
            words.""",
        wanted="The word, and how often it is there.",
        public=("the cat and the dog", "a b b a b"),
        private=lambda rng: [
            "x",
            "b a",
            "dog cat dog cat",
            "z z y y x",
            *(words(rng, n, 1, "dcba") for n in (5, 20, 50)),
            words(rng, 1000, 2, "hgfedcba"),
        ],
        solution="""
            from collections import Counter
            count = Counter(input().split())
            word = min(count, key=lambda w: (-count[w], w))
            print(word, count[word])
        """,
        check="""
            words = input().split()
            best, most = "", 0
            for word in sorted(set(words)):
                if words.count(word) > most:
                    best, most = word, words.count(word)
            print(best, most)
        """,
        wrong=(
            """
            from collections import Counter
            print(*Counter(input().split()).most_common(1)[0])
            """,
        ),
    ),
    Problem(
        name="short-form",
        grade=3,
        task="""Shorten a text: each stretch of one letter is written as that letter, followed by
            how long the stretch is.""",
        given="One line with 1 to 1000 small letters.",
        wanted="The parts on one line, a space between two of them.",
        public=("aaab", "z", "kkiimm"),
        private=lambda rng: [
            "aba",
            "aabbaa",
            "b" * 1000,
            "ab" * 500,
            *(word(rng, n, "xy") for n in (5, 30, 200)),
            word(rng, 1000),
        ],
        solution="""
            from itertools import groupby
            print(*[letter + str(len(list(same))) for letter, same in groupby(input().strip())])
        """,
        check="""
            text = input().strip()
            while text:
                rest = text.lstrip(text[0])
                print(text[0], len(text) - len(rest), sep="")
                text = rest
        """,
        wrong=(
            """
            text = input().strip()
            print(*[letter + str(text.count(letter)) for letter in dict.fromkeys(text)])
            """,
        ),
    ),
    Problem(
        name="robot-in-a-room",
        grade=3,
        task="""A robot stands in the south-west corner of a room, on the tile x = 1, y = 1. N
            takes it one tile up (y + 1), S down, E right (x + 1) and W left. A move into a wall
            does nothing. Print where it ends.""",
        given="""The first line has the width and the height of the room in tiles, each from 1 to
            100. The second line has 0 to 1000 letters N, E, S or W, the moves; it may be empty.""",
        wanted="The last x and y.",
        public=("5 4\nNNEES", "3 3\nEEEE"),
        private=lambda rng: [
            "1 1\nNESW",
            "7 7\n",
            "2 5\nEEEWNN",
            "4 2\nWWEENNNS",
            rows([100, 100], "NE" * 100),
            *(_walk(rng, w, h, n) for w, h, n in ((3, 3, 30), (2, 9, 100), (20, 20, 1000))),
        ],
        solution="""
            width, height = map(int, input().split())
            x = y = 1
            for move in input().strip():
                x = min(width, max(1, x + (move == "E") - (move == "W")))
                y = min(height, max(1, y + (move == "N") - (move == "S")))
            print(x, y)
        """,
        check="""
            width, height = map(int, input().split())
            room = {(x, y) for x in range(1, width + 1) for y in range(1, height + 1)}
            at = (1, 1)
            for move in input().strip():
                dx, dy = {"N": (0, 1), "S": (0, -1), "E": (1, 0), "W": (-1, 0)}[move]
                there = (at[0] + dx, at[1] + dy)
                if there in room:
                    at = there
            print(*at)
        """,
        wrong=(
            """
            width, height = map(int, input().split())
            moves = input().strip()
            x = 1 + moves.count("E") - moves.count("W")
            y = 1 + moves.count("N") - moves.count("S")
            print(min(width, max(1, x)), min(height, max(1, y)))
            """,
        ),
    ),
    Problem(
        name="shifted-letters",
        grade=3,
        task="""Move every letter of a line k places on in the alphabet. After z comes a again,
            after Z comes A. A negative k moves back. All other characters stay as they are.""",
        given="""The first line has k, -1000 <= k <= 1000. The second line has 1 to 200 letters,
            digits, spaces and full stops.""",
        wanted="The changed line.",
        public=("1\nhello zoo", "-2\nabc."),
        private=lambda rng: [
            "0\nSame",
            "26\nRound",
            "13\nXyZ 42.",
            "-1\nA a",
            "1000\nzZ",
            "-1000\naA",
            *(rows(k, words(rng, 9, 9, string.ascii_letters)) for k in numbers(rng, 3, -99, 99)),
        ],
        solution="""
            k = int(input())
            text = ""
            for c in input():
                if c.islower():
                    c = chr((ord(c) - ord("a") + k) % 26 + ord("a"))
                elif c.isupper():
                    c = chr((ord(c) - ord("A") + k) % 26 + ord("A"))
                text += c
            print(text)
        """,
        check="""
            from string import ascii_lowercase as small
            k = int(input())
            ring = small * 100
            at = 26 * 40 + k
            moved = ring[at : at + 26]
            print(input().translate(str.maketrans(small + small.upper(), moved + moved.upper())))
        """,
        wrong=(
            """
            k = int(input())
            text = ""
            for c in input():
                if c.isalpha():
                    c = chr((ord(c) - ord("a") + k) % 26 + ord("a"))
                text += c
            print(text)
            """,
        ),
    ),
    Problem(
        name="turned-table",
        grade=3,
        task="""Turn a table of characters a quarter to the right: its left column, read from
            below, becomes its top row.""",
        given="""The first line has the number of rows and of columns, each from 1 to 60. The rows
            follow, made of small letters and full stops.""",
        wanted="The rows of the turned table.",
        public=("2 2\nab\ncd", "3 3\nx..\n.y.\n..z"),
        private=lambda rng: [
            "1 1\nq",
            "1 4\nabcd",
            "3 1\na\nb\nc",
            "2 3\nabc\ndef",
            *(_table(rng, h, w) for h, w in ((5, 5), (4, 9), (30, 7), (60, 60))),
        ],
        solution="""
            height, width = map(int, input().split())
            table = [input().strip() for _ in range(height)]
            for column in zip(*table[::-1]):
                print("".join(column))
        """,
        check="""
            height, width = map(int, input().split())
            table = [input().strip() for _ in range(height)]
            turned = [[""] * height for _ in range(width)]
            for r in range(height):
                for c in range(width):
                    turned[c][height - 1 - r] = table[r][c]
            for row in turned:
                print(*row, sep="")
        """,
        wrong=(
            """
            n = int(input().split()[0])
            table = [input().strip() for _ in range(n)]
            for c in range(n):
                print("".join(table[n - 1 - r][c] for r in range(n)))
            """,
        ),
    ),
)
