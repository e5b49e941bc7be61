"""The picture of a comparison: the same bytes each time, every method in it, nothing cut."""

from __future__ import annotations

from math import nan
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.colors import to_rgb

from leafe.comparison_plot import LINES, draw, draw_groups
from leafe.pass_at_k import Estimate

KS = (1, 2, 4, 8)
UNDEFINED = Estimate(nan, nan, nan)


def around(value: float) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.05)


CURVES = {name: {k: around(0.1 + 0.08 * n + 0.02 * k) for k in KS} for n, name in enumerate(LINES)}
SPENT = {
    name: [(0.0, CURVES["base"][1]), (20.0 + n, around(0.3)), (40.0 + n, CURVES[name][1])]
    for n, name in enumerate(LINES)
    if name != "base"
}


def test_equal_figures_give_equal_bytes_whatever_the_machine_likes(tmp_path: Path) -> None:
    draw(CURVES, SPENT, tmp_path / "a.svg")
    likes = {"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "none", "axes.grid": False}
    with matplotlib.rc_context(likes):
        turned = {name: dict(reversed(curve.items())) for name, curve in reversed(CURVES.items())}
        draw(turned, dict(reversed(SPENT.items())), tmp_path / "b.svg")
        assert matplotlib.rcParams["font.size"] == 30
    first = (tmp_path / "a.svg").read_bytes()
    assert first == (tmp_path / "b.svg").read_bytes()
    assert b"<dc:date>" not in first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]


def test_the_picture_names_every_method_in_its_legend_and_in_words(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "comparison.svg"
    draw(CURVES, SPENT, path)
    text = path.read_text()
    root = ElementTree.fromstring(text)
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "Comparison of methods"
    words = root.findtext(".//{http://purl.org/dc/elements/1.1/}description")
    assert words is not None
    for line in LINES.values():
        assert f"<!-- {line.label} -->" in text  # beside the outlines of its letters
        assert f"{line.label}: Pass@1 " in words
        assert line.color in text


def test_only_the_methods_that_were_measured_are_named(tmp_path: Path) -> None:
    few = ("leafe", "base")
    curves = {name: CURVES[name] for name in few}
    draw(curves, {"leafe": SPENT["leafe"]}, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert [name for name, line in LINES.items() if f"<!-- {line.label} -->" in text] == [*few]


def test_an_undefined_point_is_left_out(tmp_path: Path) -> None:
    curves = {**CURVES, "grpo": {**CURVES["grpo"], 8: UNDEFINED}}
    draw(curves, {**SPENT, "grpo": [*SPENT["grpo"], (60.0, UNDEFINED)]}, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "nan" not in text
    assert "GRPO: Pass@1 0.44, Pass@2 0.46, Pass@4 0.50. Early Experience" in text


def test_a_method_without_a_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no line for the methods \['mine'\]"):
        draw({"mine": CURVES["leafe"]}, {}, tmp_path / "a.svg")
    assert not [*tmp_path.iterdir()]


def test_groups_lie_side_by_side_with_their_names_and_the_smallest_and_largest_k(
    tmp_path: Path,
) -> None:
    other = {**CURVES, "grpo": CURVES["base"]}
    groups = {"feedback=what,kl=0.05": CURVES, "feedback=nothing,kl=0.05": other}
    draw_groups(groups, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    ticks, panels = ("what", "nothing", "0.05"), ("Pass@1 on held-out", "Pass@8 on held-out")
    for words in (*ticks, "feedback, kl", *panels):
        assert f"<!-- {words}" in text
    draw_groups(groups, tmp_path / "b.svg")
    assert text == (tmp_path / "b.svg").read_text()


def test_no_two_methods_are_told_apart_by_colour_alone() -> None:
    assert len({(line.marker, line.dash) for line in LINES.values()}) == len(LINES)
    assert len({line.color for line in LINES.values()}) == len(LINES)
    assert max(LINES.values(), key=lambda line: line.width) == LINES["leafe"]
    red, green, blue = to_rgb(LINES["base"].color)
    assert red == green == blue
