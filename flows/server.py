"""Prefect's server for a run on one machine: temporary, unless PREFECT_API_URL names one."""

from __future__ import annotations

import signal
import threading

from prefect import get_client
from prefect.settings import get_current_settings


class NoServer(Exception):
    """Prefect's server does not answer."""


def start_server() -> None:
    """Start the temporary server, which the flow then finds; returns when it answers.

    Ctrl-C is heard meanwhile. Raises NoServer.
    """
    if url := get_current_settings().api.url:
        with get_client(sync_client=True) as client:
            error = client.api_healthcheck()
        if error:
            raise NoServer(
                f"PREFECT_API_URL is {url}, where no server answers ({error}); start it, or unset"
                " PREFECT_API_URL for a temporary one"
            )
        return
    errors: list[Exception] = []
    # a daemon: whoever gives up waiting need not wait for it at exit
    thread = threading.Thread(target=_start, args=(errors,), daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise NoServer(f"Prefect's temporary server did not start: {errors[0]}") from errors[0]


def _start(errors: list[Exception]) -> None:
    # the whole server: 2 s that a run with a server of its own need not pay
    from prefect.server.api.server import SubprocessASGIServer

    # The server inherits this thread's mask. A terminal's Ctrl-C goes to all of its processes,
    # and the flow still has to tell the server how it ended; it stops the server as it exits.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        SubprocessASGIServer().start()
    except Exception as error:  # for the thread that waits
        errors.append(error)
