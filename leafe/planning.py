"""What follows from methods, iterations and waves: the sections `plan` and `curves`.

DVC can neither join tables nor list files by a pattern, so both are spelled out for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from leafe import layout
from leafe.chain import ROOTS, Link, chain
from leafe.layout import BASE, LEAFE, entry
from leafe.method import METHODS

ALTERNATIVES = "alternatives"
"""The wave of Early Experience: other actions at the steps of what succeeded."""

Table = dict[str, dict[str, str]]


def waves_of(method: str, waves: Mapping[str, Link]) -> list[str]:
    """The waves of episodes that a method's iteration has, in order."""
    explores = METHODS[method].explores
    more = {"waves": chain("waves", waves, ROOTS), "alternatives": [ALTERNATIVES]}
    return [ROOTS, *more.get(explores, [])]


def make_plan(
    methods: Sequence[str], iterations: Mapping[str, Link], waves: Mapping[str, Link]
) -> dict[str, Table]:
    """The section `plan`: which stages there are, a table for each kind of them.

    `iterations` is every one; `distilled` are those that end in `sft`, `rounds` those of GRPO;
    `alternatives` and `waves` are the explorations.
    """
    plan: dict[str, Table] = {"iterations": {}, "distilled": {}, "waves": {}}
    plan |= {"alternatives": {}, "rounds": {}}
    for method in methods:
        explores = METHODS[method].explores
        for iteration in chain("iterations", iterations, BASE):
            policy = iterations[iteration].prev
            this = {"method": method, "iteration": iteration, "policy": policy}
            this["home"] = layout.home(method, policy)
            name = entry(method, iteration)
            plan["iterations"][name] = this
            plan["rounds" if explores == "rounds" else "distilled"][name] = this
            if explores == "alternatives":
                plan["alternatives"][name] = this
            for wave in chain("waves", waves, ROOTS) if explores == "waves" else ():
                both = {"wave": wave, "prev": waves[wave].prev}
                plan["waves"][entry(method, iteration, wave)] = this | both
    return plan


def make_curves(methods: Sequence[str], iterations: Mapping[str, Link]) -> dict[str, str]:
    """The section `curves`: the column to draw of every policy's file, for one plot of all."""
    paths = [layout.curve(BASE)]
    order = chain("iterations", iterations, BASE)
    paths += [layout.curve(iteration, method) for method in methods for iteration in order]
    return {str(path): "pass_at_k" for path in paths}


class StageName(NamedTuple):
    """What a stage's name says."""

    kind: str
    method: str | None
    """None for what all methods share."""
    iteration: str | None
    wave: str | None


def split_name(stage: str) -> StageName:
    """The parts of a stage's name.

    >>> tuple(split_name("reflect@i1-w2")), tuple(split_name("sft@early_experience-i1"))
    (('reflect', 'leafe', 'i1', 'w2'), ('sft', 'early_experience', 'i1', None))
    >>> tuple(split_name("evaluate_i0")), tuple(split_name("warm_start"))
    (('evaluate', None, 'i0', None), ('warm_start', None, 'i0', None))
    """
    kind, _, rest = stage.partition("@")
    if not rest:
        base = {"evaluate_i0": "evaluate", "warm_start": "warm_start"}
        return StageName(base.get(kind, kind), None, BASE if kind in base else None, None)
    method, parts = split_entry(rest)
    return StageName(kind, method, parts[0], parts[1] if len(parts) > 1 else None)


def stages_until(last: str, iterations: Mapping[str, Link], waves: Mapping[str, Link]) -> list[str]:
    """The stages that are done once `last`, an evaluation, has run: it and all before it."""
    done = ["tasks", "warm_start", "evaluate_i0"]
    method = split_name(last).method
    if method is None:
        return done
    for i in chain("iterations", iterations, BASE):
        if last in done:
            break
        done += [f"{kind}@{entry(method, i, *wave)}" for kind, *wave in _kinds(method, waves)]
    return done


def all_stages(
    methods: Sequence[str], iterations: Mapping[str, Link], waves: Mapping[str, Link]
) -> list[str]:
    """Every stage, those that all methods share first."""
    stages = dict.fromkeys(stages_until("evaluate_i0", iterations, waves))
    for method in methods:
        for iteration in iterations:
            last = f"evaluate@{entry(method, iteration)}"
            stages |= dict.fromkeys(stages_until(last, iterations, waves))
    return [*stages]


def _kinds(method: str, waves: Mapping[str, Link]) -> Iterator[tuple[str, ...]]:
    """The stages of a method's iteration in order: the kind, and the wave where it has one."""
    explores = METHODS[method].explores
    if explores == "rounds":
        yield from (("grpo",), ("evaluate",))
        return
    yield ("rollout",)
    if explores == "alternatives":
        yield ("alternatives",)
    if explores == "waves":
        for wave in chain("waves", waves, ROOTS):
            yield from (("reflect", wave), ("branch", wave))
    yield from (("filter",), ("sft",), ("evaluate",))


def split_entry(name: str) -> tuple[str, list[str]]:
    """The method and the other parts of such a name.

    >>> split_entry("i1-w2"), split_entry("grpo-i1")
    (('leafe', ['i1', 'w2']), ('grpo', ['i1']))
    """
    first, *rest = name.split("-")
    return (first, rest) if first in METHODS else (LEAFE, [first, *rest])
