"""OPS007: constant inputs, attributes and shapes that an operator cannot take (Operators.md)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from graphcount.ops import operators
from graphcount.report.finding_rows import Finding

CHECKS = {name for (_, name), row in operators().items() if row.check is not None}

Write = Callable[..., str]
Find = Callable[..., list[Finding]]


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


MATRIX = "(float[4,6] x) => (float y) {{ {} }}"
IMAGE = "(float[1,6,8,8] x) => (float y) {{ {} }}"
NOTHING: dict[str, Any] = {}


def weight(*dims: int) -> dict[str, Any]:
    return {"w": np.ones(dims, np.float32)}


WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    (
        MATRIX,
        "y = Slice(x, a, b, c, d)",
        {"a": ints(0), "b": ints(5), "c": ints(1), "d": ints(0)},
        "a step is 0",
    ),
    (
        MATRIX,
        "y = Slice(x, a, b, c)",
        {"a": ints(0), "b": ints(5), "c": ints(2)},
        "axis 2 of 2 dimensions",
    ),
    (
        MATRIX,
        "y = Slice(x, a, b, c)",
        {"a": ints(0, 0), "b": ints(5), "c": ints(1)},
        "2 starts; 1 ends; 1 axes",
    ),
    (
        MATRIX,
        "y = Slice(x, a, a)",
        {"a": ints(0, 0, 0)},
        "3 starts for 2 dimensions",
    ),
    (
        MATRIX,
        "y = Slice(x, a, a, c)",
        {"a": ints(0, 0), "c": ints(1, -1)},
        "axes [1, -1] name one twice",
    ),
    (MATRIX, "y = Reshape(x, s)", {"s": ints(-1, -1)}, "shape [-1, -1]"),
    (MATRIX, "y = Reshape(x, s)", {"s": ints(-2, 12)}, "shape [-2, 12]"),
    (MATRIX, "y = Reshape(x, s)", {"s": ints(5, 5)}, "shape [5, 5] for [4, 6]"),
    (MATRIX, "y = Reshape(x, s)", {"s": ints(7, -1)}, "shape [7, -1] for [4, 6]"),
    (MATRIX, "y = Reshape(x, s)", {"s": ints(0, 5)}, "shape [4, 5] for [4, 6]"),
    (MATRIX, "y = Reshape(x, s)", {"s": ints(24, 1, 0)}, "copies a dimension"),
    (MATRIX, "y = Reshape<allowzero = 1>(x, s)", {"s": ints(0, -1)}, "with allowzero"),
    (MATRIX, "y, z = Split(x, s)", {"s": ints(1, 2)}, "sizes [1, 2] of 4"),
    (MATRIX, "y, z = Split(x, s)", {"s": ints(-1, 5)}, "sizes [-1, 5] of 4"),
    (MATRIX, "y, z, u = Split(x, s)", {"s": ints(1, 3)}, "2 sizes for 3 outputs"),
    (MATRIX, "y, z, u = Split(x)", NOTHING, "4 into 3 outputs"),
    (MATRIX, "y = Squeeze(x, s)", {"s": ints(1)}, "axis 1 is 6 long, not 1"),
    (MATRIX, "y = Squeeze(x, s)", {"s": ints(-3)}, "axis -3 of 2 dimensions"),
    (MATRIX, "y = Unsqueeze(x, s)", {"s": ints(3)}, "axis 3 of 3 dimensions"),
    (MATRIX, "y = Unsqueeze(x, s)", {"s": ints(0, -4)}, "name one twice"),
    (MATRIX, "y = Pad(x, s)", {"s": ints(1, 1, 1)}, "3 pads for 2 axes"),
    (MATRIX, "y = Pad(x, s)", {"s": ints(-5, 0, 0, 0)}, "pads -5 and 0 of an axis of 4"),
    (MATRIX, "y = Expand(x, s)", {"s": ints(5, 6)}, "shape [5, 6] for [4, 6]"),
    (MATRIX, "y = Expand(x, s)", {"s": ints(-5, 6)}, "shape [-5, 6]"),
    (MATRIX, "y = Tile(x, s)", {"s": ints(-1, 2)}, "repeats [-1, 2]"),
    (MATRIX, "y = Tile(x, s)", {"s": ints(2)}, "1 repeats for 2 dimensions"),
    (MATRIX, "y = ConstantOfShape(s)", {"s": ints(-1, 2)}, "sizes [-1, 2]"),
    (MATRIX, "y = RandomNormal<shape = [-1, 2]>()", NOTHING, "sizes [-1, 2]"),
    (
        MATRIX,
        "y = Range(a, b, c)",
        {"a": np.int64(0), "b": np.int64(9), "c": np.int64(0)},
        "delta is 0",
    ),
    (MATRIX, "y = Gather<axis = 1>(x, s)", {"s": ints(0, 6)}, "index 6 of 6"),
    (MATRIX, "y = Gather(x, s)", {"s": ints(-5)}, "index -5 of 4"),
    (MATRIX, "y = GatherND<batch_dims = 2>(x, s)", {"s": ints(0)}, "batch_dims is 2"),
    (MATRIX, "y = GatherND(x, s)", {"s": ints(0, 0, 0)}, "indices of 3 values for 2"),
    (MATRIX, "y, z = TopK(x, s)", {"s": ints(7)}, "k is 7 of 6"),
    (MATRIX, "y = CumSum(x, s)", {"s": np.int64(2)}, "axis 2 of 2 dimensions"),
    (MATRIX, "y = ReduceSum(x, s)", {"s": ints(-3)}, "axis -3 of 2 dimensions"),
    (MATRIX, "y = ReduceMax(x, s)", {"s": ints(2)}, "axis 2 of 2 dimensions"),
    (MATRIX, 'y = Einsum<equation = "ij,jk->ik">(x)', NOTHING, "is for 2 inputs, not 1"),
    (MATRIX, 'y = Einsum<equation = "ijk->k">(x)', NOTHING, "'ijk' for 2 dimensions"),
    (MATRIX, 'y = Einsum<equation = "!!##->">(x)', NOTHING, "cannot be read"),
    (MATRIX, 'y = Einsum<equation = "ij->ik">(x)', NOTHING, "that its terms do not give"),
    (MATRIX, 'y = Einsum<equation = "ij,ji->i">(x, x)', NOTHING, "'j' is 6 and 4 long"),
    (IMAGE, "y = Conv(x, w)", weight(4, 7, 1, 1), "6 channels for a weight of 7 in 1 groups"),
    (IMAGE, "y = Conv<group = 2>(x, w)", weight(3, 3, 1, 1), "3 channels in 2 groups"),
    (IMAGE, "y = Conv(x, w)", weight(4, 6, 1), "a weight of 3 dimensions for 4"),
    (IMAGE, "y = Conv<kernel_shape = [3, 3]>(x, w)", weight(4, 6, 1, 1), "kernel_shape [3, 3]"),
    (IMAGE, "y = Conv(x, w)", weight(4, 6, 9, 1), "a window of 9 on 8 of axis 2"),
    (IMAGE, "y = Conv<pads = [0, 0, -1, 0]>(x, w)", weight(4, 6, 1, 1), "pads [0, 0, -1, 0]"),
    (IMAGE, "y = MaxPool<kernel_shape = [3]>(x)", NOTHING, "kernel [3] for 2 axes"),
    (IMAGE, "y = MaxPool<kernel_shape = [3, 3], pads = [1]>(x)", NOTHING, "pads [1] for 2 axes"),
    (IMAGE, "y = AveragePool<kernel_shape = [9, 9]>(x)", NOTHING, "a window of 9 on 8"),
    (
        IMAGE,
        "y = MaxPool<kernel_shape = [3, 3], strides = [1, 1, 1]>(x)",
        NOTHING,
        "strides [1, 1, 1] for 2 axes",
    ),
]


def opset_of(node: str) -> int:
    """Split without sizes asks for `num_outputs` since opset 18."""
    return 17 if node.endswith("Split(x)") else 20


@pytest.mark.parametrize(("signature", "node", "tensors", "why"), WRONG)
def test_what_an_operator_cannot_take(
    signature: str, node: str, tensors: dict[str, Any], why: str, write: Write, find: Find
) -> None:
    path = write(signature.format(node), tensors, opsets={"": opset_of(node)})
    [finding] = find(path, "OPS007")
    assert finding.severity == "medium"
    assert why in finding.message


@pytest.mark.parametrize(
    ("signature", "node", "tensors"),
    [
        (MATRIX, "y = Reshape(x, s)", {"s": ints(0, -1)}),
        (MATRIX, "y = Reshape(x, s)", {"s": ints(2, 3, 4)}),
        ("(float[N,6] x) => (float y) {{ {} }}", "y = Reshape(x, s)", {"s": ints(5, 5)}),
        ("(float[0,6] x) => (float y) {{ {} }}", "y = Reshape(x, s)", {"s": ints(-1, 5)}),
        ("(float[0,6] x) => (float y) {{ {} }}", "y = Gather(x, s)", {"s": ints(0)}),
        ("(float[N,6] x) => (float y) {{ {} }}", "y = Squeeze(x, s)", {"s": ints(0)}),
        ("(float x) => (float y) {{ {} }}", "y = Squeeze(x, s)", {"s": ints(0)}),
        (MATRIX, "y = Unsqueeze(x, s)", {"s": ints(0, -1)}),
        (MATRIX, "y = Pad(x, s)", {"s": ints(-4, 0, 0, 0)}),
        (MATRIX, "y = Expand(x, s)", {"s": ints(3, 1, 6)}),
        (MATRIX, "y = Gather(x, s)", {"s": ints(-4, 3)}),
        (MATRIX, "y = Slice(x, a, b)", {"a": ints(-(2**63)), "b": ints(2**63 - 1)}),
        (MATRIX, 'y = Einsum<equation = "...j -> ...">(x)', NOTHING),
        (MATRIX, 'y = Einsum<equation = "ij,kj">(x, x)', NOTHING),
        (
            IMAGE,
            "y = Conv<group = 2, strides = [2, 2], dilations = [1, 1]>(x, w)",
            weight(4, 3, 8, 8),
        ),
        (IMAGE, 'y = Conv<auto_pad = "SAME_UPPER">(x, w)', weight(4, 6, 9, 9)),
        (IMAGE, "y = MaxPool<kernel_shape = [9, 9], ceil_mode = 1>(x)", NOTHING),
        (IMAGE, "y = Conv<dilations = [2, 2], pads = [1, 1, 1, 1]>(x, w)", weight(4, 6, 5, 5)),
    ],
)
def test_what_an_operator_can_take_or_nobody_knows(
    signature: str, node: str, tensors: dict[str, Any], write: Write, find: Find
) -> None:
    assert find(write(signature.format(node), tensors), "OPS007") == []


def test_a_branch_that_need_not_be_taken(write: Write, find: Find) -> None:
    """What exporters write for torch.squeeze: whether the Squeeze fits is what the If asks."""
    text = """(float[4,6] x, bool c) => (float y) { y = If(c) <
        then_branch = t () => (float a) { a = Squeeze(x, s) },
        else_branch = e () => (float b) { b = Identity(x) } > }"""
    assert find(write(text, {"s": ints(1)}), "OPS007") == []


def test_a_name_like_a_branch_hides_nothing(write: Write, find: Find) -> None:
    def rename(model: onnx.ModelProto) -> None:
        model.graph.node[0].name = "f/then_branch/squeeze"

    path = write(MATRIX.format("y = Squeeze(x, s)"), {"s": ints(1)}, change=rename)
    assert len(find(path, "OPS007")) == 1


def test_onnx_refuses_most_of_them_too(write: Write) -> None:
    """onnx's own inference, strict: an independent judge."""
    refused = []
    for signature, node, tensors, _ in WRONG:
        text = signature.format(node)
        model = onnx.load(write(text, tensors, opsets={"": opset_of(node)}))
        try:
            onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError:
            refused.append(node)
    assert len(refused) > len(WRONG) // 2


