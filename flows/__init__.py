"""Orchestration with Prefect; the work is done by the stages in `leafe/stages`.

Prefect reads its settings as it is imported, so they are given here; what is set in the
environment already goes before.
"""

import os
from pathlib import Path

SETTINGS = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    # 7 to 12 s on two idle cores
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # the terminal gets our lines; Prefect's go to its server alone
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}


def prefect_home() -> Path:
    """Prefect's own default, or a folder of the project where that cannot be written."""
    home = Path.home() / ".prefect"
    try:
        home.mkdir(exist_ok=True)
    except OSError:
        return Path(".leafe/prefect").resolve()
    return home if os.access(home, os.W_OK) else Path(".leafe/prefect").resolve()


for key, value in SETTINGS.items():
    os.environ.setdefault(key, value)
if "PREFECT_HOME" not in os.environ:
    os.environ["PREFECT_HOME"] = str(prefect_home())
