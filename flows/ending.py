"""How a flow's program ends: an exit code, and one sentence for what a person did or must do."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from dvc.exceptions import DvcException

from flows.process import StageFailed
from flows.server import NoServer
from leafe.command import BAD_INPUT, explain
from leafe.errors import plain


def exit_code(work: Callable[[], None], command: str, after_failure: str) -> int:
    """Do the work; returns the exit code. What is wrong in the program itself is raised.

    `command` goes on from where it was interrupted; `after_failure` is said of a failed stage.
    """
    interrupted = f"interrupted; `{command}` goes on from here"
    try:
        work()
    except StageFailed as error:
        return complain(f"{error}. {after_failure}", error.code)
    except (DvcException, NoServer) as error:
        return complain(f"{error}", 1)
    except KeyboardInterrupt:
        return complain(interrupted, 128 + signal.SIGINT)
    except SystemExit as stopped:
        return complain(interrupted, stopped.code if isinstance(stopped.code, int) else 1)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        return complain(sentence, BAD_INPUT)
    return 0


def complain(sentence: str, code: int) -> int:
    """Say what went wrong; returns the exit code."""
    print(f"Error: {plain(sentence)}", file=sys.stderr)
    return code
