"""Grade 4, texts: brackets, formulas, logs."""

from __future__ import annotations

from random import Random

from leafe.envs.code.authoring.draw import rows, word
from leafe.envs.code.authoring.problem import Problem


def _brackets(rng: Random, pairs: int) -> str:
    """Brackets that all close as they should."""
    text, left, waiting = "", pairs, ""
    while left or waiting:
        if left and (not waiting or rng.random() < 0.5):
            kind = rng.choice(("()", "[]", "{}"))
            text, waiting, left = text + kind[0], waiting + kind[1], left - 1
        else:
            text, waiting = text + waiting[-1], waiting[:-1]
    return text


def _spoilt(rng: Random, pairs: int) -> str:
    """Such brackets with another one in one place."""
    text = _brackets(rng, pairs)
    place = rng.randrange(len(text))
    return text[:place] + rng.choice("()[]{}") + text[place + 1 :]


def _formula(rng: Random, count: int, high: int) -> str:
    text = str(rng.randint(0, high))
    for _ in range(count - 1):
        text += rng.choice("+-*") + str(rng.randint(0, high))
    return text


def _log(rng: Random, count: int) -> str:
    lines = []
    for _ in range(count):
        kind = rng.choice(("add", "add", "drop", "undo"))
        more = {"add": f" {word(rng, 3)}", "drop": f" {rng.randint(0, 4)}", "undo": ""}[kind]
        lines.append(kind + more)
    return rows(count, *lines)


