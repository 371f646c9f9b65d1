"""What each tool writes of a model's initializers: in another type, as they are, not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from graphcount.dtypes import BY_NAME
from graphcount.loading.model import ModelProto, Node, all_nodes
from graphcount.planning.quantizers import (
    BLOCKED,
    FLOAT32_NODES,
    INT4,
    INT8,
    MOVES,
    QUANTIZED,
    Recipe,
    float32_inputs,
)
from graphcount.planning.readers import HeldTensor, Reader, Readers, readers_of
from graphcount.report.plan import PlanOptions, TargetDType
from graphcount.report.rows import OUTPUT


class Data(NamedTuple):
    """Elements of one type."""

    dtype: str
    elements: int

    @property
    def nbytes(self) -> int:
        """Bytes: elements times the width of the type, those below a byte packed."""
        return BY_NAME[self.dtype].nbytes(self.elements)


class Converted(NamedTuple):
    """An initializer in another type.

    Attributes:
        reason: What it is there.
        weight: Its elements.
        scales: Its scales and zero points.
    """

    reason: str
    weight: Data
    scales: tuple[Data, ...] = ()


@dataclass(frozen=True)
class Written:
    """What a tool writes.

    Attributes:
        converted: Tensors in another type.
        kept: Initializers that stay, too or only, and what reads them.
        dropped: Initializers that nothing reads are left out.
        initializers: Offsets of all of them.
        added: What the tool stores beside.
        stops_at: Node at which the tool gives up: it would write this, but for that node.
    """

    converted: dict[HeldTensor, Converted] = field(default_factory=dict)
    kept: dict[HeldTensor, str] = field(default_factory=dict)
    dropped: bool = True
    initializers: frozenset[int] = frozenset()
    added: tuple[Data, ...] = ()
    stops_at: str = ""


def written(proto: ModelProto, dtype: TargetDType, options: PlanOptions) -> Written:
    """Return what a tool writes of a model.

    Args:
        proto: The model.
        dtype: float16 or bfloat16, int8, int4.
        options: Block size, scales a channel, zero points.
    """
    if dtype in ("float16", "bfloat16"):
        return _half(proto, dtype)
    readers = readers_of(proto, without_gemm=True)
    return _int8(readers, options.per_channel) if dtype == "int8" else _int4(readers, options)


# --------------------------------------------------------------------------------------------- int8


def _int8(readers: Readers, per_channel: bool) -> Written:
    """Return what `quantize_dynamic` writes.

    It goes through the main graph once. A tensor that it quantized is dequantized for what reads it
    later, and then the float one is not needed; what stands before, or in a body, keeps it.
    """
    converted: dict[HeldTensor, Converted] = {}
    kept: dict[HeldTensor, str] = {}
    dequantized: set[HeldTensor] = set()
    added: list[Data] = []
    stops_at = ""
    for reader in readers.nodes:
        recipe = None if reader.nested else INT8.get(reader.op_type)
        if recipe is not None and reader.typed and recipe.stops(reader):
            stops_at = stops_at or reader.label
        if recipe is not None and recipe.takes(reader):
            _quantize(reader, recipe, per_channel, converted, kept)
            added += _bias_shape(reader, recipe)
        elif reader.op_type not in MOVES or reader.operand(0) not in converted:
            read = [operand for operand in reader.operands if operand is not None]
            ready = [operand for operand in read if operand in converted and not reader.nested]
            dequantized.update(ready)
            _keep(reader, kept, (operand for operand in read if operand not in ready))
    kept = {operand: why for operand, why in kept.items() if operand not in dequantized}
    return Written(converted, kept, True, readers.initializers, tuple(added), stops_at)


def _quantize(
    reader: Reader,
    recipe: Recipe,
    per_channel: bool,
    converted: dict[HeldTensor, Converted],
    kept: dict[HeldTensor, str],
) -> None:
    """Put the initializers of a node that is quantized where they belong."""
    for index, operand in enumerate(reader.operands):
        if operand is None:
            continue
        if index not in (*recipe.int8, *recipe.uint8) or operand.dtype not in QUANTIZED:
            kept.setdefault(operand, reader.op_type)
        elif operand not in converted:
            dtype = "int8" if index in recipe.int8 else "uint8"
            scales = recipe.scales(operand, index, per_channel)
            many = "one scale" if scales == 1 else f"{scales} scales"
            converted[operand] = Converted(
                f"{reader.op_type}: {dtype}, {many}",
                Data(dtype, operand.elements),
                (Data(operand.dtype, scales), Data(dtype, scales)),
            )


def _bias_shape(reader: Reader, recipe: Recipe) -> Iterator[Data]:
    """Yield the shape that the tool gives to a bias, to add it to the result of the product."""
    weight = recipe.weight(reader) if recipe.bias else None
    if weight is not None and recipe.bias < len(reader.operands):
        yield Data("int64", len(weight.shape))


def _keep(reader: Reader, kept: dict[HeldTensor, str], operands: Iterable[HeldTensor]) -> None:
    where = " in a body" if reader.nested else ""
    for operand in operands:
        kept.setdefault(operand, f"{reader.op_type}{where}")


# --------------------------------------------------------------------------------------------- int4


def _int4(readers: Readers, options: PlanOptions) -> Written:
    """Return what `MatMulNBitsQuantizer` writes, whatever else reads a tensor."""
    converted: dict[HeldTensor, Converted] = {}
    kept: dict[HeldTensor, str] = {}
    for reader in readers.nodes:
        index = INT4.get(reader.op_type, -1)
        weight = reader.operand(index) if index >= 0 else None
        form = None if weight is None else _blocks(reader.op_type, weight, options)
        if weight is not None and form is not None:
            converted.setdefault(weight, form)
        else:
            index = -1
        others = (operand for at, operand in enumerate(reader.operands) if at != index)
        _keep(reader, kept, (operand for operand in others if operand is not None))
    return Written(converted, kept, True, readers.initializers)


def _blocks(op_type: str, weight: HeldTensor, options: PlanOptions) -> Converted | None:
    """Return a weight in blocks of b elements that share a scale; None if it has no such form.

    MatMul [K, N], leading dimensions 1, blocks along K, padded: N·ceil(K/b)·b/2 bytes,
    N·ceil(K/b) scales; asymmetric N·ceil(ceil(K/b)/2) bytes of zero points. Gather [R, D, …],
    blocks along D, not padded: elements of 4 bits, R·ceil(D/b)·… scales; asymmetric as many zero
    points of 4 bits. Source: contrib operators `com.microsoft.MatMulNBits` and
    `GatherBlockQuantized`, and onnxruntime/quantization/matmul_nbits_quantizer.py.
    """
    shape, block = weight.shape, options.block
    if weight.dtype not in BLOCKED or len(shape) < 2:
        return None
    if INT4[op_type] == 0:
        scales = shape[0] * _up(shape[1], block) * prod(shape[2:])
        dtype = "uint4" if options.asymmetric else "int4"
        data, zeros = Data(dtype, weight.elements), Data(dtype, scales)
    elif prod(shape[:-2]) == 1:
        blocks = _up(shape[-2], block)
        scales = shape[-1] * blocks
        data = Data("uint8", scales * (block // 2))
        zeros = Data("uint8", shape[-1] * _up(blocks, 2))
    else:
        return None
    parts = (Data(weight.dtype, scales), *((zeros,) if options.asymmetric else ()))
    return Converted(f"{op_type}: {scales} blocks", data, parts)


def _up(number: int, by: int) -> int:
    return -(-number // by)


# ------------------------------------------------------------------------------------------ float16


def _half(proto: ModelProto, dtype: TargetDType) -> Written:
    """Return what `convert_float_to_float16` writes.

    Initializers that one node reads in float16, at least; tensors of attributes, those of Constant
    too; nothing is left out. ConstantOfShape gets the value it has by default.
    """
    readers = readers_of(proto, without_gemm=False)
    opset = proto.opset() or 11
    converted: dict[HeldTensor, Converted] = {}
    kept: dict[HeldTensor, str] = {}
    for reader in readers.nodes:
        stays = float32_inputs(reader.op_type, opset)
        wide = reader.op_type in FLOAT32_NODES or reader.op_type == OUTPUT
        for index, operand in enumerate(reader.operands):
            if operand is None:
                continue
            if wide or index in stays or operand.dtype != "float32":
                kept.setdefault(operand, reader.op_type)
            else:
                converted[operand] = Converted(reader.op_type, Data(dtype, operand.elements))
    added = []
    for node in all_nodes(proto.graph.nodes):
        if node.op_type not in FLOAT32_NODES and not float32_inputs(node.op_type, opset):
            for operand in _attribute_tensors(node):
                converted[operand] = Converted(node.op_type, Data(dtype, operand.elements))
        if _lacks_value(node):
            added.append(Data(dtype, 1))
    kept = {operand: why for operand, why in kept.items() if operand not in converted}
    return Written(converted, kept, False, readers.initializers, tuple(added))


def _attribute_tensors(node: Node) -> Iterator[HeldTensor]:
    """Yield the float32 tensors in a node's attributes."""
    for attribute in node.attributes:
        for tensor in attribute.tensors:
            if tensor.dtype is not None and tensor.dtype.name == "float32":
                yield HeldTensor(tensor.offset, 0, "float32", tensor.dims)


def _lacks_value(node: Node) -> bool:
    return node.op_type == "ConstantOfShape" and not node.domain and not node.attribute("value")
