"""Tests that are written as Python assertions, taken apart: the calls, and what must be true.

The calls are made in the sandbox, beside the program that is tested. What they should give stays
outside: the assertion is looked at afterwards, with the values in place of the calls.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from leafe.envs.code.problem import Test

MARK = "\x1e"
"""Begins each line in which the harness writes a value."""
HARNESS = f"""

import sys as _sys
for _call in _sys.stdin.read().split("\\n"):
    print({MARK!r} + repr(eval(_call, globals())))
"""
"""Stands after a program: makes the calls and writes down their values."""


class CannotBeKeptOut(ValueError):
    """A test that cannot be taken apart: it holds more than assertions about calls."""


def asserts_of(test: str, entry_point: str) -> list[str]:
    """The assertions of a HumanEval `check(candidate)`, with the function's own name."""
    body = next(
        (
            n.body
            for n in ast.parse(test).body
            if isinstance(n, ast.FunctionDef) and n.name == "check"
        ),
        None,
    )
    if body is None:
        raise CannotBeKeptOut("there is no function check")
    found = []
    for statement in body:
        if isinstance(statement, ast.Assert):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id == "candidate":
                    node.id = entry_point
            found.append(ast.unparse(statement))
        elif not isinstance(statement, ast.Pass | ast.Expr):
            raise CannotBeKeptOut("it holds more than assertions")
    return found


def tests_of(asserts: Sequence[str], program: str) -> list[Test]:
    """A test for every assertion that says something about a function of the program.

    >>> tests_of(["assert f(1, 2) == 3"], "def f(a, b): return a + b")
    [Test(input='f(1, 2)', output='_0 == 3')]
    """
    names = {
        n.name for n in ast.parse(program).body if isinstance(n, ast.FunctionDef | ast.ClassDef)
    }
    tests = [test for text in asserts for test in _test_of(text, names)]
    if not tests:
        raise CannotBeKeptOut("no assertion is about a function of the program")
    return tests


def _test_of(text: str, names: set[str]) -> list[Test]:
    tests = []
    for statement in ast.parse(text.strip()).body:
        if not isinstance(statement, ast.Assert):
            raise CannotBeKeptOut("it holds more than assertions")
        taker = _Taker(names)
        claim = taker.visit(statement.test)
        if _names_in(claim) & names:
            raise CannotBeKeptOut("a function is used without being called")
        if _bound_in(claim) & {name for call in taker.calls for name in _names_in(ast.parse(call))}:
            raise CannotBeKeptOut("a call hangs on a variable of the assertion")
        if taker.calls:
            tests.append(Test("\n".join(taker.calls), ast.unparse(claim)))
    return tests


def _names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _bound_in(tree: ast.AST) -> set[str]:
    """The variables that an expression has of its own, in comprehensions and lambdas."""
    stored = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    return stored | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


class _Taker(ast.NodeTransformer):
    """Takes the calls of some functions out of an expression and puts names in their place."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self.calls: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call of a function under test, arguments and all; others are gone into."""
        if isinstance(node.func, ast.Name) and node.func.id in self._names:
            self.calls.append(ast.unparse(node))
            return ast.Name(f"_{len(self.calls) - 1}", ast.Load())
        return self.generic_visit(node)


def values_of(stdout: str, count: int) -> list[str] | None:
    """The values that the harness wrote; None where it did not come so far."""
    lines = [line[1:] for line in stdout.split("\n") if line.startswith(MARK)]
    return lines[-count:] if len(lines) >= count else None


def literal(text: str) -> tuple[bool, object]:
    """(whether it is one, value) of the text of a Python literal; any text will do.

    >>> literal("[1, 'a']"), literal("<object>")
    ((True, [1, 'a']), (False, None))
    """
    try:
        return True, ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False, None


def expected_of(claim: str) -> str | None:
    """The literal that a claim `_0 == literal` expects; None for any other claim."""
    node = ast.parse(claim, mode="eval").body
    match node:
        case ast.Compare(left=ast.Name(id="_0"), ops=[ast.Eq()], comparators=[right]):
            text = ast.unparse(right)
            return text if literal(text)[0] else None
    return None


def claim_program(setup: str, values: Sequence[str], claim: str) -> str:
    """A program that fails where a claim is not true of the values; the values are literals."""
    given = "\n".join(f"_{n} = {value}" for n, value in enumerate(values))
    return f"{setup}\n{given}\nassert {claim}\n"
