"""Grade 5, graphs: walks and groups."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import grid, numbers, put, rows
from leafe.envs.code.authoring.problem import Problem


def _park(rng: Random, height: int, width: int, letters: str) -> str:
    return rows([height, width], *put(grid(rng, height, width, letters), rng, "ST"))


def _spiral(size: int) -> str:
    """A park with one long way through it, from the first row to the last."""
    turns = ("." * size, "#" * (size - 1) + ".", "." * size, "." + "#" * (size - 1))
    cells = [turns[i % 4] for i in range(size)]
    cells[0] = "S" + cells[0][1:]
    cells[-1] = cells[-1].replace(".", "T", 1)
    return rows([size, size], *cells)


def _links(rng: Random, count: int, links: int) -> str:
    return rows([count, links], *(numbers(rng, 2, 1, count) for _ in range(links)))


PROBLEMS = (
    Problem(
        name="way-through-the-park",
        grade=5,
        task="""On the map of a park, S is where you are, T is where you want to go, a full stop is
            free and # is a hedge. A step goes up, down, left or right, not through a hedge and not
            off the map. Find the smallest number of steps from S to T.""",
        given="""The first line has the number of rows and of columns, each from 1 to 60. The
            rows of the map follow; S and T are on it once each.""",
        wanted="The number of steps, or -1 if there is no way.",
        public=("3 4\nS.#.\n#..#\n#..T", "2 3\nS#T\n.#."),
        private=lambda rng: [
            "1 2\nST",
            "1 2\nTS",
            "3 3\nT..\n##.\nS..",
            "4 5\n.....\n.###.\n.S#T.\n.....",
            "3 5\nS.#..\n.##.T\n...#.",
            _spiral(9),
            *(_park(rng, h, w, "...#") for h, w in ((5, 6), (12, 12), (15, 20))),
            _spiral(60),
            _park(rng, 60, 60, "....#"),
        ],
        solution="""
            height, width = map(int, input().split())
            place = {}
            for r in range(height):
                for c, mark in enumerate(input().strip()):
                    if mark != "#":
                        place[r, c] = mark
            start = next(p for p in place if place[p] == "S")
            steps, queue = {start: 0}, [start]
            answer = -1
            for r, c in queue:
                if place[r, c] == "T":
                    answer = steps[r, c]
                for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                    if near in place and near not in steps:
                        steps[near] = steps[r, c] + 1
                        queue.append(near)
            print(answer)
        """,
        check="""
            height, width = map(int, input().split())
            place = {(r, c): m for r in range(height) for c, m in enumerate(input().strip())}
            if height * width > 400:
                print("skip")
                raise SystemExit
            far = 10**6
            steps = {p: 0 if m == "S" else far for p, m in place.items() if m != "#"}
            for _ in steps:
                for r, c in steps:
                    around = ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1))
                    best = min(steps.get(p, far) for p in around) + 1
                    steps[r, c] = min(steps[r, c], best)
            (goal,) = [p for p in steps if place[p] == "T"]
            print(steps[goal] if steps[goal] < far else -1)
        """,
        wrong=(
            """
            height, width = map(int, input().split())
            rows = [input().strip() for _ in range(height)]
            far = 10**6
            steps = [[far] * width for _ in range(height)]
            answer = -1
            for r in range(height):
                for c in range(width):
                    if rows[r][c] == "S":
                        steps[r][c] = 0
                    elif rows[r][c] != "#":
                        up = steps[r - 1][c] if r else far
                        left = steps[r][c - 1] if c else far
                        steps[r][c] = min(up, left) + 1
                    if rows[r][c] == "T" and steps[r][c] < far:
                        answer = steps[r][c]
            print(answer)
            """,
        ),
    ),
    Problem(
        name="circles-of-friends",
        grade=5,
        task="""At first, n people do not know each other. Then they make friends, two at a time.
            Two people are in one circle if they are friends, or linked by friends of friends.
            After each new friendship, tell how many circles there are; a person without friends is
            one too.""",
        given="""The first line has n and q, 1 <= n <= 1000, 1 <= q <= 1000. Each of the next q
            lines has two people from 1 to n. They may be friends already, or be the same person:
            then nothing changes.""",
        wanted="q lines, each with the number of circles.",
        public=("4 2\n1 2\n3 4", "3 2\n1 3\n3 2"),
        private=lambda rng: [
            "1 1\n1 1",
            "3 3\n1 2\n2 3\n1 3",
            "4 3\n1 2\n2 1\n3 3",
            "5 5\n1 2\n3 4\n2 3\n4 1\n5 5",
            *(_links(rng, n, q) for n, q in ((6, 8), (40, 40), (200, 300))),
            rows([1000, 999], *([i, i + 1] for i in range(1, 1000))),
        ],
        solution="""
            n, q = map(int, input().split())
            head = list(range(n + 1))

            def find(a):
                while head[a] != a:
                    head[a] = head[head[a]]
                    a = head[a]
                return a

            circles = n
            for _ in range(q):
                a, b = map(find, map(int, input().split()))
                if a != b:
                    head[a] = b
                    circles -= 1
                print(circles)
        """,
        check="""
            n, q = map(int, input().split())
            circle = list(range(n))
            for _ in range(q):
                a, b = map(int, input().split())
                if n > 500:
                    continue
                old, new = circle[a - 1], circle[b - 1]
                circle = [new if c == old else c for c in circle]
                print(len(set(circle)))
            if n > 500:
                print("skip")
        """,
        wrong=(
            """
            n, q = map(int, input().split())
            known = set()
            for _ in range(q):
                a, b = sorted(map(int, input().split()))
                if a != b and (a, b) not in known:
                    known.add((a, b))
                    n -= 1
                print(n)
            """,
            """
            n, q = map(int, input().split())
            circle = list(range(n + 1))
            for _ in range(q):
                a, b = map(int, input().split())
                circle[a] = circle[b] = min(circle[a], circle[b])
                print(len(set(circle[1:])))
            """,
        ),
    ),
)
