"""Grade 2, numbers: one condition or one loop."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import numbers, rows
from leafe.envs.code.authoring.problem import Problem


def _degrees(rng: Random) -> str:
    low, high = sorted(numbers(rng, 2, -50, 50))
    return rows([rng.randint(-50, 50), low, high])


PROBLEMS = (
    Problem(
        name="change-back",
        grade=2,
        task="A customer pays for one thing. Work out the change, or how much is still missing.",
        given="""One line with two whole numbers: the price and what the customer pays, each from 0
            to 1000000.""",
        wanted="""The word change and the amount to give back, if the customer pays at least the
            price; else the word missing and the amount that is missing.""",
        public=("7 10", "12 5"),
        private=lambda rng: [
            "8 8",
            "0 0",
            "0 1",
            "1 0",
            "1000000 999999",
            "1 1000000",
            *(rows(numbers(rng, 2, 0, 99)) for _ in range(4)),
        ],
        solution="""
            price, paid = map(int, input().split())
            if paid >= price:
                print("change", paid - price)
            else:
                print("missing", price - paid)
        """,
        wrong=(
            """
            price, paid = map(int, input().split())
            if paid > price:
                print("change", paid - price)
            else:
                print("missing", price - paid)
            """,
        ),
    ),
    Problem(
        name="thermostat",
        grade=2,
        task="""A thermostat starts the heater when the room is colder than low, and the cooler
            when it is warmer than high. Otherwise both are off.""",
        given="""One line with three whole numbers: the temperature of the room, low and high; each
            from -50 to 50, low <= high.""",
        wanted="One word: heat, cool or off.",
        public=("15 18 24", "30 18 24", "20 18 24"),
        private=lambda rng: [
            "18 18 24",
            "24 18 24",
            "17 18 24",
            "25 18 24",
            "0 0 0",
            "-50 -49 50",
            "-5 -3 -1",
            *(_degrees(rng) for _ in range(4)),
        ],
        solution="""
            now, low, high = map(int, input().split())
            print("heat" if now < low else "cool" if now > high else "off")
        """,
        wrong=(
            """
            now, low, high = map(int, input().split())
            print("heat" if now <= low else "cool" if now >= high else "off")
            """,
        ),
    ),
    Problem(
        name="digit-sum",
        grade=2,
        task="Add up the digits of a whole number. A minus sign counts for nothing.",
        given="One line with a whole number from -1000000000000000000 to 1000000000000000000.",
        wanted="The sum of its digits.",
        public=("305", "99"),
        private=lambda rng: [
            "0",
            "7",
            "-7",
            "-460",
            "1000000000000000000",
            "-999999999999999999",
            *map(str, numbers(rng, 4, -(10**18), 10**18)),
        ],
        solution="print(sum(int(c) for c in input() if c.isdigit()))",
        wrong=(
            """
            n, total = int(input()), 0
            while n > 0:
                total += n % 10
                n //= 10
            print(total)
            """,
        ),
    ),
    Problem(
        name="from-a-to-b",
        grade=2,
        task="Add up all whole numbers from a to b, both included.",
        given="One line with two whole numbers a and b, -1000000000000 <= a <= b <= 1000000000000.",
        wanted="The sum.",
        public=("1 5", "4 6", "7 7"),
        private=lambda rng: [
            "1 2",
            "-3 3",
            "-4 1",
            "0 0",
            "-1000000000000 999999999999",
            "1 1000000000000",
            *(rows(sorted(numbers(rng, 2, -(10**12), 10**12))) for _ in range(4)),
        ],
        solution="""
            a, b = map(int, input().split())
            print((a + b) * (b - a + 1) // 2)
        """,
        wrong=(
            """
            a, b = map(int, input().split())
            print((a + b) // 2 * (b - a + 1))
            """,
        ),
    ),
    Problem(
        name="growing-moss",
        grade=2,
        task="""Moss covers a square centimetres of a wall and doubles every day. Print after how
            many days it covers at least b square centimetres.""",
        given="One line with two whole numbers a and b, 1 <= a, b <= 1000000000000000000.",
        wanted="The number of days; 0 if it covers that much already.",
        public=("1 10", "5 100"),
        private=lambda rng: [
            "1 1",
            "2 1",
            "1 2",
            "3 24",
            "3 25",
            "1 1000000000000000000",
            *(rows(numbers(rng, 2, 1, 10 ** (3 * n))) for n in range(1, 5)),
        ],
        solution="""
            a, b = map(int, input().split())
            days = 0
            while a < b:
                a *= 2
                days += 1
            print(days)
        """,
        wrong=(
            """
            a, b = map(int, input().split())
            days = 0
            while a <= b:
                a *= 2
                days += 1
            print(days)
            """,
        ),
    ),
    Problem(
        name="clock-display",
        grade=2,
        task="A stopwatch has run for n seconds. Print that as hours, minutes and seconds.",
        given="One line with a whole number n, 0 <= n <= 1000000.",
        wanted="""The time as H:MM:SS: minutes and seconds always have two digits, hours as many as
            they need.""",
        public=("45296", "3671", "86399"),
        private=lambda rng: [
            "0",
            "59",
            "60",
            "3599",
            "3600",
            "1000000",
            *map(str, numbers(rng, 4, 0, 10**6)),
        ],
        solution="""
            n = int(input())
            print(f"{n // 3600}:{n // 60 % 60:02d}:{n % 60:02d}")
        """,
        wrong=(
            """
            n = int(input())
            print(f"{n // 3600 % 24}:{n // 60 % 60:02d}:{n % 60:02d}")
            """,
            """
            n = int(input())
            print(f"{n // 3600}:{n // 60 % 60:02d}:{n % 60}")
            """,
        ),
    ),
)
