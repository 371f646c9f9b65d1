"""Stored operands of elementwise and joining operators: which of them were learned.

Nothing in an Add says what its stored operand is, so `operand`, a rule of
`graphcount.analysis.kinds`, looks at what the other operand is.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.analysis.attribution import Attributed, TensorUse
from graphcount.analysis.names import is_dotted, is_learned_scalar, is_literal, original_name
from graphcount.analysis.values import Values
from graphcount.analysis.verdict import KindContext, RuleId, Verdict, label, maker_of
from graphcount.graph import ModelGraph, OperatorNode, Use, computes, traits_of
from graphcount.ops import Trait
from graphcount.ops.operator import SCALE

MAX_LOOK = 16

MAX_OPERANDS = 64
"""Inputs of a node that are looked at: with more, nothing is said of the other one."""

LEARNED_SCALARS: frozenset[Trait] = frozenset({"arithmetic", "constrains"})
"""What computes with a single number that may be learned."""


def operands(graph: ModelGraph, node: str, skip: int | None = None) -> Sequence[Use]:
    """Return what enters a node at its first inputs, without input `skip`.

    A stored tensor asks for the others beside it, so all of a node's would be work without a bound.
    """
    return [edge for edge in graph.operands(node)[:MAX_OPERANDS] if edge.index != skip]


def other_node(use: TensorUse, graph: ModelGraph) -> OperatorNode | None:
    """Return the node that makes the other operand, seen through operators that pass it on."""
    operator = graph.nodes[use.node].operator
    sides = [
        edge.producer
        for edge in operands(graph, use.node, use.index)
        if operator is None or edge.index is None or operator.role(edge.index) not in SCALE
    ]
    for _ in range(MAX_LOOK):
        if len(sides) != 1:
            return None
        node = graph.nodes[sides[0]]
        if node.kind != "operator":
            return None
        operator = node.operator
        if operator is None or not operator.passes:
            return node
        sides = [
            edge.producer for edge in operands(graph, node.id) if edge.index in operator.passes
        ]
    return None


def is_scale_of_integers(use: TensorUse, graph: ModelGraph) -> bool:
    """Return whether it is a factor of the scale that turns an integer product into floats.

    onnxruntime's dynamic quantizer writes MatMulInteger → Cast → Mul(scale of the input · scale of
    the weight), the first scale being the second output of DynamicQuantizeLinear.
    """
    if computes(graph.nodes[use.node]) != "Mul":
        return False
    for edge in operands(graph, use.node, use.index):
        node = graph.nodes[edge.producer]
        if node.op_type == "DynamicQuantizeLinear":
            return len(node.outputs) > 1 and edge.value == node.outputs[1]
    other = other_node(use, graph)
    return other is not None and "unscaled" in traits_of(other)


def is_integer_bias(use: TensorUse, graph: ModelGraph) -> bool:
    """Return whether integers are added to the sums of an integer product: a quantized bias."""
    if use.role != "operand" or computes(graph.nodes[use.node]) != "Add":
        return False
    other = other_node(use, graph)
    return other is not None and "unscaled" in traits_of(other)


def is_dequantized_after(use: TensorUse, graph: ModelGraph) -> bool:
    """Return whether a node gives quantized values: a quantizer may look up integers first.

    They are dequantized or computed with as such, directly or after they were moved.
    """
    stack, seen = list(graph.consumers(use.node)), 0
    while stack and seen < MAX_LOOK:
        seen += 1
        node = graph.nodes[stack.pop()]
        if node.operator is None:
            continue
        if node.operator.takes_quantized:
            return True
        if node.operator.passes:
            stack.extend(graph.consumers(node.id))
    return False


def is_compared(tensor: Attributed, graph: ModelGraph) -> bool:
    """Return whether only comparisons read the values, as of a mask: none learns that way."""
    return bool(tensor.uses) and all(
        "compares" in traits_of(graph.nodes[use.node]) for use in tensor.uses
    )


def statistic_of_written_norm(tensor: Attributed, use: TensorUse, graph: ModelGraph) -> str:
    """Return part a vector has in (x - mean) * factor + shift: `mean`, `factor`, or empty.

    Keras writes BatchNormalization this way. A subtracted and multiplied constant without a stored
    shift is plain standardisation of an input, and no part of a layer.
    """
    op_type = graph.nodes[use.node].op_type
    if op_type == "Sub" and use.index == 1:
        factor = _next(graph, use.node, "Mul")
        if factor and _stored_operand(graph, factor) and _shifted(graph, factor):
            return "mean"
    if op_type == "Mul":
        before = other_node(use, graph)
        if before and before.op_type == "Sub":
            stored = _stored_operand(graph, before.id, 1)
            if stored and _shifted(graph, use.node):
                return "factor"
    return ""


def _shifted(graph: ModelGraph, node: str) -> bool:
    add = _next(graph, node, "Add")
    return add is not None and _stored_operand(graph, add)


def _stored_operand(graph: ModelGraph, node: str, index: int | None = None) -> bool:
    """Return whether an input is stored, as floats or as integers that are dequantized."""
    return any(
        _is_stored(graph, edge.producer)
        for edge in operands(graph, node)
        if index is None or edge.index == index
    )


def _is_stored(graph: ModelGraph, node: str) -> bool:
    """Return whether it is stored, or dequantizes what is: one step, for files may chain them."""
    if graph.nodes[node].op_type != "DequantizeLinear":
        return graph.nodes[node].kind == "initializer"
    data = graph.producer(node, 0)
    return data is not None and graph.nodes[data].kind == "initializer"


def _next(graph: ModelGraph, node: str, op_type: str) -> str | None:
    """Return the one consumer of a node, when it is of that type."""
    following = graph.consumers(node)
    if len(following) != 1 or graph.nodes[following[0]].op_type != op_type:
        return None
    return following[0]


def joins_table(
    tensor: Attributed, use: TensorUse, graph: ModelGraph, values: Values
) -> RuleId | None:
    """Return how rows are added to embedded tokens or joined to a sequence, or None.

    Such rows are positions or class tokens. Constant folding leaves them under generated names, cut
    to the length of the export's example.
    """
    shape = tensor.stored.shape
    op_type = computes(graph.nodes[use.node])
    batch = 1 if op_type == "Resize" else len(shape) - 2
    if len(shape) < 2 or any(dim != 1 for dim in shape[:batch]) or tensor.stored.elements < 2:
        return None
    how: RuleId | None = None
    if op_type == "Concat" and len(shape) >= 3 and _joins_rows(graph, use.node, len(shape)):
        how = "table-concatenated"
    elif op_type == "Add" and _is_embedded(graph, use):
        how = "table-added"
    elif op_type == "Resize" and use.index == 0:
        how = "table-resized"
    one_row = how == "table-concatenated" and shape[-2] == 1
    return how if how is None or one_row or not _is_repeated(tensor, values) else None


def _joins_rows(graph: ModelGraph, node: str, rank: int) -> bool:
    data = graph.nodes[node]
    return data.kind == "operator" and data.record.integer("axis", 0) in (-2, rank - 2)


def _is_embedded(graph: ModelGraph, use: TensorUse) -> bool:
    """Return whether the other operand comes from an embedding table, or from joined rows."""
    sides = [edge.producer for edge in operands(graph, use.node, use.index)]
    for _ in range(MAX_LOOK):
        if not sides:
            return False
        node = sides.pop()
        data = graph.nodes[node]
        if data.kind != "operator":
            continue
        operator = data.operator
        if operator is None:
            continue
        if operator.lookups and _stored_operand(graph, node):
            return True
        if computes(data) == "Concat" and data.record.integer("axis", 0) in (1, -2):
            return _stored_operand(graph, node)
        added = computes(data) == "Add" or "scales" in operator.traits
        if added or operator.normalises or operator.passes:
            sides.extend(edge.producer for edge in operands(graph, node))
    return False


def _is_repeated(tensor: Attributed, values: Values) -> bool:
    """Return whether all rows, or all values, are equal: no table of positions has that."""
    numbers = values.head(tensor.stored)
    if not numbers:
        return False
    width = tensor.stored.shape[-1]
    if all(number == numbers[0] for number in numbers):
        return True
    rows = len(numbers) // width if width else 0
    first = tuple(numbers[:width])
    return rows > 1 and all(
        tuple(numbers[row * width : (row + 1) * width]) == first for row in range(rows)
    )


def is_reparametrised(tensor: Attributed, use: TensorUse, graph: ModelGraph) -> bool:
    """Return whether each run computes it from stored values, where it is learned."""
    return tensor.stored.elements > 1 and "constrains" in traits_of(graph.nodes[use.node])


# ------------------------------------------------------------------------------------------- states


def initial_state(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Initial states of recurrent layers, and Loop states, are learned only when they vary.

    Or when the author gave them a name: a framework fills what is to be learned with zeros, too.
    The operators of a body that compute with a Loop's state count as its uses, too.
    """
    uses = [use for use in tensor.uses if use.role in ("initial state", "state")]
    if not uses or any(use.role != "operand" for use in tensor.uses if use not in uses):
        return None
    use = uses[0]
    filled = context.values.constant(tensor.stored) is not None
    if len(uses) < len(tensor.uses) and not filled:
        return None
    filled = filled and not is_dotted(tensor.stored.name)
    if tensor.stored.constant or filled or tensor.stored.elements <= 1:
        return Verdict(
            "constant",
            use.role or "",
            f"constant {use.role} of {label(use, context)}",
            "constant-state",
        )
    return Verdict(
        "parameter", use.role or "", f"{use.role} of {label(use, context)}", "learned-state"
    )


