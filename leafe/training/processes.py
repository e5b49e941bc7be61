"""A function in several processes that train together, as accelerate and torch expect them.

Data parallel on one machine: each process has all of the model, on a GPU of its own or on the CPU.
They are ours, not those of `accelerate launch`, whose launcher is a process more that a kill could
leave behind.

Invariant: none outlives this process, however it ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exc
from typing import Any, NoReturn, TypeVar

from leafe.errors import BadInput

Made = TypeVar("Made")
PRELOADED = ["leafe.training.trainer", "leafe.training.starting"]
STOPS = {signal.SIGINT, signal.SIGTERM}


def in_processes(count: int, folder: Path, work: Callable[..., Made], *arguments: Any) -> Made:
    """What the first of them returns; with one, it is this process itself.

    Raises what any of them raises; the others are then ended. They find each other by a file in
    `folder`. `work` is a function of a module.
    """
    if count == 1:
        return work(*arguments)
    _check_gpus(count)
    # What is heavy is loaded once, by a process that they are forked from.
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    folder.mkdir(parents=True, exist_ok=True)
    workers, answers = [], []
    with TemporaryDirectory(prefix="processes-", dir=folder) as meeting:
        try:
            for rank in range(count):
                answer, ours = context.Pipe(duplex=False)
                given = (rank, count, Path(meeting).resolve(), ours, work, arguments)
                workers.append(context.Process(target=_work, args=given, daemon=True))
                _start(workers[-1])
                ours.close()
                answers.append(answer)
            made: Made = _first_answer(answers)
            return made
        finally:
            for worker in workers:
                if worker.pid is not None:
                    worker.kill()
                    worker.join()


def is_first() -> bool:
    """Whether this process is the one that shows progress and writes."""
    from torch import distributed

    return not distributed.is_initialized() or distributed.get_rank() == 0


def _start(worker: Any) -> None:
    """They end by our hand: a terminal's Ctrl-C would have each of them say so."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        worker.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_gpus(count: int) -> None:
    import torch

    gpus = torch.cuda.device_count()
    if 0 < gpus < count:
        raise BadInput(f"sft.processes is {count}, but there are {gpus} GPUs; at most one for each")


def _first_answer(answers: list[Connection]) -> Any:
    """Wait for all; the first one's result, or the first error of any."""
    results: dict[Connection, Any] = {}
    while len(results) < len(answers):
        for answer in wait([one for one in answers if one not in results]):
            assert isinstance(answer, Connection)
            try:
                good, value = answer.recv()
            except EOFError:
                rank = answers.index(answer)
                raise RuntimeError(f"training process {rank} was killed") from None
            if not good:
                raise value
            results[answer] = value
    return results[answers[0]]


def _work(
    rank: int,
    count: int,
    folder: Path,
    answer: Connection,
    work: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    """One of the processes, from its start to its answer."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        _join(rank, count, folder)
        answer.send((True, work(*arguments)))
    except (BadInput, OSError) as error:
        answer.send((False, error))
    except Exception:
        answer.send((False, RuntimeError(f"in training process {rank}: {format_exc()}")))
    # Not to wait for each other at the end: all is written.
    os._exit(0)


def _end_with_parent() -> NoReturn:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _join(rank: int, count: int, folder: Path) -> None:
    """Become one of the processes of torch; they find each other by a file, not by a port."""
    import torch

    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.environ |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    if sys.platform == "linux":  # elsewhere the name of this machine must resolve
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        "nccl" if cuda else "gloo",
        init_method=(folder / "meeting").as_uri(),
        rank=rank,
        world_size=count,
    )
