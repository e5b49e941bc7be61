"""The Java that runs ScienceWorld's jar: which one, what it is told, and whether it is there."""

from __future__ import annotations

import os
import re
import subprocess

from leafe.errors import BadInput
from leafe.params import PARAMS_FILE

OLDEST = 8
"""The first Java that reads the jar's classes."""
INSTALL = "install Java 17: `make system`, or apt-get install openjdk-17-jre-headless"


def java() -> str:
    """The program: that of JAVA_HOME, or the first on the path."""
    home = os.environ.get("JAVA_HOME")
    return os.path.join(home, "bin", "java") if home else "java"


def java_options(heap_mb: int) -> list[str]:
    """What each JVM is told.

    hashCode=2 gives every object the same identity hash, so that sets of objects keep the order in
    which they were filled. Else equal actions meet things of one name in another order, and some
    replays differ. The heap is bounded, as it would grow to a quarter of the machine's memory.
    """
    unlocked = "-XX:+UnlockExperimentalVMOptions"
    return [f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", unlocked, "-XX:hashCode=2"]


def check_java(heap_mb: int) -> None:
    """Start a JVM that does nothing; BadInput says why none starts, and what to install."""
    needs = f"{PARAMS_FILE}: env.name is 'scienceworld', which needs Java"
    command = [java(), *java_options(heap_mb), "-version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"{needs}, but {error}; {INSTALL}") from error
    if done.returncode:
        raise BadInput(f"{needs}, but `{' '.join(command)}` says: {done.stdout}{done.stderr}")
    version = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    if version is None or int(version[1]) < OLDEST:
        raise BadInput(f"{needs} {OLDEST} or later, but {java()} is {done.stderr}; {INSTALL}")
