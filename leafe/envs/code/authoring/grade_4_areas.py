"""Grade 4, areas: what spans cover, and what hangs together on a map."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import grid, pairs, rows
from leafe.envs.code.authoring.problem import Problem

BILLION = 10**9


def _visits(rng: Random, count: int, latest: int) -> str:
    return rows(count, *pairs(rng, count, latest))


def _paint(rng: Random, planks: int, strokes: int, longest: int) -> str:
    begins = [rng.randint(1, planks) for _ in range(strokes)]
    spans = [[a, min(planks, a + rng.randint(0, longest))] for a in begins]
    return rows([planks, strokes], *spans)


def _map(rng: Random, height: int, width: int, letters: str) -> str:
    return rows([height, width], *grid(rng, height, width, letters))


def _snake(size: int) -> str:
    """One pool that winds through the whole map."""
    turns = ("." * size, "#" * (size - 1) + ".", "." * size, "." + "#" * (size - 1))
    return rows([size, size], *(turns[i % 4] for i in range(size)))


PROBLEMS = (
    Problem(
        name="crowded-hall",
        grade=4,
        task="""Visitors come to a hall and leave it. Who leaves at time t is not there any more at
            t, who comes at t is there. Find the largest number of visitors who are there at once,
            and the first time at which there are so many.""",
        given="""The first line has n, 1 <= n <= 2500. Each of the next n lines has two whole
            numbers: when a visitor comes and when he leaves, 0 <= come < leave <= 1000000000.""",
        wanted="The largest number, and the first time.",
        public=("3\n1 5\n2 6\n8 9", "2\n10 20\n30 40"),
        private=lambda rng: [
            "1\n0 1000000000",
            "2\n1 2\n2 3",
            "4\n0 5\n5 9\n3 5\n5 6",
            "3\n7 8\n7 8\n7 8",
            "4\n5 9\n6 9\n0 2\n1 2",
            *(_visits(rng, n, top) for n, top in ((5, 6), (30, 20), (300, 1000), (2500, BILLION))),
        ],
        solution="""
            events = []
            for _ in range(int(input())):
                come, leave = map(int, input().split())
                events += [(come, 1), (leave, -1)]
            events.sort()
            now = most = first = 0
            for time, change in events:
                now += change
                if now > most:
                    most, first = now, time
            print(most, first)
        """,
        check="""
            visits = [tuple(map(int, input().split())) for _ in range(int(input()))]
            if len(visits) > 500:
                print("skip")
            else:
                times = sorted(come for come, leave in visits)
                there = [sum(come <= t < leave for come, leave in visits) for t in times]
                print(max(there), times[there.index(max(there))])
        """,
        wrong=(
            """
            events = []
            for _ in range(int(input())):
                come, leave = map(int, input().split())
                events += [(come, 0), (leave, 1)]
            events.sort()
            now = most = first = 0
            for time, leaves in events:
                now += -1 if leaves else 1
                if now > most:
                    most, first = now, time
            print(most, first)
            """,
        ),
    ),
    Problem(
        name="bare-planks",
        grade=4,
        task="""A fence has n planks, numbered from 1. Each of q children paints all planks from l
            to r. Print how many planks nobody painted.""",
        given="""The first line has n and q, 1 <= n <= 1000000000, 0 <= q <= 2500. Each of the next
            q lines has l and r, 1 <= l <= r <= n.""",
        wanted="The number of planks without paint.",
        public=("10 2\n2 4\n7 7", "6 2\n1 4\n3 6"),
        private=lambda rng: [
            "5 0",
            "1 1\n1 1",
            "10 2\n1 9\n2 3",
            "10 3\n2 3\n1 9\n4 5",
            "9 3\n4 6\n4 6\n6 7",
            "1000000000 1\n1 999999999",
            *(_paint(rng, n, q, k) for n, q, k in ((12, 4, 5), (90, 12, 9), (5000, 300, 40))),
            _paint(rng, BILLION, 2000, 700000),
        ],
        solution="""
            n, q = map(int, input().split())
            spans = sorted(tuple(map(int, input().split())) for _ in range(q))
            bare, reached = n, 0
            for l, r in spans:
                if r > reached:
                    bare -= r - max(l - 1, reached)
                    reached = r
            print(bare)
        """,
        check="""
            n, q = map(int, input().split())
            if n > 10000:
                print("skip")
            else:
                planks = [0] * n
                for _ in range(q):
                    l, r = map(int, input().split())
                    for i in range(l - 1, r):
                        planks[i] = 1
                print(planks.count(0))
        """,
        wrong=(
            """
            n, q = map(int, input().split())
            spans = sorted(tuple(map(int, input().split())) for _ in range(q))
            bare, reached = n, 0
            for l, r in spans:
                bare -= max(0, r - max(l - 1, reached))
                reached = r
            print(bare)
            """,
        ),
    ),
    Problem(
        name="pools",
        grade=4,
        task="""On a map, a full stop is water and # is rock. Places of water that share a side
            belong to the same pool; corners do not count. Find how many pools there are, and how
            many places the largest one has.""",
        given="""The first line has the number of rows and of columns, each from 1 to 100. The rows
            of the map follow.""",
        wanted="The number of pools and the size of the largest one; 0 0 if there is no water.",
        public=("2 4\n..#.\n.##.", "1 2\n##"),
        private=lambda rng: [
            "1 1\n.",
            "2 2\n.#\n#.",
            "3 3\n#.#\n.#.\n#.#",
            "3 5\n.....\n.###.\n.....",
            "4 1\n.\n.\n#\n.",
            *(_map(rng, h, w, ".#") for h, w in ((4, 6), (9, 9), (20, 30))),
            _snake(100),
            _map(rng, 100, 100, "..#"),
        ],
        solution="""
            height, width = map(int, input().split())
            rows = [input().strip() for _ in range(height)]
            water = {(r, c) for r in range(height) for c in range(width) if rows[r][c] == "."}
            sizes = [0]
            while water:
                pool = [water.pop()]
                for r, c in pool:
                    for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                        if near in water:
                            water.remove(near)
                            pool.append(near)
                sizes.append(len(pool))
            print(len(sizes) - 1, max(sizes))
        """,
        check="""
            height, width = map(int, input().split())
            rows = [input().strip() for _ in range(height)]
            pool = {}
            for r in range(height):
                for c in range(width):
                    if rows[r][c] == ".":
                        pool[r, c] = r * width + c
            if len(pool) > 1000:
                print("skip")
                raise SystemExit
            changed = True
            while changed:
                changed = False
                for r, c in pool:
                    for near in ((r + 1, c), (r, c + 1), (r - 1, c), (r, c - 1)):
                        if pool.get(near, 10**9) < pool[r, c]:
                            pool[r, c] = pool[near]
                            changed = True
            marks = list(pool.values())
            print(len(set(marks)), max(map(marks.count, marks), default=0))
        """,
        wrong=(
            """
            height, width = map(int, input().split())
            rows = [input().strip() for _ in range(height)]
            water = {(r, c) for r in range(height) for c in range(width) if rows[r][c] == "."}
            sizes = [0]
            while water:
                pool = [water.pop()]
                for r, c in pool:
                    for near in [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                        if near in water:
                            water.remove(near)
                            pool.append(near)
                sizes.append(len(pool))
            print(len(sizes) - 1, max(sizes))
            """,
            """
            def fill(r, c):
                if not (0 <= r < height and 0 <= c < width and rows[r][c] == "."):
                    return 0
                rows[r][c] = "#"
                return 1 + fill(r + 1, c) + fill(r - 1, c) + fill(r, c + 1) + fill(r, c - 1)

            height, width = map(int, input().split())
            rows = [list(input().strip()) for _ in range(height)]
            sizes = [fill(r, c) for r in range(height) for c in range(width)]
            print(sum(size > 0 for size in sizes), max(sizes))
            """,
        ),
    ),
)
