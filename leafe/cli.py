"""The command line `leafe`: run the pipeline, look at what it made, play its environment.

Nothing heavy is loaded here: `run` and `stage` become the program they start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from leafe.command import guarded
from leafe.command_groups import env_app, policy_app
from leafe.errors import BadInput, did_you_mean, show_value
from leafe.layout import LEAFE
from leafe.params import PARAMS_FILE
from leafe.task import Split

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="LEAFE: an agent that learns from going back. Run every command in the folder of the"
    " project, where [bold]params.yaml[/] is. Begin with [bold]leafe run[/].",
)


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Make a function a command of the same name."""
    return app.command()(guarded(main))


def become(module: str, *options: str) -> NoReturn:
    """Turn this process into `python -m <module>`: its signals and exit code are then ours."""
    if not Path(PARAMS_FILE).exists():
        raise BadInput(f"{PARAMS_FILE} does not exist; run this in the folder of the project")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *options])


@command
def run(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the stages, and what they may cost.")
    ] = False,
) -> None:
    """Run the whole pipeline, or what of it is out of date, and show the results.

    Interrupt it with Ctrl-C and run it again: it goes on from there.

    Example: [bold]leafe run[/]
    """
    become("flows.dry_run" if dry_run else "flows.pipeline")


@command
def compare(
    name: Annotated[
        str | None, typer.Argument(help="A comparison of comparisons.yaml; the first, if none.")
    ] = None,
) -> None:
    """Run methods side by side on a grid of parameters, and show the figures.

    Interrupt it with Ctrl-C and run it again: it goes on from there.

    Example: [bold]leafe compare[/]
    """
    become("flows.comparison", *([name] if name else []))


STAGES = sorted(
    path.stem
    for path in (Path(__file__).parent / "stages").glob("*.py")
    if "\n    run(main)" in path.read_text("utf-8")
)
"""The modules of `leafe.stages` that are programs."""


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@guarded
def stage(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(STAGES)}.", metavar="NAME")],
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Passed on to the stage; --help lists them.", metavar="STAGE_OPTION"),
    ] = None,
) -> None:
    """Run one stage alone, whether or not its inputs have changed.

    DVC does not notice: [bold]leafe run[/] is the usual way.

    Example: [bold]leafe stage rollout --iteration i1 --policy i0[/]
    """
    if name not in STAGES:
        raise BadInput(f"NAME is {show_value(name)}; {did_you_mean(name, STAGES)}")
    become(f"leafe.stages.{name}", *(options or []))


@command
def plan() -> None:
    """Write the sections plan and curves of params.yaml anew, after iterations or waves changed.

    [bold]leafe run[/] does so by itself; do it by hand before [bold]dvc repro[/].

    Example: [bold]leafe plan[/]
    """
    from leafe.plan import update_plan

    changed = update_plan(PARAMS_FILE)
    print(f"{PARAMS_FILE}: plan {'brought' if changed else 'is'} up to date")


@command
def recipe(
    file: Annotated[Path, typer.Argument(help="One of recipes/, or your own.", metavar="FILE")],
) -> None:
    """Put the parameters of a recipe into params.yaml; what it does not name stays.

    Example: [bold]leafe recipe recipes/qwen2.5-7b/alfworld.yaml[/]
    """
    from leafe.recipe import apply

    changed = apply(file)
    print(f"{PARAMS_FILE}: {', '.join(changed) or 'nothing'} changed; see leafe run --dry-run")


@command
def results() -> None:
    """Show the table: Pass@k of every iteration, and what it cost.

    Example: [bold]leafe results[/]
    """
    from leafe.results import print_results

    print_results()


@command
def tree(
    task: Annotated[
        str | None,
        typer.Argument(help="A task's id or the start of one, or first, or best.", metavar="TASK"),
    ] = None,
    iteration: Annotated[
        str | None, typer.Option(help="Whose exploration, e.g. i2; the first one's if not given.")
    ] = None,
    method: Annotated[str, typer.Option(help="Whose, e.g. grpo.")] = LEAFE,
) -> None:
    """Draw what was tried on one task: steps, feedback, where it went back, with which note.

    Without TASK it lists the tasks. [bold]best[/] is the first task that was solved by going back.

    Example: [bold]leafe tree best --iteration i1[/]
    """
    from leafe import treeview

    name, explored = treeview.read_tree(iteration, method)
    console = Console()
    if task is None:
        console.print(treeview.list_tasks(explored))
        whose = "" if method == LEAFE else f" --method {method}"
        console.print(f"Explored by {name}. One of them: leafe tree TASK --iteration {name}{whose}")
    else:
        console.print(treeview.draw(explored, treeview.find_task(explored, task)))


@command
def play(
    task: Annotated[str | None, typer.Option(help="A task's id or the start of one.")] = None,
    split: Annotated[Split, typer.Option(help="Where the task is from.")] = "train",
) -> None:
    """Play the environment yourself: type an action, read the feedback, go back with :back N.

    Example: [bold]leafe play --split test[/]
    """
    from leafe.envs import make_environment
    from leafe.params import load_params
    from leafe.play import choose_task
    from leafe.play import play as play_task

    # As for `python -m`: an environment of one's own is found in the folder of the project.
    sys.path.insert(0, os.getcwd())
    environment = make_environment(load_params(check_plan=False).env)
    chosen = choose_task(environment.tasks(split), task)
    print(f"Task {chosen.id}")
    play_task(environment, chosen, input, print)


app.add_typer(env_app, name="env")
app.add_typer(policy_app, name="policy")


if __name__ == "__main__":
    app()
