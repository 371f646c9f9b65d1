"""What `graphcount plan` says beside what onnxruntime's own tools write.

    python -m tests.packages.quantizers FOLDER [WORD ...]

Every .onnx file below FOLDER, with words only those whose path has one of them, is quantized by
`quantize_dynamic` (a tensor and a channel), `MatMulNBitsQuantizer` (4 bits, blocks of 32) and
`convert_float_to_float16`. A line a model and tool, as a row of Markdown: bytes of the tensors in
the written model, bytes by plan, their ratio, and bytes of the written file beside plan's.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

import graphcount
from graphcount.planning import CountedModel, PlanOptions, TargetDType, size_plan

NUMBERS = {
    AttributeProto.FLOAT: ("float32", 4),
    AttributeProto.INT: ("int64", 8),
    AttributeProto.FLOATS: ("float32", 4),
    AttributeProto.INTS: ("int64", 8),
}
"""Type and width of what a Constant makes of numbers (Operators.md, Constant)."""

BITS: dict[int, int] = {TensorProto.INT4: 4, TensorProto.UINT4: 4}


class Beside(NamedTuple):
    """Bytes of tensors by type, and of the file, as a tool writes them and as plan says.

    `left_out`: no tensor changes, so that plan leaves the type out.
    """

    real: dict[str, int]
    real_file: int
    planned: dict[str, int]
    planned_file: int
    left_out: bool


def tensors(proto: ModelProto) -> dict[str, int]:
    """Bytes of all stored tensors by element type, wherever they stand: elements times width."""
    sums: dict[str, int] = {}
    for dtype, nbytes in _of_graph(proto.graph):
        sums[dtype] = sums.get(dtype, 0) + nbytes
    for function in proto.functions:
        for node in function.node:
            for dtype, nbytes in _of_node(node):
                sums[dtype] = sums.get(dtype, 0) + nbytes
    return {dtype: nbytes for dtype, nbytes in sorted(sums.items()) if nbytes}


def _of_graph(graph: GraphProto) -> Iterator[tuple[str, int]]:
    for tensor in graph.initializer:
        yield _of_tensor(tensor)
    for sparse in graph.sparse_initializer:
        yield _of_tensor(sparse.values)
        yield _of_tensor(sparse.indices)
    for node in graph.node:
        yield from _of_node(node)


def _of_node(node: NodeProto) -> Iterator[tuple[str, int]]:
    for attribute in node.attribute:
        for tensor in (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])):
            yield _of_tensor(tensor)
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            yield from _of_graph(graph)
        if node.op_type == "Constant" and attribute.type in NUMBERS:
            dtype, width = NUMBERS[attribute.type]
            value = helper.get_attribute_value(attribute)
            yield dtype, width * (len(value) if hasattr(value, "__len__") else 1)


def _of_tensor(tensor: TensorProto) -> tuple[str, int]:
    elements = int(np.prod(tensor.dims, dtype=object))
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    bits = BITS.get(tensor.data_type, 8 * dtype.itemsize)
    return str(dtype), (elements * bits + 7) // 8


def int8(path: str, *, per_channel: bool = False) -> ModelProto:
    """Return what `quantize_dynamic` writes.

    Of a path it would write a copy beside the model. It stops at results of operators that onnx
    does not know, unless it is told their type.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/int8.onnx"
        quantize_dynamic(
            onnx.load(path),
            out,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )
        return onnx.load(out)


def int4(path: str, *, block: int = 32, asymmetric: bool = False) -> ModelProto:
    """Return what `MatMulNBitsQuantizer` makes, embeddings and Gemm included.

    It stops at a Gather of one dimension or of integers: those are excluded by name.
    """
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    model = ONNXModel(onnx.load(path))
    model.replace_gemm_with_matmul()
    quantizer = MatMulNBitsQuantizer(
        model.model,
        block_size=block,
        is_symmetric=not asymmetric,
        op_types_to_quantize=("MatMul", "Gather"),
        quant_axes=(("MatMul", 0), ("Gather", 1)),
        nodes_to_exclude=list(_without_blocks(model.model.graph, {}, "")),
    )
    quantizer.process()
    proto: ModelProto = quantizer.model.model
    return proto


def _without_blocks(graph: GraphProto, outer: dict[str, TensorProto], at: str) -> Iterator[str]:
    """Name every node, and yield the names of those that the tool cannot take."""
    known = {**outer, **{tensor.name: tensor for tensor in graph.initializer}}
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    for number, node in enumerate(graph.node):
        node.name = f"{at}{number}"
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _without_blocks(attribute.g, known, f"{node.name}.{attribute.name}.")
        place = {"Gather": 0, "MatMul": 1}.get(node.op_type)
        weight = known.get(node.input[place]) if place is not None else None
        if weight is not None and (weight.data_type not in floats or len(weight.dims) < 2):
            yield node.name


def float16(path: str) -> ModelProto:
    """Return what `convert_float_to_float16` makes."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    proto: ModelProto = convert_float_to_float16(onnx.load(path))
    return proto


TOOLS: dict[str, tuple[TargetDType, dict[str, Any], Callable[[str], ModelProto]]] = {
    "int8": ("int8", {}, int8),
    "int8 channel": ("int8", {"per_channel": True}, lambda path: int8(path, per_channel=True)),
    "int4": ("int4", {}, int4),
    "int4 zero points": ("int4", {"asymmetric": True}, lambda path: int4(path, asymmetric=True)),
    "float16": ("float16", {}, float16),
}


def beside(path: str, tool: str) -> Beside:
    """Compare one model and tool."""
    dtype, options, quantize = TOOLS[tool]
    loaded = graphcount.load(path)
    counted = CountedModel(loaded.report(cost=False), loaded.proto, loaded.stored_keys)
    size, model = size_plan(counted, dtype, PlanOptions(**options)), quantize(path)
    real, planned = tensors(model), size.nbytes_by_dtype
    left_out = not size.converted_tensors
    return Beside(real, model.ByteSize(), planned, size.file_nbytes or 0, left_out)


def row(path: Path, tool: str) -> str:
    """Return the row of a model and tool."""
    name = f"{path.parent.name}/{path.name}"
    try:
        both = beside(str(path), tool)
    except Exception as error:  # whatever a third-party tool raises
        text = (str(error).splitlines() or [""])[0]
        return f"| {name} | {tool} | the tool stops: {type(error).__name__}: {text[:60]} |"
    real, planned = sum(both.real.values()), sum(both.planned.values())
    says = f"{planned:,}" + (" (nothing changes)" if both.left_out else "")
    ratio = f"{planned / real:.4f}" if real else str(planned)
    numbers = f"{real:,} | {says} | {ratio}"
    files = f"{both.real_file:,} | {both.planned_file / both.real_file:.4f}"
    return f"| {name} | {tool} | {numbers} | {files} |"


def main(arguments: list[str]) -> None:
    """Print a row for each model and tool."""
    import logging

    logging.disable(logging.WARNING)
    folder, *words = arguments
    print("| model | tool | tensors | plan | ratio | file | plan / file |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for path in sorted(Path(folder).rglob("*.onnx")):
        if not words or any(word in str(path) for word in words):
            for tool in TOOLS:
                print(row(path, tool), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
