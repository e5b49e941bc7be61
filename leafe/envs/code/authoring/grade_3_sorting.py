"""Grade 3, lists: sets and sorting."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import counted, numbers, rows, word
from leafe.envs.code.authoring.problem import Problem


def _results(rng: Random, count: int, most: int) -> str:
    names = sorted({word(rng, 4) for _ in range(count)})
    rng.shuffle(names)
    return rows(len(names), *(f"{name} {rng.randint(0, most)}" for name in names))


def _two_lists(rng: Random, count: int, high: int) -> str:
    return rows(counted(numbers(rng, count, 0, high)), counted(numbers(rng, count, 0, high)))


PROBLEMS = (
    Problem(
        name="in-both-lists",
        grade=3,
        task="Print the numbers that are in both of two lists, each once, in ascending order.",
        given="""Four lines: the length of the first list, its numbers, the length of the second
            list, its numbers. Both lengths are from 1 to 1000, all numbers from -1000000 to
            1000000. A list may hold a number more than once.""",
        wanted="The numbers on one line, or the word none.",
        public=("3\n5 1 9\n4\n9 2 5 7", "2\n1 2\n1\n3"),
        private=lambda rng: [
            "1\n4\n1\n4",
            "3\n2 2 2\n2\n2 2",
            "3\n10 9 100\n3\n100 10 9",
            "2\n-5 5\n2\n5 -5",
            *(_two_lists(rng, n, top) for n, top in ((5, 9), (30, 40), (300, 10**6), (1000, 2000))),
        ],
        solution="""
            input()
            first = set(map(int, input().split()))
            input()
            both = first & set(map(int, input().split()))
            print(*sorted(both) if both else ["none"])
        """,
        check="""
            input()
            first = list(map(int, input().split()))
            input()
            second = list(map(int, input().split()))
            if len(first) > 300:
                print("skip")
            else:
                both = []
                for x in sorted(first):
                    if x in second and (not both or both[-1] != x):
                        both.append(x)
                print(" ".join(map(str, both)) or "none")
        """,
        wrong=(
            """
            input()
            first = list(map(int, input().split()))
            input()
            second = set(map(int, input().split()))
            print(*sorted(x for x in first if x in second) or ["none"])
            """,
        ),
    ),
    Problem(
        name="places",
        grade=3,
        task="""Put the players of a tournament in order: more points come first; with equal
            points, the name that comes first in the alphabet. A player's place is one more than
            the number of players who have more points, so that equal points share a place.""",
        given="""The first line has n, 1 <= n <= 500. Each of the next n lines has a name of 1 to
            10 small letters and the points, from 0 to 1000. All names are different.""",
        wanted="n lines, in that order, each with the place and the name.",
        public=("3\nkim 7\nada 9\nbob 7", "2\nmo 1\nlee 5"),
        private=lambda rng: [
            "1\nzoe 0",
            "3\nb 5\na 5\nc 1",
            "4\nd 2\nc 2\nb 2\na 2",
            "4\na 9\nb 9\nc 9\nd 0",
            *(_results(rng, n, most) for n, most in ((5, 2), (20, 9), (100, 1000), (500, 60))),
        ],
        solution="""
            players = []
            for _ in range(int(input())):
                name, points = input().split()
                players.append((-int(points), name))
            players.sort()
            place = 0
            for i, (points, name) in enumerate(players):
                if i == 0 or points != players[i - 1][0]:
                    place = i + 1
                print(place, name)
        """,
        check="""
            lines = [input().split() for _ in range(int(input()))]
            points = {name: int(number) for name, number in lines}
            for mark in range(1000, -1, -1):
                for name in sorted(points):
                    if points[name] == mark:
                        print(sum(p > mark for p in points.values()) + 1, name)
        """,
        wrong=(
            """
            players = []
            for _ in range(int(input())):
                name, points = input().split()
                players.append((-int(points), name))
            players.sort()
            place, before = 0, None
            for points, name in players:
                if points != before:
                    place, before = place + 1, points
                print(place, name)
            """,
        ),
    ),
)
