"""Orchestration with Prefect; the work is done by the stages in `leafe/stages`."""
