"""Rules on resources, quantization, training information and constant branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper, numpy_helper

from graphcount.report.rows import Finding

Write = Callable[..., str]
Find = Callable[..., list[Finding]]


def shape(*dims: int) -> Any:
    return np.array(dims, np.int64)


# ------------------------------------------------------------------------------------ resources


@pytest.mark.parametrize(
    ("nodes", "tensors"),
    [
        ("y = ConstantOfShape(s)", {"s": shape(10**6, 10**6, 10**6)}),
        ("y = Expand(v, s)", {"v": np.float32(1), "s": shape(2**21, 2**20)}),
        ("y = Tile(v, s)", {"v": np.ones(2**10, np.float32), "s": shape(2**31)}),
        (
            "y = Range(a, b, c)",
            {"a": np.int64(0), "b": np.int64(2**41), "c": np.int64(1)},
        ),
        ("y = Pad(v, s)", {"v": np.ones(1, np.float32), "s": shape(0, 2**41)}),
        ("y = Expand(x, s)", {"s": shape(2**21, 2**21)}),
        (
            "a = ConstantOfShape(s)\n b = Relu(a)\n y = Neg(b)",
            {"s": shape(2**42)},
        ),
    ],
)
def test_tensor_bomb(nodes: str, tensors: dict[str, Any], write: Write, find: Find) -> None:
    [finding] = find(write(f"(float[1] x) => (float[N] y) {{ {nodes} }}", tensors), "RES002")
    assert finding.severity == "medium"
    assert finding.evidence["nodes"] == 1  # the cause, not what follows


@pytest.mark.parametrize(
    ("node", "tensor", "elements"),
    [
        ("y = Tile(x, s)", shape(2**63 - 1, 3), (2**63 - 1) * 8 * 3),
        ("y = Pad(x, s)", shape(2**63 - 1, 0, 2**63 - 1, 0), (2**64 - 1) * 8),
    ],
)
def test_a_dimension_beyond_64_bits_is_a_bomb_and_not_a_riddle(
    node: str, tensor: npt.NDArray[Any], elements: int, write: Write, find: Find
) -> None:
    text = f"(float[1,8] x) => (float[N,M] y) {{ {node}\n z = Relu(y) }}"
    [finding] = find(write(text, {"s": tensor}), "RES002")
    assert (finding.evidence["elements"], finding.evidence["nodes"]) == (elements, 1)


def test_a_free_dimension_that_the_graph_multiplies(write: Write, find: Find) -> None:
    doubled = "\n".join(f"x{k + 1} = Concat<axis = 0>(x{k}, x{k})" for k in range(45))
    [finding] = find(write(f"(float[N] x0) => (float[M] x45) {{ {doubled} }}"), "RES002")
    assert (finding.where["node"], finding.evidence["elements"]) == ("Concat#40", 2**41)


@pytest.mark.parametrize("dims", ["2147483648,2147483648", "N,2147483648,1024"])
def test_an_input_that_is_declared_so_large_is_the_cause(
    dims: str, write: Write, find: Find
) -> None:
    path = write(f"(float[{dims}] x) => (float y) {{ y = Relu(x) }}")
    found = find(path, "RES002")
    if "N" in dims:  # a free dimension says nothing
        assert found == []
        return
    [finding] = found
    assert (finding.severity, finding.evidence["elements"]) == ("medium", 2**62)
    assert "is declared as" in finding.message
    assert finding.where["node"] == "input:x"


def test_a_sparse_tensor_of_many_cells(write: Write, find: Find) -> None:
    def add(model: onnx.ModelProto) -> None:
        values = numpy_helper.from_array(np.ones(1, np.float32), "s")
        indices = numpy_helper.from_array(shape(7))
        made = helper.make_sparse_tensor(values, indices, [2**21, 2**20])
        model.graph.sparse_initializer.append(made)

    [finding] = find(write("(float[1] x) => (float y) { y = Add(x, s) }", change=add), "RES002")
    assert finding.evidence["elements"] == 2**41


def test_many_made_tensors_against_the_file(write: Write, find: Find) -> None:
    makers = [f"a{number} = ConstantOfShape(s)" for number in range(3)]
    text = f"(float[1] x) => (float[1] y) {{ {' '.join(makers)}\n y = Relu(x) }}"
    [finding] = find(write(text, {"s": shape(2**27)}), "RES002")
    assert finding.evidence["nbytes"] == 3 * 4 * 2**27
    assert find(write(text, {"s": shape(2**20)}), "RES002") == []


def test_large_stored_and_ordinary_tensors_are_no_bomb(write: Write, find: Find) -> None:
    text = (
        "(float[N,64] x) => (float[N,64] y) { a = MatMul(x, W)\n s = Shape(a)\n y = Expand(v, s) }"
    )
    path = write(text, {"W": np.ones((64, 64), np.float32), "v": np.float32(1)})
    assert find(path, "RES") == []


LOOP = """(float[3] x) => (float[3] y) {{
    y = Loop(m, c, x) < body = b (int64 i, bool k, float[3] v) => (bool k2, float[3] w) {{
        k2 = Identity(k)
        {inside} }} > }}"""
YES = {"c": np.array(True)}


def test_loop_bomb(write: Write, find: Find) -> None:
    text = LOOP.format(inside="w = Relu(v)")
    [finding] = find(write(text, {"m": np.int64(10**12), **YES}), "RES003")
    assert finding.severity == "medium"
    assert finding.evidence["trips"] == 10**12
    assert finding.evidence["executions"] == 2 * 10**12  # two nodes
    assert find(write(text, {"m": np.int64(10**6), **YES}), "RES003") == []


def test_nested_loops_multiply(write: Write, find: Find) -> None:
    inner = """w = Loop(m, c, v) < body = b2 (int64 j, bool l, float[3] p)
        => (bool l2, float[3] q) {
        l2 = Identity(l)
        q = Relu(p) } >"""
    text = LOOP.format(inside=inner)
    [finding] = find(write(text, {"m": np.int64(10**5), **YES}), "RES003")
    assert finding.evidence["executions"] == 2 * 10**10
    assert find(write(text, {"m": np.int64(10**4), **YES}), "RES003") == []


def test_a_loop_until_something_happens_is_no_bomb(write: Write, find: Find) -> None:
    text = """(float[3] x) => (float[3] y) {
        y = Loop(m, c, x) < body = b (int64 i, bool k, float[3] v) => (bool k2, float[3] w) {
            w = Relu(v)
            least = ReduceMax<keepdims = 0>(w)
            k2 = Greater(least, f) } > }"""
    path = write(text, {"m": np.int64(2**63 - 1), "f": np.float32(0), **YES})
    assert find(path, "RES003") == []


def test_a_failing_inference_is_a_finding(
    write: Write, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise MemoryError("too much")

    path = write("(float[3] x) => (float[3] y) { y = Relu(x) }")
    assert find(path, "RES004") == []
    monkeypatch.setattr("graphcount.auditing.context.infer_shapes", fails)
    [finding] = find(path, "RES004", "GRF014", "QNT", "RES002", "OPS007", "BKD")
    assert (finding.rule, finding.severity) == ("RES004", "medium")
    assert "MemoryError: too much" in finding.message


# --------------------------------------------------------------------------------- quantization


def dequantized(
    scale: Any, zero: Any, axis: int = 0, shape: tuple[int, ...] = (4, 6)
) -> tuple[str, dict[str, Any]]:
    text = f"(float[6] x) => (float[N] y) {{ w = DequantizeLinear<axis = {axis}>(q, s, z)\n"
    text += " wt = Transpose(w)\n y = MatMul(x, wt) }"
    tensors = {"q": np.ones(shape, np.int8), "s": np.asarray(scale, np.float32), "z": zero}
    return text, tensors


@pytest.mark.parametrize(
    ("scale", "zero", "axis"),
    [
        (np.ones(3), np.zeros(3, np.int8), 0),  # three for four rows
        (np.ones(4), np.zeros(4, np.int8), 1),  # four for six columns
        (np.ones(4), np.zeros(4, np.int8), 5),  # no such axis
        (np.ones((4, 6)), np.zeros((4, 6), np.int8), 0),  # blocks, and no size of them
        (np.ones(4), np.zeros(3, np.int8), 0),  # scale and zero point differ
        (np.ones(4), np.zeros(4, np.uint8), 0),  # types differ
    ],
)
def test_scale_shape(scale: Any, zero: Any, axis: int, write: Write, find: Find) -> None:
    findings = find(write(*dequantized(scale, zero, axis)), "QNT001")
    assert [finding.severity for finding in findings] == ["medium"]


@pytest.mark.parametrize(
    ("scale", "zero", "axis"),
    [
        (np.float32(1), np.int8(0), 1),
        (np.ones(1), np.zeros(1, np.int8), 0),
        (np.ones(4), np.zeros(4, np.int8), 0),
        (np.ones(6), np.zeros(6, np.int8), 1),
        (np.ones(6), np.zeros(6, np.int8), -1),
    ],
)
def test_scales_that_fit(scale: Any, zero: Any, axis: int, write: Write, find: Find) -> None:
    assert find(write(*dequantized(scale, zero, axis)), "QNT001", "QNT003") == []


def packed(rows: int, columns: int, block: int, blocks: int) -> tuple[str, dict[str, Any]]:
    text = f"""(float[1,{rows}] x) => (float[1,{columns}] y) {{
        y = com.microsoft.MatMulNBits
            <K={rows}, N={columns}, bits=4, block_size={block}>(x, q, s) }}"""
    tensors = {
        "q": np.ones((columns, blocks, block // 2), np.uint8),
        "s": np.ones(columns * blocks, np.float32),
    }
    return text, tensors


def test_block_quantized(write: Write, find: Find) -> None:
    opsets = {"": 20, "com.microsoft": 1}
    assert find(write(*packed(64, 8, 32, 2), opsets=opsets), "QNT") == []
    assert find(write(*packed(33, 8, 32, 2), opsets=opsets), "QNT") == []  # a padded last block
    [finding] = find(write(*packed(128, 8, 32, 2), opsets=opsets), "QNT002")
    assert finding.severity == "medium"
    assert "its attributes ask 512" in finding.message  # 8 columns, 4 blocks, 16 bytes
    text, tensors = packed(64, 8, 32, 2)
    tensors["s"] = np.ones(15, np.float32)
    [scales] = find(write(text, tensors, opsets=opsets), "QNT002")
    assert "15 scales where there are 16 blocks" in scales.message
    [senseless] = find(write(*packed(64, 8, 24, 2), opsets=opsets), "QNT002")
    assert "block_size 24" in senseless.message


@pytest.mark.parametrize("bad", [0.0, -0.5, float("nan"), float("inf")])
def test_scale_value(bad: float, write: Write, find: Find) -> None:
    scale = np.array([0.5, bad, 0.5, 0.5])
    [finding] = find(write(*dequantized(scale, np.zeros(4, np.int8))), "QNT003")
    assert finding.severity == "medium"
    assert finding.evidence["count"] == 1


def test_quantizers_of_blocks_write_negative_scales(write: Write, find: Find) -> None:
    text, tensors = packed(64, 8, 32, 2)
    tensors["s"] = -tensors["s"]
    assert find(write(text, tensors, opsets={"": 20, "com.microsoft": 1}), "QNT003") == []
    tensors["s"][3] = np.nan
    assert len(find(write(text, tensors, opsets={"": 20, "com.microsoft": 1}), "QNT003")) == 1


def test_large_scales_are_read_in_a_deep_audit_only(write: Write, find: Find) -> None:
    scale = np.ones(1000)
    scale[999] = 0
    path = write(*dequantized(scale, np.zeros(1000, np.int8), 0, (1000, 6)))
    assert find(path, "QNT003", deep=False) == []
    assert len(find(path, "QNT003", deep=True)) == 1


def test_wide_weights(write: Write, find: Find) -> None:
    text, tensors = dequantized(np.ones(4), np.zeros(4, np.int8))
    text = text.replace("y = MatMul(x, wt)", "a = MatMul(x, wt)\n y = MatMul(a, V)")
    [finding] = find(write(text, {**tensors, "V": np.ones((4, 50), np.float32)}), "QNT004")
    assert finding.severity == "info"
    assert finding.evidence["nbytes"] == 4 * 50 * 4
    assert find(write(*dequantized(np.ones(4), np.zeros(4, np.int8))), "QNT004") == []
    plain = "(float[4] x) => (float[50] y) { y = MatMul(x, V) }"
    assert find(write(plain, {"V": np.ones((4, 50), np.float32)}), "QNT004") == []


# ---------------------------------------------------------------------------------- training_info


def test_training_info(write: Write, find: Find) -> None:
    def train(model: onnx.ModelProto) -> None:
        info = model.training_info.add()
        info.algorithm.name = "algorithm"
        info.algorithm.node.append(helper.make_node("Add", ["m", "m"], ["m2"]))
        state = numpy_helper.from_array(np.zeros(25, np.float32), "m")
        info.algorithm.initializer.append(state)

    text = "(float[3] x) => (float[3] y) { y = Relu(x) }"
    [finding] = find(write(text, change=train), "TRN001")
    assert finding.severity == "medium"
    assert finding.evidence == {"graphs": finding.evidence["graphs"], "nodes": 1, "nbytes": 100}
    assert find(write(text), "TRN001") == []


# ---------------------------------------------------------------------------------------- branches


BRANCH = """({more}float[3] x) => (float[3] y) {{
    y = If(c) < then_branch = t () => (float[3] p) {{ p = Relu(x) }},
                else_branch = e () => (float[3] q) {{ q = Identity(x) }} > }}"""


def test_constant_condition(write: Write, find: Find) -> None:
    [finding] = find(write(BRANCH.format(more=""), YES), "BKD002")
    assert (finding.severity, finding.where) == ("low", {"node": "If#0"})
    assert find(write(BRANCH.format(more="bool c, ")), "BKD002") == []
    where = "(float[3] x) => (float[3] y) { a = Neg(x)\n y = Where(c, x, a) }"
    assert len(find(write(where, YES), "BKD002")) == 1
    mask = {"c": np.array([True, False, True])}
    assert find(write(where, mask), "BKD002") == []  # a mask of positions is no branch


def test_a_condition_on_the_shape_is_not_constant(write: Write, find: Find) -> None:
    text = """(float[N] x) => (float[N] y) {
        s = Size(x)
        c = Greater(s, two)
        y = If(c) < then_branch = t () => (float[N] p) { p = Relu(x) },
                    else_branch = e () => (float[N] q) { q = Identity(x) } > }"""
    assert find(write(text, {"two": np.int64(2)}), "BKD002") == []


def test_a_loop_that_never_runs(write: Write, find: Find) -> None:
    text = LOOP.format(inside="w = Relu(v)")
    assert len(find(write(text, {"m": np.int64(0), **YES}), "BKD002")) == 1
    assert find(write(text, {"m": np.int64(3), **YES}), "BKD002") == []


def test_outputs_without_inputs_and_inputs_without_outputs(write: Write, find: Find) -> None:
    text = "(float[3] x, float[3] idle) => (float[3] y, float[3] z) { y = Relu(x)\n z = Neg(k) }"
    idle, fixed = find(write(text, {"k": np.ones(3, np.float32)}), "BKD003")
    assert fixed.severity == idle.severity == "low"
    assert fixed.evidence == {"values": ["z"], "count": 1}
    assert idle.evidence == {"values": ["idle"], "count": 1}
    assert find(write("(float[3] x) => (float[3] y) { y = Relu(x) }"), "BKD003") == []
    made = "() => (float[3] y) { y = Neg(k) }"
    assert find(write(made, {"k": np.ones(3, np.float32)}), "BKD003") == []
