"""Environments that stand on an extra say which."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT

from leafe.envs import EXTRAS

PROGRAM = """
import sys
sys.modules[{name!r}] = None
from leafe.envs import make_environment
from leafe.errors import BadInput
try:
    make_environment({{"name": {name!r}}})
except BadInput as error:
    print(error)
"""


@pytest.mark.parametrize("name", EXTRAS)
def test_without_the_package_it_says_what_to_install(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.rstrip().endswith(f"; install leafe[{EXTRAS[name]}]")
