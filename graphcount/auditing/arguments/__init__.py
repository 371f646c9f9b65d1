"""What a node is given against what its operator can take: constant inputs, attributes, shapes.

Numbers that must be known for a check and are not (free dimensions, computed inputs) say nothing.
"""

from __future__ import annotations

from graphcount.auditing.arguments import indexing, making, movement, windows
from graphcount.auditing.arguments.einsum import equation
from graphcount.auditing.arguments.kit import Check
from graphcount.graph import Tables
from graphcount.ops.call import Call

REDUCTIONS = frozenset(
    f"Reduce{name}"
    for name in (
        "L1",
        "L2",
        "LogSum",
        "LogSumExp",
        "Max",
        "Mean",
        "Min",
        "Prod",
        "Sum",
        "SumSquare",
    )
)
CONVOLUTIONS = frozenset({"Conv", "ConvInteger"})
POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})
RANDOM = frozenset({"RandomNormal", "RandomUniform"})

CHECKS: dict[str, Check] = {
    "Slice": movement.slices,
    "Reshape": movement.reshape,
    "Split": movement.split,
    "Squeeze": movement.squeeze,
    "Unsqueeze": movement.unsqueeze,
    "Pad": movement.pad,
    "Expand": movement.expand,
    "Tile": movement.tile,
    "ConstantOfShape": making.constant_of_shape,
    "Range": making.range_,
    "OneHot": making.one_hot,
    **dict.fromkeys(RANDOM, making.random),
    "Gather": indexing.gather,
    "GatherND": indexing.gather_nd,
    "TopK": indexing.top_k,
    "CumSum": indexing.cum_sum,
    **dict.fromkeys(REDUCTIONS, indexing.reduction),
    **dict.fromkeys(CONVOLUTIONS, windows.convolution),
    **dict.fromkeys(POOLS, windows.pool),
    "Einsum": equation,
}
"""Operators of the default domain, and what is wrong with a call of theirs (empty: nothing)."""

BRANCHES = ("/then_branch", "/else_branch")


def unfit(call: Call) -> str:
    """What an operator cannot take; empty where that is nothing, or not known."""
    check = CHECKS.get(call.node.op_type) if call.node.domain == "" else None
    return check(call) if check is not None else ""


def in_branch(tables: Tables, scope: str) -> bool:
    """Whether nodes of a scope stand in a branch of an If, which need not be the one taken.

    Exporters write `If(dim == 1, Squeeze(x), x)`: the Squeeze is wrong wherever it is not reached.
    """
    for branch in BRANCHES:
        at = scope.find(branch)
        while at >= 0:
            holder = tables.nodes.get(scope[:at])
            if holder is not None and holder.get("op_type") == "If":
                return True
            at = scope.find(branch, at + 1)
    return False
