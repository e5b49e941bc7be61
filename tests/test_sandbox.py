"""The sandbox holds: every attack is made for real, reaches nothing and leaves nothing."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from attacks import ATTACKS

from leafe.errors import BadInput
from leafe.sandbox import Limits, Ran, Verdict, box, canary, run

LIMITS = Limits(seconds=1, memory_bytes=128 * 2**20, output_bytes=100_000)
SECRET = "the-secret-of-the-host"


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> None:
    """The tests stand on it; without bubblewrap they fail, unless this is no CI machine."""
    try:
        canary.check_sandbox()
    except BadInput as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


class Host(NamedTuple):
    secret: Path
    port: int
    abstract: str
    met: list[str]
    """Who got through to a socket of ours."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A machine with things to be had: a file, an open descriptor, a variable, two sockets."""
    secret = tmp_path_factory.mktemp("host") / "secret"
    secret.write_text(SECRET)
    for folder in (secret, *secret.parents):
        if folder.owner() == psutil.Process().username() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)  # no mere permission shall keep it
    opened = os.open(secret, os.O_RDONLY)
    os.set_inheritable(opened, True)
    os.environ["SECRET_API_KEY"] = SECRET
    met: list[str] = []
    tcp = socket.create_server(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    abstract = f"leafe-test-{os.getpid()}"
    unix.bind(f"\0{abstract}")
    unix.listen()

    def accept(server: socket.socket, name: str) -> None:
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return
            met.append(name)

    for server, name in ((tcp, "TCP"), (unix, "unix")):
        threading.Thread(target=accept, args=(server, name), daemon=True).start()
    yield Host(secret, tcp.getsockname()[1], abstract, met)
    del os.environ["SECRET_API_KEY"]
    os.close(opened)
    tcp.close()
    unix.close()


def left_behind() -> list[psutil.Process]:
    """Processes that a box left: this process reaps orphans, so they would be its own."""
    return psutil.Process().children(recursive=True)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_reaches_nothing_ends_in_time_and_leaves_no_process(
    host: Host, name: str
) -> None:
    attack = ATTACKS[name]
    program = attack.program
    for key in ("secret", "port", "abstract"):
        program = program.replace(f"{{{key}}}", str(getattr(host, key)))
    before = left_behind()
    begun = time.monotonic()
    ran = run(program, f"{SECRET[:3]}\n", LIMITS)
    took = time.monotonic() - begun
    assert ran.verdict in attack.verdicts, ran
    assert took < LIMITS.wall_seconds + 5
    if ran.verdict is Verdict.OLE:
        assert set(ran.stdout) <= set(attack.prints)
    else:
        assert ran.stdout in {attack.prints, ""}
    assert SECRET not in ran.stdout + ran.stderr
    assert "root:x:0" not in ran.stdout + ran.stderr
    assert left_behind() == before
    assert host.met == []
    assert host.secret.read_text() == SECRET


def test_the_host_can_be_reached_from_outside_a_box(host: Host) -> None:
    socket.create_connection(("127.0.0.1", host.port), 2).close()
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"\0{host.abstract}")
    client.close()
    deadline = time.monotonic() + 5
    while len(host.met) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(host.met) == ["TCP", "unix"], "or else the attacks prove nothing"
    host.met.clear()


def test_a_sound_program_reads_its_input_and_is_heard() -> None:
    ran = run("import sys\nprint(sum(map(int, sys.stdin)))", "1\n2\n39\n", LIMITS)
    assert ran == Ran(Verdict.OK, "42\n", "")


def test_an_error_is_told_with_its_line_and_no_path_of_the_host() -> None:
    ran = run("x = 1\nprint(x / 0)\n", "", LIMITS)
    assert ran.verdict is Verdict.RE
    assert 'File "/tmp/main.py", line 2' in ran.stderr
    assert "ZeroDivisionError" in ran.stderr


def test_equal_programs_write_equal_outputs() -> None:
    program = "print({str(n) for n in range(50)}, hash('a'))"
    assert len({run(program, "", LIMITS).stdout for _ in range(4)}) == 1


def test_a_program_finds_only_itself() -> None:
    program = "import os\nprint(os.listdir('/tmp'), sorted(os.listdir('/')))"
    listed = run(program, "", LIMITS).stdout
    assert listed.startswith("['main.py']")
    assert not {"home", "root", "etc", "work", "var"} & set(listed.split("'"))


def test_boxes_run_side_by_side_and_each_has_its_own() -> None:
    program = "open('/tmp/x', 'x').write(input())\nprint(open('/tmp/x').read())"
    before = left_behind()
    with ThreadPoolExecutor(8) as pool:
        ran = list(pool.map(lambda n: run(program, f"{n}\n", LIMITS), range(40)))
    assert [one.stdout for one in ran] == [f"{n}\n" for n in range(40)]
    assert left_behind() == before


def test_the_output_until_the_limit_is_kept() -> None:
    ran = run("while True: print('y' * 999)", "", LIMITS)
    assert ran.verdict is Verdict.OLE
    assert len(ran.stdout) == LIMITS.output_bytes


def test_a_box_that_cannot_be_made_is_no_fault_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(box, "_python", lambda: "/usr/bin/true")
    assert run("print(1)", "", LIMITS).verdict is Verdict.OK, "true takes any argument"
    monkeypatch.setattr(box, "_walls", lambda *_: ["/usr/bin/bwrap", "--ro-bind", "/no", "/no"])
    assert run("print(1)", "", LIMITS).verdict is Verdict.XX
    monkeypatch.setattr(box, "_walls", lambda *_: ["/usr/bin/no-such-program"])
    assert run("print(1)", "", LIMITS).verdict is Verdict.XX


@pytest.mark.parametrize(
    ("tool", "words"),
    [("bwrap", "bwrap is missing"), ("prlimit", "prlimit is missing")],
)
def test_without_its_tools_nothing_runs_and_it_says_why(
    monkeypatch: pytest.MonkeyPatch, tool: str, words: str
) -> None:
    found = canary.shutil.which
    monkeypatch.setattr(
        canary.shutil, "which", lambda name, path: None if name == tool else found(name, path=path)
    )
    with pytest.raises(BadInput, match=words):
        canary.check_sandbox.__wrapped__()


def test_a_sandbox_that_lets_something_through_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = box._walls

    def leaky(script: str, status: int) -> list[str]:
        command = whole(script, status)
        at = command.index("--unshare-all")
        command[at : at + 1] = ["--unshare-pid", "--unshare-uts", "--ro-bind", "/etc", "/etc"]
        return command

    monkeypatch.setattr(box, "_walls", leaky)
    with pytest.raises(BadInput, match=r"does not hold here: from within, .*files"):
        canary.check_sandbox.__wrapped__()


def test_where_namespaces_are_forbidden_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> list[str]:
        said = (
            "print('bwrap: No permissions to create new namespace', file=__import__('sys').stderr)"
        )
        return [sys.executable, "-c", f"{said}; raise SystemExit(1)"]

    monkeypatch.setattr(box, "_walls", forbidden)
    with pytest.raises(BadInput, match="cannot be made here: bwrap: No permissions"):
        canary.check_sandbox.__wrapped__()
