"""Where `problems.jsonl` comes from: every problem as its author wrote it, by grade.

Only the file is read when the environment runs; this package rebuilds it, byte for byte.
"""

from __future__ import annotations

from leafe.envs.code.authoring import (
    grade_1_numbers,
    grade_1_texts,
    grade_2_lists,
    grade_2_numbers,
    grade_2_texts,
    grade_3_lists,
    grade_3_numbers,
    grade_3_sorting,
    grade_3_texts,
    grade_4_areas,
    grade_4_numbers,
    grade_4_texts,
    grade_5_choices,
    grade_5_graphs,
    grade_5_sums,
    grade_6_choices,
    grade_6_graphs,
    grade_6_maps,
    grade_6_numbers,
)
from leafe.envs.code.authoring.problem import Problem

PROBLEMS: tuple[Problem, ...] = (
    *grade_1_numbers.PROBLEMS,
    *grade_1_texts.PROBLEMS,
    *grade_2_numbers.PROBLEMS,
    *grade_2_lists.PROBLEMS,
    *grade_2_texts.PROBLEMS,
    *grade_3_numbers.PROBLEMS,
    *grade_3_lists.PROBLEMS,
    *grade_3_sorting.PROBLEMS,
    *grade_3_texts.PROBLEMS,
    *grade_4_numbers.PROBLEMS,
    *grade_4_areas.PROBLEMS,
    *grade_4_texts.PROBLEMS,
    *grade_5_graphs.PROBLEMS,
    *grade_5_choices.PROBLEMS,
    *grade_5_sums.PROBLEMS,
    *grade_6_graphs.PROBLEMS,
    *grade_6_maps.PROBLEMS,
    *grade_6_choices.PROBLEMS,
    *grade_6_numbers.PROBLEMS,
)
