"""The least and the most over ranges of sizes, against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.report.pass_rows import RangeRow

Save = Callable[..., str]
N: Any = helper.make_node
W = numpy_helper.from_array(np.ones((16, 4), np.float32), "w")
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, shape: list[Any], code: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, code, shape)


def row(path: str, measure: str, ranges: dict[str, tuple[int, int]], **more: Any) -> RangeRow:
    made = graphcount.count(path, ranges=ranges, **more).ranges
    assert made is not None
    return next(one for one in made.measures if one.measure == measure)


def ends(found: RangeRow) -> tuple[int | None, bool, int | None, bool]:
    return found.least, found.least_exact, found.most, found.most_exact


@pytest.fixture
def product(save: Save) -> str:
    """Of (batch, seq, 16) and (16, 4): 64 MACs for each of batch * seq."""
    return save([N("MatMul", ["x", "w"], ["y"])], [W], inputs=[("x", ["batch", "seq", 16])])


@pytest.mark.parametrize(
    ("ranges", "least", "most", "at"),
    [
        ({"batch": (1, 8), "seq": (3, 2048)}, 192, 64 * 8 * 2048, {"batch": 8, "seq": 2048}),
        ({"*": (2, 5)}, 64 * 4, 64 * 25, {"batch": 5, "seq": 5}),
        ({"*": (2, 5), "seq": (7, 9)}, 64 * 14, 64 * 45, {"batch": 5, "seq": 9}),
        ({"batch": (0, 3), "seq": (0, 4)}, 0, 64 * 12, {"batch": 3, "seq": 4}),
        ({"batch": (4, 4), "seq": (1, 2)}, 64 * 4, 64 * 8, {"batch": 4, "seq": 2}),
        ({"batch": (3, 3), "seq": (5, 5)}, 64 * 15, 64 * 15, {"batch": 3, "seq": 5}),
        (
            {"batch": (1, 2**31), "seq": (1, 2**31)},
            64,
            64 * 2**62,
            {"batch": 2**31, "seq": 2**31},
        ),
    ],
)
def test_a_product(
    product: str,
    ranges: dict[str, tuple[int, int]],
    least: int,
    most: int,
    at: dict[str, int],
) -> None:
    found = row(product, "macs", ranges)
    assert ends(found) == (least, True, most, True)
    assert found.most_at == at


def test_sizes_beside_ranges(product: str) -> None:
    """`*` of the sizes leaves open what has a range; a shape gives other dimensions their size."""
    assert ends(row(product, "macs", {"batch": (1, 8)}, dims={"seq": 3})) == (192, True, 1536, True)
    assert ends(row(product, "macs", {"batch": (1, 8)}, dims={"*": 3})) == (192, True, 1536, True)
    found = row(product, "macs", {"batch": (1, 8)}, shapes={"x": (None, 3, 16)})
    assert ends(found) == (192, True, 1536, True)
    found = row(product, "macs", {"new": (1, 8)}, shapes={"x": ("new", 3, 16)})
    assert ends(found) == (192, True, 1536, True)


def test_what_has_no_range_has_the_assumed_size(product: str) -> None:
    report = graphcount.count(product, ranges={"batch": (1, 8)}, assume=True)
    assert report.ranges is not None
    assert report.ranges.assumed == {"seq": 128}
    assert ends(report.ranges.measures[0]) == (64 * 128, True, 64 * 128 * 8, True)
    assert ends(row(product, "macs", {"batch": (1, 8)})) == (None, False, None, False)


@pytest.mark.parametrize(
    ("ranges", "more", "why"),
    [
        ({"bach": (1, 8)}, {}, "the model has no dimension bach; there is batch"),
        ({"batch": (8, 1)}, {}, r"dimension batch: \(8, 1\) is no range of sizes"),
        ({"batch": (-1, 1)}, {}, "is no range of sizes"),
        ({"batch": (1, 2**63)}, {}, "is no range of sizes"),
        ({"batch": (1, 8)}, {"dims": {"batch": 2}}, "dimension batch has a size, 2, and a range"),
        ({"batch": (1, 8)}, {"shapes": {"x": (4, 2, 16)}}, "dimension batch has a size by the"),
    ],
)
def test_no_such_range(
    product: str, ranges: dict[str, tuple[int, int]], more: dict[str, Any], why: str
) -> None:
    with pytest.raises(graphcount.GraphcountError, match=why):
        graphcount.count(product, ranges=ranges, **more)


def test_a_sum_of_dimensions(save: Save) -> None:
    """(heads, seq, 16) times (heads, 16, past + seq): 16 * 2 * seq * (past + seq)."""
    path = save(
        [N("MatMul", ["q", "k"], ["s"])],
        inputs=[("q", [2, "seq", 16]), ("k", [2, 16, "past + seq"])],
    )
    found = row(path, "macs", {"past": (0, 4096), "seq": (1, 7)})
    assert ends(found) == (32, True, 32 * 7 * 4103, True)
    assert (found.least_at, found.most_at) == ({"past": 0, "seq": 1}, {"past": 4096, "seq": 7})
    with pytest.raises(graphcount.GraphcountError, match=r"no dimension past \+ seq; there is"):
        graphcount.count(path, ranges={"past + seq": (1, 9)})


def test_what_neither_grows_nor_falls(save: Save) -> None:
    """The last chunk of 8: length - 8 * floor((length - 1) / 8), from 1 to 8."""
    path = save(
        [N("Slice", ["x", "start", "end", "axes"], ["c"]), N("MatMul", ["c", "w"], ["y"])],
        [W, *(numpy_helper.from_array(np.array([n]), name) for name, n in ENDS.items())],
        inputs=[("x", ["n", 16])],
    )
    found = row(path, "macs", {"n": (1, 1000)})
    assert ends(found) == (64, True, 64 * 8, True)


ENDS = {"start": -8, "end": 2**62, "axes": 0}


def pooled(save: Save) -> str:
    """A window of 2 by steps of 2, then 4 MACs for each of floor(n / 2): n = 1 is not possible."""
    kernel = numpy_helper.from_array(np.ones((1, 1, 4), np.float32), "k")
    return save(
        [
            N("MaxPool", ["x"], ["p"], kernel_shape=[2], strides=[2]),
            N("Conv", ["p", "k"], ["y"], pads=[2, 1]),
        ],
        [kernel],
        inputs=[("x", [1, 1, "n"])],
    )


def test_sizes_that_the_model_cannot_take(save: Save) -> None:
    """Of few sizes those that it can take are counted; of many the least is a bound."""
    assert ends(row(pooled(save), "macs", {"n": (1, 9)})) == (4, True, 16, True)
    assert ends(row(pooled(save), "macs", {"n": (1, 900)})) == (0, False, 1800, True)
    assert ends(row(pooled(save), "macs", {"n": (2, 900)})) == (4, True, 1800, True)


def branches(save: Save, condition: list[onnx.NodeProto], more: list[Any]) -> str:
    """An If: x (n, 16) by (16, 4) or, in the else branch, x times its transpose: 64n or 16n^2."""
    yes = helper.make_graph([N("MatMul", ["x", "w"], ["a"])], "yes", [], [info("a", [None, None])])
    no = helper.make_graph(
        [N("Transpose", ["x"], ["t"]), N("MatMul", ["x", "t"], ["b"])],
        "no",
        [],
        [info("b", [None, None])],
    )
    return save(
        [*condition, N("If", ["c"], ["y"], then_branch=yes, else_branch=no)],
        [W, numpy_helper.from_array(np.array([100]), "limit")],
        inputs=[("x", ["n", 16]), *more],
        outputs=[info("y", ["rows", "columns"])],
    )


def test_a_branch_that_data_decide(save: Save) -> None:
    """The most expensive branch is another one above n = 4; its element-wise work is not known."""
    path = branches(save, [], [info("c", [1], BOOL)])
    assert ends(row(path, "macs", {"n": (1, 16)})) == (64, True, 16 * 16**2, True)
    assert ends(row(path, "macs", {"n": (1, 64)})) == (64, True, 16 * 64**2, True)
    assert ends(row(path, "macs", {"n": (1, 3)})) == (64, True, 64 * 3, True)
    assert ends(row(path, "elementwise", {"n": (1, 64)})) == (None, False, None, False)
    assert ends(row(path, "macs", {"n": (4, 64)})) == (16 * 4**2, True, 16 * 64**2, True)


def test_a_branch_that_sizes_decide(save: Save) -> None:
    """The first branch below n = 100, then the second: 64n below, 16n^2 from there on."""
    decide = [
        N("Shape", ["x"], ["s"], start=0, end=1),
        N("Less", ["s", "limit"], ["c"]),
    ]
    path = branches(save, decide, [])
    assert ends(row(path, "macs", {"n": (92, 104)})) == (64 * 92, True, 16 * 104**2, True)
    assert ends(row(path, "macs", {"n": (4, 200)})) == (None, False, 16 * 200**2, True)
    assert ends(row(path, "macs", {"n": (4, 99)})) == (None, False, 16 * 99**2, False)


def test_an_operator_without_a_cost(save: Save) -> None:
    """What is known is the least, as a bound; of the most nothing is."""
    nodes = [N("MatMul", ["x", "w"], ["y"]), N("Foo", ["y"], ["z"], domain="com.acme")]
    path = save(nodes, [W], inputs=[("x", ["n", 16])], opsets=[("", 20), ("com.acme", 1)])
    assert ends(row(path, "macs", {"n": (1, 100)})) == (64, False, None, False)
    assert ends(row(path, "input_nbytes", {"n": (1, 100)})) == (64, True, 6400, True)


def test_a_loop_that_may_end_before_its_limit(save: Save) -> None:
    body = helper.make_graph(
        [
            N("MatMul", ["x", "w"], ["a"]),
            N("ReduceMax", ["a"], ["largest"], keepdims=0),
            N("Greater", ["largest", "zero"], ["on"]),
        ],
        "body",
        [info("i", [], INT64), info("go", [], BOOL)],
        [info("on", [], BOOL), info("a", [None, 4])],
    )
    ten = numpy_helper.from_array(np.array(10), "ten")
    zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
    nodes = [N("Loop", ["ten", ""], ["y"], body=body)]
    path = save(
        nodes, [W, ten, zero], inputs=[("x", ["n", 16])], outputs=[info("y", [None, None, 4])]
    )
    assert ends(row(path, "macs", {"n": (2, 100)})) == (128, False, 10 * 6400, False)


def test_memory_that_is_taken_over_at_some_sizes(save: Save) -> None:
    """A sum takes the memory of its operand of one row where the other has one row, too."""
    nodes = [
        N("Neg", ["x"], ["a"]),
        N("Neg", ["v"], ["b"]),
        N("Add", ["b", "a"], ["y"]),
    ]
    path = save(nodes, inputs=[("x", ["n", 8]), ("v", [1, 8])])

    def peak(**ranges: tuple[int, int]) -> tuple[int | None, bool, int | None, bool]:
        return ends(row(path, "peak_activation_nbytes", ranges, in_place=True))

    one = 8 * 4
    for n in (1, 2, 50):
        alone = graphcount.count(path, dims={"n": n}, in_place=True).totals.peak_activation_nbytes
        assert peak(n=(n, n)) == (alone, True, alone, True)
    assert peak(n=(1, 50))[0::2] == (2 * one, 51 * one)
    assert peak(n=(1, 50))[1::2] == (True, True)


def test_no_elements_beside_one(save: Save) -> None:
    """(n, 16) and (m, 16) broadcast: to no row where one has none and the other has one."""
    nodes = [N("Add", ["x", "z"], ["s"]), N("MatMul", ["s", "w"], ["y"])]
    path = save(nodes, [W], inputs=[("x", ["n", 16]), ("z", ["m", 16])])
    assert ends(row(path, "macs", {"n": (0, 40), "m": (1, 1)})) == (0, True, 64 * 40, True)
    assert ends(row(path, "macs", {"n": (0, 40), "m": (1, 40)}))[0:2] == (0, True)


def test_a_graph_without_nodes(save: Save) -> None:
    path = save([])
    for in_place in (False, True):
        report = graphcount.count(path, ranges={"*": (1, 5)}, in_place=in_place)
        assert report.totals.macs == 0
