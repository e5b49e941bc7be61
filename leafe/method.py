"""The methods that are compared: LEAFE, its ablations, and the baselines.

All start from the same base policy, play the same tasks within the same budget, and are measured
alike. What a method is, is said here; what it sets is in `params.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Explores = Literal["roots", "waves", "alternatives", "rounds"]


@dataclass(frozen=True)
class Method:
    """How a method makes its experience, and so which stages it has."""

    explores: Explores
    """`roots`: episodes from the start. `waves`: then reflection, rollback and branches.
    `alternatives`: then other actions at the steps of what succeeded. `rounds`: episodes and
    updates by turns."""
    with_experience: bool = True
    """Whether a branch has the note e in view."""
    rolls_back: bool = True
    """Whether a branch starts at tau; false starts the task anew."""


METHODS = {
    "leafe": Method("waves"),
    "leafe_no_experience": Method("waves", with_experience=False),
    "leafe_restart": Method("waves", rolls_back=False),
    "rejection_sampling": Method("roots"),
    "early_experience": Method("alternatives"),
    "grpo": Method("rounds"),
}
"""Name -> method. The sources: LEAFE arXiv 2603.16843; Early Experience arXiv 2510.08558; GRPO
arXiv 2402.03300; rejection sampling and the two ablations leave parts of LEAFE out."""
