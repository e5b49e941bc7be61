"""The keeper of the servers: they are started once, have the right weights, and are never left.

The keeper and what asks it are real; vLLM is stood in for by `stand_in_vllm.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from serving import LINGER, Place, ask, quick_keeper, wait_for
from stand_in_vllm import tokens_of

from leafe.engine import EngineLost
from leafe.errors import BadInput
from leafe.orphans import adopt_orphans
from leafe.serving import lease
from leafe.serving.demand import FOLDER, server_log


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Where the test is; nothing may be left of it."""
    adopt_orphans()  # and reap none: as the first process of many a container
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lease, "start_keeper", quick_keeper)
    place = Place(tmp_path)
    try:
        yield place
        for name in ("dies", "dies_at_start", "starts_slowly"):
            Path(name).unlink(missing_ok=True)
        wait_for(lambda: not place.processes())
    finally:
        for process in place.processes():
            process.kill()


def says(policy: str) -> tuple[int, ...]:
    return tuple(tokens_of(policy))


def test_leases_one_after_the_other_share_a_start(place: Place) -> None:
    for _ in range(3):
        with place.lease() as held:
            assert ask(held) == says("a")
    assert len(place.starts()) == 1


def test_new_weights_go_into_the_running_server_and_its_cache_is_emptied(place: Place) -> None:
    with place.lease("a") as held:
        assert ask(held) == says("a")
    with place.lease("b") as held:
        assert ask(held) == says("b")
    assert [said["model"] for said in place.starts()] == ["a"]
    done = place.notes("give_weights", "reset_prefix_cache")
    assert [said["event"] for said in done] == ["give_weights", "reset_prefix_cache"]
    assert done[1]["cached"]


def test_each_adapter_has_a_name_of_its_own_and_leaves_when_the_next_comes(place: Place) -> None:
    with place.lease("a", adapter="a") as held:
        assert ask(held, "leafe-a") == says("a")
    with place.lease("a", adapter="b") as held:
        assert ask(held, "leafe-b") == says("b")
        with pytest.raises(EngineLost, match="404"):
            ask(held, "leafe-a", tries=1)
    did = [(said["event"], said["name"]) for said in place.notes("load", "unload")]
    assert did == [("load", "leafe-a"), ("unload", "leafe-a"), ("load", "leafe-b")]
    assert len(place.starts()) == 1


def test_another_setup_is_another_start(place: Place) -> None:
    with place.lease():
        first = place.processes()
    with place.lease(length=256):
        assert len(place.starts()) == 2
        old = place.starts()[0]
        assert {old["pid"], old["child"]} <= {process.pid for process in first}
        assert not psutil.pid_exists(old["child"])


def test_stages_with_different_policies_cannot_use_the_servers_at_a_time(place: Place) -> None:
    with place.lease("a") as held, place.lease("a"):
        with pytest.raises(BadInput, match="another stage uses the servers here with another"):
            lease.Lease(place.demand("b"))
        assert ask(held) == says("a")
    with place.lease("b") as held:
        assert ask(held) == says("b")


@pytest.mark.parametrize("victim", ["pid", "child"])
def test_a_killed_server_comes_back_with_the_weights_that_it_should_have(
    place: Place, victim: str
) -> None:
    with place.lease("a"):
        pass
    with place.lease("b") as held:
        first = place.starts()[-1]
        os.kill(first[victim], signal.SIGKILL)
        wait_for(lambda: len(place.starts()) == 2)
        assert ask(held) == says("b")
        assert place.starts()[-1]["model"] == "b"
        assert held.trouble() is None
        assert not psutil.pid_exists(first["child"])


def test_a_server_that_hangs_is_replaced(place: Place) -> None:
    with place.lease(timeout=0.5) as held:
        os.kill(place.server(), signal.SIGSTOP)
        wait_for(lambda: len(place.starts()) == 2)
        assert ask(held) == says("a")


def test_a_server_that_cannot_start_is_told_with_its_log(place: Place) -> None:
    Path("dies_at_start").touch()
    with pytest.raises(BadInput, match=f"ended while it started; its log is {server_log(0)}"):
        lease.Lease(place.demand())
    assert "cannot start" in server_log(0).read_text()
    Path("dies_at_start").unlink()
    with place.lease() as held:
        assert ask(held) == says("a")


