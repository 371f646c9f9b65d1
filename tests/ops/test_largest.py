"""Bounds of sizes that the data decide, beside onnxruntime: no run goes beyond, one gets there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount

Save = Callable[..., str]
Feeds = dict[str, np.ndarray]
N = helper.make_node
INFO = helper.make_tensor_value_info
RUNS = 12
CODES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}


def below(draw: np.random.Generator, size: int, shape: tuple[int, ...]) -> np.ndarray:
    return draw.integers(0, size, shape)


@dataclass(frozen=True)
class Case:
    """A node whose result has a size that the data decide.

    Attributes:
        nodes: It, and what it needs.
        feeds: Inputs at random; `most` of them make the largest result.
        at_most: The bound, at the sizes a = 3 and b = 5.
        axis: Which axis of the first output has that size.
    """

    nodes: tuple[onnx.NodeProto, ...]
    feeds: Callable[[np.random.Generator], Feeds]
    most: Callable[[], Feeds]
    at_most: int
    formula: str | int
    axis: int = 0


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def halves(draw: np.random.Generator) -> np.ndarray:
    return below(draw, 3, (3, 5)).astype(np.float32)


def counted() -> np.ndarray:
    return np.arange(15, dtype=np.float32).reshape(3, 5)


def masks(draw: np.random.Generator, size: int) -> np.ndarray:
    return below(draw, 2, (size,)).astype(bool)


def detections(draw: np.random.Generator) -> Feeds:
    corners = draw.random((2, 6, 4), np.float32)
    return {"boxes": corners, "scores": draw.random((2, 3, 6), np.float32)}


def apart() -> Feeds:
    """Six boxes that do not touch, so that all are kept."""
    row = np.arange(6, dtype=np.float32)[:, None] * 10 + np.array([0, 0, 1, 1], np.float32)
    return {"boxes": np.stack([row, row]), "scores": ones(2, 3, 6)}


def suppression(limit: int) -> tuple[onnx.NodeProto, ...]:
    number = numpy_helper.from_array(np.array([limit], np.int64))
    inputs = ["boxes", "scores", "limit"]
    return N("Constant", [], ["limit"], value=number), N("NonMaxSuppression", inputs, ["y"])


def branch(inside: onnx.NodeProto) -> onnx.GraphProto:
    out = INFO(inside.output[0], TensorProto.FLOAT, None)
    return helper.make_graph([inside], "branch", [], [out])


def choice() -> tuple[onnx.NodeProto, ...]:
    longer = branch(N("Concat", ["x", "x"], ["long"], axis=0))
    return (
        N("If", ["flag"], ["y"], then_branch=longer, else_branch=branch(N("Relu", ["x"], ["r"]))),
    )


def search() -> tuple[onnx.NodeProto, ...]:
    """A loop of 3 trips at most, that ends where a row of x begins with a number below 0.5."""
    nodes = [
        N("Gather", ["x", "i"], ["row"], axis=0),
        N("ReduceMin", ["row"], ["least"], keepdims=0),
        N("GreaterOrEqual", ["least", "half"], ["going"]),
    ]
    inputs = [INFO("i", TensorProto.INT64, []), INFO("c", TensorProto.BOOL, [])]
    outputs = [INFO("going", TensorProto.BOOL, []), INFO("row", TensorProto.FLOAT, None)]
    limit = numpy_helper.from_array(np.array(3, np.int64))
    half = numpy_helper.from_array(np.array(0.5, np.float32))
    return (
        N("Constant", [], ["limit"], value=limit),
        N("Constant", [], ["half"], value=half),
        N("Loop", ["limit", ""], ["y"], body=helper.make_graph(nodes, "body", inputs, outputs)),
    )


CASES = {
    "NonZero": Case(
        (N("NonZero", ["x"], ["y"]),),
        lambda draw: {"x": halves(draw)},
        lambda: {"x": ones(3, 5)},
        15,
        "a*b",
        axis=1,
    ),
    "Unique": Case(
        (N("Unique", ["x"], ["y", "first"]),),
        lambda draw: {"x": halves(draw)},
        lambda: {"x": counted()},
        15,
        "a*b",
    ),
    "Unique of columns": Case(
        (N("Unique", ["x"], ["y"], axis=1),),
        lambda draw: {"x": halves(draw)},
        lambda: {"x": counted()},
        5,
        "b",
        axis=1,
    ),
    "Compress": Case(
        (N("Compress", ["x", "mask"], ["y"]),),
        lambda draw: {"x": halves(draw), "mask": masks(draw, 4)},
        lambda: {"x": ones(3, 5), "mask": np.ones(4, bool)},
        4,
        "min(a*b, 4)",
    ),
    "Compress of columns": Case(
        (N("Compress", ["x", "mask"], ["y"], axis=-1),),
        lambda draw: {"x": halves(draw), "mask": masks(draw, 4)},
        lambda: {"x": ones(3, 5), "mask": np.ones(4, bool)},
        4,
        "min(b, 4)",
        axis=1,
    ),
    "TopK": Case(
        (N("TopK", ["x", "k"], ["y", "where"]),),
        lambda draw: {"x": halves(draw), "k": below(draw, 6, (1,))},
        lambda: {"x": ones(3, 5), "k": np.array([5])},
        5,
        "b",
        axis=1,
    ),
    "Slice": Case(
        (N("Slice", ["x", "from", "to"], ["y"]),),
        lambda draw: {"x": halves(draw), "from": below(draw, 3, (2,)), "to": below(draw, 9, (2,))},
        lambda: {"x": ones(3, 5), "from": np.array([0, 0]), "to": np.array([3, 5])},
        3,
        "a",
    ),
    "NonMaxSuppression": Case(suppression(4), detections, apart, 2 * 3 * 4, "6*min(boxes, 4)"),
    "NonMaxSuppression of all": Case(suppression(99), detections, apart, 36, "6*min(boxes, 99)"),
    "If": Case(
        choice(),
        lambda draw: {"x": halves(draw), "flag": np.array(draw.random() < 0.5)},
        lambda: {"x": ones(3, 5), "flag": np.array(True)},
        6,
        "2*a",
    ),
    "Loop": Case(
        search(),
        lambda draw: {"x": draw.random((3, 5), np.float32) + 0.4},
        lambda: {"x": ones(3, 5)},
        3,
        3,
    ),
    "DynamicTimeWarping": Case(
        (N("DynamicTimeWarping", ["x"], ["y"], domain="com.microsoft"),),
        lambda draw: {"x": halves(draw)},
        lambda: {"x": np.array([[0, 9, 9, 9, 9], [0, 9, 9, 9, 9], [0, 0, 0, 0, 0]], np.float32)},
        7,
        "a + b - 1",
        axis=1,
    ),
}
SIZES = {"x": ("a", "b"), "boxes": (2, "boxes", 4), "scores": (2, 3, "boxes")}


def saved(save: Save, case: Case) -> str:
    inputs = [
        INFO(name, CODES[str(value.dtype)], SIZES.get(name, value.shape))
        for name, value in case.most().items()
    ]
    opsets = [("", 18), ("com.microsoft", 1)]
    outputs = [onnx.ValueInfoProto(name="y")]
    return save(list(case.nodes), inputs=inputs, outputs=outputs, opsets=opsets)


@pytest.mark.parametrize("name", CASES)
def test_no_run_goes_beyond(save: Save, name: str) -> None:
    case = CASES[name]
    path = saved(save, case)
    report = graphcount.count(path)
    bounds = {row.name: row.at_most for row in report.dimensions}
    assert bounds[f"y[{case.axis}]"] == case.formula
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(path, options)
    draw = np.random.default_rng(7)
    shown = [
        session.run(["y"], feeds)[0].shape[case.axis]
        for feeds in (case.most(), *(case.feeds(draw) for _ in range(RUNS)))
    ]
    assert shown[0] == max(shown) == case.at_most
    assert min(shown) < case.at_most
    fixed = graphcount.count(path, dims={"*": 1}).dimensions
    assert fixed == ()


def test_a_bound_of_a_bound(save: Save) -> None:
    """What is kept of places that the data decide is as many as the data have."""
    nodes = [N("NonZero", ["x"], ["places"]), N("NonZero", ["places"], ["y"])]
    report = graphcount.count(save(nodes, inputs=[("x", ["a", "b"])], outputs=["y"]))
    assert {row.name: row.at_most for row in report.dimensions} == {
        "a": None,
        "b": None,
        "places[1]": "a*b",
        "y[1]": "2*a*b",
    }


def test_a_declared_name_has_the_bound(save: Save) -> None:
    out = INFO("y", TensorProto.INT64, [2, "found"])
    path = save([N("NonZero", ["x"], ["y"])], inputs=[("x", [4, 5])], outputs=[out])
    (row,) = graphcount.count(path).dimensions
    assert (row.name, row.at_most) == ("found", 20)


def test_the_assumed_size_is_within_the_bound(save: Save) -> None:
    nodes = [N("NonZero", ["x"], ["y"]), N("NonZero", ["row"], ["z"])]
    inputs: list[Any] = [("x", ["batch", "height"]), ("row", [7])]
    report = graphcount.count(save(nodes, inputs=inputs, outputs=["y", "z"]), assume=True)
    sizes = {row.name: (row.assumed, row.why) for row in report.dimensions}
    assert sizes["y[1]"] == (100, "the data decide it, at most 224")
    assert sizes["z[1]"] == (7, "the data decide it, at most 7")


def test_a_size_that_turns_up_at_assumed_sizes(save: Save) -> None:
    """Whether x loses an axis depends on the batch; of what comes then, the data take a part.

    Without a size for the batch, what comes out of the If has no shape, and the reason is said.
    """
    squeezed = branch(N("Squeeze", ["x", "first"], ["s"]))
    nodes = [
        N("Shape", ["x"], ["shape"], end=1),
        N("Equal", ["shape", "one"], ["single"]),
        N(
            "If",
            ["single"],
            ["v"],
            then_branch=squeezed,
            else_branch=branch(N("Relu", ["x"], ["r"])),
        ),
        N("NonZero", ["v"], ["places"]),
        N("Cast", ["places"], ["c"], to=TensorProto.FLOAT),
        N("Transpose", ["c"], ["t"]),
        N("MatMul", ["t", "W"], ["y"]),
    ]
    one = numpy_helper.from_array(np.array([1], np.int64), "one")
    first = numpy_helper.from_array(np.array([0], np.int64), "first")
    weight = numpy_helper.from_array(ones(1, 4), "W")
    path = save(nodes, [one, first, weight], inputs=[("x", ["batch", 30])], outputs=["y"])
    report = graphcount.count(path, assume=True)
    rows = {row.name: (row.assumed, row.at_most) for row in report.dimensions}
    assert rows == {"batch": (1, None), "places[1]": (30, 30)}
    assert report.in_numbers.totals.macs == 30 * 4
    (lost,) = [unknown for unknown in report.unknown if unknown.what == "shape"]
    assert lost.why == (
        "its branches return different shapes; which runs depends on how batch compares with 1"
    )


def test_ranges_reach_to_the_bound(save: Save) -> None:
    nodes = [
        N("NonZero", ["x"], ["places"]),
        N("Cast", ["places"], ["c"], to=TensorProto.FLOAT),
        N("Transpose", ["c"], ["t"]),
        N("MatMul", ["t", "W"], ["y"]),
    ]
    weight = numpy_helper.from_array(ones(2, 4), "W")
    path = save(nodes, [weight], inputs=[("x", ["batch", 30])], outputs=["y"])
    report = graphcount.count(path, ranges={"batch": (1, 8)})
    assert report.ranges is not None
    (macs,) = [row for row in report.ranges.measures if row.measure == "macs"]
    assert (macs.least, macs.most) == (0, 8 * 30 * 2 * 4)
    assert macs.most_at == {"batch": 8, "places[1]": 240}
    assert macs.most_exact
    given = graphcount.count(path, ranges={"batch": (1, 8), "places[1]": (10, 20)}).ranges
    assert given is not None
    assert [(row.least, row.most) for row in given.measures if row.measure == "macs"] == [(80, 160)]
