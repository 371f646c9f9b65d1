"""What is zero in a stored tensor: 0, or the zero point that stands beside quantized integers.

A zero point is looked for where the graph has it: at DequantizeLinear and the integer products
(`Operator.scaled`, `Operator.factors`), or as what is subtracted of integers, at once or after
rows were looked up. What has no zero point is zero at 0. Where the graph says that there is one and
it cannot be read, zeros are not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graphcount.analysis.attribution import Attributed, TensorUse, uses_behind
from graphcount.analysis.dequantized import CONVERTS
from graphcount.analysis.sparsity.ways import (
    Operand,
    Opsets,
    PassStep,
    axis_of,
    behind,
    factor_at,
    steps,
    stored,
)
from graphcount.analysis.stored import Stored
from graphcount.dtypes import DType
from graphcount.graph import ModelGraph, OperatorNode, computes, traits_of
from graphcount.loading.tensor_data import TensorReader, UnreadError
from graphcount.loading.zeros import ZeroPoint, zero_point

MOST_NBYTES = 1 << 26
"""Zero points that are read: those of blocks are many."""

MOST_LOOK = 8


class ZeroInput(NamedTuple):
    """Where an operator has the zero point of an operand.

    Attributes:
        at: The input; None where it has none.
        axis: Axis of the operand along which zero points of one dimension lie.
        block: Neighbours that share one; 0: no blocks.
    """

    at: int | None
    axis: int = 0
    block: int = 0


class ZeroPoints:
    """Finds and reads the zero points of a model's tensors.

    Args:
        graph: The graph.
        held: Stored tensors by the id of the node that holds them.
        opsets: Versions of domains.
        reader: Reads their data.
    """

    def __init__(
        self,
        graph: ModelGraph,
        held: Mapping[str, Stored],
        opsets: Opsets,
        reader: TensorReader,
    ) -> None:
        self.graph = graph
        self.held = held
        self.opsets = opsets
        self.reader = reader

    def of(self, tensor: Attributed, dtype: DType) -> ZeroPoint | None:
        """Return the zero points of a tensor; None: it is zero at 0.

        Raises:
            UnreadError: They are not stored, or do not fit; or uses have different ones.
        """
        if dtype.family != "int":
            return None
        zeros = [self._at_use(tensor, use, dtype) for use in tensor.uses]
        first = zeros[0] if zeros else None
        if any(not _equal(first, other) for other in zeros[1:]):
            raise UnreadError.of("type", "its uses have different zero points")
        return first

    def _at_use(self, tensor: Attributed, use: TensorUse, dtype: DType) -> ZeroPoint | None:
        way = steps(self.graph, tensor, use)
        if way is None:
            if use.role == "quantized weight":
                raise UnreadError.of("type", "its way to its zero point is not simple")
            return None
        operand = stored(tensor.stored.shape)
        for step in way:
            place = zero_input(step)
            if place is not None:
                return self._beside(step[0], place, operand, tensor.stored, dtype)
            if step is not way[-1]:
                operand = behind(operand, step, self.opsets)
        if use.role == "quantized weight" and dtype.bits <= 8:
            raise UnreadError.of("type", f"{way[-1][0].op_type} has a zero point of its own")
        return self._subtracted(way, operand, tensor.stored, dtype)

    def _beside(
        self,
        node: OperatorNode,
        place: ZeroInput,
        operand: Operand,
        tensor: Stored,
        dtype: DType,
    ) -> ZeroPoint | None:
        """Return the zero point that an operator has at an input of its own."""
        if place.at is None or self.graph.operand(node.id, place.at) is None:
            return None
        zero = self._stored(node.id, place.at)
        if zero is None:
            raise UnreadError.of("absent", "its zero point is not stored")
        if zero.elements == 1:
            return self._read(zero, (1,) * len(tensor.shape), tensor, dtype, 0)
        if operand.axes is None or None in operand.axes:
            raise UnreadError.of("type", "its axes are not those of its zero points")
        dims = [1] * len(tensor.shape)
        if len(zero.shape) == 1:
            axis = axis_of(operand, place.axis)
            if axis is not None:
                dims[axis] = zero.elements
        elif len(zero.shape) == len(operand.axes):
            for axis, size in zip(operand.axes, zero.shape, strict=True):
                if axis is not None:
                    dims[axis] = size
        return self._read(zero, dims, tensor, dtype, place.block)

    def _subtracted(
        self, way: Sequence[PassStep], operand: Operand, tensor: Stored, dtype: DType
    ) -> ZeroPoint | None:
        """Return what is subtracted of integers that become floats; None where nothing is."""
        node, index = way[-1]
        nodes = [(node, index)]
        looked_up = node.operator is not None and any(
            table == index for _, table in node.operator.lookups
        )
        if looked_up:
            behind_rows = uses_behind(self.graph, [node.id])[node.id][:MOST_LOOK]
            nodes = [
                (self.graph.operator(use.node), use.index)
                for use in behind_rows
                if use.index is not None
                and not CONVERTS.isdisjoint(use.via)
                and self.graph.nodes[use.node].kind == "operator"
            ]
        elif dtype.bits > 8 and not any(step[0].op_type in CONVERTS for step in way):
            return None
        for reader, at in nodes:
            if computes(reader) != "Sub" or at != 0:
                continue
            zero = self._stored(reader.id, 1)
            if zero is None:
                raise UnreadError.of("absent", "its zero point is not stored")
            known = zero.elements == 1 or (
                not looked_up and operand.axes == tuple(range(len(tensor.shape)))
            )
            if not known or len(zero.shape) > len(tensor.shape):
                raise UnreadError.of("type", "its axes are not those of its zero points")
            dims = (1,) * (len(tensor.shape) - len(zero.shape)) + zero.shape
            return self._read(zero, dims, tensor, dtype, 0)
        return None

    def _stored(self, node: str, index: int) -> Stored | None:
        """Return the stored tensor that enters an operator, as it is or converted."""
        use = self.graph.operand(node, index)
        return self.held.get(self.graph.source(use, _keeps).producer) if use is not None else None

    def _read(
        self, zero: Stored, dims: Sequence[int], tensor: Stored, dtype: DType, block: int
    ) -> ZeroPoint:
        if zero.tensor is None or zero.problems:
            raise UnreadError.of("absent", "its zero point cannot be read")
        data = self.reader.read(zero.tensor, zero.external, most_nbytes=MOST_NBYTES)
        points = zero_point(zero.tensor, data, dtype, dims, tensor.shape, block)
        if points is None:
            raise UnreadError.of("type", "its zero points do not fit it")
        return points


def _keeps(node: OperatorNode) -> bool:
    """Return whether the numbers behind an operator are those before it."""
    return node.op_type in CONVERTS or "renames" in traits_of(node)


def zero_input(step: PassStep) -> ZeroInput | None:
    """Return where an operator has the zero point of the operand at an input; None: nowhere."""
    node, index = step
    factor = factor_at(node, index)
    if factor is not None and factor.zero is not None:
        return ZeroInput(factor.zero, factor.results)
    for scaled in node.operator.scaled if node.operator is not None else ():
        if scaled.data == index:
            record = node.record
            return ZeroInput(
                scaled.zero, record.integer("axis", 1), record.integer("block_size", 0)
            )
    return None


def _equal(one: ZeroPoint | None, other: ZeroPoint | None) -> bool:
    """Return whether two zero points are the same; none is 0."""
    if one is None or other is None:
        point = one or other
        return point is None or (not point.axes and not point.codes[0])
    same = one.axes == other.axes and len(one.codes) == len(other.codes)
    return same and bool((one.codes == other.codes).all())