def test_a_server_that_dies_again_and_again_is_given_up(place: Place) -> None:
    with place.lease() as held:
        Path("dies_at_start").touch()
        Path("dies").touch()
        with pytest.raises(EngineLost, match="vLLM died or hung more than 5 times; its log is"):
            ask(held, tries=100)
        assert len(place.starts()) == 6
        # It stays so, for whoever asks next, though another stage may try anew.
        Path("dies").unlink()
        Path("dies_at_start").unlink()
        with place.lease("b"):
            assert "more than 5 times" in str(held.trouble())


def test_servers_go_a_while_after_the_last_who_needs_them(place: Place) -> None:
    with lease.kept():
        with place.lease():
            pass
        time.sleep(2 * LINGER)
        with place.lease():
            assert len(place.starts()) == 1
    time.sleep(LINGER / 3)
    assert place.processes() != []
    wait_for(lambda: not place.processes())
    assert not list(FOLDER.glob("*.sock"))


def test_whoever_comes_as_the_keeper_leaves_gets_the_next_one(place: Place) -> None:
    for _ in range(3):
        with place.lease() as held:
            assert ask(held) == says("a")
        time.sleep(LINGER - 0.05)


def test_nothing_outlives_a_stage_that_is_killed(place: Place) -> None:
    stage = place.holder(place.demand())
    assert stage.stdout is not None
    assert stage.stdout.readline() == "ready\n"
    assert len(place.processes()) == 5  # stage, keeper, guard, server, its child
    stage.kill()
    stage.wait()
    wait_for(lambda: not place.processes())


@pytest.mark.parametrize("hangs", [False, True])
def test_nothing_outlives_a_keeper_that_is_killed(place: Place, hangs: bool) -> None:
    with place.lease() as held:
        (keeper,) = (p for p in place.processes() if p.cmdline()[-1] == "keep")
        if hangs:
            os.kill(place.server(), signal.SIGSTOP)
        keeper.kill()
        wait_for(lambda: not place.processes())
        assert held.trouble() == lease.GONE
        with pytest.raises(EngineLost, match="keeper of the servers is gone"):
            ask(held)


def test_ctrl_c_ends_a_start(place: Place) -> None:
    Path("starts_slowly").touch()
    stage = place.holder(place.demand())
    wait_for(place.starts)
    stage.send_signal(signal.SIGINT)
    assert stage.wait(10) != 0
    wait_for(lambda: not any(psutil.pid_exists(place.starts()[0][who]) for who in ("pid", "child")))


def test_a_start_that_takes_long_is_said_to(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lease, "SAID_EVERY", 0.2)
    slow = Path("starts_slowly")
    slow.touch()
    threading.Timer(3.0, slow.unlink).start()
    with place.lease() as held:
        assert ask(held) == says("a")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 2
    assert lines[0] == f"vLLM: not ready yet, 0 s; its log is in {FOLDER}"


def test_stages_that_start_at_the_same_moment_get_one_keeper(place: Place) -> None:
    stages = [place.holder(place.demand()) for _ in range(3)]
    try:
        for stage in stages:
            assert stage.stdout is not None
            assert stage.stdout.readline() == "ready\n"
        keepers = [p for p in place.processes() if p.cmdline()[-1] == "keep"]
        assert len(keepers) == 1
        assert len(place.starts()) == 1
    finally:
        for stage in stages:
            stage.kill()
            stage.wait()


def test_servers_listen_where_nobody_else_can_come(place: Place) -> None:
    FOLDER.mkdir(parents=True, mode=0o755)
    with place.lease():
        assert stat.S_IMODE(FOLDER.stat().st_mode) == 0o700
        assert [c for p in place.processes() for c in p.net_connections("inet")] == []


def test_nonsense_at_the_keepers_socket_hurts_nobody(place: Place) -> None:
    async def talk() -> list[bytes]:
        heard = []
        for line in (b"{}\n", b"x" * 200_000 + b"\n", b"\xff\xfe\n"):
            reader, writer = await asyncio.open_unix_connection(FOLDER / "keeper.sock")
            with contextlib.suppress(ConnectionError):
                writer.write(line)
                await writer.drain()
                await reader.readline()
                heard.append(await reader.readline())
            writer.close()
        return heard

    with place.lease() as held:
        heard = asyncio.run(talk())
        assert b"not a demand" in heard[0]
        assert ask(held) == says("a")
