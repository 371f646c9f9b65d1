"""Sizes on the page: formulas evaluated exactly, a field a dimension, nothing unknown as zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import graphcount
from graphcount.errors import Unknown
from graphcount.formats.page import render
from graphcount.formats.page.data import formulas
from graphcount.formats.sentences import cause_words, causes
from graphcount.report.pass_rows import MismatchRow, RangeRow, RangesRow, StateRow, StatesRow
from graphcount.report.rows import NodeRow
from graphcount.symbolic import (
    Dim,
    TooComplexError,
    ceildiv,
    evaluate,
    floordiv,
    maximum,
    minimum,
    symbol,
)
from graphcount.symbolic.text import formula
from graphcount.symbolic.tree import tree
from graphcount.units import exact, nbytes
from tests.conftest import Save
from tests.formats.page.conftest import HOSTILE, scripts

Open = Callable[..., Any]

# ------------------------------------------------------------------------------------ its formulas

NAMES = ("batch", "__proto__", "past.0", '"a"\n<b>')

dims = st.recursive(
    st.one_of(
        st.integers(-9, 9),
        st.integers(-(2**70), 2**70),
        st.sampled_from([symbol(name) for name in NAMES]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a * b, inner, inner),
        st.builds(lambda a, power: reduce(lambda x, _: x * a, range(power), a), inner, st.just(3)),
        st.builds(floordiv, inner, st.integers(1, 9)),
        st.builds(ceildiv, inner, st.sampled_from([symbol("batch"), 7])),
        st.builds(maximum, inner, inner),
        st.builds(minimum, inner, inner),
    ),
    max_leaves=8,
)
sizes = st.fixed_dictionaries(
    {name: st.one_of(st.integers(0, 9), st.integers(0, 10**18)) for name in NAMES}
)


def expected(dim: Dim, at: Mapping[str, int]) -> str | None:
    """Digits of what Python makes of a formula; None where it has no size."""
    try:
        value = evaluate(dim, at)
    except ZeroDivisionError:
        return None
    return str(value) if isinstance(value, int) and 0 <= value <= 10**2000 else None


@pytest.fixture(scope="module")
def calculator(chromium: Any) -> Any:
    """The page's own arithmetic, as a function of trees and sizes."""
    page = chromium.new_page()
    code = f"""{scripts("data.js", "formulas.js")}
    globalThis.work = (rows) => rows.map(([tree, sizes]) => {{
      const at = new Map(sizes.map(([name, digits]) => [name, BigInt(digits)]));
      const value = valueOf(tree, at);
      return value === null ? null : String(value); }});"""
    page.evaluate("(code) => { const PAGE = {}; eval(code); }", code)
    yield lambda rows: page.evaluate("(rows) => work(rows)", rows)
    page.close()


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(dims, sizes), min_size=1, max_size=20))
def test_a_formula_has_the_value_that_python_gives_it(
    calculator: Any, rows: list[tuple[Dim, Mapping[str, int]]]
) -> None:
    asked, wanted = [], []
    for dim, at in rows:
        try:
            wanted.append(expected(dim, at))
        except TooComplexError:
            continue
        asked.append([tree(dim), [[name, str(size)] for name, size in at.items()]])
    assert calculator(asked) == wanted


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (["//", -7, 2], None),  # -4: no size is negative
        (["+", ["//", -7, 2], 10], "6"),
        (["+", ["//", 7, -2], 10], "6"),
        (["//", 1, 0], None),
        (["n", "nobody"], None),
        (["n", "constructor"], None),
        (["i", str(2**80)], str(2**80)),
        (["^", ["i", str(10**40)], 49], str(10**1960)),
        (["^", ["i", str(10**40)], 64], None),
    ],
)
def test_what_has_no_value_has_none(calculator: Any, node: Any, value: str | None) -> None:
    assert calculator([[node, []]]) == [value]


def test_each_formula_is_carried_once(transformer: graphcount.Report) -> None:
    rows = formulas(transformer)
    texts = [text for text, _ in rows]
    assert len(texts) == len(set(texts))
    totals = transformer.totals
    assert texts[0] == totals.macs_expression
    assert {totals.elementwise_expression, totals.activation_expression, "batch"} <= set(texts)
    wanted = {node.macs_expression for node in transformer.nodes} - {None}
    assert wanted <= set(texts)


