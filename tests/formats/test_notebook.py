"""What Jupyter shows: valid, without script, and its tiles fill the map."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import html5lib
import pytest
from onnx import helper

import graphcount
from graphcount.errors import Unknown
from graphcount.formats.notebook import Box, squarify
from graphcount.report.pass_rows import MismatchRow

ATTACK = "<script>alert(1)</script>"


def elements(html: str) -> list[Any]:
    """Every element, by a parser that accepts no error."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return list(parser.parseFragment(html).iter())


def test_model_and_report_show_numbers_treemap_and_table(fixtures: Path) -> None:
    path = str(fixtures / "transformer_block.onnx")
    for shown in (graphcount.load(path)._repr_html_(), graphcount.count(path)._repr_html_()):
        assert "17,152 (17.2k)" in shown
        tags = [element.tag for element in elements(shown) if isinstance(element.tag, str)]
        names = {tag.rpartition("}")[2] for tag in tags}
        assert {"svg", "rect", "table", "style"} <= names
        cells = re.findall(r"<tr><td>([^<]*)</td>", shown)
        assert cells[:2] == ["layers.0", "layers.1"]
        assert cells[-1] == "total"


def test_numbers_are_at_the_assumed_sizes(fixtures: Path) -> None:
    """Four products of a sequence of 128 by 32x32 and two by 32x64, twice; and attention."""
    shown = graphcount.load(str(fixtures / "transformer_block.onnx"))._repr_html_()
    macs = 2 * 128 * (4 * 32 * 32 + 2 * 32 * 64 + 2 * 128 * 32)
    assert f"<b>{macs:,} (4.2M) at these sizes" in shown
    assert "<b>assumed: batch 1, sequence 128" in shown


def test_what_is_doubtful_is_in_words(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    mismatches = (MismatchRow("conv", "c", (1, 4), (1, 8), 2),)
    unknown = tuple(Unknown(f"n{at}", f"kind{'abcd'[at]}", "no formula", "cost") for at in range(4))
    totals = report.totals._replace(at_least=("elementwise",))
    doubtful = replace(report, mismatches=mismatches, unknown=unknown, totals=totals)
    shown = doubtful._repr_html_()
    assert "c is [1, 8], not [1, 4] as declared, with 1 value after it" in shown
    assert "unknown: n2: kindc: no formula" in shown
    assert "unknown: 1 more cause<" in shown
    assert "element-wise <b>at least" in shown
    assert "MACs <b>at least" not in shown


def test_a_hostile_model_shows_its_names_and_runs_nothing(save: Any, weights: Any) -> None:
    path = save(
        [helper.make_node("Add", ["x", ATTACK], ["y"], f"/{ATTACK}/a'\"&/Add")],
        [weights(ATTACK, 4)],
        inputs=[("x", [4])],
        outputs=["y"],
        change=lambda model: model.graph.node.extend([]),
    )
    html = graphcount.count(path)._repr_html_()
    assert "&lt;script&gt;" in html
    for element in elements(html):
        assert "script" not in str(element.tag).lower()
        assert not any(str(name).lower().startswith("on") for name in element.attrib)
        assert not {"href", "src"} & set(element.attrib)


def test_styles_stay_in_the_report(fixtures: Path) -> None:
    html = graphcount.count(str(fixtures / "cnn.onnx"))._repr_html_()
    (style,) = re.findall(r"<style>(.*?)</style>", html)
    for selectors, _ in re.findall(r"([^{}]+)\{([^}]*)\}", style):
        assert all(part.startswith(".graphcount") for part in selectors.split(","))


@pytest.mark.parametrize(
    "values", [[1], [6, 6, 4, 3, 2, 2, 1], [100, 1, 1, 1], [1] * 61, [10**12, 3, 1]]
)
def test_tiles_have_their_areas_and_fill_the_box(values: list[float]) -> None:
    boxes = squarify(values, Box(0, 0, 720, 300))
    whole = sum(values)
    assert len(boxes) == len(values)
    for value, box in zip(values, boxes, strict=True):
        assert box.width * box.height == pytest.approx(720 * 300 * value / whole, rel=1e-6)
        assert box.x >= -1e-6
        assert box.y >= -1e-6
        assert box.x + box.width <= 720 + 1e-6
        assert box.y + box.height <= 300 + 1e-6


def test_tiles_are_nearly_square() -> None:
    """The example of the paper: 6 6 4 3 2 2 1 in 6 x 4."""
    boxes = squarify([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    assert boxes[0] == pytest.approx((0, 0, 3, 2))
    assert boxes[1] == pytest.approx((0, 2, 3, 2))
    assert boxes[2] == pytest.approx((3, 0, 12 / 7, 7 / 3))


def test_nothing_to_draw_is_no_error(save: Any) -> None:
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=[("x", [4])], outputs=["y"])
    assert "<svg" not in graphcount.count(path)._repr_html_()
