"""Sizes assumed for dynamic dimensions: which hint decides, and what happens where it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.analysis.fitting import TRIES, fitted
from graphcount.report.pass_rows import DimensionRow
from tests.conftest import Save

F = TensorProto.FLOAT


def assumed(path: str, **options: Any) -> dict[str, int | None]:
    report = graphcount.count(path, assume=True, **options)
    return {row.name: row.assumed for row in report.dimensions}


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        (["batch", 3, "height", "width"], {"batch": 1, "height": 224, "width": 224}),
        (["N", "seq_len"], {"N": 1, "seq_len": 128}),
        (["B", "past_sequence_length", 8], {"B": 1, "past_sequence_length": 127}),
        (["batch_size", "past_length", "tokens"], {"past_length": 0, "tokens": 128}),
        ([None, 3, None, None], {"x[0]": 1, "x[2]": 224, "x[3]": 224}),
        ([None, None, None, 3], {"x[0]": 1, "x[1]": 224, "x[2]": 224}),
        ([None, None], {"x[0]": 1, "x[1]": 128}),
        (["?", 80, "?"], {"x[0]": 1, "x[2]": 128}),
        (["num_samples", "audioLength"], {"num_samples": 16_000, "audioLength": 16_000}),
    ],
)
def test_the_hint_that_decides(save: Save, shape: list[Any], wanted: dict[str, int]) -> None:
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=[("x", shape)], outputs=["y"])
    assert wanted.items() <= assumed(path).items()


def test_weights_say_how_many_channels(save: Save, weights: Any) -> None:
    node = helper.make_node("Conv", ["x", "W"], ["y"], group=2)
    path = save([node], [weights("W", 4, 3, 1, 1)], inputs=[("x", [None] * 4)], outputs=["y"])
    assert assumed(path)["x[1]"] == 6


def test_metadata_say_the_size_of_a_picture(save: Save) -> None:
    import onnx

    node = helper.make_node("Relu", ["x"], ["y"])
    path = save([node], inputs=[("x", ["n", 3, "height", "width"])], outputs=["y"])
    model = onnx.load(path)
    helper.set_model_props(model, {"imgsz": "[320, 640]"})
    onnx.save(model, path)
    assert assumed(path) == {"n": 1, "height": 320, "width": 640}


def test_sizes_that_are_given_are_not_assumed(save: Save) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    path = save([node], inputs=[("x", ["batch", "seq"])], outputs=["y"])
    report = graphcount.count(path, assume=True, dims={"batch": 4})
    assert report.assumed is not None
    assert report.assumed.dims == {"batch": 4, "seq": 128}
    assert report.dims == {"batch": 4}
    assert report.in_numbers.totals.activation_nbytes == 4 * 128 * 4
    assert report.totals.activation_expression == "16*seq"
    whole = graphcount.count(path, assume=True, dims={"*": 2})
    assert whole.assumed is None
    assert whole.totals.activation_nbytes == 2 * 2 * 4


def test_a_size_that_an_operator_cannot_take_is_replaced(save: Save, weights: Any) -> None:
    """A product wants 48 x 16 elements of a picture, so 224 rows of 16 are none."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("MatMul", ["f", "W"], ["y"]),
    ]
    given = [("x", ["batch", 1, "height", 16])]
    path = save(nodes, [weights("W", 768, 4)], inputs=given, outputs=["y"])
    report = graphcount.count(path, assume=True)
    assert {row.name: row.assumed for row in report.dimensions} == {"batch": 1, "height": 48}
    assert "of a size that the operators take" in report.dimensions[1].why
    assert report.in_numbers.totals.macs == 768 * 4


def test_tries_are_few() -> None:
    rows = [DimensionRow(f"d{number}", "", 224, "") for number in range(100)]
    tried = []

    def refusals(sizes: Mapping[str, int]) -> int:
        tried.append(sizes)
        return 7

    assert fitted(rows, refusals, {}) == tuple(rows)
    assert len(tried) == TRIES + 1


def test_an_assumed_size_is_one_of_its_range(save: Save, weights: Any) -> None:
    relu = save([helper.make_node("Relu", ["x"], ["y"])], inputs=[("x", ["n", 3, "h", "w"])])
    report = graphcount.count(relu, assume=True, ranges={"n": (4, 8), "*": (1, 100)})
    assert report.assumed_sizes == {"n": 4, "h": 100, "w": 100}
    rows = [DimensionRow("d", "", 224, "")]
    sizes = fitted(rows, lambda sizes: abs(sizes["d"] - 48), {"d": (200, 300)})
    assert [row.assumed for row in sizes] == [224]  # 48 is none of its range, nor any that is less


def test_sizes_that_are_wanted_come_before_hints_and_not_before_weights(
    save: Save, weights: Any
) -> None:
    conv = helper.make_node("Conv", ["x", "W"], ["y"])
    path = save([conv], [weights("W", 2, 5, 1, 1)], inputs=[("x", ["n", "c", "h", 9])])
    report = graphcount.count(path, assume={"n": 6, "c": 7, "other": 8})
    assert report.assumed_sizes == {"n": 6, "c": 5, "h": 224}
    assert report.in_numbers.totals.macs == 6 * 2 * 5 * 224 * 9


def test_two_inputs_of_one_name(save: Save) -> None:
    """The last of them has the shape; the symbol stands first where that has no axis."""
    inputs = [("x", [1, 5, 3, 2, "n"]), ("x", [1, 5, 3, "n"])]
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=inputs, outputs=["y"])
    assert assumed(path)["n"] == 1
