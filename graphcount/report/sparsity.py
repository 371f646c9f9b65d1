"""What zeros leave of MACs: a function of the rows of a report."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.report.rows import NodeRow, NodeSparsityRow


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
