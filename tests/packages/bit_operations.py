"""Bit operations beside qonnx: MACs by element type, and MACs x bits x bits, of both.

    python -m tests.packages.bit_operations [FOLDER ...]    # by a Python that has qonnx

Builds networks as Brevitas exports them (fully connected TFC, convolutional CNV, depthwise blocks,
integers behind DequantizeLinear, MatMuls without bits), and takes every model in the folders that
has an operator of QONNX. A line a model: MACs and bit operations by graphcount and by
`qonnx.util.inference_cost` without its discount for zeros; then what differs.

qonnx calls float32 what its types do not express: Trunc, zero points other than 0, BipolarQuant and
FloatQuant with a scale. graphcount counts the bits that the node states; such models are marked.
"""

from __future__ import annotations

import collections
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import graphcount

DOMAIN = "qonnx.custom_op.general"
DOMAINS = {DOMAIN, "onnx.brevitas", "finn.custom_op.general"}
Pairs = dict[tuple[int, int], int]


class Network:
    """A model that is made layer by layer."""

    def __init__(self, shape: Sequence[int], bits: int, signed: int = 1) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors = [_tensor("zero", 0.0), _tensor("scale", 0.25), _tensor("one", 1.0)]
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        self.value = "x"
        self.channels = shape[1]
        self.bits = bits
        self.signed = signed

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        domain = DOMAIN if op_type in ("Quant", "BipolarQuant") else ""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], domain=domain, **attributes))
        return name

    def store(self, *shape: int) -> str:
        name = f"t{len(self.tensors)}"
        self.tensors.append(_tensor(name, np.random.default_rng(0).normal(size=shape)))
        return name

    def quantized(self, value: str, bits: int, signed: int = 1) -> str:
        if bits == 1:
            return self.add("BipolarQuant", value, "one")
        name = f"b{bits}"
        if name not in {tensor.name for tensor in self.tensors}:
            self.tensors.append(_tensor(name, float(bits)))
        given = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return self.add("Quant", value, "scale", "zero", name, **given)

    def activate(self) -> None:
        self.value = self.quantized(self.add("Relu", self.value), self.bits, self.signed)

    def linear(self, rows: int, columns: int, bits: int) -> None:
        weight = self.quantized(self.store(columns, rows), bits)
        self.value = self.add("MatMul", self.value, self.add("Transpose", weight, perm=[1, 0]))

    def conv(self, channels: int, bits: int, kernel: int = 3, group: int = 1) -> None:
        weight = self.quantized(self.store(channels, self.channels // group, kernel, kernel), bits)
        sizes = {"kernel_shape": [kernel] * 2, "strides": [1, 1], "dilations": [1, 1]}
        pads = [kernel // 2] * 4
        self.value = self.add("Conv", self.value, weight, group=group, pads=pads, **sizes)
        self.channels = channels

    def pool(self) -> None:
        sizes = {"kernel_shape": [2, 2], "strides": [2, 2]}
        self.value = self.add("MaxPool", self.value, **sizes)

    def save(self, path: Path) -> Path:
        used = {name for node in self.nodes for name in node.input}
        output = helper.make_tensor_value_info(self.value, TensorProto.FLOAT, None)
        tensors = [tensor for tensor in self.tensors if tensor.name in used]
        graph = helper.make_graph(self.nodes, path.stem, [self.input], [output], tensors)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
        return path


def _tensor(name: str, values: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def tfc(folder: Path, weight: int, activation: int) -> Path:
    """Three hidden layers of 64 behind 8 bits of input, as in Brevitas' examples."""
    net = Network([1, 784], activation)
    net.value = net.quantized(net.value, 8, signed=0)
    for rows, columns in ((784, 64), (64, 64), (64, 64)):
        net.linear(rows, columns, weight)
        net.activate()
    net.linear(64, 10, weight)
    return net.save(folder / f"tfc_w{weight}a{activation}.onnx")


def cnv(folder: Path, weight: int, activation: int) -> Path:
    """Convolutions in pairs with pools between them, then linear layers."""
    net = Network([1, 3, 32, 32], activation, signed=0)
    net.value = net.quantized(net.value, 8, signed=0)
    for channels in (64, 128, 256):
        for _ in range(2):
            net.conv(channels, weight)
            net.activate()
        net.pool()
    net.tensors.append(numpy_helper.from_array(np.array([1, -1], np.int64), "shape"))
    net.value = net.add("Reshape", net.value, "shape")
    net.linear(256 * 4 * 4, 512, weight)
    net.activate()
    net.linear(512, 10, weight)
    return net.save(folder / f"cnv_w{weight}a{activation}.onnx")


def depthwise(folder: Path) -> Path:
    """Depthwise and pointwise convolutions, the input as floats, as in MobileNet-v1."""
    net = Network([1, 3, 32, 32], 4, signed=0)
    net.conv(32, 8)
    net.activate()
    for channels in (64, 128):
        net.conv(net.channels, 4, group=net.channels)
        net.activate()
        net.conv(channels, 4, kernel=1)
        net.activate()
    return net.save(folder / "depthwise_w4a4.onnx")


def dequantized(folder: Path) -> Path:
    """Integers behind DequantizeLinear, as onnxruntime's quantizer writes them."""
    net = Network([4, 16], 8)
    net.tensors.append(numpy_helper.from_array(np.array(0, np.int8), "zero8"))
    net.tensors.append(numpy_helper.from_array(np.ones((16, 8), np.int8), "w8"))
    whole = net.add("QuantizeLinear", net.value, "scale", "zero8")
    left = net.add("DequantizeLinear", whole, "scale", "zero8")
    right = net.add("DequantizeLinear", "w8", "scale", "zero8")
    net.value = net.add("MatMul", left, right)
    return net.save(folder / "dequantize_linear.onnx")


def activations(folder: Path) -> Path:
    """A product of two activations, one of them of bits, and of what comes out of a product."""
    net = Network([2, 8], 4)
    few = net.quantized(net.value, 4)
    net.value = net.add("MatMul", few, net.add("Transpose", few, perm=[1, 0]))
    net.linear(2, 6, 3)
    return net.save(folder / "activations.onnx")


def built(folder: Path) -> list[Path]:
    """Networks of this file."""
    widths = ((1, 1), (1, 2), (2, 2), (4, 4), (8, 3))
    nets = [make(folder, *width) for width in widths for make in (tfc, cnv)]
    return [*nets, depthwise(folder), dequantized(folder), activations(folder)]


def of_qonnx(folders: Sequence[str]) -> Iterator[Path]:
    """Yield models with an operator of QONNX."""
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.onnx")):
        try:
            model = onnx.load(str(path), load_external_data=False)
        except Exception:  # whatever it is, it is no model of QONNX
            continue
        if any(node.domain in DOMAINS for node in model.graph.node):
            yield path


def by_graphcount(path: Path) -> tuple[int, int | None, Pairs]:
    """MACs, bit operations and MACs by bits."""
    totals = graphcount.count(str(path), assume=True).in_numbers.totals
    pairs: collections.Counter[tuple[int, int]] = collections.Counter()
    for row in totals.precision:
        low, high = sorted(row.bits or (0, 0))
        pairs[low, high] += row.macs or 0
    return totals.macs or 0, totals.bit_operations, dict(pairs)


def by_qonnx(path: Path) -> tuple[int, int, Pairs]:
    """The same of qonnx."""
    from qonnx.core.datatype import DataType
    from qonnx.util.inference_cost import inference_cost

    cost = inference_cost(str(path), discount_sparsity=False)["total_cost"]
    pairs: collections.Counter[tuple[int, int]] = collections.Counter()
    for key, macs in cost.items():
        if key.startswith("op_mac_"):
            low, high = sorted(DataType[name].bitwidth() for name in key.split("_")[2:4])
            pairs[low, high] += round(macs)
    return round(cost["total_macs"]), round(cost["total_bops"]), dict(pairs)


def limited(path: Path) -> bool:
    """Whether a model has what qonnx calls float32 since it has no type for it."""
    model = onnx.load(str(path))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        scale, zero = (stored.get(name) for name in [*node.input, "", ""][1:3])
        if node.op_type == "Trunc" or (node.op_type == "Quant" and zero is not None and zero.any()):
            return True
        scaled = scale is None or (scale != 1).any()
        if node.op_type in ("BipolarQuant", "FloatQuant") and scaled:
            return True
    return False


def main(folders: Sequence[str]) -> None:
    """Print both, and how many agree."""
    equal = models = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in [*built(Path(folder)), *of_qonnx(folders)]:
            ours = by_graphcount(path)
            try:
                theirs = by_qonnx(path)
            except Exception as error:
                print(f"{path.name[:48]:48} qonnx: {type(error).__name__}: {str(error)[:80]}")
                continue
            models += 1
            equal += ours == theirs
            note = "equal" if ours == theirs else "no type" if limited(path) else "DIFFERENT"
            macs, bits = f"{ours[0]:,} / {theirs[0]:,}", f"{ours[1] or 0:,} / {theirs[1]:,}"
            print(f"{path.name[:48]:48} MACs {macs:>31}  bit operations {bits:>39}  {note}")
            if ours != theirs:
                print(f"    graphcount {ours[2]}\n    qonnx      {theirs[2]}")
    print(f"{equal} of {models} equal")


if __name__ == "__main__":
    main(sys.argv[1:])