def test_long_formulas_are_bounded(
    transformer: graphcount.Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = formulas(transformer)
    limit = len(everything[0][0]) + 1
    monkeypatch.setattr("graphcount.formats.page.data.MAX_FORMULA_CHARACTERS", limit)
    assert formulas(transformer) == everything[:1]


# --------------------------------------------------------------------------------------- its fields


def stat(page: Any, label: str) -> str:
    """Text of a card of the header."""
    text: str = page.locator("#stats .stat", has_text=label).first.inner_text()
    return text


def fill(page: Any, **at: int) -> None:
    for name, size in at.items():
        page.fill(f"#sizes input[data-dim={name}]", str(size))


def test_the_page_starts_at_the_assumed_sizes(opened: Open, transformer: graphcount.Report) -> None:
    watched = opened(render(transformer))
    page = watched.page
    for row in transformer.dimensions:
        field = page.locator(f"#sizes input[data-dim={row.name}]")
        assert field.input_value() == str(row.assumed)
        assert row.place in field.locator("..").inner_text()
    totals = transformer.in_numbers.totals
    assert exact(totals.macs or 0) in stat(page, "MACs")
    assert exact(totals.elementwise or 0) in stat(page, "Element-wise")
    assert page.is_disabled("#sizes-back")
    assert watched.events == []


def alone(report: graphcount.Report, node: NodeRow) -> graphcount.Report:
    """A report of one node: what `Report.macs` says of it is its own cost."""
    return replace(report, totals=report.totals._replace(macs=node.macs,
        macs_expression=node.macs_expression))  # fmt: skip


@pytest.mark.parametrize(("batch", "sequence"), [(2, 64), (3, 1), (10**9, 10**12)])
def test_numbers_follow_the_fields(
    opened: Open, transformer: graphcount.Report, batch: int, sequence: int
) -> None:
    page = opened(render(transformer)).page
    page.click("#map-tools button[data-key=macs]")
    fill(page, batch=batch, sequence=sequence)
    at = {"batch": batch, "sequence": sequence}
    macs = transformer.macs(**at)
    assert exact(macs) in stat(page, "MACs")
    if sequence < 10**9:
        assert nbytes(transformer.activation_nbytes(**at)) in stat(page, "Activations")
    page.click("text=The same as a table")
    cells = page.locator("#map-table td:nth-child(3)").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in cells) == macs
    page.click("#nodes [data-key=id] button")
    for node in [node for node in transformer.nodes if node.macs_expression][:3]:
        page.fill("#nodes input[type=search]", node.id)
        cells = page.locator("#nodes .row[data-place='0'] > div").all_inner_texts()
        assert cells[5] == exact(alone(transformer, node).macs(**at))
        texts = node.read_expression or "", node.written_expression or ""
        moved = sum(int(expected(formula(text) or 0, at) or 0) for text in texts)
        assert cells[6] == nbytes(moved)
        ratio = 2 * alone(transformer, node).macs(**at) / moved
        assert cells[7] == f"{ratio:.2f}"
        assert cells[2].startswith(f"[{batch}, ")


def test_nothing_of_an_empty_sequence_is_zero_and_known(
    opened: Open, transformer: graphcount.Report
) -> None:
    page = opened(render(transformer)).page
    fill(page, sequence=0)
    assert stat(page, "MACs") == "MACs\n0"


def test_there_is_a_way_back(opened: Open, transformer: graphcount.Report) -> None:
    page = opened(render(transformer)).page
    before = page.locator("#stats").inner_text()
    fill(page, batch=7)
    assert page.locator("#stats").inner_text() != before
    page.click("#sizes-back")
    assert page.locator("#stats").inner_text() == before
    assert page.locator("#sizes input[data-dim=batch]").input_value() == "1"


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "9" * 19])
def test_what_is_no_size_changes_nothing(
    opened: Open, transformer: graphcount.Report, text: str
) -> None:
    page = opened(render(transformer)).page
    fill(page, batch=5)
    before = page.locator("#stats").inner_text()
    field = page.locator("#sizes input[data-dim=batch]")
    field.fill(text)
    assert field.get_attribute("aria-invalid") == "true"
    assert page.locator("#stats").inner_text() == before
    field.blur()
    assert field.input_value() == "5"