def unfilled(
    _: Any, dims: Any, _kernel: Any, _strides: Any, out: Any, *_rest: Any, **_pads: Any
) -> Any:
    """What a pooling gives, by its shape alone."""
    return np.zeros((*dims[:2], *out), np.float32)


def test_no_model_of_onnxs_own_node_tests_is_wrong(
    tmp_path: Path, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example of these operators, its inputs made constants so that they are known."""
    cases = pytest.importorskip("onnx.backend.test.case.node")
    pools = pytest.importorskip("onnx.reference.ops.op_pool_common")
    monkeypatch.setattr(pools, "pool", unfilled)  # results are not looked at, and take most time
    path = tmp_path / "case.onnx"
    seen = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = [case for case in cases.collect_testcases(None) if case.data_sets]
    for case in collected:
        operators = {node.op_type for node in case.model.graph.node} & CHECKS
        if not operators:
            continue
        seen |= operators
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        for info, numbers in zip(model.graph.input, case.data_sets[0][0], strict=False):
            if isinstance(numbers, np.ndarray | np.generic):
                tensor = numpy_helper.from_array(np.asarray(numbers), info.name)
                model.graph.initializer.append(tensor)
        path.write_bytes(model.SerializeToString())
        assert find(str(path), "OPS007") == [], case.name
    assert len(seen) > len(CHECKS) // 2


@pytest.mark.parametrize("perm", ["[0, 1, 2]", "[0]"])
def test_a_permutation_of_other_rank(perm: str, write: Write, find: Find) -> None:
    path = write(MATRIX.format(f"y = Transpose<perm = {perm}>(x)"))
    [finding] = find(path, "OPS007")
    assert f"perm has {perm.count(',') + 1} axes for 2" in finding.message


def test_an_axis_of_a_branch_that_need_not_be_taken_is_left_alone(write: Write, find: Find) -> None:
    """As exporters guard a Squeeze; attributes are wrong wherever the node stands."""
    text = """(bool c, float[4,6] x) => (float y) {{
        y = If(c) < then_branch = t () => (float p) {{ p = {} }},
                    else_branch = e () => (float q) {{ q = Identity(x) }} > }}"""
    assert find(write(text.format("Softmax<axis = 2>(x)")), "OPS007") == []
    [finding] = find(write(text.format('BitShift<direction = "UP">(x, x)')), "OPS007")
    assert "direction is 'UP'" in finding.message


def test_rms_normalization_has_an_axis_too(write: Write, find: Find) -> None:
    text = MATRIX.format("y = RMSNormalization<axis = 2>(x, s)")
    tensors = {"s": np.ones(6, np.float32)}
    [finding] = find(write(text, tensors, opsets={"": 23}), "OPS007")
    assert "axis 2 of 2 dimensions" in finding.message