PROBLEMS = (
    Problem(
        name="first-bad-bracket",
        grade=4,
        task="""Check a line of brackets. Each closing bracket must close the bracket opened last
            among those that are still open, and be of its kind; at the end none may be open. Find
            the first position at which it is clear that this fails: a bracket that breaks the
            rule, or, if there is none but some stay open, the position behind the last one.""",
        given="One line with 1 to 10000 characters, each one of ()[]{}.",
        wanted="The position, counted from 1, or the word ok.",
        public=("([]{})", "(]", "())("),
        private=lambda rng: [
            "(",
            ")",
            "([)]",
            "[]{",
            "()" * 50 + "}",
            *(_spoilt(rng, n) for n in (3, 9, 40)),
            _brackets(rng, 60),
            "(" * 10000,
            _brackets(rng, 5000),
        ],
        solution="""
            text = input().strip()
            closing = {"(": ")", "[": "]", "{": "}"}
            waiting = []
            for i, c in enumerate(text, 1):
                if c in closing:
                    waiting.append(closing[c])
                elif not waiting or waiting.pop() != c:
                    print(i)
                    break
            else:
                print(len(text) + 1 if waiting else "ok")
        """,
        check="""
            def rest(text):
                before = None
                while before != text:
                    before = text
                    for pair in ("()", "[]", "{}"):
                        text = text.replace(pair, "")
                return text

            text = input().strip()
            if len(text) > 200:
                print("skip")
            else:
                bad = [n for n in range(1, len(text) + 1) if set(rest(text[:n])) & set(")]}")]
                print(bad[0] if bad else len(text) + 1 if rest(text) else "ok")
        """,
        wrong=(
            """
            text = input().strip()
            kind = {"(": 0, ")": 0, "[": 1, "]": 1, "{": 2, "}": 2}
            still = [0, 0, 0]
            for i, c in enumerate(text, 1):
                still[kind[c]] += 1 if c in "([{" else -1
                if min(still) < 0:
                    print(i)
                    break
            else:
                print(len(text) + 1 if any(still) else "ok")
            """,
            """
            text = input().strip()
            closing = {"(": ")", "[": "]", "{": "}"}
            waiting = []
            for i, c in enumerate(text, 1):
                if c in closing:
                    waiting.append(closing[c])
                elif not waiting or waiting.pop() != c:
                    print(i)
                    break
            else:
                print("ok")
            """,
        ),
    ),
    Problem(
        name="small-calculator",
        grade=4,
        task="""Work out a formula of whole numbers with +, - and *. Products come before sums and
            differences; apart from that, work from left to right.""",
        given="""One line without spaces: 1 to 50 whole numbers from 0 to 1000, without zeros in
            front, and one of + - * between two of them.""",
        wanted="The result.",
        public=("2*3+4", "10-2-3"),
        private=lambda rng: [
            "0",
            "2+3*4",
            "1-2*3",
            "5*0-1",
            "8-3*2*1-4",
            "*".join(["1000"] * 50),
            *(_formula(rng, n, top) for n, top in ((4, 9), (9, 9), (20, 99), (50, 1000))),
        ],
        solution="""
            total = 0
            for term in input().strip().replace("-", "+-").split("+"):
                value = -1 if term[0] == "-" else 1
                for factor in term.lstrip("-").split("*"):
                    value *= int(factor)
                total += value
            print(total)
        """,
        check="print(eval(input()))",
        wrong=(
            """
            import re
            first, *rest = re.findall("[0-9]+|[-+*]", input())
            total = int(first)
            for sign, number in zip(rest[::2], rest[1::2]):
                if sign == "+":
                    total += int(number)
                elif sign == "-":
                    total -= int(number)
                else:
                    total *= int(number)
            print(total)
            """,
        ),
    ),
    Problem(
        name="editor-log",
        grade=4,
        task="""A text, empty at first, is changed by commands. "add w" puts the word w at its end.
            "drop k" takes away its last k letters, or all if there are fewer. "undo" takes back
            the last add or drop that is not taken back yet; if there is none, it does nothing.""",
        given="""The first line has n, 1 <= n <= 1000. Each of the next n lines has a command; w
            has 1 to 10 small letters, 0 <= k <= 10000.""",
        wanted="The text at the end, or the word EMPTY.",
        public=("4\nadd hello\ndrop 2\nadd p\nundo", "2\nadd ab\ndrop 5"),
        private=lambda rng: [
            "1\nundo",
            "2\nadd abc\ndrop 0",
            "3\nadd a\nundo\nundo",
            "5\nadd x\nadd y\nundo\nundo\nadd z",
            "5\nadd one\ndrop 1\ndrop 0\nundo\nundo",
            "4\ndrop 3\nadd q\nundo\nundo",
            *(_log(rng, n) for n in (8, 40, 200, 1000)),
        ],
        solution="""
            texts = [""]
            for _ in range(int(input())):
                command, *more = input().split()
                if command == "add":
                    texts.append(texts[-1] + more[0])
                elif command == "drop":
                    texts.append(texts[-1][: max(0, len(texts[-1]) - int(more[0]))])
                elif len(texts) > 1:
                    texts.pop()
            print(texts[-1] or "EMPTY")
        """,
        check="""
            valid = []
            for _ in range(int(input())):
                line = input()
                if line != "undo":
                    valid.append(line.split())
                else:
                    valid = valid[:-1]
            letters = []
            for command, what in valid:
                if command == "add":
                    letters.extend(what)
                else:
                    for _ in range(min(int(what), len(letters))):
                        letters.pop()
            print("".join(letters) if letters else "EMPTY")
        """,
        wrong=(
            """
            texts = [""]
            for _ in range(int(input())):
                command, *more = input().split()
                if command == "add":
                    texts.append(texts[-1] + more[0])
                elif command == "drop":
                    texts.append(texts[-1][: -int(more[0])])
                elif len(texts) > 1:
                    texts.pop()
            print(texts[-1] or "EMPTY")
            """,
            """
            text = before = ""
            for _ in range(int(input())):
                command, *more = input().split()
                if command == "undo":
                    text = before
                    continue
                before = text
                if command == "add":
                    text += more[0]
                else:
                    text = text[: max(0, len(text) - int(more[0]))]
            print(text or "EMPTY")
            """,
        ),
    ),
)
