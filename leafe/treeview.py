"""The picture of a task's exploration tree, for a terminal.

What policies and environments wrote is hostile: it is shown as text, never as markup or control.
"""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as Picture

from leafe import layout
from leafe.chain import chain
from leafe.episode import Episode, Outcome
from leafe.errors import BadInput, did_you_mean, plain, show_value, visible
from leafe.layout import BASE, LEAFE
from leafe.method import METHODS
from leafe.params import PARAMS_FILE, load_params
from leafe.planning import waves_of
from leafe.store import read_episodes
from leafe.tree import Tree, join

FIRST = "first"
"""In place of a task's id: the first task."""
BEST = "best"
"""In place of a task's id: the first task that was solved by going back."""


def read_tree(iteration: str | None, method: str = LEAFE, root: Path = Path()) -> tuple[str, Tree]:
    """An iteration (the first, if None) of a method and its exploration, as far as it has come.

    Raises BadInput for an unknown method or iteration, and for one that has not explored yet.
    """
    params = load_params(root / PARAMS_FILE, check_plan=False)
    if method not in METHODS:
        raise BadInput(f"--method is {show_value(method)}; {did_you_mean(method, METHODS)}")
    iterations = chain("iterations", params.iterations, BASE)
    if iteration is None and iterations:
        iteration = iterations[0]
    if iteration is None or iteration not in iterations:
        raise BadInput(
            f"--iteration is {show_value(iteration)}; allowed: {', '.join(iterations) or 'none'}"
            f" ({BASE} explores nothing)"
        )
    waves = waves_of(method, params.waves)
    paths = [root / layout.episodes(iteration, wave, method) for wave in waves]
    if not paths[0].exists():
        raise BadInput(f"{paths[0]} does not exist yet; `leafe run` makes it")
    return iteration, join(read_episodes(path) for path in paths if path.exists())


def find_task(tree: Tree, wanted: str) -> str:
    """The id of the task that is wanted: by id, by the start of one, or by a word for it."""
    tasks = tree.tasks()
    if wanted == FIRST and tasks:
        return tasks[0]
    if wanted == BEST:
        tasks = tuple(e.task_id for e in tree.episodes if e.parent and is_solved(e))[:1]
        if not tasks:
            raise BadInput(f"no task was solved by going back; allowed: {FIRST}, or a task's id")
        return tasks[0]
    found = [task for task in tasks if task.startswith(wanted)]
    if len(found) != 1:
        count = f"{len(found)} tasks start so" if found else "no task starts so"
        raise BadInput(
            f"TASK is {show_value(wanted)}, but {count}; allowed: {FIRST}, {BEST}, or an id that"
            " `leafe tree` lists, or the start of one"
        )
    return found[0]


def is_solved(episode: Episode) -> bool:
    """Whether the attempt reached the goal."""
    return episode.outcome is Outcome.SOLVED


def list_tasks(tree: Tree) -> Table:
    """All tasks with what came of them, to choose one from."""
    table = Table("task", "attempts", "solved", "by going back", box=box.SIMPLE_HEAD, expand=True)
    table.add_column("what was asked", ratio=1, overflow="ellipsis", no_wrap=True)
    table.columns[0].no_wrap = True
    for column in table.columns[1:4]:
        column.justify = "right"
    for task in tree.tasks():
        episodes = tree.of_task(task).episodes
        solved = [episode for episode in episodes if is_solved(episode)]
        counts = (len(episodes), len(solved), sum(e.parent is not None for e in solved))
        asked = plain(tree.first_observation(episodes[0]))
        table.add_row(Text(plain(task)), *map(str, counts), Text(asked))
    return table


def draw(tree: Tree, task: str) -> Picture:
    """One task's attempts: steps and feedback, and each branch at the step it left."""
    part = tree.of_task(task)
    numbers = {episode.id: n for n, episode in enumerate(part.episodes, start=1)}
    roots = [episode for episode in part.episodes if episode.parent is None]
    picture = Picture(Text(f"task {plain(task)}", "bold"), guide_style="dim")
    if roots:
        picture.add(Text(visible(part.first_observation(roots[0]))))
    for episode in roots:
        _add_attempt(picture, part, episode, numbers)
    return picture


def _add_attempt(place: Picture, tree: Tree, episode: Episode, numbers: dict[str, int]) -> None:
    node = place.add(_attempt_label(episode, numbers[episode.id]))
    if episode.experience is not None:
        node.add(Text.assemble(("note: ", "cyan"), visible(episode.experience)))
    start = episode.rollback_step or 0
    steps = {}
    for number, step in enumerate(episode.steps, start=start):
        label = Text.assemble(
            (f"step {number} ", "dim"), (visible(step.action), "bold"), "\n", visible(step.feedback)
        )
        steps[number] = node.add(label)
    for branch in tree.branches(episode):
        # A branch may go back further than where this attempt itself began.
        left = steps.get(branch.rollback_step or 0, node)
        _add_attempt(left, tree, branch, numbers)


def _attempt_label(episode: Episode, number: int) -> Text:
    style = "green" if is_solved(episode) else "yellow"
    style = style if not episode.outcome.is_infrastructure else "red"
    back = "" if episode.parent is None else f" back to step {episode.rollback_step}"
    error = f" ({plain(episode.error)})" if episode.error else ""
    return Text.assemble(
        (f"attempt {number}", "bold"), f"{back}: ", (f"{episode.outcome}{error}", style)
    )
