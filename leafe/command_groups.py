"""The commands of `leafe env` and `leafe policy`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from leafe.command import guarded
from leafe.errors import plain

env_app = typer.Typer(no_args_is_help=True, help="Look at the environments.")


@env_app.command()
@guarded
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; all that are installed, if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    tasks: Annotated[int, typer.Option(help="Tasks to solve by known solutions.", min=1)] = 20,
    walks: Annotated[int, typer.Option(help="Random walks to replay.", min=1)] = 50,
) -> None:
    """Play environments: known solutions, exact replay, junk; say what each costs.

    The exit code is 0 only where every one passes.

    Example: [bold]leafe env check sokoban[/]
    """
    from leafe import fidelity, fidelity_table
    from leafe.results import make_room

    sys.path.insert(0, os.getcwd())  # for an environment of one's own, as for play
    wanted = fidelity_table.sections(names or [])
    environments, missing = fidelity_table.installed(wanted, names or [])
    for sentence in missing:
        print(sentence, file=sys.stderr)
    checked = [fidelity.check(world, tasks=tasks, walks=walks) for world in environments]
    if as_json:
        print(fidelity_table.as_json(checked))
    else:
        console, table = Console(), fidelity_table.as_table(checked)
        make_room(console, table)
        console.print(table)
        for one in checked:
            for fault in one.faults:
                print(plain(f"{one.name}: {fault}"), file=sys.stderr)
    if not all(one.passed for one in checked):
        raise typer.Exit(1)


policy_app = typer.Typer(no_args_is_help=True, help="Take policies out of the project.")


@policy_app.command()
@guarded
def merge(
    folder: Annotated[Path, typer.Argument(help="A policy, e.g. policies/leafe/i1.")],
    out: Annotated[Path, typer.Argument(help="The folder to write; it must not exist.")],
) -> None:
    """Write a policy as a plain checkpoint: an adapter merged into its base, safetensors.

    Whatever reads a transformers checkpoint reads it.

    Example: [bold]leafe policy merge policies/leafe/i3 exported[/]
    """
    from leafe.training.checkpoint import merge_policy

    merge_policy(folder, out)
    print(f"{folder} as a plain checkpoint: {out}")
