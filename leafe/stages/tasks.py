"""Stage `tasks`: the train and test tasks of the environment, disjoint by content."""

from __future__ import annotations

from leafe import layout
from leafe.env import Builder
from leafe.envs import make_environment
from leafe.stages.stage import Stage, run
from leafe.store import write_tasks
from leafe.task import Split, Task, check_disjoint


def main() -> None:
    """Write the tasks of both splits."""
    folder = layout.tasks("train").parent
    stage = Stage("tasks", ("env",), (), record=layout.record(folder))
    environment = make_environment(stage.params.env)
    splits: dict[Split, list[Task]] = {
        "train": environment.tasks("train"),
        "test": environment.tasks("test"),
    }
    check_disjoint(splits["train"], splits["test"])
    if isinstance(environment, Builder):
        environment.build([*splits["test"], *splits["train"]], folder)
    for split, tasks in splits.items():
        write_tasks(layout.tasks(split), tasks)
        stage.figures[f"{split}_tasks"] = len(tasks)
    made = sum(map(len, splits.values()))
    stage.publish_record(made, made, {})
    print(f"{made} tasks in {folder}")


if __name__ == "__main__":
    run(main)
