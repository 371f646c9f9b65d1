"""A verdict on a stored tensor, what the rules may look at, and the words they share."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from graphcount.analysis.attribution import Attributed, Use
from graphcount.analysis.names import Maker, is_dotted, maker, original_name
from graphcount.analysis.signature import Signature
from graphcount.analysis.values import Values
from graphcount.domains import operator_name
from graphcount.dtypes import BY_NAME
from graphcount.graph import Tables

Kind = Literal["parameter", "buffer", "quantization", "constant", "unused"]

LEARNED_ROLES = frozenset(
    {
        "weight",
        "recurrent weight",
        "peephole weight",
        "bias",
        "scale",
        "slope",
        "embedding",
        "threshold",
        "leaf value",
        "quantized weight",
        "quantized bias",
    }
)
"""Roles that only learned numbers have."""

QUANTIZED_ROLES = frozenset({"quantized weight", "quantized bias"})

MASK_MAGNITUDE = 1e9
"""Numbers this large are masks, not weights (COUNTING 2.6)."""

FEW = 4096
"""Values of tensors up to this many elements may be looked at to decide a kind."""


class Verdict(NamedTuple):
    """Kind and role of a tensor, and why."""

    kind: Kind
    role: str
    reason: str


class Context(NamedTuple):
    """What the rules may look at.

    Attributes:
        graph: The model's graph.
        values: Reads numbers of small tensors.
        has_weights: The file has float or quantized weights as initializers, so that float
            Constant nodes beside them are literals.
        declared: The names torch.export declared, when the file carries them and still uses them.
    """

    graph: Tables
    values: Values
    has_weights: bool
    declared: Signature | None = None


def family(tensor: Attributed) -> str:
    """Family of the element type: float, int, bool, string, complex."""
    row = BY_NAME.get(tensor.stored.dtype)
    return row.family if row else "float"


def first_use(tensor: Attributed) -> Use | None:
    """The first use in graph order."""
    return tensor.uses[0] if tensor.uses else None


def maker_of(tensor: Attributed, context: Context) -> Maker:
    """Who made the name up; an undotted name that torch.export did not declare is a value's."""
    name = original_name(tensor.stored.name)
    if context.declared is not None and not is_dotted(name):
        known = name in context.declared.parameters or name in context.declared.buffers
        return "author" if known else "exporter"
    return maker(name)


def role_of(use: Use | None) -> str:
    """Role of a use, in words."""
    return (use.role if use else None) or "operand"


def label(use: Use | None, context: Context) -> str:
    """How a reason names a node: its op type, with the domain where that is not the default."""
    if use is None:
        return "nothing"
    data: dict[str, Any] = context.graph.nodes[use.node]
    if data["kind"] == "output":
        return f"graph output {data['name']}"
    return operator_name(data["domain"], data["op_type"])
