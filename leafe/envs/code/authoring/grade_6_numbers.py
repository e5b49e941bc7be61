"""Grade 6, numbers: dynamic programming over prefixes, stretches and digits."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import counted, numbers, rows
from leafe.envs.code.authoring.problem import Problem


def _range(rng: Random, high: int, width: int) -> str:
    first = rng.randint(1, high)
    return rows([first, first + rng.randint(0, width)])


PROBLEMS = (
    Problem(
        name="rising-towers",
        grade=6,
        task="""Towers stand in a row. Pull down as few as you can so that, from left to right,
            each of those that stay is taller than the one before it. Find how many can stay.""",
        given="""The first line has n, 1 <= n <= 12000. The second line has the n heights from left
            to right, whole numbers from 1 to 1000000.""",
        wanted="The largest number of towers that can stay.",
        public=("5\n3 1 4 2 6", "4\n9 7 4 2"),
        private=lambda rng: [
            "1\n1",
            "4\n5 5 5 5",
            "6\n1 2 2 3 3 4",
            "6\n10 1 2 9 3 4",
            "5\n1 100 2 3 4",
            *(counted(numbers(rng, n, 1, top)) for n, top in ((8, 9), (40, 30), (300, 10**6))),
            counted(numbers(rng, 12000, 1, 999)),
            counted(list(range(1, 9001))),
        ],
        solution="""
            from bisect import bisect_left
            input()
            lowest_end = []
            for height in map(int, input().split()):
                i = bisect_left(lowest_end, height)
                lowest_end[i : i + 1] = [height]
            print(len(lowest_end))
        """,
        check="""
            n = int(input())
            heights = list(map(int, input().split()))
            if n > 500:
                print("skip")
            else:
                best = []
                for i in range(n):
                    lower = [best[j] for j in range(i) if heights[j] < heights[i]]
                    best.append(1 + max(lower, default=0))
                print(max(best))
        """,
        wrong=(
            """
            from bisect import bisect_right
            input()
            lowest_end = []
            for height in map(int, input().split()):
                i = bisect_right(lowest_end, height)
                lowest_end[i : i + 1] = [height]
            print(len(lowest_end))
            """,
        ),
    ),
    Problem(
        name="neighbouring-heaps",
        grade=6,
        task="""Heaps of sand lie in a row and are to become one. Only two heaps next to each other
            can be put together, which takes as many minutes as the new heap has buckets; it lies
            where they lay. Find the smallest number of minutes in all.""",
        given="""The first line has n, 1 <= n <= 80. The second line has the n sizes in buckets
            from left to right, from 1 to 10000.""",
        wanted="The number of minutes.",
        public=("3\n1 2 6", "4\n5 5 5 5"),
        private=lambda rng: [
            "1\n9",
            "2\n4 7",
            "3\n1 9 1",
            "4\n6 4 4 6",
            "5\n1 8 1 8 1",
            *(counted(numbers(rng, n, 1, top)) for n, top in ((6, 9), (7, 30), (8, 99))),
            counted(numbers(rng, 80, 1, 10000)),
            counted(list(range(1, 81))),
        ],
        solution="""
            n = int(input())
            sizes = list(map(int, input().split()))
            upto = [0]
            for size in sizes:
                upto.append(upto[-1] + size)
            least = [[0] * (n + 1) for _ in range(n + 1)]  # of the heaps i to j - 1
            for length in range(2, n + 1):
                for i in range(n - length + 1):
                    j = i + length
                    parts = min(least[i][k] + least[k][j] for k in range(i + 1, j))
                    least[i][j] = parts + upto[j] - upto[i]
            print(least[0][n])
        """,
        check="""
            def least(heaps):
                if len(heaps) == 1:
                    return 0
                ways = []
                for i in range(len(heaps) - 1):
                    both = heaps[i] + heaps[i + 1]
                    ways.append(both + least([*heaps[:i], both, *heaps[i + 2 :]]))
                return min(ways)

            n = int(input())
            print("skip" if n > 8 else least(list(map(int, input().split()))))
        """,
        wrong=(
            """
            input()
            heaps = list(map(int, input().split()))
            minutes = 0
            while len(heaps) > 1:
                i = min(range(len(heaps) - 1), key=lambda i: heaps[i] + heaps[i + 1])
                heaps[i : i + 2] = [heaps[i] + heaps[i + 1]]
                minutes += heaps[i]
            print(minutes)
            """,
            """
            import heapq
            input()
            heaps = sorted(map(int, input().split()))
            minutes = 0
            while len(heaps) > 1:
                both = heapq.heappop(heaps) + heapq.heappop(heaps)
                minutes += both
                heapq.heappush(heaps, both)
            print(minutes)
            """,
        ),
    ),
    Problem(
        name="no-twin-digits",
        grade=6,
        task="""Count the whole numbers from a to b, both included, in which no two digits next to
            each other are equal. 7 and 4545 are such numbers, 100 is not.""",
        given="One line with a and b, 1 <= a <= b <= 1000000000000000000.",
        wanted="How many such numbers there are.",
        public=("11 20", "100 130"),
        private=lambda rng: [
            "1 1",
            "1 9",
            "11 11",
            "10 99",
            "98 102",
            "989 1010",
            "1 1000000000000000000",
            "999999999999999999 1000000000000000000",
            *(_range(rng, high, 5000) for high in (500, 10**6, 10**12)),
            rows(sorted(numbers(rng, 2, 1, 10**18))),
        ],
        solution="""
            def count(n):
                # Those from 1 to n: the shorter ones, then those that leave n's digits at place i.
                digits = str(n)
                total = sum(9**length for length in range(1, len(digits)))
                before = "0"
                for i, digit in enumerate(digits):
                    smaller = [d for d in "0123456789" if d < digit and d != before]
                    total += len(smaller) * 9 ** (len(digits) - i - 1)
                    if digit == before:
                        return total
                    before = digit
                return total + 1

            a, b = map(int, input().split())
            print(count(b) - (count(a - 1) if a > 1 else 0))
        """,
        check="""
            a, b = map(int, input().split())
            if b - a > 10000:
                print("skip")
            else:
                texts = map(str, range(a, b + 1))
                print(sum(all(x != y for x, y in zip(t, t[1:])) for t in texts))
        """,
        wrong=(
            """
            def count(n):
                digits = str(n)
                total = sum(9**length for length in range(1, len(digits)))
                before = "0"
                for i, digit in enumerate(digits):
                    smaller = [d for d in "0123456789" if d < digit and d != before]
                    total += len(smaller) * 9 ** (len(digits) - i - 1)
                    if digit == before:
                        return total
                    before = digit
                return total + 1

            a, b = map(int, input().split())
            print(count(b) - count(a))
            """,
        ),
    ),
)
