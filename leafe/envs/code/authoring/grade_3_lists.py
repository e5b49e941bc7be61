"""Grade 3, lists: loops with a state."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import counted, numbers, rows
from leafe.envs.code.authoring.problem import Problem


def _found(rng: Random, size: int, count: int) -> str:
    return rows([size, count], rng.sample(range(1, size + 1), count))


PROBLEMS = (
    Problem(
        name="longest-climb",
        grade=3,
        task="""Heights were measured along a path. Find the longest stretch of measurements next
            to each other in which each is larger than the one before.""",
        given="""The first line has n, 1 <= n <= 5000. The second line has n whole numbers, each
            from -1000 to 9000.""",
        wanted="The number of measurements in that stretch.",
        public=("6\n3 1 4 6 2 8", "3\n9 5 1"),
        private=lambda rng: [
            "1\n0",
            "4\n2 2 2 2",
            "5\n1 2 2 3 4",
            "5\n5 1 2 3 4",
            "5\n1 2 3 4 -4",
            counted(list(range(-500, 500))),
            *(counted(numbers(rng, n, 0, top)) for n, top in ((10, 5), (50, 20), (5000, 9000))),
        ],
        solution="""
            input()
            values = list(map(int, input().split()))
            best = now = 1
            for before, value in zip(values, values[1:]):
                now = now + 1 if value > before else 1
                best = max(best, now)
            print(best)
        """,
        check="""
            n = int(input())
            v = list(map(int, input().split()))
            if n > 100:
                print("skip")
            else:
                parts = [v[i:j] for i in range(n) for j in range(i + 1, n + 1)]
                print(max(len(p) for p in parts if p == sorted(set(p))))
        """,
        wrong=(
            """
            input()
            values = list(map(int, input().split()))
            best = now = 1
            for before, value in zip(values, values[1:]):
                now = now + 1 if value >= before else 1
                best = max(best, now)
            print(best)
            """,
            """
            input()
            values = list(map(int, input().split()))
            best = now = 1
            for before, value in zip(values, values[1:]):
                if value > before:
                    now += 1
                else:
                    best = max(best, now)
                    now = 1
            print(best)
            """,
        ),
    ),
    Problem(
        name="lost-tickets",
        grade=3,
        task="Tickets are numbered from 1 to n. Some were handed in. Print those that are missing.",
        given="""The first line has n and k, 1 <= n <= 1000000000, 0 <= k <= 1000, k <= n. The
            second line has the numbers of the k tickets handed in, all different, in any order; it
            is empty if k = 0.""",
        wanted="""The missing numbers, ascending, on one line: a single one as it is, two or more
            in a row as the first and the last one with a dash between them. The word none if none
            is missing.""",
        public=("10 4\n3 10 9 5", "3 3\n2 1 3"),
        private=lambda rng: [
            "1 0\n",
            "1 1\n1",
            "5 1\n1",
            "5 1\n5",
            "4 1\n2",
            "1000000000 2\n1 999999999",
            "1000000000 0\n",
            *(_found(rng, n, k) for n, k in ((9, 4), (40, 30), (1000, 900), (10**9, 1000))),
        ],
        solution="""
            n, k = map(int, input().split())
            found = sorted(map(int, input().split()))
            parts, before = [], 0
            for number in found + [n + 1]:
                first, last = before + 1, number - 1
                if first == last:
                    parts.append(str(first))
                elif first < last:
                    parts.append(f"{first}-{last}")
                before = number
            print(*parts or ["none"])
        """,
        check="""
            n, k = map(int, input().split())
            found = set(map(int, input().split()))
            if n > 10000:
                print("skip")
            elif len(found) == n:
                print("none")
            else:
                for i in range(1, n + 1):
                    if i not in found:
                        left = i == 1 or i - 1 in found
                        right = i == n or i + 1 in found
                        if left and right:
                            print(i)
                        elif left:
                            print(i, end="-")
                        elif right:
                            print(i)
        """,
        wrong=(
            """
            n, k = map(int, input().split())
            parts, before = [], 0
            for number in sorted(map(int, input().split())):
                first, last = before + 1, number - 1
                if first == last:
                    parts.append(str(first))
                elif first < last:
                    parts.append(f"{first}-{last}")
                before = number
            print(*parts or ["none"])
            """,
        ),
    ),
)