def test_without_assumed_sizes_a_number_comes_with_the_last_field(
    opened: Open, fixtures: Path
) -> None:
    report = graphcount.count(str(fixtures / "transformer_block.onnx"))
    page = opened(render(report)).page
    assert "not known" in stat(page, "MACs")
    assert "--dim batch=1 --dim sequence=1" in page.locator("#memory").inner_text()
    fill(page, batch=1)
    assert "not known" in stat(page, "MACs")
    fill(page, sequence=64)
    assert exact(report.macs(batch=1, sequence=64)) in stat(page, "MACs")


def test_fixed_sizes_have_no_fields(opened: Open, bound: graphcount.Report) -> None:
    page = opened(render(bound)).page
    assert not page.is_visible("#sizes")
    assert "501.76 kB" in stat(page, "Peak")


def matmuls(save: Save, names: list[str]) -> str:
    """A product for each dimension."""
    nodes = [
        helper.make_node("MatMul", [f"x{at}", "w"], [f"y{at}"], f"n{at}")
        for at in range(len(names))
    ]
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    return save(
        nodes,
        [weight],
        inputs=[(f"x{at}", [name, 4]) for at, name in enumerate(names)],
        outputs=[f"y{at}" for at in range(len(names))],
    )


def test_300_dimensions_are_searched(opened: Open, save: Save) -> None:
    report = graphcount.count(matmuls(save, [f"rows_{at}" for at in range(300)]), assume=True)
    page = opened(render(report)).page
    assert page.locator("#sizes input[data-dim]").count() == len(report.dimensions) == 300
    assert page.locator("#sizes").bounding_box()["height"] < 400
    page.fill("#sizes input[type=search]", "rows_299")
    assert page.locator("#sizes .size:visible").count() == 1
    page.fill("#sizes .size:visible input", "1000")
    rest = sum(row.assumed or 0 for row in report.dimensions if row.name != "rows_299")
    assert exact(16 * (1000 + rest)) in stat(page, "MACs")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_hostile_names_of_dimensions_are_dimensions(opened: Open, save: Save) -> None:
    names = [name for name in HOSTILE if name.strip()]
    report = graphcount.count(matmuls(save, names), assume=True)
    watched = opened(render(report))
    page = watched.page
    page.click("text=Formulas")
    fields = page.locator("#sizes input[data-dim]")
    assert fields.count() == len(report.dimensions)
    chosen = {row.name: at + 10 for at, row in enumerate(report.dimensions)}
    for at in range(fields.count()):
        fields.nth(at).fill(str(at + 10))
    assert exact(report.macs(**chosen)) in stat(page, "MACs")
    assert watched.events == []
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("({}).hacked") is None
    assert "\u202e" not in page.locator("body").inner_text()


# -------------------------------------------------------------------------------- what is not known


@pytest.fixture
def lacking(save: Save) -> graphcount.Report:
    """A product of 16*batch MACs, and an operator that nobody knows."""
    path = save(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"], "/known/MatMul"),
            helper.make_node("Foo", ["y"], ["z"], "/custom/Foo", domain="com.acme"),
        ],
        [numpy_helper.from_array(np.ones((4, 4), np.float32), "w")],
        inputs=[("x", ["batch", 4])],
        outputs=["z"],
        opsets=[("", 20), ("com.acme", 1)],
    )
    return graphcount.count(path, assume=True)


def test_no_part_is_all_while_the_rest_is_unknown(opened: Open, lacking: graphcount.Report) -> None:
    """Once 144.0k MACs of 702M were shown as 100.0%."""
    page = opened(render(lacking)).page
    page.click("#map-tools button[data-key=macs]")
    page.click("text=The same as a table")
    assert page.locator("#map-crumbs .crumb-size").inner_text() == "at least 16 MACs"
    rows = [row.split("\t") for row in page.locator("#map-table tr").all_inner_texts()]
    assert rows == [
        ["known", "module", "16", "all that is known"],
        ["custom", "module", "not known", ""],
    ]
    assert "1 node has no number" in page.locator("#map-lacking").inner_text()
    bars = page.locator("#bars .panel").first.inner_text()
    assert "com.acme::Foo" in bars
    assert "not known" in bars
    for part in (page.locator("#map"), page.locator("#bars .panel").first):
        assert "100.0%" not in part.inner_text()
    page.locator(".tile", has_text="MatMul").first.hover()
    assert "100.0%" not in page.locator("#map-readout").inner_text()


