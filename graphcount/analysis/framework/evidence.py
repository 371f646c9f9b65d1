"""What the recovery of a framework's count may look at, and the record of one finding."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from graphcount.analysis.attribution import TensorUse
from graphcount.analysis.counts import Row, signature_of
from graphcount.analysis.names import is_dotted, maker, original_name
from graphcount.analysis.values import Values
from graphcount.graph import ModelGraph, OperatorNode
from graphcount.loading import ModelFile
from graphcount.ops import Operator

if TYPE_CHECKING:
    from graphcount.analysis.signature import Signature

FX_NODE = "pkg.torch.onnx.fx_node"
RULE_NAME = "pkg.onnxscript.rewriter.rule_name"

BLOCKED = "com.microsoft.nchwc"
"""Domain of onnxruntime's convolutions on blocks of channels."""


class FrameworkCount(NamedTuple):
    """The training framework's number of parameters.

    Attributes:
        parameters: The most likely number; None when the file's own count is not known.
        exact: The file proves it.
        low: Least it can be; None when nothing is known.
        high: Most it can be; None: no upper bound is known.
        evidence: One sentence for each fact.
    """

    parameters: int | None
    exact: bool
    low: int | None
    high: int | None
    evidence: tuple[str, ...]


class Adjustment(NamedTuple):
    """One finding: what it adds to the stored parameters.

    Attributes:
        low: Least that it adds (negative: takes away).
        high: Most that it adds; None when there is no limit.
        best: The most likely.
        sentence: What was seen, in plain English.
        doubted: Keys of the tensors that `low` takes away as a whole: one that several findings
            doubt is taken away once.
    """

    low: int
    high: int | None
    best: int
    sentence: str
    doubted: tuple[int, ...] = ()


def doubt(rows: Iterable[Row], sentence: str, *, likely: bool = False) -> Adjustment:
    """Return the finding that tensors may be no parameters of their own.

    Args:
        rows: The tensors.
        sentence: Why.
        likely: They most likely are none.
    """
    elements_of = {row.stored.key: row.elements for row in rows}
    least = -sum(elements_of.values())
    return Adjustment(least, 0, least if likely else 0, sentence, tuple(elements_of))


