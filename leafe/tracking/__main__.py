"""`python -m leafe.tracking KEY`: show all that the stages of this folder left, as one run."""

from __future__ import annotations

import sys

from leafe.params import load_params
from leafe.planning import all_stages
from leafe.tracking import PipelineRun


def main(key: str) -> None:
    """Show every stage of every method."""
    params = load_params()
    run = PipelineRun.open(key)
    for stage in all_stages(params.methods, params.iterations, params.waves):
        run.log_stage(stage, executed=True)
    run.finish("FINISHED")


if __name__ == "__main__":
    main(sys.argv[1])
