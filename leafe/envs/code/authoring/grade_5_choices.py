"""Grade 5, greedy choices with a heap or a sort."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import counted, numbers, pairs, rows
from leafe.envs.code.authoring.problem import Problem


def _steps(rng: Random, count: int, rules: int) -> str:
    """Rules that some order of the steps keeps."""
    order = rng.sample(range(1, count + 1), count)
    found = [sorted(rng.sample(range(count), 2)) for _ in range(rules)]
    return rows([count, rules], *([order[a], order[b]] for a, b in found))


def _talks(rng: Random, count: int, latest: int) -> str:
    return rows(count, *pairs(rng, count, latest))


def _short_talks(rng: Random, count: int, latest: int, longest: int) -> str:
    begins = numbers(rng, count, 0, latest)
    return rows(count, *([a, a + rng.randint(1, longest)] for a in begins))


PROBLEMS = (
    Problem(
        name="order-of-steps",
        grade=5,
        task="""A recipe has n steps, numbered from 1, and rules that say which step has to come
            before which other. Whenever several steps could come next, take the one with the
            smallest number. Print the order of the steps.""",
        given="""The first line has n and m, 1 <= n <= 2000, 0 <= m <= 4000. Each of the next m
            lines has two different steps a and b: a comes before b. A rule may be there twice.""",
        wanted="The steps in order, on one line; the word stuck if no order keeps all rules.",
        public=("4 3\n3 1\n1 4\n3 2", "2 2\n1 2\n2 1"),
        private=lambda rng: [
            "1 0",
            "3 0",
            "3 3\n1 2\n1 2\n1 2",
            "5 2\n1 2\n5 3",
            "4 2\n4 1\n3 2",
            "5 3\n1 5\n2 3\n3 2",
            "6 4\n1 4\n2 3\n3 6\n4 5",
            *(_steps(rng, n, m) for n, m in ((6, 5), (30, 25), (100, 200), (2000, 4000))),
        ],
        solution="""
            import heapq
            n, m = map(int, input().split())
            after, open_rules = [[] for _ in range(n + 1)], [0] * (n + 1)
            for _ in range(m):
                a, b = map(int, input().split())
                after[a].append(b)
                open_rules[b] += 1
            ready = [step for step in range(1, n + 1) if not open_rules[step]]
            order = []
            while ready:
                step = heapq.heappop(ready)
                order.append(step)
                for b in after[step]:
                    open_rules[b] -= 1
                    if not open_rules[b]:
                        heapq.heappush(ready, b)
            print(*order if len(order) == n else ["stuck"])
        """,
        check="""
            n, m = map(int, input().split())
            rules = [tuple(map(int, input().split())) for _ in range(m)]
            left, order = list(range(1, n + 1)), []
            if n > 200:
                print("skip")
                raise SystemExit
            while left:
                waits = {b for a, b in rules if a in left}
                ready = [step for step in left if step not in waits]
                if not ready:
                    order = ["stuck"]
                    break
                order.append(min(ready))
                left.remove(min(ready))
            print(*order)
        """,
        wrong=(
            """
            from collections import deque
            n, m = map(int, input().split())
            after, open_rules = [[] for _ in range(n + 1)], [0] * (n + 1)
            for _ in range(m):
                a, b = map(int, input().split())
                after[a].append(b)
                open_rules[b] += 1
            ready = deque(step for step in range(1, n + 1) if not open_rules[step])
            order = []
            while ready:
                step = ready.popleft()
                order.append(step)
                for b in sorted(after[step]):
                    open_rules[b] -= 1
                    if not open_rules[b]:
                        ready.append(b)
            print(*order if len(order) == n else ["stuck"])
            """,
        ),
    ),
    Problem(
        name="one-big-heap",
        grade=5,
        task="""Heaps of gravel are to become one. To put two heaps together takes as many minutes
            as the new heap has buckets. Any two heaps can be next. Find the smallest number of
            minutes in all.""",
        given="""The first line has n, 1 <= n <= 2000. The second line has the n sizes in buckets,
            from 1 to 10000.""",
        wanted="The number of minutes.",
        public=("3\n4 1 2", "4\n1 2 4 8"),
        private=lambda rng: [
            "1\n5",
            "2\n3 3",
            "4\n3 3 3 3",
            "5\n1 1 1 1 1",
            "6\n5 6 7 8 9 10",
            *(counted(numbers(rng, n, 1, top)) for n, top in ((5, 9), (30, 30), (300, 10000))),
            counted(numbers(rng, 2000, 1, 9999)),
        ],
        solution="""
            import heapq
            input()
            heaps = list(map(int, input().split()))
            heapq.heapify(heaps)
            minutes = 0
            while len(heaps) > 1:
                both = heapq.heappop(heaps) + heapq.heappop(heaps)
                minutes += both
                heapq.heappush(heaps, both)
            print(minutes)
        """,
        check="""
            from functools import cache

            @cache
            def least(heaps):
                if len(heaps) == 1:
                    return 0
                ways = []
                for i in range(len(heaps)):
                    for j in range(i):
                        rest = [h for k, h in enumerate(heaps) if k not in (i, j)]
                        both = heaps[i] + heaps[j]
                        ways.append(both + least(tuple(sorted([*rest, both]))))
                return min(ways)

            n = int(input())
            print("skip" if n > 6 else least(tuple(sorted(map(int, input().split())))))
        """,
        wrong=(
            """
            input()
            first, *rest = sorted(map(int, input().split()))
            minutes = 0
            for size in rest:
                first += size
                minutes += first
            print(minutes)
            """,
        ),
    ),
    Problem(
        name="most-talks",
        grade=5,
        task="""You have the programme of a meeting and want to hear as many talks as you can, each
            from its beginning to its end. You cannot hear two at once, but a talk may begin at the
            moment at which the one before ends. Find the largest number of talks.""",
        given="""The first line has n, 1 <= n <= 3000. Each of the next n lines has the beginning
            and the end of a talk, 0 <= beginning < end <= 1000000.""",
        wanted="The number of talks.",
        public=("3\n1 3\n2 4\n5 6", "2\n0 9\n3 5"),
        private=lambda rng: [
            "1\n0 1",
            "2\n1 2\n2 3",
            "3\n1 6\n5 8\n7 12",
            "4\n0 100\n1 2\n2 3\n50 99",
            "3\n4 5\n4 5\n4 5",
            *(_talks(rng, n, top) for n, top in ((6, 8), (12, 30), (300, 1000))),
            _short_talks(rng, 12, 40, 9),
            _short_talks(rng, 3000, 900000, 5000),
        ],
        solution="""
            talks = [tuple(map(int, input().split())) for _ in range(int(input()))]
            free = heard = 0
            for begin, end in sorted(talks, key=lambda talk: talk[1]):
                if begin >= free:
                    heard += 1
                    free = end
            print(heard)
        """,
        check="""
            talks = sorted(tuple(map(int, input().split())) for _ in range(int(input())))
            if len(talks) > 400:
                print("skip")
            else:
                best = []
                for begin, end in talks:
                    before = [b for b, (_, e) in zip(best, talks) if e <= begin]
                    best.append(1 + max(before, default=0))
                print(max(best))
        """,
        wrong=(
            """
            talks = [tuple(map(int, input().split())) for _ in range(int(input()))]
            heard = []
            for begin, end in sorted(talks, key=lambda talk: talk[1] - talk[0]):
                if all(end <= b or e <= begin for b, e in heard):
                    heard.append((begin, end))
            print(len(heard))
            """,
            """
            talks = [tuple(map(int, input().split())) for _ in range(int(input()))]
            free, heard = -1, 0
            for begin, end in sorted(talks, key=lambda talk: talk[1]):
                if begin > free:
                    heard += 1
                    free = end
            print(heard)
            """,
        ),
    ),
)
