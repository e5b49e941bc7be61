"""Grade 3, numbers: money, time, primes, digits."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import numbers, rows
from leafe.envs.code.authoring.problem import Problem


def _receipt(rng: Random, count: int) -> str:
    lines = (
        f"{rng.randint(1, 9)} {rng.randint(0, 99)}.{rng.randint(0, 99):02d}" for _ in range(count)
    )
    return rows(count, *lines)


def _shifts(rng: Random, count: int) -> str:
    clock = [f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}" for _ in range(2 * count)]
    return rows(count, *(f"{a} {b}" for a, b in zip(clock[::2], clock[1::2], strict=True)))


PROBLEMS = (
    Problem(
        name="shop-receipt",
        grade=3,
        task="Add up a receipt. Every line says how many pieces were bought, and what one costs.",
        given="""The first line has n, 1 <= n <= 100. Each of the next n lines has a whole number
            from 1 to 1000 and a price from 0.00 to 9999.99 with two digits behind the point.""",
        wanted="The total, with two digits behind the point.",
        public=("2\n2 3.50\n1 1.25", "1\n3 10.00"),
        private=lambda rng: [
            "1\n1 0.29",
            "1\n1 0.00",
            "1\n1 0.05",
            "3\n1 0.58\n1 1.13\n1 2.01",
            "1\n1000 9999.99",
            *(_receipt(rng, n) for n in (2, 10, 100)),
        ],
        solution="""
            cents = 0
            for _ in range(int(input())):
                pieces, price = input().split()
                cents += int(pieces) * int(price.replace(".", ""))
            print(f"{cents // 100}.{cents % 100:02d}")
        """,
        check="""
            from decimal import Decimal
            total = Decimal("0.00")
            for _ in range(int(input())):
                pieces, price = input().split()
                for _ in range(int(pieces)):
                    total += Decimal(price)
            print(total)
        """,
        wrong=(
            """
            cents = 0
            for _ in range(int(input())):
                pieces, price = input().split()
                cents += int(pieces) * int(float(price) * 100)
            print(f"{cents // 100}.{cents % 100:02d}")
            """,
        ),
    ),
    Problem(
        name="night-watch",
        grade=3,
        task="""A watchman notes when each of his shifts begins and ends. A shift may go past
            midnight. None is longer than 24 hours; where both times are the same, it was 24 hours.
            Print how long he worked in all.""",
        given="""The first line has n, 1 <= n <= 100. Each of the next n lines has two times HH:MM
            from 00:00 to 23:59: the beginning and the end of a shift.""",
        wanted="Two whole numbers: the hours, and the minutes beyond them, less than 60.",
        public=("2\n08:00 12:30\n22:15 06:00", "1\n10:59 11:00"),
        private=lambda rng: [
            "1\n07:00 07:00",
            "1\n00:00 23:59",
            "1\n00:01 00:00",
            "1\n23:59 00:00",
            "3\n12:00 12:00\n00:00 00:00\n23:00 01:00",
            *(_shifts(rng, n) for n in (2, 10, 100)),
        ],
        solution="""
            def minutes(clock):
                return 60 * int(clock[:2]) + int(clock[3:])

            total = 0
            for _ in range(int(input())):
                begin, end = map(minutes, input().split())
                total += (end - begin) % 1440 or 1440
            print(total // 60, total % 60)
        """,
        check="""
            total = 0
            for _ in range(int(input())):
                begin, end = input().split()
                h, m = map(int, begin.split(":"))
                while True:
                    total += 1
                    m += 1
                    if m == 60:
                        h, m = (h + 1) % 24, 0
                    if f"{h:02d}:{m:02d}" == end:
                        break
            print(*divmod(total, 60))
        """,
        wrong=(
            """
            total = 0
            for _ in range(int(input())):
                a, b = input().split()
                begin = 60 * int(a[:2]) + int(a[3:])
                end = 60 * int(b[:2]) + int(b[3:])
                total += (end - begin) % 1440
            print(total // 60, total % 60)
            """,
        ),
    ),
    Problem(
        name="primes-between",
        grade=3,
        task="""Count the primes from a to b, both included. A prime is a whole number above 1 that
            only 1 and itself divide.""",
        given="One line with two whole numbers a and b, 1 <= a <= b <= 200000.",
        wanted="How many primes there are.",
        public=("10 20", "24 28"),
        private=lambda rng: [
            "1 1",
            "1 10",
            "2 2",
            "4 4",
            "3 9",
            "7 11",
            "199999 200000",
            "1 200000",
            *(rows(sorted(numbers(rng, 2, 1, 3000))) for _ in range(3)),
        ],
        solution="""
            a, b = map(int, input().split())
            prime = [False, False] + [True] * (b - 1)
            for i in range(2, int(b**0.5) + 1):
                if prime[i]:
                    prime[i * i :: i] = [False] * len(prime[i * i :: i])
            print(sum(prime[a : b + 1]))
        """,
        check="""
            a, b = map(int, input().split())
            if b > 3000:
                print("skip")
            else:
                divisors = [sum(n % d == 0 for d in range(1, n + 1)) for n in range(a, b + 1)]
                print(divisors.count(2))
        """,
        wrong=(
            """
            a, b = map(int, input().split())
            count = 0
            for n in range(a, b + 1):
                for d in range(2, int(n**0.5) + 1):
                    if n % d == 0:
                        break
                else:
                    count += 1
            print(count)
            """,
            """
            a, b = map(int, input().split())
            prime = [False, False] + [True] * b
            for i in range(2, b):
                if prime[i]:
                    for k in range(i * i, b, i):
                        prime[k] = False
            print(sum(prime[a:b]))
            """,
        ),
    ),
    Problem(
        name="other-base",
        grade=3,
        task="Write a number in base b. The digits beyond 9 are a, b, c, d, e and f.",
        given="""One line with two whole numbers, not less than 0 and given in base 10: the number,
            at most 1000000000000000000, and b, 2 <= b <= 16.""",
        wanted="The number in base b, without zeros in front; zero is 0.",
        public=("10 2", "255 16"),
        private=lambda rng: [
            "0 2",
            "0 16",
            "1 3",
            "16 16",
            "8 7",
            "1000000000000000000 2",
            "1000000000000000000 15",
            *(rows([rng.randint(1, 10**n), rng.randint(2, 16)]) for n in (3, 6, 9, 18)),
        ],
        solution="""
            n, b = map(int, input().split())
            text = ""
            while n >= b:
                text = "0123456789abcdef"[n % b] + text
                n //= b
            print("0123456789abcdef"[n] + text)
        """,
        check="""
            n, b = map(int, input().split())
            power = 1
            while power * b <= n:
                power *= b
            while power:
                for digit in range(b - 1, -1, -1):
                    if digit * power <= n:
                        print(format(digit, "x"), end="")
                        n -= digit * power
                        break
                power //= b
        """,
        wrong=(
            """
            n, b = map(int, input().split())
            text = ""
            while n:
                text = "0123456789abcdef"[n % b] + text
                n //= b
            print(text)
            """,
        ),
    ),
)
