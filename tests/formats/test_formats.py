"""Every format is read back, with ordinary and with hostile names."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.credentials import mask
from graphcount.formats import AUDIT_FORMATS, FORMATS, STYLES, render
from graphcount.formats.graphs import EXPORTS
from graphcount.formats.text import escape, safe, shape
from graphcount.formats.view import View
from graphcount.report.rollup import BY, By, arrange, groups, total
from graphcount.units import count, exact, nbytes

Save = Callable[..., str]
Weights = Callable[..., TensorProto]

HOSTILE = [
    "fc\x1b[2K\x1b[1A\x1b[32mPASS\x1b[0m",
    "n\ntotal parameters: 1\n::set-output name=gate::pass\n",
    "[red]x[/red]",
    "[/]",
    "<script>alert(1)</script>",
    "a|b|c",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "+1",
    "-1",
    '"]; evil [label="',
    "%s%n{0.__class__}",
    "`x`",
    'quote"comma,semicolon;',
    "\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "tag\U000e0041",
    "中文 名字",
    "x" * 5000,
]
RAW = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


@pytest.fixture
def hostile(save: Save, weights: Weights) -> graphcount.Report:
    """A chain of layers whose every name is an attack."""
    nodes, tensors, value = [], [], "x"
    for index, name in enumerate(HOSTILE):
        tensors.append(weights(f"{name}.weight{index}", 3, 3))
        nodes.append(
            helper.make_node("MatMul", [value, tensors[-1].name], [f"{name}{index}"], name)
        )
        value = f"{name}{index}"
    return graphcount.count(save(nodes, tensors, inputs=["x"], outputs=[value]))


def shown(report: graphcount.Report, name: str, **view: object) -> str:
    return render(name, [report], View(**view))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("by", [None, "node", "tensor", "module"])
def test_no_format_lets_a_raw_control_character_through(
    hostile: graphcount.Report, name: str, by: str | None
) -> None:
    text = shown(hostile, name, by=by, color=False)
    assert RAW.search(text.replace("\r\n", "\n")) is None


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", ["free\x1b[2J\u202e", 8])
def test_no_format_lets_one_through_in_a_dimension_or_the_peak(
    name: str, size: str | int, tmp_path: Path
) -> None:
    """Sizes of dynamic dimensions are in formulas, the largest moment is named by its node."""
    node = helper.make_node("Softmax", ["x"], ["y"], "peak\x1b[2J\u202e")
    values = [helper.make_tensor_value_info(v, TensorProto.FLOAT, [size, 2]) for v in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    text = shown(graphcount.count(str(path)), name, color=False)
    assert RAW.search(text.replace("\r\n", "\n")) is None


def test_json_keeps_hostile_names_whole(hostile: graphcount.Report) -> None:
    data = json.loads(shown(hostile, "json"))
    assert [node["name"] for node in data["nodes"]] == HOSTILE


def test_csv_has_one_row_a_tensor_whatever_the_name(hostile: graphcount.Report) -> None:
    rows = list(csv.DictReader(io.StringIO(shown(hostile, "csv"))))
    assert len(rows) == len(hostile.tensors)
    assert sum(int(row["elements"]) for row in rows) == hostile.totals.elements
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_markdown_has_one_row_a_group_and_no_markup(hostile: graphcount.Report) -> None:
    text = shown(hostile, "markdown", by="node")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(hostile.nodes) + 1
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 7 for line in table)
    assert "<script" not in text


@pytest.mark.parametrize("by", BY)
def test_markdown_counts_nodes_only_where_rows_have_some(fixtures: Path, by: By) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    rows = [row for row in shown(report, "markdown", by=by).splitlines() if row.startswith("|")]
    of_nodes = by in ("module", "node", "op_type")
    assert rows[0].startswith(f"| {by} | nodes |" if of_nodes else f"| {by} | parameters |")
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert rows[-1].startswith("| Total | 11 | 26,926 |" if of_nodes else "| Total | 26,926 |")
    assert any(row.startswith("| (no module) |") for row in rows) == (by == "module")


def test_markdown_escapes_what_means_something() -> None:
    assert escape("a|b*c_d`e`<f>[g](h)#") == "a\\|b\\*c\\_d\\`e\\`&lt;f\\>\\[g\\]\\(h\\)\\#"


@pytest.mark.parametrize("width", [40, 80, 100, 140])
def test_the_table_fits_its_width_and_cuts_no_number(fixtures: Path, width: int) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    text = shown(report, "table", width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "26,926" in text
    if width >= 80:
        for number in ("25,994", "24,704", "1,290", "932", "380", "552"):
            assert number in text


def test_the_table_has_no_escape_codes_without_colour(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    assert "\x1b" not in shown(report, "table", color=False)
    assert "\x1b[" in shown(report, "table", color=True)


@pytest.mark.parametrize("by", BY)
def test_every_grouping_sums_to_the_totals(fixtures: Path, by: str) -> None:
    for path in sorted(fixtures.glob("*.onnx")):
        report = graphcount.count(str(path))
        for top in (None, 1, 3):
            rows = arrange(groups(report, by, 1), "parameters", top)  # type: ignore[arg-type]
            whole = total(rows, "")
            assert whole.parameters == report.totals.parameters
            assert whole.buffers == report.totals.buffers
            assert whole.elements == report.totals.elements
            assert whole.nbytes == report.totals.nbytes.total
            assert whole.tensors == len(report.tensors)


@pytest.mark.parametrize("by", [None, *BY])
def test_a_line_is_too_long_before_a_number_is_cut(fixtures: Path, by: By | None) -> None:
    """40 columns are the least that is drawn for; a terminal wraps what it has no room for."""
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    text = render("table", [report], View(by=by, width=40))
    assert re.search(r"\n  total .* 26,926 .*107\.72 kB( |\n)", text)


@pytest.mark.parametrize("by", [None, *BY])
def test_short_names_leave_room_for_the_total(save: Save, by: By | None) -> None:
    path = save([helper.make_node("Abs", ["x"], ["y"], "n")], inputs=["x"], outputs=["y"])
    text = shown(graphcount.count(path), "table", by=by)
    assert text.count("\n  total  ") == 1
    assert ", 1 node, " in text


def test_top_folds_the_rest_into_one_row(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    rows = arrange(groups(report, "node"), "parameters", 2)
    assert [row.parameters for row in rows] == [24_704, 1_290, 26_926 - 24_704 - 1_290]
    assert rows[-1].label == "(9 others)"


def test_sorting_by_name(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    labels = [row.label for row in arrange(groups(report, "op_type"), "name", None)]
    assert labels == sorted(labels)


def test_secrets_are_masked_in_text() -> None:
    key = "AKIA" + "IOSFODNN7" + "EXAMPLE"
    assert mask(f"id {key}.") == "id AKIA***(20)."
    token = "ghp_" + "0" * 36
    assert mask(token) == "ghp_***(40)"
    block = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIfake\n-----END RSA PRIVATE " + "KEY-----"
    assert "MIIfake" not in mask(block)
    assert mask("an ordinary sentence, sk-learn, AKIA") == "an ordinary sentence, sk-learn, AKIA"


def test_safe_shows_and_cuts() -> None:
    assert safe("a\x1b[0m\u202e") == "a\\x1b[0m\\u202e"
    assert safe("x" * 200) == "x" * 117 + "..."
    assert safe("x" * 200, None) == "x" * 200


def test_shapes() -> None:
    assert shape(("batch", 3, None)) == "[batch, 3, ?]"
    assert shape(()) == "[]"
    assert shape(None) == ""


@cache
def reports_without_and_with_sizes(path: str) -> list[graphcount.Report]:
    """A model as it is, and with 16 for every dynamic dimension of its inputs."""
    report = graphcount.count(path)
    declared = {dim for value in report.model.inputs for dim in value.shape or ()}
    sizes = {dim: 16 for dim in declared if isinstance(dim, str)}
    return [report, graphcount.count(path, dims=sizes)]


@pytest.mark.parametrize("name", ["cnn", "transformer_block", "gpt2_like", "behavior_cloning"])
@pytest.mark.parametrize("width", [64, 72, 80, 100, 140])
@pytest.mark.parametrize("by", [None, *BY])
def test_numbers_of_tables_are_never_cut(
    fixtures: Path, name: str, width: int, by: By | None
) -> None:
    """Words give way to numbers, and columns of less worth go before they are cut."""
    for report in reports_without_and_with_sizes(str(fixtures / f"{name}.onnx")):
        text = render("table", [report], View(by=by, width=width, top=6))
        lines = text.split("\n\n")[1 if by else 2].splitlines()
        assert max(map(len, lines)) <= width
        assert re.search(r" parameters .*(size|share|MACs)$", lines[0])
        size = nbytes(report.totals.nbytes.total)
        (whole,) = (line for line in text.split("\n") if line.startswith("  total"))
        assert re.search(rf" {report.totals.parameters:,}  .*{size}( |$)", whole)
        if "MACs" in lines[0]:
            macs = report.totals.macs or 0
            assert re.search(rf" {exact(macs) if by else count(macs)}( |$)", whole)
        if by is not None:
            shown = [line for line in lines[2:] if line.strip()]
            rows = arrange(groups(report, by), "size", 6)
            for row, line in zip(rows, shown, strict=False):
                assert line.endswith(f" {nbytes(row.nbytes)}")
                assert f" {row.parameters:,} " in line


# ----------------------------------------------------------------------------------- empty models


@pytest.mark.parametrize(
    "graph", [{}, {"inputs": [("x", [1])]}, {"inputs": [("x", [1])], "outputs": ["y"]}]
)
def test_a_model_without_a_node_is_shown_in_every_form(save: Save, graph: dict[str, Any]) -> None:
    """A file that was cut, or a graph that somebody emptied."""
    path = save([], **graph)
    counted, audited = graphcount.count(path), graphcount.audit(path)
    for by in (None, *BY):
        text = render("table", [counted], View(by=by, width=80))
        assert re.search(r"^  total .*\b0 B", text, re.MULTILINE), by
    for name in {**FORMATS, **STYLES}:
        assert render(name, [counted], View(width=80)), name
    for name in AUDIT_FORMATS:
        assert render(name, [audited], View(width=80), AUDIT_FORMATS), name
    for export in EXPORTS:
        if export != "svg":  # by a program of its own
            assert graphcount.export(path, export), export
    assert "<html" in graphcount.page(path)
