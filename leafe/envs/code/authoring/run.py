"""Runs the programs that are kept here. They are our own: there is no sandbox around them."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent

PATIENCE = 60
"""Seconds for one program on all its inputs."""

# One process for all inputs of a program, as starting Python costs more than most programs do.
DRIVER = """
import contextlib, io, json, sys
source, inputs = json.load(sys.stdin)
code, answers = compile(source, "program", "exec"), []
for text in inputs:
    sys.stdin, said = io.TextIOWrapper(io.BytesIO(text.encode())), io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(code, {"__name__": "__main__"})
    except SystemExit:
        pass
    except Exception:
        said = None
    answers.append(said and said.getvalue())
json.dump(answers, sys.stdout)
"""


def program(text: str) -> str:
    """The program as it is handed out: at the left margin, one line break at its end."""
    return dedent(text).strip() + "\n"


def outputs(source: str, inputs: list[str]) -> list[str | None]:
    """What the program prints for each input; None where it fails."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", DRIVER],
        input=json.dumps([program(source), inputs]),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    answers: list[str | None] = json.loads(done.stdout)
    return answers
