"""Grade 6, maps: where one is, and what one carries."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import grid, put, rows
from leafe.envs.code.authoring.problem import Problem


def _house(rng: Random, height: int, width: int, marks: str, letters: str) -> str:
    return rows([height, width], *put(grid(rng, height, width, letters), rng, "ST" + marks))


PROBLEMS = (
    Problem(
        name="keys-and-doors",
        grade=6,
        task="""On the map of a house, S is where you are, T is where you want to go, a full stop
            is free and # is a wall. A letter a, b, c or d is a key; you pick it up by stepping
            there, and keep it. A, B, C and D are doors: you may step there only if you have the
            key with the same letter. A step goes up, down, left or right. Find the smallest number
            of steps from S to T.""",
        given="""The first line has the number of rows and of columns, each from 1 to 30. The
            rows of the map follow. S and T are there once each, each key at most once; there may be
            many doors of a letter, also without a key.""",
        wanted="The number of steps, or -1 if there is no way.",
        public=("2 4\nS.a#\n##AT", "1 3\nSBT", "3 4\nSab.\n##.#\nT.BA"),
        private=lambda rng: [
            "1 2\nST",
            "1 5\naS.AT",
            "3 5\nS.#.a\n..A.T\n..#..",
            "3 5\nbS.AT\n###.#\na....",
            "4 7\na..S..b\n###.###\n###A###\nT..B..c",
            "3 7\ncS.d..T\n.###.#C\nD.....#",
            "5 5\nS...a\n.###.\nA.T.B\n.###.\nb....",
            *(_house(rng, h, w, m, "...#") for h, w, m in ((5, 6, "aAAA"), (7, 7, "abABB"))),
            _house(rng, 12, 12, "abcdAABBCCDD", "...#"),
            _house(rng, 30, 30, "abcd" + "ABCD" * 15, "..#"),
            rows(
                [30, 30],
                "a" + "." * 13 + "S" + "." * 14 + "b",
                *["." * 30] * 25,
                "c" + "." * 28 + "d",
                "#" * 29 + "A",
                "TDDCCBB" + "." * 23,
                "#" * 30,
            ),
        ],
        solution="""
            height, width = map(int, input().split())
            place = {}
            for r in range(height):
                for c, mark in enumerate(input().strip()):
                    if mark != "#":
                        place[r, c] = mark
            start = next(p for p in place if place[p] == "S")
            queue = [(start, frozenset())]
            steps = {queue[0]: 0}
            answer = -1
            for (r, c), keys in queue:
                if place[r, c] == "T":
                    answer = steps[(r, c), keys]
                    break
                for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                    mark = place.get(near, "A")
                    if near not in place or mark in "ABCD" and mark.lower() not in keys:
                        continue
                    state = (near, keys | {mark} if mark in "abcd" else keys)
                    if state not in steps:
                        steps[state] = steps[(r, c), keys] + 1
                        queue.append(state)
            print(answer)
        """,
        check="""
            from itertools import permutations
            height, width = map(int, input().split())
            place = {(r, c): m for r in range(height) for c, m in enumerate(input().strip())}
            spot = {mark: p for p, mark in place.items() if mark in "STabcd"}

            def walk(a, b, keys):
                steps, queue = {spot[a]: 0}, [spot[a]]
                for r, c in queue:
                    for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                        mark = place.get(near, "#")
                        shut = mark == "#" or mark.isupper() and mark not in "ST" + keys.upper()
                        if not shut and near not in steps:
                            steps[near] = steps[r, c] + 1
                            queue.append(near)
                return steps.get(spot[b], 10**9)

            best = 10**9
            keys = [key for key in "abcd" if key in spot]
            for size in range(len(keys) + 1):
                for order in permutations(keys, size):
                    stops = ["S", *order, "T"]
                    legs = zip(stops, stops[1:])
                    held = ("".join(order[:i]) for i in range(size + 1))
                    best = min(best, sum(walk(a, b, h) for (a, b), h in zip(legs, held)))
            print(best if best < 10**9 else -1)
        """,
        wrong=(
            """
            height, width = map(int, input().split())
            place = {}
            for r in range(height):
                for c, mark in enumerate(input().strip()):
                    if mark != "#":
                        place[r, c] = mark
            start = next(p for p in place if place[p] == "S")
            queue, seen, answer = [(start, "", 0)], {start}, -1
            for (r, c), keys, steps in queue:
                if place[r, c] == "T":
                    answer = steps
                    break
                for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                    if near not in place or near in seen:
                        continue
                    mark = place[near]
                    if mark in "ABCD" and mark.lower() not in keys:
                        continue
                    seen.add(near)
                    queue.append((near, keys + mark if mark in "abcd" else keys, steps + 1))
            print(answer)
            """,
        ),
    ),
)
