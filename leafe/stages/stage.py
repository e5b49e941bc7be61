"""What every stage does alike: check its input, keep a journal, publish, and leave a record.

A stage is a process, `python -m leafe.stages.<name>`. Bad input: one sentence, exit code 2.
Interrupted: exit code 130 (Ctrl-C) or 143 (SIGTERM), and the next run goes on from the journal.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer

from leafe import layout
from leafe.command import guarded
from leafe.commit import git_commit
from leafe.engine import Engine
from leafe.errors import BadInput
from leafe.journal import Journal
from leafe.lock import hold
from leafe.params import Params, load_params
from leafe.progress import Progress
from leafe.stages.checks import check_names, check_writable
from leafe.store import write_json
from leafe.training.adapter import base_of, is_adapter

BEGAN = time.monotonic()
"""When this process did, nearly: the heavy libraries are loaded later."""
SOURCES = Path(__file__).parents[1]
LOCKS = Path(".leafe") / "locks"


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
    method: str | None = None
    """Whose stage it is, its overrides in `params`; None for what all methods share."""
    params: Params = field(init=False)

    def __post_init__(self) -> None:
        """Keep other processes from running this stage here; BadInput where one does."""
        params = load_params()
        self.params = params if self.method is None else params.of(self.method)
        check_writable()
        bases = {base_of(path) for path in self.inputs if is_adapter(path)}  # inputs as well
        self.inputs += tuple(bases - {*self.inputs})
        self._lock = hold(LOCKS / f"{self.name.replace('@', '-')}.lock", self.name)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the stage's name, parameters, inputs and the sources that it runs."""
        parameters = self.params.section("run", *self.sections)
        whole = hashlib.sha256(self.name.encode())
        whole.update(repr(sorted(parameters.items())).encode())
        sources = [path for kind in ("*.py", "*.txt") for path in SOURCES.rglob(kind)]
        for path in (*self.inputs, *sorted(sources), *named_files(parameters)):
            whole.update(digest(path).encode())
        return whole.hexdigest()

    def publish_record(self, taken: int, kept: int, rejected: Mapping[str, int]) -> None:
        """Write `record.json`: where the output beside it comes from; and show it in MLflow.

        To be called once all else is written. Counts: in = kept + rejected.

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
        took = layout.seconds(self.name)
        took.parent.mkdir(parents=True, exist_ok=True)
        took.write_text(f"{time.monotonic() - BEGAN:.1f}\n")
        if os.environ.get("LEAFE_TRACKING") != "flow":  # a flow shows its stages itself
            from leafe.tracking import log_alone

            log_alone(self.name)


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


def named_files(value: Any) -> Iterator[Path]:
    """The files that parameters name: by their path, or as the `module:` of a class."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from named_files(inner)
    elif isinstance(value, str):
        module, colon, _ = value.partition(":")
        spec = importlib.util.find_spec(module) if colon and module else None
        path = Path(spec.origin if spec and spec.origin else value)
        if path.is_file():
            yield path


def run_units(
    stage: Stage,
    keys: Sequence[str],
    work: Callable[[str], Awaitable[Any]],
    show: Callable[[Mapping[str, Any]], str] = lambda done: "",
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Do every unit once, side by side, journalled; returns key -> value in the order of the keys.

    `work` returns JSON values. Units that the journal has are not done again. The journal stays
    until `finish_journal`, so that a kill before the output is published loses nothing. An
    `engine` is closed at the end.
    """

    async def one(journal: Journal, key: str, progress: Progress) -> None:
        journal.add(key, await work(key))
        progress.advance(show(journal.done))

    async def everything(journal: Journal) -> None:
        with Progress(stage.name, len(keys), already=journal.resumed) as progress:
            if journal.damaged:
                progress.say(f"{journal.damaged} damaged journal lines dropped, done again")
            async with in_use(engine), asyncio.TaskGroup() as group:
                for key in keys:
                    if key not in journal.done:
                        group.create_task(one(journal, key, progress))

    with Journal(stage.name, stage.fingerprint) as journal:
        asyncio.run(everything(journal))
        return {key: journal.done[key] for key in keys}


@asynccontextmanager
async def in_use(engine: Engine | None) -> AsyncIterator[None]:
    """Close an engine at the end."""
    try:
        yield
    finally:
        if engine is not None:
            await engine.close()


def finish_journal(stage: Stage) -> None:
    """Drop the journal: the output is published."""
    with Journal(stage.name, stage.fingerprint) as journal:
        journal.forget()


def refuse_if_all_failed(stage: Stage, errors: Sequence[str | None], made: str) -> None:
    """BadInput where the machinery failed every time, as nothing was found out then.

    `errors` has one entry per thing made, None where the machinery held. The journal is dropped,
    so that the next run tries again.
    """
    if errors and None not in errors:
        finish_journal(stage)
        raise BadInput(
            f"{stage.name}: the engine or the environment failed in all of {len(errors)} {made}:"
            f" {errors[0]}; put that right and run it again"
        )


def count(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, sorted by value.

    >>> count(["b", "a", "b"])
    {'a': 1, 'b': 2}
    """
    return dict(sorted(Counter(map(str, values)).items()))


class Interrupted(SystemExit):
    """A signal asked the stage to stop; its code is the exit code."""


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    logging.getLogger("asyncio").disabled = True  # it would report every task cut short
    raise Interrupted(128 + number)


def run(main: Callable[..., None]) -> NoReturn:
    """Run a stage's `main` as a program: options from the command line, errors for people."""
    # Not asyncio's own way with Ctrl-C, which waits for the code that runs to await something.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    @wraps(main)
    def checked(**options: str | None) -> None:
        check_names(load_params(), options)
        main(**options)

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(guarded(checked))
    try:
        sys.exit(app())
    except Interrupted:
        print("Interrupted; run the same command again to go on from here.", file=sys.stderr)
        raise
