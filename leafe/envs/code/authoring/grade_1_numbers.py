"""Grade 1, numbers: read one or two, print one. A single line of Python will do."""

from __future__ import annotations

from leafe.envs.code.authoring.draw import numbers, rows
from leafe.envs.code.authoring.problem import Problem

BILLION = 10**9


PROBLEMS = (
    Problem(
        name="next-number",
        grade=1,
        task="Print the whole number that comes after n.",
        given="One line with a whole number n, -1000000000 <= n <= 1000000000.",
        wanted="The number that is one larger than n.",
        public=("4", "99", "-7"),
        private=lambda rng: [
            "0",
            "-1",
            "1000000000",
            "-1000000000",
            *map(str, numbers(rng, 4, 1, 99)),
        ],
        solution="print(int(input()) + 1)",
        wrong=("print(int(input()) - 1)",),
    ),
    Problem(
        name="sum-of-two",
        grade=1,
        task="Print the sum of two whole numbers.",
        given="One line with two whole numbers, each from -1000000000 to 1000000000.",
        wanted="Their sum.",
        public=("2 3", "10 -4"),
        private=lambda rng: [
            "0 0",
            "-5 -6",
            "1000000000 1000000000",
            "-1000000000 -1000000000",
            *(rows(numbers(rng, 2, -BILLION, BILLION)) for _ in range(4)),
        ],
        solution="""
            a, b = map(int, input().split())
            print(a + b)
        """,
        wrong=("print(input().replace(' ', ''))",),
    ),
    Problem(
        name="twice",
        grade=1,
        task="Print n doubled.",
        given="One line with a whole number n, -1000000 <= n <= 1000000.",
        wanted="Two times n.",
        public=("2", "15"),
        private=lambda rng: [
            "0",
            "1",
            "-3",
            "1000000",
            "-1000000",
            *map(str, numbers(rng, 4, 3, 999)),
        ],
        solution="print(2 * int(input()))",
        wrong=("print(input() * 2)",),
    ),
    Problem(
        name="what-is-left",
        grade=1,
        task="There were a apples in a bowl and b of them were eaten. Print how many are left.",
        given="The first line has a, the second line has b; 0 <= b <= a <= 1000000.",
        wanted="The number of apples that are left.",
        public=("7\n2", "5\n5"),
        private=lambda rng: [
            "0\n0",
            "1\n0",
            "1000000\n999999",
            "1000000\n1",
            *(rows(500 + n, n) for n in numbers(rng, 4, 1, 400)),
        ],
        solution="print(int(input()) - int(input()))",
        wrong=("print(int(input()) + int(input()))",),
    ),
    Problem(
        name="larger-one",
        grade=1,
        task="Print the larger one of two whole numbers. If they are equal, print that number.",
        given="One line with two whole numbers, each from -1000000000 to 1000000000.",
        wanted="The larger one.",
        public=("3 8", "6 6"),
        private=lambda rng: [
            "9 1",
            "-4 -2",
            "-2 -4",
            "0 -1",
            "10 9",
            "1000000000 -1000000000",
            *(rows(numbers(rng, 2, -99, 99)) for _ in range(4)),
        ],
        solution="print(max(map(int, input().split())))",
        wrong=("print(max(input().split()))",),
    ),
    Problem(
        name="tiles-on-a-wall",
        grade=1,
        task="A wall is covered with r rows of c tiles each. Print how many tiles that is.",
        given="One line with two whole numbers r and c, 1 <= r, c <= 100000.",
        wanted="The number of tiles.",
        public=("3 4", "1 9"),
        private=lambda rng: [
            "1 1",
            "7 7",
            "100000 100000",
            "100000 1",
            *(rows(numbers(rng, 2, 2, 999)) for _ in range(4)),
        ],
        solution="""
            r, c = map(int, input().split())
            print(r * c)
        """,
        wrong=("print(sum(map(int, input().split())))",),
    ),
    Problem(
        name="pairs-of-socks",
        grade=1,
        task="There are n equal socks in a drawer. Print how many whole pairs they make.",
        given="One line with a whole number n, 0 <= n <= 1000000000000000000.",
        wanted="The number of pairs.",
        public=("6", "9"),
        private=lambda rng: [
            "0",
            "1",
            "2",
            "3",
            "999999999999999999",
            "1000000000000000000",
            *map(str, numbers(rng, 4, 10, 9999)),
        ],
        solution="print(int(input()) // 2)",
        wrong=("print(int(input()) / 2)",),
    ),
    Problem(
        name="last-digit",
        grade=1,
        task="Print the last digit of n.",
        given="One line with a whole number n, 0 <= n <= 1000000000000000000.",
        wanted="The last digit.",
        public=("37", "120"),
        private=lambda rng: [
            "0",
            "5",
            "10",
            "1000000000000000000",
            "999999999999999999",
            *map(str, numbers(rng, 4, 11, 99999)),
        ],
        solution="print(int(input()) % 10)",
        wrong=("print(int(input()) // 10)",),
    ),
    Problem(
        name="sum-of-line",
        grade=1,
        task="Print the sum of all numbers on a line.",
        given="One line with 1 to 100 whole numbers, each from -1000 to 1000.",
        wanted="Their sum.",
        public=("1 2 3", "10"),
        private=lambda rng: [
            "0",
            "-1 -2 -3 -4",
            "5 -5",
            rows([1000] * 100),
            *(rows(numbers(rng, n, -1000, 1000)) for n in (2, 7, 30, 100)),
        ],
        solution="print(sum(map(int, input().split())))",
        wrong=("print(sum(map(int, input().split()[:3])))",),
    ),
    Problem(
        name="all-in-minutes",
        grade=1,
        task="A walk took h hours and m minutes. Print how many minutes that is in all.",
        given="One line with two whole numbers h and m, 0 <= h <= 1000, 0 <= m <= 59.",
        wanted="The number of minutes.",
        public=("1 30", "0 45"),
        private=lambda rng: [
            "0 0",
            "2 0",
            "1000 59",
            "24 1",
            *(rows([n, n % 60]) for n in numbers(rng, 4, 3, 999)),
        ],
        solution="""
            h, m = map(int, input().split())
            print(60 * h + m)
        """,
        wrong=("print(input().replace(' ', ''))",),
    ),
    Problem(
        name="even-or-odd",
        grade=1,
        task="Tell whether n is even or odd.",
        given="One line with a whole number n, -1000000000 <= n <= 1000000000.",
        wanted="The word even or the word odd.",
        public=("4", "7"),
        private=lambda rng: [
            "0",
            "1",
            "-2",
            "-3",
            "1000000000",
            "-999999999",
            *map(str, numbers(rng, 4, 10, 9999)),
        ],
        solution='print("odd" if int(input()) % 2 else "even")',
        wrong=('print("odd" if int(input()) % 3 else "even")',),
    ),
)