@dataclass(frozen=True)
class Evidence:
    """A model, its rows, and indexes over both that are built when first asked for."""

    model: ModelFile
    model_graph: ModelGraph
    rows: tuple[Row, ...]
    values: Values

    @property
    def graph(self) -> ModelGraph:
        """The graph."""
        return self.model_graph

    @cached_property
    def signature(self) -> Signature | None:
        """Names torch.export declared."""
        return signature_of(self.model.proto.graph)

    @cached_property
    def parameters(self) -> tuple[Row, ...]:
        """Rows of kind `parameter`."""
        return tuple(row for row in self.rows if row.verdict.kind == "parameter")

    @cached_property
    def by_node(self) -> dict[str, list[tuple[Row, TensorUse]]]:
        """Stored tensors by the node that uses them."""
        uses_of: dict[str, list[tuple[Row, TensorUse]]] = defaultdict(list)
        for row in self.rows:
            for use in row.tensor.uses:
                uses_of[use.node].append((row, use))
        return uses_of

    @cached_property
    def by_origin(self) -> dict[str, Row]:
        """Stored tensors by the id of the graph node that holds them."""
        return {origin: row for row in self.rows for origin in row.tensor.origins}

    @cached_property
    def by_name(self) -> dict[str, Row]:
        """Stored tensors by name; the first of several."""
        return {row.stored.name: row for row in reversed(self.rows)}

    @property
    def operators(self) -> tuple[OperatorNode, ...]:
        """The operators, in graph order."""
        return self.model_graph.operators

    @cached_property
    def by_op_type(self) -> dict[str, list[OperatorNode]]:
        """Operators by op type, those of each domain in graph order."""
        groups: dict[str, list[OperatorNode]] = {}
        for (_, op_type), nodes in self.model_graph.by_operator.items():
            groups.setdefault(op_type, []).extend(nodes)
        return groups

    @cached_property
    def products(self) -> tuple[OperatorNode, ...]:
        """Operators into which a norm can be folded, by op type.

        It scales the weights of a convolution or of a matrix product with a bias.
        """
        groups = self.model_graph.by_operator.values()
        products = [node for nodes in groups if _folds(nodes[0].operator) for node in nodes]
        return tuple(sorted(products, key=lambda node: node.op_type))

    @property
    def has_products(self) -> bool:
        """Whether a norm may have been folded into a stored weight."""
        return bool(self.rows) and bool(self.products)

    @cached_property
    def domains(self) -> frozenset[str]:
        """Domains of the operators."""
        return frozenset(domain for domain, _ in self.model_graph.by_operator)

    @cached_property
    def rules(self) -> frozenset[str]:
        """Ids of the rules that made tensors parameters."""
        return frozenset(row.verdict.rule for row in self.parameters)

    @cached_property
    def has_generated_names(self) -> bool:
        """Whether the exporter made the name of a parameter up."""
        return any(is_generated(row) for row in self.parameters)

    @cached_property
    def has_equal_sizes(self) -> bool:
        """Whether two parameters have as many elements, and more than one."""
        sizes = [row.elements for row in self.parameters if row.elements > 1]
        return len(set(sizes)) < len(sizes)

    @cached_property
    def has_weights(self) -> bool:
        """Whether a parameter multiplies or is looked up."""
        return any(row.verdict.role in ("weight", "embedding") for row in self.parameters)

    @cached_property
    def has_inputs(self) -> bool:
        """Whether a parameter is an input of the graph, and not stored."""
        return any(row.stored.where == "input" for row in self.parameters)

    @cached_property
    def is_recurrent(self) -> bool:
        """Whether the graph has a recurrent layer."""
        groups = self.model_graph.by_operator.values()
        return any(node.operator.is_recurrent for node, *_ in groups if node.operator)

    @property
    def is_linear_model(self) -> bool:
        """Whether the graph classifies as scikit-learn's linear models do."""
        return ("ai.onnx.ml", "LinearClassifier") in self.model_graph.by_operator

    @cached_property
    def producer(self) -> str:
        """Name of the tool that wrote the file."""
        return self.model.proto.producer_name

    @cached_property
    def is_dynamo(self) -> bool:
        """Whether torch's dynamo exporter made the nodes.

        It names them `node_` and their result or op type. The signature is lost below opset 18 and
        after most optimisers; these names stay.
        """
        return any(
            _is_named_by_dynamo(node)
            for node in self.model_graph.operators
            if node.name.startswith("node_")
        )

    def stored(self, node: str, *roles: str) -> Row | None:
        """Return the first stored tensor a node uses in one of these roles."""
        for row, use in self.by_node.get(node, ()):
            if use.role in roles:
                return row
        return None

    def channels(self, node: str) -> int | None:
        """Return output channels of a convolution or matrix product with a stored weight."""
        used = self.by_node.get(node, ())
        weights = [row for row, use in used if use.role in ("weight", "quantized weight")]
        row = weights[-1] if weights else None  # of two stored operands the right one
        if row is None or len(row.stored.shape) < 2:
            return None
        user = self.graph.nodes[node]
        rule = user.operator.channels if user.operator is not None else None
        return rule(user.record, row.stored.shape) if rule and user.record else None


def _folds(operator: Operator | None) -> bool:
    if operator is None:
        return False
    return operator.is_convolution or (operator.is_matrix_product and operator.takes_bias)


def _is_named_by_dynamo(node: OperatorNode) -> bool:
    rest = node.name.removeprefix("node_")
    return rest in node.outputs or CALL_SUFFIX.sub("", rest) == node.op_type


NUMBERED = re.compile(r"onnx::(\w+)_(\d{1,12})(?:_quantized)?\Z")
"""Names the legacy exporter makes of a value's consumer and number: `onnx::Conv_38`."""

CALL_SUFFIX = re.compile(r"_\d{1,9}\Z")
"""What the legacy exporter appends to the name of a module's or operator's later calls."""


def is_generated(row: Row) -> bool:
    """Return whether the exporter made the name up."""
    name = original_name(row.stored.name)
    return not is_dotted(name) and maker(name) == "exporter"


def listed(names: list[str], most: int = 3, room: int = 80) -> str:
    """Return some names of a list, each cut to some characters, for a sentence."""
    listed = ", ".join(name[:room] for name in names[:most])
    rest = len(names) - most
    return f"{listed} and {rest} more" if rest > 0 else listed
