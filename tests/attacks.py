"""Programs that try to get out of the sandbox, or to take more than they may.

Each prints nothing of what it should not reach; what it may print is said beside it.
"""

from __future__ import annotations

from typing import NamedTuple

from leafe.sandbox import Verdict

OK, RE, TLE, MLE, OLE = Verdict.OK, Verdict.RE, Verdict.TLE, Verdict.MLE, Verdict.OLE


class Attack(NamedTuple):
    program: str
    verdicts: set[Verdict]
    """How it may end: an attack that is refused mostly ends in an error."""
    prints: str = ""
    """All that it may write to standard output."""


def reads(path: str) -> Attack:
    return Attack(f"print(open({path!r}).read())", {RE})


TRY = """
def attempt(do):
    try:
        do()
    except BaseException as error:
        print("refused", file=__import__("sys").stderr)
    else:
        print("done")
"""

ATTACKS = {
    # Processes
    "fork bomb": Attack("import os\nwhile True:\n os.fork()", {RE, TLE}),
    "patient fork bomb": Attack(
        "import os\nwhile True:\n try: os.fork()\n except OSError: pass", {TLE}
    ),
    "threads": Attack(
        "import threading, time\nfor _ in range(99): threading.Thread(target=time.sleep,"
        " args=(9,), daemon=True).start()",
        {RE},
    ),
    "daemon": Attack(
        "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep(60)",
        {OK},
    ),
    "daemon that holds the output": Attack(
        "import os, signal, time\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n os.setsid()\n while True: time.sleep(1)",
        {OK},
    ),
    "ignores signals": Attack(
        "import signal\nfor n in range(1, 32):\n try: signal.signal(n, signal.SIG_IGN)\n"
        " except OSError: pass\nwhile True: pass",
        {TLE},
    ),
    "kill everything": Attack("import os\nos.kill(-1, 9)", {OK, RE}),
    "kill the parent": Attack("import os\nos.kill(os.getppid(), 9)\nprint(1)", {OK, RE}, "1\n"),
    "kill the first process": Attack("import os\nos.kill(1, 9)\nprint(1)", {OK, RE}, "1\n"),
    "trace the first process": Attack(
        "import ctypes\nif ctypes.CDLL(None).ptrace(16, 1, 0, 0): raise OSError", {OK, RE, TLE}
    ),  # that stops the box's own first process, so it never ends by itself
    # Time
    "loop": Attack("while True: pass", {TLE}),
    "sleep": Attack("import time\ntime.sleep(1000)", {TLE}),
    "reads more than there is": Attack("import sys\nwhile True: sys.stdin.read()", {TLE}),
    "many digits": Attack("print(len(str(7 ** 40_000_000)))", {TLE}),
    # Memory
    "heap": Attack("x = []\nwhile True: x.append(bytearray(2**24))", {MLE}),
    "shared memory": Attack("import mmap\nm = mmap.mmap(-1, 2**31)", {RE}),
    "children's memory": Attack(
        "import os\nfor _ in range(9):\n if os.fork() == 0:\n  x = bytearray(2**28)\n  break",
        {OK, RE, MLE},  # the children fail, whatever becomes of their parent
    ),
    "recursion": Attack("def f(): f()\nf()", {RE}),
    "deep recursion": Attack(
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()", {RE, MLE, TLE}
    ),
    # Disk
    "one large file": Attack(
        "with open('/tmp/x', 'wb') as f:\n while True: f.write(bytes(2**20))", {RE}
    ),
    "many files": Attack(
        "for n in range(10**6):\n with open(f'/tmp/{n}', 'wb') as f: f.write(bytes(2**20))", {RE}
    ),
    "inodes": Attack("for n in range(10**9): open(f'/tmp/{n}', 'w').close()", {TLE, RE}),
    "fill /dev/shm": Attack(
        "for n in range(99):\n with open(f'/dev/shm/{n}', 'wb') as f: f.write(bytes(2**20))", {RE}
    ),
    "fill /dev": Attack("open('/dev/x', 'w').write('x')", {RE}),
    "write /usr": Attack("open('/usr/x', 'w')", {RE}),
    "write its own script": Attack("open('/tmp/main.py', 'w')", {RE}),
    # Files
    "passwords": reads("/etc/passwd"),
    "shadow": reads("/etc/shadow"),
    "a secret": reads("{secret}"),
    "a secret by a link": Attack(
        "import os\nos.symlink('{secret}', '/tmp/l')\nprint(open('/tmp/l').read())", {RE}
    ),
    "the root of the first process": reads("/proc/1/root/etc/passwd"),
    "the root of the host by /proc": reads("/proc/self/root/../../../../{secret}"),
    "what is mounted": Attack("import os\nprint(os.listdir('/home'))", {RE}),
    "the environment of the first process": Attack(
        "print('SECRET' in open('/proc/1/environ').read())", {OK, RE}, "False\n"
    ),
    "its own environment": Attack(
        "import os\nprint([v for v in os.environ if 'SECRET' in v])", {OK}, "[]\n"
    ),
    "inherited files": Attack(
        "import os\nfor n in range(3, 64):\n try: print(os.read(n, 99))\n except OSError: pass",
        {OK},
    ),
    "sysrq": Attack("open('/proc/sysrq-trigger', 'w').write('b')", {RE}),
    "kernel settings": Attack("open('/proc/sys/kernel/hostname', 'w').write('x')", {RE}),
    # Network
    "TCP to the host": Attack(
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\nprint('in')", {RE}
    ),
    "TCP outside": Attack("import socket\nsocket.create_connection(('1.1.1.1', 53), 2)", {RE}),
    "a socket of the host": Attack(
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('\\0{abstract}')", {RE}
    ),
    # Privileges
    "user namespace": Attack("import os\nos.system('unshare -Ur true') and exit(1)", {RE}),
    "mount": Attack("import os\nos.system('mount -t tmpfs x /mnt') and exit(1)", {RE}),
    "chroot": Attack("import os\nos.chroot('/tmp')", {RE}),
    "a device": Attack("import os\nos.mknod('/tmp/d', 0o60600, os.makedev(8, 0))", {RE}),
    "become root": Attack("import os\nos.setuid(0)", {RE}),
    "a setuid program": Attack("import os\nos.system('/usr/bin/su -c true') and exit(1)", {RE}),
    "type into the terminal": Attack(
        "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSTI, b'x')", {RE}
    ),
    # Output
    "endless output": Attack("while True: print('x' * 1000)", {OLE}, "x\n"),
    "endless errors": Attack("import sys\nwhile True: sys.stderr.write('x' * 1000)", {OLE}),
    "binary output": Attack("import os\nos.write(1, bytes(range(128, 256)))", {OK}, "\ufffd" * 128),
    "closed output": Attack("import os\nos.close(1)\nos.close(2)", {OK, RE}),
    "closes and goes on": Attack("import os\nos.close(1)\nos.close(2)\nwhile True: pass", {TLE}),
    "crash": Attack("import ctypes\nctypes.string_at(0)", {RE}),
    # Source
    "surrogates": Attack("print(1)\n# \ud800", {OK}, "1\n"),
    "NUL": Attack("print(1)\0", {OK, RE}, "1\n"),
    "a huge program": Attack("#" + "x" * 10_000_000, {OK, TLE}),
    "no program": Attack("", {OK}),
    "an early end": Attack("print(1)\nexit(0)\nprint(2)", {OK}, "1\n"),
}
