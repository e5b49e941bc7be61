"""Grade 6, choices: jobs, orders and loads."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import counted, numbers, rows
from leafe.envs.code.authoring.problem import Problem


def _jobs(rng: Random, count: int, latest: int, longest: int, best: int) -> str:
    begins = numbers(rng, count, 0, latest - longest)
    jobs = ([a, a + rng.randint(1, longest), rng.randint(1, best)] for a in begins)
    return rows(count, *jobs)


def _orders(rng: Random, count: int, longest: int, latest: int) -> str:
    return rows(count, *([rng.randint(1, longest), rng.randint(1, latest)] for _ in range(count)))


PROBLEMS = (
    Problem(
        name="paid-jobs",
        grade=6,
        task="""You are offered n jobs. Each has a beginning, an end and a pay. You can do one job
            at a time and must do it whole; a job may begin at the moment at which another ends.
            Find the largest pay that you can get in all.""",
        given="""The first line has n, 1 <= n <= 2500. Each of the next n lines has the beginning,
            the end and the pay of a job, 0 <= beginning < end <= 1000000, 1 <= pay <= 100000.""",
        wanted="The largest pay in all.",
        public=("3\n1 4 5\n3 6 9\n7 8 2", "2\n0 10 3\n2 5 8"),
        private=lambda rng: [
            "1\n0 1 1",
            "2\n1 2 3\n2 3 4",
            "3\n0 10 10\n0 5 6\n5 10 6",
            "4\n0 3 3\n2 5 4\n4 7 3\n6 9 1",
            "3\n1 2 5\n1 2 7\n1 2 6",
            *(_jobs(rng, n, 30, 9, 20) for n in (6, 9, 12)),
            _jobs(rng, 12, 12, 4, 9),
            _jobs(rng, 2500, 10**6, 9000, 10**5),
        ],
        solution="""
            from bisect import bisect_right
            jobs = [tuple(map(int, input().split())) for _ in range(int(input()))]
            jobs.sort(key=lambda job: job[1])
            ends, best = [0], [0]
            for begin, end, pay in jobs:
                with_it = best[bisect_right(ends, begin) - 1] + pay
                ends.append(end)
                best.append(max(best[-1], with_it))
            print(best[-1])
        """,
        check="""
            jobs = sorted(tuple(map(int, input().split())) for _ in range(int(input())))

            def most(i, free):
                if i == len(jobs):
                    return 0
                begin, end, pay = jobs[i]
                without = most(i + 1, free)
                return max(without, pay + most(i + 1, end)) if begin >= free else without

            print("skip" if len(jobs) > 12 else most(0, 0))
        """,
        wrong=(
            """
            jobs = [tuple(map(int, input().split())) for _ in range(int(input()))]
            done, total = [], 0
            for begin, end, pay in sorted(jobs, key=lambda job: -job[2]):
                if all(end <= b or e <= begin for b, e in done):
                    done.append((begin, end))
                    total += pay
            print(total)
            """,
            """
            from bisect import bisect_left
            jobs = [tuple(map(int, input().split())) for _ in range(int(input()))]
            jobs.sort(key=lambda job: job[1])
            ends, best = [-1], [0]
            for begin, end, pay in jobs:
                with_it = best[bisect_left(ends, begin) - 1] + pay
                ends.append(end)
                best.append(max(best[-1], with_it))
            print(best[-1])
            """,
        ),
    ),
    Problem(
        name="most-orders",
        grade=6,
        task="""A baker has n orders. Each takes a number of minutes, and is worth nothing if it is
            not ready by its time, in minutes from now. He works on one order at a time, in any
            order, and may leave orders out. Find the largest number of orders that can be ready in
            time.""",
        given="""The first line has n, 1 <= n <= 1000. Each of the next n lines has the minutes
            that an order takes and the time by which it must be ready, both from 1 to 1000000.""",
        wanted="The number of orders.",
        public=("3\n2 2\n2 4\n2 5", "2\n5 4\n1 1"),
        private=lambda rng: [
            "1\n3 3",
            "1\n4 3",
            "3\n9 9\n1 10\n1 11",
            "4\n3 9\n4 5\n4 9\n2 20",
            "3\n2 6\n5 5\n4 6",
            *(_orders(rng, n, 9, 5 * n) for n in (5, 8, 9)),
            _orders(rng, 9, 20, 40),
            _orders(rng, 1000, 2000, 10**6),
            _orders(rng, 1000, 4 * 10**4, 10**6),
        ],
        solution="""
            # In order of their times; when one is late, the longest one so far is left out.
            import heapq
            orders = [tuple(map(int, input().split())) for _ in range(int(input()))]
            taken, clock = [], 0
            for minutes, ready in sorted(orders, key=lambda order: order[1]):
                heapq.heappush(taken, -minutes)
                clock += minutes
                if clock > ready:
                    clock += heapq.heappop(taken)
            print(len(taken))
        """,
        check="""
            from itertools import accumulate, combinations
            orders = [tuple(map(int, input().split())) for _ in range(int(input()))]
            if len(orders) > 9:
                print("skip")
                raise SystemExit
            by_time = sorted(orders, key=lambda order: order[1])

            def in_time(chosen):
                clocks = accumulate(minutes for minutes, _ in chosen)
                return all(clock <= ready for clock, (_, ready) in zip(clocks, chosen))

            sizes = range(len(orders) + 1)
            print(max(k for k in sizes if any(map(in_time, combinations(by_time, k)))))
        """,
        wrong=(
            """
            orders = [tuple(map(int, input().split())) for _ in range(int(input()))]
            clock = count = 0
            for minutes, ready in sorted(orders, key=lambda order: order[1]):
                if clock + minutes <= ready:
                    clock += minutes
                    count += 1
            print(count)
            """,
            """
            orders = [tuple(map(int, input().split())) for _ in range(int(input()))]
            clock = count = 0
            for minutes, ready in sorted(orders):
                if clock + minutes <= ready:
                    clock += minutes
                    count += 1
            print(count)
            """,
        ),
    ),
    Problem(
        name="two-fair-loads",
        grade=6,
        task="""Load n boxes onto two carts so that the weights of the two loads differ as little
            as they can. All boxes must go; a cart may stay empty.""",
        given="""The first line has n, 1 <= n <= 100. The second line has the n weights, whole
            numbers from 1 to 1000.""",
        wanted="The smallest difference of the two loads.",
        public=("4\n1 5 6 10", "2\n3 8"),
        private=lambda rng: [
            "1\n7",
            "5\n3 3 2 2 2",
            "6\n8 7 6 5 4 2",
            "3\n1000 1 1",
            *(counted(numbers(rng, n, 1, top)) for n, top in ((5, 50), (9, 99), (12, 1000))),
            counted([1000] * 99),
            counted(numbers(rng, 100, 1, 1000)),
            counted([2 * n for n in numbers(rng, 99, 450, 500)]),
        ],
        solution="""
            input()
            weights = list(map(int, input().split()))
            sums = 1
            for weight in weights:
                sums |= sums << weight
            half = sum(weights) // 2
            while not sums >> half & 1:
                half -= 1
            print(sum(weights) - 2 * half)
        """,
        check="""
            from itertools import product
            n = int(input())
            weights = list(map(int, input().split()))
            if n > 12:
                print("skip")
            else:
                signs = product((1, -1), repeat=n)
                print(min(abs(sum(s * w for s, w in zip(row, weights))) for row in signs))
        """,
        wrong=(
            """
            input()
            one = two = 0
            for weight in sorted(map(int, input().split()), reverse=True):
                if one <= two:
                    one += weight
                else:
                    two += weight
            print(abs(one - two))
            """,
        ),
    ),
)
