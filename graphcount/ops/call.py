"""One use of an operator as formulas see it: attributes, shapes, small values; no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from graphcount.loading.model import Node
from graphcount.symbolic import Dim

Shape: TypeAlias = "tuple[Dim | None, ...]"
"""Dimensions; None where one is not known."""

Value: TypeAlias = "tuple[Dim, ...]"
"""The numbers of a small integer tensor, flattened: shapes, axes, indices, sizes."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A node with what is known around it; compared by identity.

    Attributes:
        node: The record: attributes by `node.integer`, `node.integers`, `node.text`.
        opset: Version of its domain that the model imports.
        inputs: Shape of each input; None when it is not known or the input is left out.
        values: Known numbers of each input that is a small integer tensor, else None.
        dtypes: TensorProto.DataType code of each input (0: not known).
        outputs: Shape of each output, for cost formulas; empty while shapes are inferred.
    """

    node: Node
    opset: int
    inputs: tuple[Shape | None, ...]
    values: tuple[Value | None, ...] = ()
    dtypes: tuple[int, ...] = ()
    outputs: tuple[Shape | None, ...] = ()

    def input(self, index: int) -> Shape | None:
        """Shape of input `index`, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def known(self, index: int) -> tuple[Dim, ...] | None:
        """Shape of input `index` when every dimension is known, else None."""
        return complete(self.input(index))

    def output(self, index: int = 0) -> tuple[Dim, ...] | None:
        """Shape of output `index` when every dimension is known, else None."""
        return complete(self.outputs[index]) if index < len(self.outputs) else None

    def value(self, index: int) -> Value | None:
        """Known numbers of input `index`, or None."""
        return self.values[index] if index < len(self.values) else None

    def dtype(self, index: int) -> int:
        """Element type code of input `index`; 0 when it is not known."""
        return self.dtypes[index] if index < len(self.dtypes) else 0

    def has(self, index: int) -> bool:
        """Whether input `index` is given (an empty name leaves it out)."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index])


def complete(shape: Shape | None) -> tuple[Dim, ...] | None:
    """The shape when every dimension is known."""
    if shape is None or any(dim is None for dim in shape):
        return None
    return tuple(dim for dim in shape if dim is not None)


def size(shape: tuple[Dim, ...]) -> Dim:
    """Number of elements: the product of the dimensions."""
    total: Dim = 1
    for dim in shape:
        total = total * dim
    return total
