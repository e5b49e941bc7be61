"""What every stage does alike: check its input, keep a journal, publish, and leave a record.

A stage is a process, `python -m leafe.stages.<name>`. Bad input: one sentence, exit code 2.
Interrupted: exit code 130 (Ctrl-C) or 143 (SIGTERM), and the next run goes on from the journal.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import typer

from leafe.errors import BadInput
from leafe.journal import Journal
from leafe.params import Params, load_params
from leafe.progress import Progress
from leafe.store import write_json

SOURCES = Path(__file__).parents[1]


@dataclass
class Stage:
    """One run of one stage."""

    name: str
    """As DVC names it, e.g. `reflect@i1-w2`."""
    sections: tuple[str, ...]
    """The sections of `params.yaml` that it depends on."""
    inputs: tuple[Path, ...]
    """The files that it depends on."""
    record: Path
    """Where its record goes."""
    figures: dict[str, float] = field(default_factory=dict)
    """What it measured, for MLflow."""
    params: Params = field(default_factory=load_params)

    def fingerprint(self) -> str:
        """sha256 over the stage's name, parameters, inputs and the package's own sources."""
        whole = hashlib.sha256(self.name.encode())
        whole.update(repr(sorted(self.params.section("run", *self.sections).items())).encode())
        for path in (*self.inputs, *sorted(SOURCES.rglob("*.py"))):
            whole.update(digest(path).encode())
        return whole.hexdigest()

    def publish_record(self, taken: int, kept: int, rejected: Mapping[str, int]) -> None:
        """Write `record.json`: where the output beside it comes from. counts: in = kept + rejected.

        Raises RuntimeError where the counts do not add up.
        """
        if taken != kept + sum(rejected.values()):
            raise RuntimeError(f"{self.name}: {taken} in, but {kept} kept and {dict(rejected)}")
        write_json(
            self.record,
            {
                "stage": self.name,
                "commit": git_commit(),
                "seed": self.params.run.seed,
                "parameters": self.params.section("run", *self.sections),
                "inputs": {str(path): digest(path) for path in self.inputs},
                "counts": {"in": taken, "kept": kept, "rejected": dict(rejected)},
                "figures": self.figures,
            },
        )


def digest(path: Path) -> str:
    """sha256 of a file, or of all files of a folder with their names."""
    if path.is_dir():
        parts = sorted(p for p in path.rglob("*") if p.is_file())
        text = "\n".join(f"{p.relative_to(path)} {digest(p)}" for p in parts)
        return hashlib.sha256(text.encode()).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise BadInput(
            f"{path} does not exist; run the stage that makes it (`dvc repro`)"
        ) from error


def git_commit() -> str | None:
    """The commit checked out here; None outside a repository."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def run_units(
    stage: Stage,
    keys: Sequence[str],
    work: Callable[[str], Awaitable[Any]],
    show: Callable[[Mapping[str, Any]], str] = lambda done: "",
) -> dict[str, Any]:
    """Do every unit once, side by side, journalled; returns key -> value in the order of the keys.

    `work` returns JSON values. Units that the journal has are not done again. The journal stays
    until `finish_journal`, so that a kill before the output is published loses nothing.
    """

    async def one(journal: Journal, key: str, progress: Progress) -> None:
        journal.add(key, await work(key))
        progress.advance(show(journal.done))

    async def everything(journal: Journal) -> None:
        with Progress(stage.name, len(keys), already=journal.resumed) as progress:
            if journal.damaged:
                progress.say(f"{journal.damaged} damaged journal lines dropped, done again")
            async with asyncio.TaskGroup() as group:
                for key in keys:
                    if key not in journal.done:
                        group.create_task(one(journal, key, progress))

    with Journal(stage.name, stage.fingerprint()) as journal:
        asyncio.run(everything(journal))
        return {key: journal.done[key] for key in keys}


def finish_journal(stage: Stage) -> None:
    """Drop the journal: the output is published."""
    with Journal(stage.name, stage.fingerprint()) as journal:
        journal.forget()


def count(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, sorted by value.

    >>> count(["b", "a", "b"])
    {'a': 1, 'b': 2}
    """
    return dict(sorted(Counter(map(str, values)).items()))


def run(main: Callable[..., None]) -> NoReturn:
    """Run a stage's `main` as a program: options from the command line, errors for people."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app(standalone_mode=False)
    except BadInput as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"Error: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Interrupted; run the same command again to go on from here.", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
