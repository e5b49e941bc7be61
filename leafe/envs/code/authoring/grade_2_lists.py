"""Grade 2, lists of numbers: one loop with a condition."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import counted, numbers, rows
from leafe.envs.code.authoring.problem import Problem

BILLION = 10**9


def _among(rng: Random, count: int) -> str:
    return rows([count, rng.randint(-9, 9)], numbers(rng, count, -9, 9))


def _wanted_in(rng: Random, count: int, high: int) -> str:
    return rows([count, rng.randint(1, high)], numbers(rng, count, 1, high))


PROBLEMS = (
    Problem(
        name="largest-of-list",
        grade=2,
        task="Print the largest number of a list.",
        given="""The first line has n, 1 <= n <= 1000. The second line has n whole numbers, each
            from -1000000000 to 1000000000.""",
        wanted="The largest one.",
        public=("4\n3 9 2 9", "1\n5"),
        private=lambda rng: [
            "1\n-5",
            "3\n-7 -2 -9",
            "2\n0 -1",
            "2\n9 10",
            counted([-BILLION] * 5),
            *(counted(numbers(rng, n, -BILLION, BILLION)) for n in (2, 10, 100, 1000)),
        ],
        solution="""
            input()
            print(max(map(int, input().split())))
        """,
        wrong=(
            """
            input()
            best = 0
            for x in map(int, input().split()):
                if x > best:
                    best = x
            print(best)
            """,
        ),
    ),
    Problem(
        name="how-many-above",
        grade=2,
        task="Count the numbers of a list that are larger than k.",
        given="""The first line has n and k, 1 <= n <= 1000, -1000 <= k <= 1000. The second line
            has n whole numbers, each from -1000 to 1000.""",
        wanted="How many of them are larger than k.",
        public=("5 3\n1 4 2 8 5", "2 10\n3 7"),
        private=lambda rng: [
            "3 4\n4 4 4",
            "1 0\n0",
            "1 -1000\n1000",
            "4 -2\n-3 -2 -1 0",
            *(_among(rng, n) for n in (5, 20, 100, 1000)),
        ],
        solution="""
            n, k = map(int, input().split())
            print(sum(x > k for x in map(int, input().split())))
        """,
        wrong=(
            """
            n, k = map(int, input().split())
            print(sum(x >= k for x in map(int, input().split())))
            """,
        ),
    ),
    Problem(
        name="spread",
        grade=2,
        task="Print by how much the largest number of a list exceeds the smallest one.",
        given="""The first line has n, 1 <= n <= 1000. The second line has n whole numbers, each
            from -1000000000 to 1000000000.""",
        wanted="The difference.",
        public=("3\n4 10 6", "2\n8 0"),
        private=lambda rng: [
            "1\n3",
            "2\n-5 -2",
            "4\n-1 -1 -1 -1",
            "2\n-1000000000 1000000000",
            "3\n-4 -9 -6",
            *(counted(numbers(rng, n, -999, 999)) for n in (2, 10, 100, 1000)),
        ],
        solution="""
            input()
            values = list(map(int, input().split()))
            print(max(values) - min(values))
        """,
        wrong=(
            """
            input()
            low, high = 10**9, 0
            for x in map(int, input().split()):
                low, high = min(low, x), max(high, x)
            print(high - low)
            """,
        ),
    ),
    Problem(
        name="first-position",
        grade=2,
        task="Find where x stands in a list for the first time.",
        given="""The first line has n and x, 1 <= n <= 1000, 1 <= x <= 1000. The second line has n
            whole numbers, each from 1 to 1000.""",
        wanted="The position of the first x, counted from 1; 0 if there is none.",
        public=("4 7\n3 7 1 5", "3 2\n4 5 6"),
        private=lambda rng: [
            "1 1\n1",
            "1 1\n2",
            "3 5\n5 5 5",
            "3 1\n2 3 1",
            "4 2\n1 2 1 2",
            *(_wanted_in(rng, n, 10) for n in (5, 20, 1000)),
        ],
        solution="""
            n, x = map(int, input().split())
            values = list(map(int, input().split()))
            print(values.index(x) + 1 if x in values else 0)
        """,
        wrong=(
            """
            n, x = map(int, input().split())
            found = 0
            for i, value in enumerate(map(int, input().split()), 1):
                if value == x:
                    found = i
            print(found)
            """,
        ),
    ),
    Problem(
        name="family-tickets",
        grade=2,
        task="""A museum lets children younger than 6 in for nothing. A ticket costs 3 up to the
            age of 17, 8 from 18 to 64, and 5 from 65. Print what a family pays.""",
        given="""The first line has n, 1 <= n <= 100. The second line has n whole numbers, the ages
            of the family, each from 0 to 120.""",
        wanted="The price of all tickets together.",
        public=("3\n40 12 3", "2\n70 30"),
        private=lambda rng: [
            "1\n6",
            "1\n5",
            "1\n17",
            "1\n18",
            "1\n64",
            "1\n65",
            "2\n0 120",
            *(counted(numbers(rng, n, 0, 120)) for n in (5, 30, 100)),
        ],
        solution="""
            input()
            total = 0
            for age in map(int, input().split()):
                if age < 6:
                    total += 0
                elif age < 18:
                    total += 3
                elif age < 65:
                    total += 8
                else:
                    total += 5
            print(total)
        """,
        wrong=(
            """
            input()
            total = 0
            for age in map(int, input().split()):
                if age > 65:
                    total += 5
                elif age > 18:
                    total += 8
                elif age > 6:
                    total += 3
            print(total)
            """,
        ),
    ),
)
