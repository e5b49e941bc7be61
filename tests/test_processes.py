"""Worker processes: what hangs, dies or raises is ended and replaced, and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT
from hosts import Host, Unmade, end_within, running

from leafe.envs.processes import GRACE_SECONDS, Seat, Worker, WorkerFailed, Workers

SOON = 5.0


@pytest.fixture
def workers() -> Workers:
    return Workers(Host)


def pids(seat: Seat) -> tuple[int, int]:
    """The worker's, and that of what it has started."""
    worker, child = seat.call(SOON, "pids")
    assert running(worker)
    assert running(child)
    return worker, child


def test_a_host_lives_in_another_process_and_is_used_again(workers: Workers) -> None:
    first, second = Seat(workers), Seat(workers)
    assert [first.call(SOON, "count") for _ in range(3)] == [1, 2, 3]
    assert pids(first)[0] not in (os.getpid(), pids(second)[0])
    used = pids(first)
    first.leave()
    first.leave()
    third = Seat(workers)
    assert (pids(third), third.call(SOON, "count")) == (used, 4)


def test_any_value_goes_to_and_fro(workers: Workers) -> None:
    seat = Seat(workers)
    for what in ("", "x" * 3_000_000, "\0\ud800\n", None, ("a", 1, [2.5])):
        assert seat.call(SOON, "say", what) == what


def test_an_error_of_the_host_is_told_and_its_process_replaced(workers: Workers) -> None:
    seat = Seat(workers)
    old = pids(seat)
    with pytest.raises(WorkerFailed, match=r"^ValueError: no such world$"):
        seat.call(SOON, "fail")
    assert end_within(SOON, old)
    with pytest.raises(WorkerFailed, match="is gone"):
        seat.call(SOON, "count")
    seat.leave()
    assert pids(Seat(workers)) != old


def test_a_host_that_cannot_be_made_is_told() -> None:
    with pytest.raises(WorkerFailed, match="FileNotFoundError: no such simulator"):
        Seat(Workers(Unmade)).call(SOON, "count")


@pytest.mark.parametrize(
    ("method", "given"), [("sleep", (600,)), ("stop", (False,)), ("stop", (True,))]
)
def test_a_hang_is_ended_at_its_deadline_with_all_that_the_host_has_started(
    workers: Workers, method: str, given: tuple[object, ...]
) -> None:
    seat = Seat(workers)
    old = pids(seat)
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^no answer within 0\.5 s$"):
        seat.call(0.5, method, *given)
    assert 0.5 <= time.monotonic() - begun < 0.5 + GRACE_SECONDS + 1
    assert end_within(1, old)
    seat.leave()
    assert pids(Seat(workers)) != old


def test_a_stopped_worker_that_is_told_more_than_its_pipe_holds_is_ended(workers: Workers) -> None:
    seat = Seat(workers)
    old = pids(seat)
    os.kill(old[0], signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        seat.call(0.5, "say", "x" * 3_000_000)
    assert end_within(1, old)


def test_a_killed_worker_is_noticed_at_once_and_takes_what_it_started_with_it(
    workers: Workers,
) -> None:
    seat = Seat(workers)
    worker, child = pids(seat)
    os.kill(child, signal.SIGSTOP)
    begun = time.monotonic()
    with pytest.raises(WorkerFailed, match="the process of this world is gone"):
        seat.call(60, "kill")
    assert time.monotonic() - begun < 1
    assert not running(worker)
    assert end_within(SOON, (child,))


def test_one_that_died_while_idle_is_not_used_again(workers: Workers) -> None:
    seat = Seat(workers)
    worker, child = pids(seat)
    seat.leave()
    os.kill(worker, signal.SIGKILL)
    os.kill(child, signal.SIGSTOP)
    time.sleep(0.1)
    assert pids(Seat(workers))[0] != worker
    assert end_within(SOON, (child,))


def test_a_seat_that_is_left_in_the_midst_of_a_call_gives_nothing_back(workers: Workers) -> None:
    seat = Seat(workers)
    old = pids(seat)
    failed: list[Exception] = []

    def hang() -> None:
        try:
            seat.call(60, "sleep", 600)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    time.sleep(0.2)
    seat.leave()
    thread.join(SOON)
    assert isinstance(failed[0], WorkerFailed)
    assert end_within(1, old)
    with pytest.raises(WorkerFailed, match="this world is closed"):
        seat.call(SOON, "count")
    assert pids(Seat(workers)) != old


def test_no_two_worlds_share_a_process(workers: Workers) -> None:
    inside: set[int] = set()
    seen: list[int] = []
    lock = threading.Lock()

    def one(_: int) -> None:
        seat = Seat(workers)
        pid = pids(seat)[0]
        with lock:
            assert pid not in inside
            inside.add(pid)
            seen.append(pid)
        seat.call(SOON, "sleep", 0.02)
        with lock:
            inside.remove(pid)
        seat.leave()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, range(24)))
    assert len(seen) == 24
    assert len(set(seen)) <= 4


def test_workers_end_with_their_owner_object() -> None:
    workers = Workers(Host)
    seat = Seat(workers)
    old = pids(seat)
    seat.leave()
    del seat, workers
    assert end_within(SOON, old)


OWNER = """
import os, signal, sys, time
from hosts import Host
from leafe.envs.processes import Seat, Workers
workers = Workers(Host)
seats = [Seat(workers) for _ in range(3)]
pids = [seat.call(30, "pids") for seat in seats]
seats[2].leave()  # one is idle
match sys.argv[1]:
    case "stopped worker": os.kill(pids[0][0], signal.SIGSTOP)
    case "stopped child": os.kill(pids[0][1], signal.SIGSTOP)
    case "busy":
        import threading
        threading.Thread(target=seats[0].call, args=(600, "sleep", 600), daemon=True).start()
print(*[pid for pair in pids for pid in pair], flush=True)
if sys.argv[1] == "exits": sys.exit()
if sys.argv[1] == "at once": os._exit(1)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "how", ["idle", "busy", "stopped worker", "stopped child", "exits", "at once"]
)
def test_no_process_is_left_when_the_owner_is_gone(how: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, how],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # which is then another than that of who inherits its processes
    ) as owner:
        assert owner.stdout is not None
        assert owner.stderr is not None
        told = tuple(map(int, owner.stdout.readline().split()))
        assert len(told) == 6
        if how not in ("exits", "at once"):
            assert all(map(running, told))
            owner.send_signal(signal.SIGKILL)
        owner.wait(SOON)
        assert owner.stderr.read() == ""
    assert end_within(SOON, told)


def test_a_worker_finds_its_host_where_its_owner_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere.py").write_text("def make(): return 'a host'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir("/")
    from elsewhere import make  # type: ignore[import-not-found]

    worker = Worker(make)
    assert worker.call(SOON, "upper") == "A HOST"
    worker.kill()
