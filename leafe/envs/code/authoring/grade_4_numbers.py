"""Grade 4, numbers: sums that slide, counting what came before, searching by halves, stacks."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import counted, numbers, rows
from leafe.envs.code.authoring.problem import Problem

BILLION = 10**9


def _window(rng: Random, count: int, size: int, high: int) -> str:
    return rows([count, size], numbers(rng, count, -high, high))


def _pairs_to(rng: Random, count: int, wanted: int, high: int) -> str:
    return rows([count, wanted], numbers(rng, count, 0, high))


def _ropes(rng: Random, count: int, pieces: int, longest: int) -> str:
    return rows([count, pieces], numbers(rng, count, 1, longest))


PROBLEMS = (
    Problem(
        name="best-days-in-a-row",
        grade=4,
        task="""A shop notes what it gains each day; a loss is negative. Find the k days in a row
            that gained the most together. If several stretches gained the same, take the
            earliest.""",
        given="""The first line has n and k, 1 <= k <= n <= 2000. The second line has n whole
            numbers, each from -10000 to 10000.""",
        wanted="The gain of these days together, and the number of the first of them, from 1.",
        public=("5 2\n1 3 4 2 5", "4 1\n2 -1 2 9"),
        private=lambda rng: [
            "1 1\n-5",
            "4 2\n-3 -1 -2 -4",
            "5 2\n1 2 1 2 1",
            "3 3\n0 0 0",
            "4 2\n0 0 0 0",
            *(_window(rng, n, k, high) for n, k, high in ((10, 3, 2), (100, 9, 9), (300, 100, 50))),
            _window(rng, 2000, 1000, 99),
        ],
        solution="""
            n, k = map(int, input().split())
            gains = list(map(int, input().split()))
            now = best = sum(gains[:k])
            first = 1
            for i in range(k, n):
                now += gains[i] - gains[i - k]
                if now > best:
                    best, first = now, i - k + 2
            print(best, first)
        """,
        check="""
            n, k = map(int, input().split())
            gains = list(map(int, input().split()))
            if n > 1000:
                print("skip")
            else:
                sums = [sum(gains[i : i + k]) for i in range(n - k + 1)]
                print(max(sums), sums.index(max(sums)) + 1)
        """,
        wrong=(
            """
            n, k = map(int, input().split())
            gains = list(map(int, input().split()))
            best, first = 0, 1
            now = sum(gains[:k])
            for i in range(n - k + 1):
                if now > best:
                    best, first = now, i + 1
                if i + k < n:
                    now += gains[i + k] - gains[i]
            print(best, first)
            """,
        ),
    ),
    Problem(
        name="pairs-with-a-sum",
        grade=4,
        task="""Count the pairs of positions i < j in a list at which the two numbers add up to
            exactly s.""",
        given="""The first line has n and s, 1 <= n <= 12000, -1000000 <= s <= 1000000. The second
            line has n whole numbers, each from -1000000 to 1000000.""",
        wanted="The number of pairs.",
        public=("5 7\n1 6 3 4 9", "3 10\n5 1 2"),
        private=lambda rng: [
            "1 2\n1",
            "4 2\n1 1 1 1",
            "2 8\n4 4",
            "5 0\n-1 1 0 0 1",
            "3 -5\n-2 -3 -2",
            *(_pairs_to(rng, n, s, top) for n, s, top in ((10, 9, 9), (60, 30, 30), (300, 50, 99))),
            _pairs_to(rng, 12000, 999, 999),
        ],
        solution="""
            from collections import Counter
            n, s = map(int, input().split())
            before, total = Counter(), 0
            for x in map(int, input().split()):
                total += before[s - x]
                before[x] += 1
            print(total)
        """,
        check="""
            n, s = map(int, input().split())
            v = list(map(int, input().split()))
            if n > 500:
                print("skip")
            else:
                print(sum(v[i] + v[j] == s for j in range(n) for i in range(j)))
        """,
        wrong=(
            """
            n, s = map(int, input().split())
            before, total = set(), 0
            for x in map(int, input().split()):
                total += s - x in before
                before.add(x)
            print(total)
            """,
        ),
    ),
    Problem(
        name="equal-ropes",
        grade=4,
        task="""Cut ropes into pieces so that at least k pieces have the same whole length. Nothing
            can be knotted together; what is left over is thrown away. Find the largest such
            length.""",
        given="""The first line has n and k, 1 <= n <= 1000, 1 <= k <= 1000000000. The second line
            has the lengths of the n ropes, whole numbers from 1 to 1000000000.""",
        wanted="The largest length, or 0 if not even length 1 gives k pieces.",
        public=("3 4\n10 9 8", "2 9\n4 4"),
        private=lambda rng: [
            "1 1\n1",
            "1 1\n1000000000",
            "3 1\n2 50 3",
            "2 8\n4 4",
            "3 2\n1 9 9",
            "1 1000000000\n1000000000",
            *(
                _ropes(rng, n, k, top)
                for n, k, top in ((4, 9, 30), (20, 15, 500), (9, 999, BILLION))
            ),
            _ropes(rng, 1000, 123456, BILLION),
        ],
        solution="""
            n, k = map(int, input().split())
            ropes = list(map(int, input().split()))
            low, high = 0, max(ropes)
            while low < high:
                middle = (low + high + 1) // 2
                if sum(rope // middle for rope in ropes) >= k:
                    low = middle
                else:
                    high = middle - 1
            print(low)
        """,
        check="""
            # One more than the largest length costs some rope its m-th piece: it is rope // m.
            n, k = map(int, input().split())
            ropes = list(map(int, input().split()))
            if n * k > 10000:
                print("skip")
            else:
                lengths = {rope // m for rope in ropes for m in range(1, k + 1)} - {0}
                good = [x for x in lengths if sum(rope // x for rope in ropes) >= k]
                print(max(good, default=0))
        """,
        wrong=(
            """
            n, k = map(int, input().split())
            ropes = list(map(int, input().split()))
            low, high = 0, min(ropes)
            while low < high:
                middle = (low + high + 1) // 2
                if sum(rope // middle for rope in ropes) >= k:
                    low = middle
                else:
                    high = middle - 1
            print(low)
            """,
        ),
    ),
    Problem(
        name="next-taller",
        grade=4,
        task="""Trees stand in a row. For each, find how many steps to the right the nearest tree
            is that is taller than this one.""",
        given="""The first line has n, 1 <= n <= 20000. The second line has the n heights from left
            to right, whole numbers from 1 to 1000.""",
        wanted="n numbers on one line, in the same order; 0 where no tree to the right is taller.",
        public=("5\n3 1 2 5 4", "2\n8 6"),
        private=lambda rng: [
            "1\n7",
            "4\n5 5 5 6",
            "3\n2 2 2",
            "5\n1 2 3 4 5",
            "5\n9 8 7 6 10",
            *(counted(numbers(rng, n, 1, top)) for n, top in ((10, 3), (60, 9), (300, 1000))),
            counted([9] * 19999 + [8]),
        ],
        solution="""
            n = int(input())
            heights = list(map(int, input().split()))
            steps, waiting = [0] * n, []
            for i, height in enumerate(heights):
                while waiting and heights[waiting[-1]] < height:
                    j = waiting.pop()
                    steps[j] = i - j
                waiting.append(i)
            print(*steps)
        """,
        check="""
            n = int(input())
            h = list(map(int, input().split()))
            if n > 1000:
                print("skip")
            else:
                for i in range(n):
                    print(next((j - i for j in range(i + 1, n) if h[j] > h[i]), 0))
        """,
        wrong=(
            """
            n = int(input())
            heights = list(map(int, input().split()))
            steps, waiting = [0] * n, []
            for i, height in enumerate(heights):
                while waiting and heights[waiting[-1]] <= height:
                    j = waiting.pop()
                    steps[j] = i - j
                waiting.append(i)
            print(*steps)
            """,
        ),
    ),
)
