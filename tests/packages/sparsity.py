"""Zeros and MACs without them, beside sums that onnx, numpy and qonnx make of the same models.

    python -m tests.packages.sparsity ../shared/corpus ../shared/truth
    python -m tests.packages.sparsity --qonnx

The first compares zeros of every initializer below some folders with what numpy counts in the
arrays that onnx reads; of integers it dequantizes those at DequantizeLinear, QLinearConv and the
integer products. The second needs a Python that has qonnx: it prunes Conv, MatMul and Gemm of
random sizes and compares MACs with `inference_cost(..., discount_sparsity=True)`.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import graphcount

Array = np.ndarray[Any, Any]

ZERO_POINTS = {
    "DequantizeLinear": {0: 2},
    "QLinearConv": {3: 5},
    "QLinearMatMul": {0: 2, 3: 5},
    "QLinearAdd": {0: 2, 3: 5},
    "QLinearMul": {0: 2, 3: 5},
    "MatMulInteger": {0: 2, 1: 3},
    "ConvInteger": {1: 3},
    "DynamicQuantizeLSTM": {1: 9, 2: 11},
}
"""Input with the zero point by the input it is of, from the operator definitions of onnx."""


def over(zero: Array, node: onnx.NodeProto, weight: Array) -> Array:
    """Return zero points as they broadcast over a weight."""
    if zero.size == 1:
        return zero.reshape(())
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type == "DequantizeLinear":
        axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
        if block:
            wide = np.repeat(zero, block, axis=axis)
            return wide.take(range(weight.shape[axis]), axis=axis)
        return zero.reshape([-1 if at == axis % weight.ndim else 1 for at in range(weight.ndim)])
    if node.op_type in ("QLinearConv", "ConvInteger"):
        return zero.reshape(-1, *[1] * (weight.ndim - 1))
    return zero


def zeros_of(graph: onnx.GraphProto, folder: str) -> dict[str, int]:
    """Return zeros of the initializers of a graph; integers are zero at their zero point."""
    arrays = {one.name: numpy_helper.to_array(one, folder) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t, folder)
    counts = {}
    for name, array in arrays.items():
        if array.dtype.kind in "OSU":
            counts[name] = 0
            continue
        wide = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
        counts[name] = int((wide == 0).sum())
    for node in graph.node:
        for of, at in ZERO_POINTS.get(node.op_type, {}).items():
            name = node.input[of]
            zero = arrays.get(node.input[at]) if at < len(node.input) else None
            if name in arrays and zero is not None:
                weight = arrays[name].astype(np.int64)
                counts[name] = int((weight == over(zero.astype(np.int64), node, weight)).sum())
    return counts


def compare(folders: list[str]) -> None:
    """Print how many tensors and zeros are the same, and each tensor that is not."""
    seen: Counter[str] = Counter()
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.onnx")):
        try:
            model = onnx.load(str(path), load_external_data=False)
            expected = zeros_of(model.graph, str(path.parent))
        except Exception:  # whatever onnx cannot read
            seen["models that onnx does not read"] += 1
            continue
        try:
            report = graphcount.count(str(path), sparsity=True)
        except graphcount.GraphcountError as error:
            print(f"{path}: {error}")
            continue
        seen["models"] += 1
        assert report.sparsity is not None
        rows = list(zip(report.tensors, report.sparsity.tensors, strict=True))
        names = Counter(tensor.name for tensor, _ in rows)
        for tensor, row in rows:
            if names[tensor.name] > 1 or tensor.name not in expected:
                seen["tensors elsewhere (bodies, functions, attributes, sparse)"] += 1
            elif row.zeros is None:
                seen["tensors not known"] += 1
                print(f"{path}: {tensor.name}: not known: {row.why}")
            else:
                seen["tensors"] += 1
                seen["elements"] += tensor.elements
                seen["zeros"] += row.zeros
                seen["zeros by numpy"] += expected[tensor.name]
                if row.zeros != expected[tensor.name]:
                    print(f"{path}: {tensor.name}: {row.zeros}, numpy {expected[tensor.name]}")
    for what, number in seen.items():
        print(f"{number:>14,} {what}")


# --------------------------------------------------------------------------------- beside qonnx


def networks(made: np.random.Generator, count: int) -> Iterator[onnx.ModelProto]:
    """Yield networks of two convolutions, a product and a Gemm, of random sizes and sparsity."""
    for _ in range(count):
        group, c, m, k, size = (int(made.integers(1, top)) for top in (4, 5, 5, 4, 9))
        weights = {
            "a": made.normal(size=(group * m, c, k, k)),
            "b": made.normal(size=(3, group * m, 1, 1)),
            "c": made.normal(size=(size, 7)),
            "d": made.normal(size=(5, 3 * size * 7)),
        }
        for name, weight in weights.items():
            weights[name] = np.where(made.random(weight.shape) < made.random(), 0, weight)
        kernel: dict[str, Any] = {
            "kernel_shape": [k, k],
            "pads": [k // 2, k // 2, (k - 1) // 2, (k - 1) // 2],
        }
        nodes = [
            helper.make_node("Conv", ["x", "a"], ["h1"], name="n1", group=group, **kernel),
            helper.make_node("Relu", ["h1"], ["h2"], name="n2"),
            helper.make_node("Conv", ["h2", "b"], ["h3"], name="n3", kernel_shape=[1, 1]),
            helper.make_node("MatMul", ["h3", "c"], ["h4"], name="n4"),
            helper.make_node("Flatten", ["h4"], ["h5"], name="n5"),
            helper.make_node("Gemm", ["h5", "d"], ["y"], name="n6", transB=1),
        ]
        shape = [int(made.integers(1, 4)), group * c, size, size]
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], 5])],
            [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
        )
        opsets = [helper.make_opsetid("", 13)]
        yield helper.make_model(graph, opset_imports=opsets, ir_version=8)


def beside_qonnx(count: int = 200) -> None:
    """Print how often MACs without zeros are those of qonnx."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.inference_cost import inference_cost

    same = macs = 0
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "m.onnx")
        for model in networks(np.random.default_rng(0), count):
            onnx.save(model, path)
            report = graphcount.count(path, sparsity=True)
            total = inference_cost(ModelWrapper(path), discount_sparsity=True)["total_cost"]
            theirs = sum(value for key, value in total.items() if key.startswith("op_mac"))
            assert report.sparsity is not None
            ours = report.sparsity.macs_nonzero or 0
            same += abs(ours - theirs) < 0.01
            macs += ours
            if abs(ours - theirs) >= 0.01:
                print(f"graphcount {ours:,}, qonnx {theirs:,}")
    print(f"{same} of {count} networks have the MACs of qonnx; {macs:,} in all")


if __name__ == "__main__":
    if sys.argv[1:] == ["--qonnx"]:
        beside_qonnx()
    else:
        compare(sys.argv[1:])
