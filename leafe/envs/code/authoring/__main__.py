"""Writes `problems.jsonl` anew: `python -m leafe.envs.code.authoring`."""

from __future__ import annotations

from leafe.envs.code.authoring import PROBLEMS
from leafe.envs.code.authoring.build import FILE, text_of

if __name__ == "__main__":
    FILE.write_text(text_of(PROBLEMS), encoding="utf-8", newline="\n")