def test_a_formula_that_nobody_can_read_is_not_zero(
    opened: Open, transformer: graphcount.Report
) -> None:
    spoiled = next(node for node in transformer.nodes if node.macs_expression)
    nodes = tuple(
        node._replace(macs_expression="128*?") if node is spoiled else node
        for node in transformer.nodes
    )
    page = opened(render(replace(transformer, nodes=nodes, assumed=None))).page
    page.click("#map-tools button[data-key=macs]")
    fill(page, batch=2, sequence=4)
    assert stat(page, "MACs").split("\n")[1].startswith("at least ")
    assert "100.0%" not in page.locator("#map").inner_text()
    page.fill("#nodes input[type=search]", spoiled.id)
    assert "not known" in page.locator("#nodes .row[data-place='0']").inner_text()


def test_a_bound_stands_beside_its_own_measure(opened: Open, bound: graphcount.Report) -> None:
    totals = bound.totals._replace(at_least=("elementwise",))
    unknown = (Unknown("n", "elementwise", "a shape it needs is not known", "cost"),)
    page = opened(render(replace(bound, totals=totals, unknown=unknown))).page
    assert "at least" in stat(page, "Element-wise")
    for label in ("MACs", "Parameters", "Weights", "Peak", "Activations"):
        assert "at least" not in stat(page, label)
    assert "read element-wise work as “at least”" in page.locator("#doubts").inner_text()


def test_shapes_taken_as_declared_make_no_bound(opened: Open, bound: graphcount.Report) -> None:
    why = "nothing derives it: 4 shapes are taken as declared"
    unknown = (Unknown("Foo", "declared shape", why, "declared"),)
    page = opened(render(replace(bound, unknown=unknown))).page
    assert "at least" not in page.locator("#stats").inner_text()
    doubts = page.locator("#doubts").inner_text()
    assert "at least" not in doubts
    assert why in doubts


def test_wrong_declarations_are_named(opened: Open, bound: graphcount.Report) -> None:
    row = MismatchRow("conv", "c", (1, 4, 112, 112), (1, 4, "h", 160), 3)
    model = bound.model
    resized = model.inputs[0]._replace(shape=(1, 3, 320, 320), declared=(1, 3, 224, 224))
    report = replace(bound, mismatches=(row,), model=model._replace(inputs=(resized,)))
    page = opened(render(report)).page
    sentence = "c is [1, 4, h, 160], not [1, 4, 112, 112] as declared, with 2 values after it"
    assert sentence in page.locator("#doubts").inner_text()
    assert "[1, 4, 112, 112]" in page.locator("#mismatches .row[data-place='0']").inner_text()
    assert "[1, 3, 320, 320] (declared [1, 3, 224, 224])" in page.locator("#values").inner_text()


def test_a_range_has_both_ends(opened: Open, bound: graphcount.Report) -> None:
    totals = bound.totals._replace(macs=128, macs_at_most=640, at_least=("macs",))
    page = opened(render(replace(bound, totals=totals))).page
    assert "at least" in stat(page, "MACs")
    assert "at most 640" in stat(page, "MACs")


def test_one_cause_is_one_line_as_in_the_terminal(opened: Open, bound: graphcount.Report) -> None:
    unknown = tuple(Unknown(f"n{at}", "macs", f"rank {at} of 9", "cost") for at in range(40))
    page = opened(render(replace(bound, unknown=unknown))).page
    lines = page.locator("#doubts li").all_inner_texts()
    assert lines == [cause_words(cause) for cause in causes(replace(bound, unknown=unknown))]
    assert len(lines) == 1
    assert "all 40" in page.locator("#doubts").inner_text()


