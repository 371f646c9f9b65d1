"""How many numbers reach what is computed: small models whose form says how many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from tests.conftest import Save

N = helper.make_node
OPSETS = [("", 21), ("ai.onnx.ml", 3), ("com.acme", 1)]


def elements(save: Save, nodes: Sequence[onnx.NodeProto], **tensors: Any) -> int | None:
    """Return `operand_elements` of a model from x (3, 4) to y, which knows all about itself."""
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()]
    path = save(
        nodes, held, inputs=[("x", [3, 4])], outputs=["y"], opsets=[("", 21), ("ai.onnx.ml", 3)]
    )
    report = graphcount.count(path)
    assert not [row for row in report.unknown if row.affects in ("counts", "operands")]
    return report.totals.operand_elements


def floats(*shape: int) -> Any:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


PLAIN = {
    "a weight": ([N("MatMul", ["x", "w"], ["y"])], {"w": floats(4, 5)}, 20),
    "shared by two": (
        [N("MatMul", ["x", "w"], ["h"]), N("MatMul", ["h", "w"], ["y"])],
        {"w": floats(4, 4)},
        16,
    ),
    "a table": (
        [N("Cast", ["x"], ["i"], to=7), N("Gather", ["w", "i"], ["y"])],
        {"w": floats(9, 2)},
        18,
    ),
    "a mask and a constant": (
        [N("Where", ["m", "x", "c"], ["y"])],
        {"m": np.array([True, False, True, True]), "c": np.float32(0)},
        5,
    ),
    "a shape is none": ([N("Reshape", ["x", "s"], ["y"])], {"s": np.array([4, 3])}, 0),
    "axes are none": ([N("ReduceSum", ["x", "a"], ["y"])], {"a": np.array([1])}, 0),
    "dead numbers are none": (
        [N("Identity", ["x"], ["y"]), N("Add", ["x", "w"], ["z"])],
        {"w": floats(3, 4)},
        0,
    ),
    "a shape that becomes a number": (
        [
            N("Reshape", ["x", "s"], ["h"]),
            N("Shape", ["h"], ["d"]),
            N("Cast", ["d"], ["f"], to=1),
            N("ReduceProd", ["f"], ["p"], keepdims=0),
            N("Mul", ["x", "p"], ["y"]),
        ],
        {"s": np.array([2, 6])},
        2,
    ),
    "a shape that becomes a shape": (
        [N("Shape", ["x"], ["d"]), N("ConstantOfShape", ["d"], ["z"]), N("Add", ["x", "z"], ["y"])],
        {},
        0,
    ),
    "one number that fills": (
        [
            N("ConstantOfShape", ["s"], ["c"], value=helper.make_tensor("", 1, [1], [2.0])),
            N("MatMul", ["x", "c"], ["y"]),
        ],
        {"s": np.array([4, 100])},
        1,
    ),
    "one number that is expanded": (
        [N("Expand", ["c", "s"], ["e"]), N("MatMul", ["x", "e"], ["y"])],
        {"c": np.float32(2), "s": np.array([4, 100])},
        1,
    ),
    "one number that is expanded and rounded": (
        [N("Expand", ["c", "s"], ["e"]), N("Floor", ["e"], ["r"]), N("MatMul", ["x", "r"], ["y"])],
        {"c": np.float32(2), "s": np.array([4, 100])},
        1,
    ),
    "a seed": (
        [N("RandomNormal", [], ["r"], shape=[4, 256], seed=1.0), N("MatMul", ["x", "r"], ["y"])],
        {},
        1024,
    ),
    "a seed in the shape of an input": (
        [N("RandomNormalLike", ["x"], ["r"], seed=1.0), N("Mul", ["x", "r"], ["y"])],
        {},
        12,
    ),
    "a range, and its ends": (
        [
            N("Range", ["a", "b", "c"], ["r"]),
            N("Cast", ["r"], ["f"], to=1),
            N("Mul", ["x", "f"], ["y"]),
        ],
        {"a": np.int64(0), "b": np.int64(4), "c": np.int64(1)},
        4 + 3,
    ),
    "a codebook of 8 and 400 indices": (
        [N("Gather", ["c", "i"], ["w"]), N("MatMul", ["x", "w"], ["y"])],
        {"c": floats(8), "i": np.arange(400).reshape(4, 100) % 8},
        408,
    ),
    "four to a number, taken apart": (
        [
            N("BitShift", ["p", "s"], ["h"], direction="RIGHT"),
            N("BitwiseAnd", ["h", "m"], ["b"]),
            N("Cast", ["b"], ["f"], to=1),
            N("Reshape", ["f", "d"], ["w"]),
            N("MatMul", ["x", "w"], ["y"]),
        ],
        {
            "p": np.arange(100, dtype=np.uint16).reshape(100, 1),
            "s": np.array([0, 4, 8, 12], np.uint16),
            "m": np.uint16(15),
            "d": np.array([4, 100]),
        },
        400,
    ),
    "planes taken out one by one": (
        [
            *[N("BitShift", ["p", f"s{i}"], [f"h{i}"], direction="RIGHT") for i in range(3)],
            *[N("Cast", [f"h{i}"], [f"f{i}"], to=1) for i in range(3)],
            *[N("MatMul", ["x", f"f{i}"], [f"m{i}"]) for i in range(3)],
            N("Sum", ["m0", "m1", "m2"], ["y"]),
        ],
        {
            "p": np.arange(40, dtype=np.uint16).reshape(4, 10),
            **{f"s{i}": np.array([i], np.uint16) for i in range(3)},
        },
        3 * 40,
    ),
    "lists of labels, behind an input": (
        [
            N("Cast", ["x"], ["i"], to=7),
            N(
                "LabelEncoder", ["i"], ["y"], domain="ai.onnx.ml",
                keys_int64s=[1, 2, 3], values_floats=[1.0, 2.0, 3.0],
            ),
        ],
        {},
        6,
    ),
    "lists that say where": ([N("Transpose", ["x"], ["y"], perm=[1, 0])], {}, 0),
    "numbers of an operator nobody knows": (
        [N("Foo", ["x"], ["y"], domain="com.acme", held=[1.0, 2.0, 3.0])],
        {},
        3,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "tensors", "expected"), PLAIN.values(), ids=PLAIN)
def test_what_counts(save: Save, nodes: Any, tensors: dict[str, Any], expected: int) -> None:
    assert elements(save, nodes, **tensors) == expected


STEPS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "Neg": (["v"], {}),
    "Identity": (["v"], {}),
    "Transpose": (["v"], {"perm": [1, 0]}),
    "Cast": (["v"], {"to": TensorProto.DOUBLE}),
    "Round": (["v"], {}),
    "Add": (["v", "one"], {}),
    "Mul": (["one", "v"], {}),
    "Where": (["yes", "v", "one"], {}),
    "Concat": (["v", "v"], {"axis": 0}),
    "Gather": (["v", "both"], {"axis": 0}),
    "CumSum": (["v", "axis"], {}),
    "Softmax": (["v"], {}),
}
"""Operators on a matrix of two rows and columns or more, which may stand anywhere on a way."""


@pytest.mark.parametrize("seed", range(24))
def test_a_step_more_never_lowers_it(save: Save, seed: int) -> None:
    chance = np.random.default_rng(seed)
    steps, side = (
        [str(step) for step in chance.choice(sorted(STEPS), 6)],
        int(chance.integers(2, 6)),
    )
    counts, steps = [], list(steps)
    for length in range(len(steps) + 1):
        nodes, value, kind = [], "w", TensorProto.FLOAT
        for number, op_type in enumerate(steps[:length]):
            inputs, attributes = STEPS[op_type]
            result = f"v{number}"
            given_ = [
                value if name == "v" else f"{name}{kind}" if name == "one" else name
                for name in inputs
            ]
            nodes.append(N(op_type, given_, [result], **attributes))
            value = result
            kind = TensorProto.DOUBLE if op_type == "Cast" else kind
        nodes += [N("Cast", [value], ["f"], to=1), N("ReduceSum", ["f"], ["r"], keepdims=0)]
        nodes.append(N("Mul", ["x", "r"], ["y"]))
        tensors = {
            "w": floats(side, side),
            f"one{TensorProto.FLOAT}": np.float32(1),
            f"one{TensorProto.DOUBLE}": np.float64(1),
            "yes": np.array(True),
            "both": np.array([0, 1]),
            "axis": np.array(0),
        }
        counts.append(elements(save, nodes, **tensors) or 0)
    assert counts == sorted(counts)
    assert counts[0] == side * side


def test_without_shapes_it_is_not_known_where_it_depends_on_them(save: Save) -> None:
    held = [numpy_helper.from_array(floats(4, 4), "w")]
    path = save(
        [N("Floor", ["w"], ["f"]), N("MatMul", ["x", "f"], ["y"])],
        held, inputs=[("x", [3, 4])], outputs=["y"],
    )  # fmt: skip
    assert graphcount.count(path, cost=False).totals.operand_elements is None
    assert graphcount.count(path).totals.operand_elements == 16
    plain = save([N("MatMul", ["x", "w"], ["y"])], held, inputs=[("x", [3, 4])], outputs=["y"])
    assert graphcount.count(plain, cost=False).totals.operand_elements == 16


def test_what_a_caller_can_replace_makes_it_a_lower_bound(save: Save) -> None:
    held = [numpy_helper.from_array(np.array([4, 3]), "s")]
    path = save(
        [N("Reshape", ["x", "s"], ["y"])],
        held, inputs=[("x", [3, 4]), ("s", [2])], outputs=["y"],
    )  # fmt: skip
    (unknown,) = [row for row in graphcount.count(path).unknown if row.affects == "operands"]
    assert (unknown.where, unknown.what) == ("s", "operand elements")
    assert graphcount.check(path, max={"operand_elements": 1000}).exit_code == 1


def test_many_sums_of_one_number_stay_small(save: Save) -> None:
    """Sums of sums without a shape: as many combinations as 2 to the power of 3,000."""
    nodes = [N("Foo", ["w"], ["v0"], domain="com.acme")]
    nodes += [N("Add", [f"v{i}", f"v{i}"], [f"v{i + 1}"]) for i in range(3000)]
    nodes.append(N("Add", ["x", "v3000"], ["y"]))
    held = [numpy_helper.from_array(floats(7), "w")]
    path = save(
        nodes, held, inputs=[("x", [3, 4])], outputs=["y"], opsets=[("", 21), ("com.acme", 1)]
    )
    assert graphcount.count(path).totals.operand_elements == 7