def filled_left_operand(tensor: Attributed, context: KindContext) -> Verdict | None:
    """A left operand filled with one number is a state that a recurrent layer starts from."""
    if is_dotted(tensor.stored.name):
        return None
    left = [use for use in tensor.uses if use.index == 0 and _is_in_product(use, context)]
    rest = {use.role for use in tensor.uses if use not in left}
    if not left or rest - {"state", "initial state", "operand"}:
        return None
    if context.values.constant(tensor.stored) is None:
        return None
    what = f"filled with one value: state that {label(left[0], context)} starts from"
    return Verdict("constant", "initial state", what, "filled-operand")


def _is_in_product(use: TensorUse, context: KindContext) -> bool:
    operator = context.graph.nodes[use.node].operator
    return operator is not None and operator.is_matrix_product


# ----------------------------------------------------------------------------------------- the rule


def operand(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Judge elementwise operands: a bias, a norm's scale, a named parameter, or a literal."""
    for use in tensor.uses:
        if use.role != "operand":
            continue
        verdict = stored_operand(tensor, use, context)
        if verdict is not None:
            return verdict
    return None


def stored_operand(tensor: Attributed, use: TensorUse, context: KindContext) -> Verdict | None:
    """Judge a stored operand at one use."""
    name, where = original_name(tensor.stored.name), label(use, context)
    traits = traits_of(context.graph.nodes[use.node])
    behind = _behind(tensor, use, context)
    if behind is not None and behind.rule == "bias-behind-product":
        return behind
    if tensor.stored.elements <= 1:
        if is_dotted(name) or (traits & LEARNED_SCALARS and is_learned_scalar(name)):
            return Verdict("parameter", "scale", f"named scalar of {where}", "named-scalar")
        return Verdict("constant", "literal", f"single value of {where}", "single-number")
    if behind is not None:
        return behind
    if statistic_of_written_norm(tensor, use, context.graph) == "factor":
        return Verdict(
            "parameter",
            "scale",
            "factor of a normalisation written as Sub, Mul, Add",
            "written-norm-factor",
        )
    joined = joins_table(tensor, use, context.graph, context.values)
    if joined is not None:
        what = f"rows of a table joined to embeddings by {where}"
        return Verdict("parameter", "embedding", what, joined)
    if is_reparametrised(tensor, use, context.graph):
        return Verdict(
            "parameter",
            "scale",
            f"learned values that {where} transforms at each run",
            "reparametrised",
        )
    return None


def _behind(tensor: Attributed, use: TensorUse, context: KindContext) -> Verdict | None:
    """Judge a vector that a product's or a norm's result is shifted by, or scaled with."""
    node, where = context.graph.nodes[use.node], label(use, context)
    if "arithmetic" not in traits_of(node) or not _is_bias_shape(tensor):
        return None
    other = other_node(use, context.graph)
    if other is None or other.operator is None:
        return None
    adds = computes(node) == "Add"
    scales = computes(node) == "Mul"
    if adds and other.operator.multiplies and _may_be_bias(tensor, other, context):
        what = f"added to the result of {other.op_type} by {where}"
        return Verdict("parameter", "bias", what, "bias-behind-product")
    normed = other.operator.normalises or "scales" in other.operator.traits
    if not normed or not (adds or scales):
        return None
    role = "scale" if scales else "bias"
    what = f"{role} of a decomposed norm ({other.op_type}, then {where})"
    return Verdict("parameter", role, what, "decomposed-norm")


def _may_be_bias(tensor: Attributed, product: OperatorNode, context: KindContext) -> bool:
    """Return whether a single number may be a bias: of one channel, or under the author's name."""
    if tensor.stored.elements > 1:
        return True
    if is_literal(original_name(tensor.stored.name)):
        return False
    if maker_of(tensor, context) == "author":
        return True
    channels = _channels(product, context.graph)
    return channels is None or channels == 1


def _channels(product: OperatorNode, graph: ModelGraph) -> int | None:
    """Return output channels of a product with a stored weight; None where they are not stated."""
    operator = product.operator
    if operator is None or operator.channels is None:
        return None
    for edge in operands(graph, product.id, 0 if operator.is_matrix_product else None):
        stored = graph.nodes[edge.producer]
        if edge.index is None or stored.kind != "initializer":
            continue
        if operator.role(edge.index) in ("weight", "quantized weight"):
            return operator.channels(product.record, stored.tensor.dims)
    return None


def is_made_up(tensor: Attributed, use: TensorUse, context: KindContext) -> bool:
    """Return whether it would be no parameter as a float: a literal, a mask, a table."""
    node = context.graph.nodes[use.node]
    if use.role != "operand" and "arithmetic" not in traits_of(node):
        return False
    if tensor.stored.elements > 1 and maker_of(tensor, context) == "author":
        return False
    verdict = stored_operand(tensor, use, context)
    return verdict is None or verdict.kind != "parameter"


def _is_bias_shape(tensor: Attributed) -> bool:
    """One axis holds all elements: `[C]`, `[C, 1, 1]`, `[1, C]`, `[1]`, but not a scalar."""
    shape = tensor.stored.shape
    return bool(shape) and max(shape) == tensor.stored.elements
