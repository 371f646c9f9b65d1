"""How many elements of an input an operator reads: all, those it looks up or picks, or none.

Sources: ONNX Operators.md; onnxruntime/docs/ContribOperators.md (GatherBlockQuantized).
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, complete, size
from graphcount.ops.operator import SCALE, Operator
from graphcount.symbolic import Dim, TooComplexError


def moves_nothing(operator: Operator | None) -> bool:
    """Return whether results can be the memory of an input, or are what bodies compute."""
    return operator is not None and ("renames" in operator.traits or operator.is_control_flow)


def read_shape(call: Call, operator: Operator | None, index: int) -> Shape | None:
    """Return dimensions whose product is the elements that are read of an input.

    None where that is not known. A row that is looked up twice is read twice.
    """
    shape = call.input(index)
    if operator is None:
        return shape
    if index == 0 and "shape only" in operator.traits:
        return (0,)
    tables = {table: indices for indices, table in operator.lookups}
    if index == 0 and "picks" in operator.traits:
        return _made(call)
    if index in tables and not call.has(tables[index]):
        return call.outputs[0] if call.outputs else None  # positions: a row for each of the result
    if index in tables:
        return _rows(shape, call.input(tables[index]), _axis(call))
    if tables and operator.role(index) in SCALE:  # of each block of a row
        first = next(iter(tables))
        table = call.input(first)
        if shape is not None and table is not None and len(shape) == len(table) > 1:
            return _rows(shape, call.input(tables[first]), _axis(call))
    return shape


def _made(call: Call) -> Shape | None:
    """Return as many elements as all results have together."""
    total: Dim = 0
    for output in call.outputs:
        shape = complete(output)
        if shape is None:
            return None
        try:
            total = total + size(shape)
        except TooComplexError:
            return None
    return (total,)


def _rows(table: Shape | None, indices: Shape | None, axis: int) -> Shape | None:
    """Return the indices times what lies at one place of the axis of a table."""
    if table is None or indices is None or not -len(table) <= axis < len(table):
        return None
    axis %= len(table)
    return (*indices, *table[:axis], *table[axis + 1 :])


def _axis(call: Call) -> int:
    """Return the axis along which rows are looked up."""
    return call.node.integer("gather_axis", 0)
