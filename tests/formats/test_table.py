"""The first screen: what is on it, and that it is one screen for any model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import graphcount
from graphcount.errors import Unknown
from graphcount.formats import render
from graphcount.formats.sentences import UnknownCause, cause_words, causes, headline, sizes_words
from graphcount.formats.table import SCREEN
from graphcount.formats.text import distinct, middle, text_columns
from graphcount.formats.view import View
from graphcount.report.pass_rows import MismatchRow
from graphcount.report.records import Report
from graphcount.report.rollup import BY
from graphcount.report.rows import ValueRow

Save = Callable[..., str]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SHARED = FIXTURES.parent.parent / "shared"


def screen(report: Report, **view: object) -> list[str]:
    return render("table", [report], View(**{"width": 80, **view})).splitlines()  # type: ignore[arg-type]


def is_one_screen(report: Report) -> bool:
    for by in (None, "module", "node", "tensor"):
        lines = screen(report, by=by)
        assert len(lines) <= SCREEN, f"{report.model.path}: {len(lines)} lines"
        assert max(map(len, lines)) <= 80, report.model.path
    return True


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.onnx")), ids=lambda path: path.stem)
def test_a_fixture_is_one_screen(path: Path) -> None:
    assert is_one_screen(graphcount.count(str(path), timeline=True))


@pytest.mark.parametrize("part", range(4))
def test_third_party_models_are_one_screen(shared: Path, part: int) -> None:
    folders = ("corpus", "cases", "field/models", "disguise", "twoviews")
    models = [path for folder in folders for path in sorted((shared / folder).rglob("*.onnx"))]
    seen = 0
    for path in models[part::4]:
        try:
            report = graphcount.count(str(path), timeline=True, deep=False)
        except graphcount.GraphcountError:
            continue
        seen += is_one_screen(report)
    assert seen > 60


def chain(save: Save, count: int, name: str) -> Report:
    """Return the report of many products, each larger than the one before it."""
    nodes, tensors = [], []
    for number in range(count):
        tensor = numpy_helper.from_array(np.zeros(number + 1, np.int8), f"t{number}")
        tensors.append(tensor)
        nodes.append(helper.make_node("Add", ["x", tensor.name], ["y"], name.format(number)))
    return graphcount.count(save(nodes, tensors, inputs=["x"], outputs=["y"]), cost=False)


@pytest.mark.parametrize("name", ["n{}", "/layers.{}/a/Add", "/net/b{}/Add", ""])
def test_a_large_model_is_one_screen_with_its_largest_rows(save: Save, name: str) -> None:
    report = chain(save, 5000, name)
    assert is_one_screen(report)
    lines = screen(report)
    (rest,) = (line for line in lines if " more nodes)" in line or " more modules)" in line)
    table = lines[lines.index(rest) - 8 : lines.index(rest)]
    sizes = [float(line.split(" kB")[0].split()[-1]) for line in table]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 4.9
    assert len(screen(report, all=True)) > 5000


def test_many_inputs_unknowns_and_opsets_are_one_screen(save: Save) -> None:
    report = chain(save, 100, "/a/b{}/Add")
    values = tuple(
        ValueRow(
            f"past_key_values.{i}.{'key' * 30}", "float16", ("batch", 8, f"long name {i}" * 9, None)
        )
        for i in range(200)
    )
    unknown = tuple(
        Unknown(f"/some/node/{i}", "shape", f"cause {'abcdefghijklmnop'[i % 16]} " * 20, "cost")
        for i in range(500)
    )
    model = report.model._replace(
        inputs=values,
        outputs=values,
        opset_imports={f"com.domain{i}": i for i in range(50)},
        path="/very/long/path" * 40,
        producer="some producer " * 9,
    )
    report = replace(report, model=model, unknown=unknown)
    assert is_one_screen(report)
    text = "\n".join(screen(report))
    assert "... and 197 more" in text
    assert "13 more causes in 404 places" in text
    everything = "\n".join(screen(report, all=True))
    assert "... and" not in everything
    assert everything.count("unknown in ") == 16


def test_the_order_of_a_screen(fixtures: Path) -> None:
    """The file, its totals, its largest modules, notes."""
    text = "\n".join(screen(graphcount.count(str(fixtures / "gpt2_like.onnx"))))
    places = [
        text.index(word)
        for word in (
            "opset 20",
            "input ",
            "parameters    26,048",
            "  module",
            "  wpe",
            "  lm_head",
            "the framework counted",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("by", [None, "node", "module"])
def test_the_order_of_the_file(fixtures: Path, by: str | None) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    size, graph = (screen(report, by=by, order=order) for order in ("size", "graph"))
    assert sorted(size) == sorted(graph)
    names = ("node_conv2d", "node_linear") if by == "node" else ("features", "classifier")
    first = [
        min(i for i, line in enumerate(lines) if line.startswith(f"  {name}"))
        for name in names
        for lines in (size, graph)
    ]
    assert first[1] < first[3]
    assert first[0] > first[2]


@pytest.mark.parametrize("by", [None, *BY])
def test_top_is_the_largest(fixtures: Path, by: str | None) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    lines = screen(report, by=by, top=1, order="graph")
    rule = max(i for i, line in enumerate(lines) if line.startswith("  ──"))
    largest = {
        None: "classifier",
        "module": "classifier.0",
        "node": "node_linear",
        "op_type": "Gemm",
        "dtype": "float32",
        "kind": "parameter",
        "tensor": "classifier.0.weight",
    }
    assert lines[rule + 1].startswith(f"  {largest[by]} ")


# --------------------------------------------------------------------------------- cut names


@given(
    st.lists(st.text(st.sampled_from("ab/._0123中"), max_size=40), max_size=12),
    st.integers(8, 30),
)
def test_names_that_differ_look_different(names: list[str], width: int) -> None:
    cut = distinct(names, width)
    assert all(text_columns(text) <= width for text in cut)
    assert len(set(cut)) == len(set(names))
    assert [names[i] for i, text in enumerate(cut) if text == names[i]] == [
        name for name in names if text_columns(name) <= width
    ]


def test_names_are_cut_where_they_do_not_differ() -> None:
    assert middle("encoder.layer.0.attention.self.query", 16) == "encoder…lf.query"
    start = "encoder.layers.attention"
    names = [f"{start}.{number}.output.dense.weight" for number in range(100)]
    for width in (12, 16, 24):
        cut = distinct(names, width)
        assert all(str(number) in text for number, text in enumerate(cut))
    assert distinct(["abcdefgh", "abcdefgh"], 8) == ["abcdefgh", "abcdefgh"]


def test_rows_with_long_names_differ(save: Save) -> None:
    long = "net/with_a_long_name_that_is_the_same/for_all_of_them"
    report = chain(save, 40, f"/{long}/block{{}}/and_a_tail_that_is_the_same/also_long/Add")
    for by in (None, "module", "node"):
        for width in (60, 80):
            lines = screen(report, by=by, width=width)
            rule = max(i for i, line in enumerate(lines) if line.startswith("  ──"))
            names = [line.split()[0] for line in lines[rule + 1 :] if "…" in line]
            assert len(names) > 15
            assert len(set(names)) == len(names)


# ---------------------------------------------------------------------------------- sentences


def test_unknowns_of_one_cause_are_one_line() -> None:
    report = graphcount.count(str(FIXTURES / "cnn.onnx"))
    why = "no tensor data: {} bytes are missing"
    unknown = [Unknown(f"w{i}", "tensor data", why.format(i)) for i in range(30)]
    unknown.append(Unknown("/a/Loop", "shape", "its body names `/a/b/c.0` twice", "cost"))
    report = replace(report, unknown=tuple(unknown))
    first, second = causes(report)
    assert first == UnknownCause("tensor data", why.format(0), "w0", 30)
    assert (second.places, second.where) == (1, "/a/Loop")
    assert cause_words(first) == (
        "unknown in 30 places: tensor data: no tensor data: 0 bytes are missing (first: w0)"
    )
    assert cause_words(second) == "unknown: /a/Loop: shape: its body names `/a/b/c.0` twice"
    long = second._replace(where="/very/long/name" * 9)
    assert len(cause_words(long, 78)) <= 78
    assert long.why in cause_words(long, 78)


def test_a_formula_stands_beside_its_number_when_it_fits() -> None:
    report = graphcount.count(str(FIXTURES / "cnn.onnx"))
    totals = report.totals._replace(macs=373_856, activation_nbytes=47_208)
    both = replace(report, totals=totals)
    lines = dict(headline(both, room=64))
    assert lines["MACs"] == "373,856 (373.9k) at these sizes; 373856*batch"
    assert lines["activations"] == "47.21 kB at these sizes; 47208*batch bytes"
    assert dict(headline(both, room=30))["MACs"] == "373,856 (373.9k)"
    assert dict(headline(report))["MACs"] == "373856*batch"
    formula = " + ".join(f"{number}*batch*sequence" for number in range(1, 20))
    long = replace(report, totals=report.totals._replace(macs_expression=formula))
    words = "a long formula: --dim batch=N --dim sequence=N gives a number"
    assert dict(headline(long, room=64))["MACs"] == words
    assert dict(headline(long))["MACs"] == formula


@pytest.mark.parametrize("measure", ["parameters", "macs", "elementwise", "activation", "peak"])
def test_what_is_at_least_is_said_of_its_own_measure(fixtures: Path, measure: str) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"), dims={"batch": 1})
    totals = report.totals._replace(at_least=(measure,))
    lines = dict(headline(replace(report, totals=totals)))
    labels = {
        "parameters": ("parameters", "weights"), "macs": ("MACs",),
        "elementwise": ("element-wise",),
        "activation": ("activations",), "peak": ("activations",),
    }  # fmt: skip
    bounded = {label for label, text in lines.items() if "at least" in text}
    assert bounded == set(labels[measure])
    assert ("peak at least" in lines["activations"]) == (measure == "peak")


def test_a_screen_is_in_numbers_at_sizes_that_it_says(fixtures: Path) -> None:
    path = str(fixtures / "transformer_block.onnx")
    assumed = graphcount.count(path, assume=True)
    sizes = {row.name: row.assumed or 0 for row in assumed.dimensions}
    given = graphcount.count(path, dims=sizes)
    lines, numbers = dict(headline(assumed, room=64)), dict(headline(given, room=64))
    assert set(sizes) == {"batch", "sequence"}
    words = f"batch {sizes['batch']}, sequence {sizes['sequence']}"
    assert lines.pop("sizes").startswith(f"assumed: {words}; --dim batch=N")
    assert {label: text.split(" at these sizes")[0] for label, text in lines.items()} == numbers
    table = [line for line in screen(assumed) if line.startswith(("  layers", "    1", "  total"))]
    assert table == [
        line for line in screen(given) if line.startswith(("  layers", "    1", "  total"))
    ]
    for by in ("node", "module", "op_type"):
        assert screen(assumed, by=by)[4:] == screen(given, by=by)[4:]


def test_a_size_that_turns_up_without_a_number_leaves_its_formula(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"), assume=True)
    assert report.assumed is not None
    totals = report.assumed.totals._replace(macs=None, macs_expression="7*x + 3")
    report = replace(report, assumed=report.assumed._replace(totals=totals))
    assert dict(headline(report, room=64))["MACs"] == "7*x + 3"


def test_types_of_a_kind_that_do_not_fit_are_counted(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    tensor = report.tensors[0]
    types = ("float32", "uint8", "int8", "float16", "bfloat16")
    tensors = tuple(
        tensor._replace(kind="parameter", dtype=dtype, nbytes=10 ** (9 - place))
        for place, dtype in enumerate(types)
    )
    report = replace(report, tensors=tensors)
    (wide,) = (line for line in screen(report, width=120) if line.startswith("  parameters "))
    assert wide.endswith(": float32 1.00 GB, uint8 100.00 MB, int8 10.00 MB, 2 more")
    (narrow,) = (line for line in screen(report, width=64) if line.startswith("  parameters "))
    assert narrow.endswith(": float32 1.00 GB, 4 more")


def test_assumed_sizes_are_one_line_and_say_how_to_set_them(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"), assume=True)
    (row,) = report.dimensions
    assert sizes_words(report) == f"assumed: batch {row.assumed}; --dim batch=N or '*=N' sets them"
    rows = tuple(row._replace(name=f"size_{i}", assumed=i) for i in range(30))
    many = replace(report, dimensions=rows)
    text = sizes_words(many, 64)
    assert len(text) <= 64
    assert text.startswith("assumed: size_0 0, size_1 1, ")
    assert text.endswith(" more; --dim size_0=N")
    assert sizes_words(many).count("size_") == 31


def test_a_declared_shape_that_is_wrong_is_a_note(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    row = MismatchRow("conv", "y", (1, 224), (1, "h"), 3)
    report = replace(report, mismatches=(row, row, row))
    note = "y is [1, h], not [1, 224] as declared, with 2 values after it; 2 more such"
    assert f"  {note}" in screen(report)
