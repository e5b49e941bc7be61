"""`python -m served_flow STAGE...`: a flow of these stages, whose keeper does not wait long."""

from __future__ import annotations

import sys

from serving import quick_keeper

from flows.ending import exit_code
from flows.pipeline import check_input, pipeline
from flows.server import start_server
from flows.stopping import run_program
from leafe.serving import lease


def main() -> int:
    def work() -> None:
        check_input()
        start_server()
        pipeline(targets=sys.argv[1:])

    return exit_code(work, "the flow", "Put that right")


if __name__ == "__main__":
    lease.start_keeper = quick_keeper
    run_program(main)
