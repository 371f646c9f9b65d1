"""Rows about zeros, in the words of the JSON contract, and what zeros leave of MACs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from graphcount.report.rows import NodeRow


class TensorSparsityRow(NamedTuple):
    """Zeros of a stored tensor; see `graphcount.analysis.sparsity`.

    Attributes:
        zeros: Elements that are zero: +0 and -0, of quantized integers their zero point, of a
            sparse tensor its cells that are not stored, too. None where that is not known.
        two_four: Of every 4 consecutive elements along the axis of the sums that it is used in, at
            most 2 are not zero. None where it is in no such sum, or that is not known.
        why: Why zeros are not known; empty where they are.
    """

    zeros: int | None
    two_four: bool | None
    why: str


class NodeSparsityRow(NamedTuple):
    """Zeros among the weights of a node.

    Attributes:
        node: Its id.
        elements: Elements of its weights that share its MACs evenly.
        zeros: Those of them that are zero.
        why: Why it may do fewer MACs than that says; empty where it is exact.
    """

    node: str
    elements: int
    zeros: int
    why: str


class SparsityRow(NamedTuple):
    """Zeros of a model's stored tensors, and what they leave of its MACs.

    Attributes:
        elements: Elements of all tensors whose zeros are known.
        zeros: Those of them that are zero.
        parameters: Learned elements among `elements`.
        parameter_zeros: Those of them that are zero.
        macs_nonzero: MACs of a forward pass without those of zero weights; None where MACs are not
            known or depend on dynamic dimensions.
        assumed_macs_nonzero: The same at assumed sizes; None where none were assumed.
        macs_exact: Both are exact as far as MACs are; else they are upper bounds.
        tensors: A row for each tensor of the report, in its order.
        nodes: Nodes with zeros among their weights, and those of which that is not known.
    """

    elements: int
    zeros: int
    parameters: int
    parameter_zeros: int
    macs_nonzero: int | None
    assumed_macs_nonzero: int | None
    macs_exact: bool
    tensors: tuple[TensorSparsityRow, ...]
    nodes: tuple[NodeSparsityRow, ...]

    @property
    def unread(self) -> int:
        """Tensors whose zeros are not known; the sums leave them out."""
        return sum(row.zeros is None for row in self.tensors)


def nonzero_macs(
    macs: int | None, nodes: Iterable[NodeRow], weights: Iterable[NodeSparsityRow]
) -> int | None:
    """Return MACs without those of zero weights: a node's shrink by the share of its zeros.

    Args:
        macs: MACs of the model; None: not known.
        nodes: Nodes with their MACs.
        weights: Zeros among the weights of nodes.
    """
    if macs is None:
        return None
    own = {node.id: node.macs for node in nodes}
    return macs - sum(
        (own.get(row.node) or 0) * row.zeros // row.elements for row in weights if row.elements
    )


__all__ = ["nonzero_macs"]
