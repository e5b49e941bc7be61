"""Grade 6, graphs: states that are more than a place, trees with many roots."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import rows
from leafe.envs.code.authoring.problem import Problem


def _roads(rng: Random, towns: int, roads: int, dearest: int) -> list[list[int]]:
    ends = (rng.sample(range(1, towns + 1), 2) for _ in range(roads))
    return [[a, b, rng.randint(1, dearest)] for a, b in ends]


def _journey(rng: Random, towns: int, roads: int, dearest: int) -> str:
    return rows([towns, roads], *_roads(rng, towns, roads, dearest))


def _village(rng: Random, houses: int, stations: int, lines: int, dearest: int) -> str:
    chosen = rng.sample(range(1, houses + 1), stations)
    return rows([houses, stations, lines], chosen, *_roads(rng, houses, lines, dearest))


def _joined_village(rng: Random, houses: int, stations: int, lines: int, dearest: int) -> str:
    """One in which no house is out of reach."""
    chosen = rng.sample(range(1, houses + 1), stations)
    tree = [[i, rng.randint(1, i - 1), rng.randint(1, dearest)] for i in range(2, houses + 1)]
    more = _roads(rng, houses, lines - len(tree), dearest)
    return rows([houses, stations, lines], chosen, *rng.sample(tree + more, lines))


PROBLEMS = (
    Problem(
        name="one-free-road",
        grade=6,
        task="""Roads between n towns can be used both ways, for a toll. You travel from town 1 to
            town n and have a ticket with which you may use one road once without paying. Find the
            smallest sum of tolls.""",
        given="""The first line has n and m, 1 <= n <= 1000, 0 <= m <= 3000. Each of the next m
            lines has two different towns and the toll of a road between them, from 1 to
            1000000. Several roads may join the same two towns.""",
        wanted="The smallest sum, or -1 if town n cannot be reached.",
        public=("4 4\n1 2 5\n2 4 4\n1 3 6\n3 4 9", "4 2\n1 2 1\n3 4 1", "4 3\n1 2 3\n2 3 9\n3 4 2"),
        private=lambda rng: [
            "1 0",
            "2 0",
            "2 1\n2 1 7",
            "4 5\n1 2 4\n2 4 4\n1 3 1\n3 4 9\n2 3 9",
            "5 5\n1 2 2\n2 5 2\n1 3 1\n3 4 50\n4 5 1",
            "2 2\n1 2 5\n1 2 3",
            *(_journey(rng, n, m, top) for n, m, top in ((5, 8, 9), (6, 12, 30), (12, 30, 99))),
            _journey(rng, 1000, 2500, 10**6),
            rows([1000, 999], *([i, i + 1, i] for i in range(1, 1000))),
        ],
        solution="""
            import heapq
            n, m = map(int, input().split())
            roads = [[] for _ in range(n + 1)]
            for _ in range(m):
                a, b, toll = map(int, input().split())
                roads[a].append((b, toll))
                roads[b].append((a, toll))
            done, queue, answer = set(), [(0, 1, 0)], -1
            while queue:
                paid, town, used = heapq.heappop(queue)
                if town == n:
                    answer = paid
                    break
                if (town, used) in done:
                    continue
                done.add((town, used))
                for to, toll in roads[town]:
                    heapq.heappush(queue, (paid + toll, to, used))
                    if not used:
                        heapq.heappush(queue, (paid, to, 1))
            print(answer)
        """,
        check="""
            n, m = map(int, input().split())
            roads = [tuple(map(int, input().split())) for _ in range(m)]
            if n > 12:
                print("skip")
                raise SystemExit
            far = 10**12

            def cheapest(roads):
                cost = [far, 0] + [far] * (n - 1)
                for _ in range(n):
                    for a, b, toll in roads:
                        cost[b] = min(cost[b], cost[a] + toll)
                        cost[a] = min(cost[a], cost[b] + toll)
                return cost[n]

            free = [roads[:i] + [(a, b, 0)] + roads[i + 1 :] for i, (a, b, _) in enumerate(roads)]
            best = min(map(cheapest, [roads, *free]))
            print(best if best < far else -1)
        """,
        wrong=(
            """
            import heapq
            n, m = map(int, input().split())
            roads = [[] for _ in range(n + 1)]
            for _ in range(m):
                a, b, toll = map(int, input().split())
                roads[a].append((b, toll))
                roads[b].append((a, toll))
            done, queue, answer = set(), [(0, 1, 0)], -1
            while queue:
                paid, town, dearest = heapq.heappop(queue)
                if town == n:
                    answer = paid - dearest
                    break
                if town in done:
                    continue
                done.add(town)
                for to, toll in roads[town]:
                    heapq.heappush(queue, (paid + toll, to, max(dearest, toll)))
            print(answer)
            """,
        ),
    ),
    Problem(
        name="power-lines",
        grade=6,
        task="""Of n houses, k have a generator. Every house needs power: from a generator of its
            own, or over lines, also through other houses. You have m offers for lines between two
            houses, with their prices. Find the lowest price at which all houses get power.""",
        given="""The first line has n, k and m, 1 <= k <= n <= 1000, 0 <= m <= 3000. The second
            line has the k houses with a generator. Each of the next m lines has two different
            houses and a price from 1 to 1000000; several offers may be for the same two houses.""",
        wanted="The lowest price of all lines together, or -1 if it cannot be done.",
        public=("3 1 3\n1\n1 2 4\n2 3 5\n1 3 9", "3 1 1\n2\n1 2 3", "2 2 1\n1 2\n1 2 8"),
        private=lambda rng: [
            "1 1 0\n1",
            "2 1 0\n2",
            "4 2 3\n1 2\n1 2 9\n2 3 5\n3 4 4",
            "4 2 3\n1 4\n1 2 7\n2 3 2\n3 4 3",
            "5 2 4\n1 5\n1 2 1\n2 3 9\n3 4 9\n4 5 1",
            "6 3 5\n1 2 3\n1 4 5\n4 2 1\n5 6 2\n3 1 9\n4 5 7",
            *(_village(rng, n, k, m, 9) for n, k, m in ((5, 2, 8), (6, 2, 10), (7, 3, 11))),
            _village(rng, 200, 20, 1500, 999),
            _joined_village(rng, 1000, 30, 3000, 10**6),
        ],
        solution="""
            n, k, m = map(int, input().split())
            head = list(range(n + 1))
            for house in map(int, input().split()):
                head[house] = 0

            def find(a):
                while head[a] != a:
                    head[a] = head[head[a]]
                    a = head[a]
                return a

            offers = [tuple(map(int, input().split())) for _ in range(m)]
            total, missing = 0, n - k
            for a, b, price in sorted(offers, key=lambda offer: offer[2]):
                a, b = find(a), find(b)
                if a != b:
                    head[max(a, b)] = min(a, b)
                    total += price
                    missing -= 1
            print(-1 if missing else total)
        """,
        check="""
            n, k, m = map(int, input().split())
            powered = list(map(int, input().split()))
            offers = [tuple(map(int, input().split())) for _ in range(m)]
            if m > 11:
                print("skip")
                raise SystemExit
            best = -1
            for chosen in range(2**m):
                lines = [offer for i, offer in enumerate(offers) if chosen >> i & 1]
                price = sum(line[2] for line in lines)
                if best >= 0 and price >= best:
                    continue
                lit = set(powered)
                for _ in range(n):
                    for a, b, _ in lines:
                        if a in lit or b in lit:
                            lit |= {a, b}
                if len(lit) == n:
                    best = price
            print(best)
        """,
        wrong=(
            """
            n, k, m = map(int, input().split())
            input()
            head = list(range(n + 1))

            def find(a):
                while head[a] != a:
                    a = head[a]
                return a

            offers = [tuple(map(int, input().split())) for _ in range(m)]
            taken = []
            for a, b, price in sorted(offers, key=lambda offer: offer[2]):
                a, b = find(a), find(b)
                if a != b:
                    head[a] = b
                    taken.append(price)
            print(sum(taken[: n - k]) if len(taken) >= n - k else -1)
            """,
        ),
    ),
)
