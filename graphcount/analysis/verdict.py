"""A verdict on a stored tensor, what the rules may look at, and the words they share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from graphcount.analysis.attribution import Attributed, TensorUse
from graphcount.analysis.names import Maker, is_dotted, maker, original_name
from graphcount.analysis.values import Values
from graphcount.domains import operator_name
from graphcount.dtypes import BY_NAME
from graphcount.graph import ModelGraph

if TYPE_CHECKING:
    from graphcount.analysis.signature import Signature

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
"""Roles that only learned values have."""

QUANTIZED_ROLES = frozenset({"quantized weight", "quantized bias"})

MASK_MAGNITUDE = 1e9
"""Numbers this large are masks, not weights (docs/counting.md)."""


MOST_BITS = 32
"""Bits of an element of a quantized tensor; a bias has as many."""

RuleId = Literal[
    "training-data",
    "unreferenced",
    "unread",
    "dead",
    "not-numeric",
    "quantization-input",
    "integer-product-scale",
    "dequantized-rows",
    "quantized-weight",
    "dequantized-by-steps",
    "scale-of-steps",
    "integer-buffer",
    "integer",
    "merged-statistic",
    "batch-statistic",
    "declared-parameter",
    "declared-buffer",
    "buffer-role",
    "buffer-name",
    "written-norm-mean",
    "written-norm-factor",
    "sinusoids",
    "rotary-values",
    "frequencies",
    "triangle",
    "zeros-and-ones",
    "literal-constant",
    "mask-values",
    "constant-state",
    "learned-state",
    "filled-operand",
    "constant-role",
    "learned-role",
    "plain-norm-affine",
    "bias-behind-product",
    "decomposed-norm",
    "named-scalar",
    "single-number",
    "table-added",
    "table-concatenated",
    "table-resized",
    "reparametrised",
    "compared",
    "named-operand",
    "exporter-operand",
    "declared-input",
]
"""What decided a verdict. Later stages ask for it; the reason is for people only."""

KNOWN_BY_NAME: frozenset[RuleId] = frozenset({"named-scalar", "named-operand"})
"""Rules in which nothing but the tensor's name makes it a parameter."""

ROWS_OF_TABLES: frozenset[RuleId] = frozenset(
    {"table-added", "table-concatenated", "table-resized"}
)
"""Rules that take a tensor for rows of a table."""


class Verdict(NamedTuple):
    """The kind and role of a stored tensor.

    Attributes:
        kind: What sort of number it is.
        role: What it is to the node that uses it.
        reason: Why, as a sentence for people.
        rule: Id of the rule that decided, for the program.
    """

    kind: Kind
    role: str
    reason: str
    rule: RuleId


NodeInput: TypeAlias = "tuple[str, int | None]"
"""Id of a node, and one of its inputs."""


class KindContext(NamedTuple):
    """What the rules may look at.

    Attributes:
        graph: The model's graph.
        values: Reads values of small tensors.
        has_weights: The file has float or quantized weights as initializers, so that float
            Constant nodes beside them are literals.
        declared: The names torch.export declared, when the file carries them and still uses them.
        weights: Verdicts on integers that the graph dequantizes step by step, by their keys.
        sides: Roles of their scales and zero points, by the places where these enter.
    """

    graph: ModelGraph
    values: Values
    has_weights: bool
    declared: Signature | None = None
    weights: Mapping[int, Verdict] = MappingProxyType({})
    sides: Mapping[NodeInput, str] = MappingProxyType({})


def family(tensor: Attributed) -> str:
    """Return the family of the element type: float, int, bool, string, complex."""
    row = BY_NAME.get(tensor.stored.dtype)
    return row.family if row else "float"


def may_be_quantized(tensor: Attributed) -> bool:
    """Return whether it holds integers, or floats of a byte or less, and more than one."""
    row = BY_NAME.get(tensor.stored.dtype)
    if row is None or tensor.stored.elements < 2 or row.family not in ("int", "float"):
        return False
    return row.bits <= (MOST_BITS if row.family == "int" else 8)


def first_use(tensor: Attributed) -> TensorUse | None:
    """Return the first use in graph order."""
    return tensor.uses[0] if tensor.uses else None


def maker_of(tensor: Attributed, context: KindContext) -> Maker:
    """Return who made the name up; one without dots that torch.export lacks is a value's."""
    name = original_name(tensor.stored.name)
    if context.declared is not None and not is_dotted(name):
        known = name in context.declared.parameters or name in context.declared.buffers
        return "author" if known else "exporter"
    return maker(name)


def role_of(use: TensorUse | None) -> str:
    """Return the role of a use, in words."""
    return (use.role if use else None) or "operand"


def label(use: TensorUse | None, context: KindContext) -> str:
    """Return how a reason names a node: its op type, with the domain if not the default."""
    if use is None:
        return "nothing"
    node = context.graph.nodes[use.node]
    if node.kind == "output":
        return f"graph output {node.name}"
    return operator_name(node.domain, node.op_type)