def test_ranges_have_their_ends_and_where_they_are(opened: Open, bound: graphcount.Report) -> None:
    one, eight = {"<b>": 1}, {"<b>": 8}
    rows = (
        RangeRow("macs", 100, 9_000, one, eight, True, True),
        RangeRow("elementwise", None, 70, {}, eight, True, False),
    )
    ranges = RangesRow(one, eight, {"h": 224}, rows)
    totals = bound.totals._replace(at_least=("elementwise",))
    page = opened(render(replace(bound, ranges=ranges, totals=totals))).page
    cells = page.locator("#ranges tbody td").all_inner_texts()
    assert [cell.split() for cell in cells] == [
        ["MACs"],
        ["100", "at", "<b>", "=", "1"],
        ["9,000", "at", "<b>", "=", "8"],
        ["Element-wise", "work"],
        ["not", "known"],
        ["not", "above", "70", "at", "<b>", "=", "8"],
    ]
    note = page.locator("#ranges .note").inner_text()
    assert note == "With <b> from 1 to 8, others at h = 224."


# --------------------------------------------------------------------------------------- its memory


def test_states_have_bytes_of_a_token_and_of_all(
    opened: Open, transformer: graphcount.Report
) -> None:
    state = StateRow(
        *("past", "present", "keys-values", "", "", "float32"),
        shape=("batch", 4, "sequence", 16),
        output_shape=None,
        batch_axis=0,
        axis=2,
        step=1,
        nbytes="256*batch*sequence",
        nbytes_in=None,
    )
    row = StatesRow((state, state), "512*batch*sequence", None, 96, 512)
    assert transformer.assumed is not None
    assumed = transformer.assumed._replace(states=row._replace(nbytes=65_536))
    page = opened(render(replace(transformer, states=row, assumed=assumed))).page
    assert "512 B a token" in stat(page, "States")
    assert "96 B a sequence; 65.54 kB in all; 2 keys-values" in stat(page, "States")
    fill(page, sequence=256)
    assert "131.07 kB in all" in stat(page, "States")


def test_the_run_is_at_the_assumed_sizes_and_says_so(
    opened: Open, transformer: graphcount.Report
) -> None:
    page = opened(render(transformer)).page
    assert transformer.assumed is not None
    assert transformer.assumed.timeline
    assert page.locator("#memory svg.plot").count() == 1
    line = page.locator("#memory-sizes")
    assert line.inner_text() == "All of this is at batch = 1, sequence = 128."
    peak = stat(page, "Peak")
    fill(page, batch=2)
    assert "not worked out at the sizes chosen" in line.inner_text()
    changed = stat(page, "Peak")
    assert changed.startswith("Peak at the assumed sizes")
    assert peak.split("\n")[1] == changed.split("\n")[1]


def test_the_run_at_assumed_sizes_is_that_of_these_sizes(
    transformer: graphcount.Report, fixtures: Path
) -> None:
    assert transformer.assumed is not None
    path = str(fixtures / "transformer_block.onnx")
    fixed = graphcount.count(path, dims=transformer.assumed.dims, timeline=True)
    assert transformer.in_numbers.timeline == fixed.timeline
    assert transformer.timeline is None


def test_times_stand_beside_the_sizes_at_which_they_were_measured(
    opened: Open, transformer: graphcount.Report
) -> None:
    node = next(node for node in transformer.nodes if node.macs_expression)
    at = {"batch": 4, "sequence": 32}
    bench = {
        "nodes": [{"ids": [node.id], "op_type": node.op_type, "seconds": 1e-3}],
        "note": "",
        "sizes": at,
    }
    page = opened(render(transformer, bench=bench)).page
    macs = alone(transformer, node).macs(**at)
    assert 10_000 <= macs < 10**6
    row = page.locator("#bench .row[data-place='0']").inner_text()
    assert f"{macs / 1000:.1f}k" in row


def test_a_model_without_products_has_sizes_too(opened: Open, save: Save) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    path = save(nodes, inputs=[("x", ["n", 4])], outputs=["y"])
    page = opened(render(graphcount.count(path, assume=True))).page
    fill(page, n=25_000)
    assert "100,000" in stat(page, "Element-wise")
