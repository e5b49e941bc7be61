"""ScienceWorld's jar in a JVM: the host of a worker process.

Only what an episode needs is asked of the jar. Its list of valid actions is never: that costs 40
ms and draws random numbers, so that later answers would hang on how often it was asked.
"""

from __future__ import annotations

from subprocess import Popen
from threading import Thread
from typing import NamedTuple

from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from scienceworld.constants import BASEPATH, JAR_PATH

from leafe.envs.scienceworld.jvm import java, java_options
from leafe.envs.worker import end
from leafe.text import storable


class Said(NamedTuple):
    """What the simulator says to one action."""

    text: str
    score: int
    """Of 100; negative where the task is lost."""
    completed: bool


class Begun(NamedTuple):
    """A task that has just begun."""

    description: str
    look: str
    """What is seen at first."""
    score: int
    """Of 100."""
    forms: tuple[str, ...]
    """The actions that there are, with OBJ where a thing is named."""


class SimulatorFailed(RuntimeError):
    """The simulator reports an error of its own."""


class Simulator:
    """One world at a time, any number of them one after another."""

    def __init__(self, heap_mb: int) -> None:
        port, token, process = launch_gateway(
            classpath=JAR_PATH,
            javaopts=java_options(heap_mb),
            java_path=java(),
            cwd=BASEPATH,  # where its table of types is; elsewhere it writes one
            die_on_exit=True,
            enable_auth=True,
            return_proc=True,
        )
        Thread(target=_end_with, args=(process,), daemon=True).start()
        parameters = GatewayParameters(port=port, auth_token=token)
        self._jvm = JavaGateway(gateway_parameters=parameters).jvm
        self._server = self._jvm.scienceworld.runtime.pythonapi.PythonInterface()

    def begin(self, name: str, variation: int, simplifications: str) -> Begun:
        """Start a task anew."""
        self._load(name, variation, simplifications, gold=False)
        look = self.step("look around")
        forms = tuple(self._server.getPossibleActions())
        return Begun(self._server.freeActionTaskDesc(), look.text, look.score, forms)

    def step(self, action: str) -> Said:
        """Do one action."""
        text = self._server.step(storable(action))  # a lone surrogate cannot be sent
        score = round(100 * self._server.getScore())
        completed = self._server.getCompleted()
        if score < 0 and completed:
            raise SimulatorFailed(text)
        return Said(text, score, completed)

    def gold(self, name: str, variation: int, simplifications: str) -> list[str]:
        """Actions that solve a task; the simulator plays it, which takes up to 12 s."""
        # It draws ways through the house, and would keep them for the tasks that follow.
        self._jvm.scienceworld.goldagent.PathFinder.precomputedExhaustivePaths().clear()
        self._load(name, variation, simplifications, gold=True)
        return list(self._server.getGoldActionSequence())

    def _load(self, name: str, variation: int, simplifications: str, *, gold: bool) -> None:
        error = self._server.load(name, variation, simplifications, gold)
        if error:
            raise SimulatorFailed(error)


def _end_with(jvm: Popen[bytes]) -> None:
    """Without its JVM this process is of no use: it ends, and its owner takes another."""
    jvm.wait()
    end()
