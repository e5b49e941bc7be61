"""Grade 5, plain dynamic programming."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import rows, word
from leafe.envs.code.authoring.problem import Problem


def _values(rng: Random, amount: int, count: int, high: int) -> str:
    return rows([amount, count], rng.sample(range(1, high + 1), count))


PROBLEMS = (
    Problem(
        name="ways-to-pay",
        grade=5,
        task="""A land has n kinds of coins, and as many coins of each kind as you like. In how
            many ways can you pay an amount exactly? What counts is how many coins of each kind you
            use, not their order. To pay nothing there is one way.""",
        given="""The first line has the amount and n, 0 <= amount <= 2000, 1 <= n <= 20. The second
            line has the n values of the coins, all different, from 1 to 2000.""",
        wanted="The number of ways.",
        public=("4 2\n2 3", "7 1\n2", "6 2\n6 3"),
        private=lambda rng: [
            "0 1\n5",
            "5 2\n1 2",
            "5 2\n2 1",
            "10 3\n7 3 10",
            "1 1\n2",
            "2000 1\n1",
            *(_values(rng, a, n, top) for a, n, top in ((12, 3, 6), (30, 5, 9), (50, 6, 30))),
            "2000 20\n" + rows(list(range(1, 21))),
        ],
        solution="""
            amount, n = map(int, input().split())
            ways = [1] + [0] * amount
            for coin in map(int, input().split()):
                for total in range(coin, amount + 1):
                    ways[total] += ways[total - coin]
            print(ways[amount])
        """,
        check="""
            amount, n = map(int, input().split())
            coins = list(map(int, input().split()))

            def ways(left, i):
                if i == n:
                    return left == 0
                return sum(ways(left - k, i + 1) for k in range(0, left + 1, coins[i]))

            print("skip" if amount > 60 else int(ways(amount, 0)))
        """,
        wrong=(
            """
            amount, n = map(int, input().split())
            coins = list(map(int, input().split()))
            ways = [1] + [0] * amount
            for total in range(1, amount + 1):
                for coin in coins:
                    if coin <= total:
                        ways[total] += ways[total - coin]
            print(ways[amount])
            """,
        ),
    ),
    Problem(
        name="fewest-stamps",
        grade=5,
        task="""A letter needs stamps worth exactly a given postage. There are n kinds of stamps,
            as many of each as you like. Find the smallest number of stamps that will do.""",
        given="""The first line has the postage and n, 1 <= postage <= 10000, 1 <= n <= 12. The
            second line has the n values, all different, from 1 to 10000.""",
        wanted="The number of stamps, or -1 if the postage cannot be made up exactly.",
        public=("12 3\n1 5 10", "7 2\n2 4", "9 2\n4 5"),
        private=lambda rng: [
            "1 1\n1",
            "6 3\n1 3 4",
            "12 3\n9 6 1",
            "3 2\n5 4",
            "8 2\n5 4",
            "10000 1\n1",
            *(_values(rng, p, n, top) for p, n, top in ((40, 3, 20), (300, 4, 90), (9999, 5, 700))),
            "10000 12\n" + rows(list(range(301, 325, 2))),
        ],
        solution="""
            postage, n = map(int, input().split())
            values = list(map(int, input().split()))
            none = postage + 1
            fewest = [0] + [none] * postage
            for total in range(1, postage + 1):
                for value in values:
                    if value <= total and fewest[total - value] + 1 < fewest[total]:
                        fewest[total] = fewest[total - value] + 1
            print(fewest[postage] if fewest[postage] < none else -1)
        """,
        check="""
            postage, n = map(int, input().split())
            values = list(map(int, input().split()))
            reached, new, stamps = {0}, {0}, 0
            while new and postage not in reached:
                new = {a + v for a in new for v in values if a + v <= postage} - reached
                reached |= new
                stamps += 1
            print(stamps if postage in reached else -1)
        """,
        wrong=(
            """
            postage, n = map(int, input().split())
            stamps = 0
            for value in sorted(map(int, input().split()), reverse=True):
                stamps += postage // value
                postage %= value
            print(-1 if postage else stamps)
            """,
        ),
    ),
    Problem(
        name="shared-tune",
        grade=5,
        task="""Two tunes are written as letters, one for each note. Notes may be left out of both,
            but not moved, until the same tune is left of each. Find the largest number of notes
            that can be left.""",
        given="Two lines, each with 1 to 600 small letters.",
        wanted="The number of notes.",
        public=("abcde\naxcye", "xyz\nabc", "dodo\ndodo"),
        private=lambda rng: [
            "a\na",
            "a\nb",
            "xabc\nabcx",
            "aaaa\naa",
            "abab\nbaba",
            *(
                rows(word(rng, n, "abc"), word(rng, m, "abc"))
                for n, m in ((7, 9), (12, 10), (9, 30))
            ),
            rows(word(rng, 600, "abcdefg"), word(rng, 600, "abcdefg")),
            rows("a" * 600, "a" * 599 + "b"),
        ],
        solution="""
            first, second = input().strip(), input().strip()
            best = [0] * (len(second) + 1)
            for a in first:
                before = best
                best = [0]
                for i, b in enumerate(second):
                    best.append(before[i] + 1 if a == b else max(best[i], before[i + 1]))
            print(best[-1])
        """,
        check="""
            from itertools import combinations
            first, second = sorted((input().strip(), input().strip()), key=len)
            if len(first) > 12:
                print("skip")
                raise SystemExit
            for size in range(len(first), -1, -1):
                for notes in combinations(first, size):
                    rest = iter(second)
                    if all(note in rest for note in notes):
                        print(size)
                        raise SystemExit
        """,
        wrong=(
            """
            first, second = input().strip(), input().strip()
            at = count = 0
            for note in first:
                found = second.find(note, at)
                if found >= 0:
                    count += 1
                    at = found + 1
            print(count)
            """,
            """
            from collections import Counter
            print(sum((Counter(input().strip()) & Counter(input().strip())).values()))
            """,
        ),
    ),
)
