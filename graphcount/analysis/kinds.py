"""The kind of each stored tensor, decided by the first rule that knows (docs/counting.md).

The rules are functions in the tuple `RULES`, in order; each returns a verdict or None. A verdict
always says why in one sentence. Rules look at the graph first, at names when the graph leaves it
open, and at values only when they are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from graphcount.analysis.attribution import Attributed
from graphcount.analysis.names import is_buffer, is_dotted, original_name
from graphcount.analysis.operands import (
    filled_left_operand,
    initial_state,
    is_compared,
    is_dequantized_after,
    is_integer_bias,
    is_made_up,
    is_scale_of_integers,
    operand,
    statistic_of_written_norm,
)
from graphcount.analysis.values import Values
from graphcount.analysis.verdict import (
    LEARNED_ROLES,
    MASK_MAGNITUDE,
    QUANTIZED_ROLES,
    Kind,
    KindContext,
    Verdict,
    family,
    first_use,
    label,
    maker_of,
    may_be_quantized,
    role_of,
)
from graphcount.graph import ModelGraph

if TYPE_CHECKING:
    from graphcount.analysis.signature import Signature

PLAIN_ROLES = frozenset({"shape", "axes", "index", "scalar", "literal", "mask", "table"})
"""Roles that learned elements never have."""


def classify(
    tensors: Iterable[Attributed],
    graph: ModelGraph,
    values: Values,
    declared: Signature | None = None,
) -> list[Verdict]:
    """Give every stored tensor its kind, in the given order."""
    return classify_with_uses(tensors, graph, values, declared)[1]


def classify_with_uses(
    tensors: Iterable[Attributed],
    graph: ModelGraph,
    values: Values,
    declared: Signature | None = None,
) -> tuple[tuple[Attributed, ...], list[Verdict]]:
    """Give every stored tensor its kind, and what uses it once it is dequantized."""
    tensors = tuple(tensors)
    if declared is not None and not any(
        tensor.stored.name in declared.parameters for tensor in tensors
    ):
        declared = None  # renamed since: the names say nothing any more
    context = KindContext(graph, values, has_weights=False, declared=declared)
    if any(may_be_quantized(tensor) for tensor in tensors):
        from graphcount.analysis.dequantized import dequantized  # most models have none

        steps = dequantized(tensors, context)
        context = context._replace(weights=steps.weights, sides=steps.sides)
        tensors = tuple(
            [one._replace(uses=steps.uses.get(one.stored.key, one.uses)) for one in tensors]
        )
    verdicts = {
        tensor.stored.key: decide(tensor, context)
        for tensor in tensors
        if not tensor.stored.constant
    }
    has_weights = any(
        verdict.kind == "parameter" and verdict.role in LEARNED_ROLES
        for verdict in verdicts.values()
    )
    context = context._replace(has_weights=has_weights)
    return tensors, [
        verdicts.get(tensor.stored.key) or decide(tensor, context) for tensor in tensors
    ]


def decide(tensor: Attributed, context: KindContext) -> Verdict:
    """Return the verdict of the first rule that knows."""
    for rule in RULES:
        verdict = rule(tensor, context)
        if verdict is not None:
            return verdict
    raise AssertionError("the last rule always decides")


# -------------------------------------------------------------------------------------------- rules


def not_used(tensor: Attributed, context: KindContext) -> Verdict | None:
    """No output of the model depends on it."""
    if tensor.stored.in_training:
        return Verdict(
            "unused",
            "training",
            "it stands in training_info, which inference ignores",
            "training-data",
        )
    if tensor.live:
        return None
    if not tensor.origins:
        return Verdict("unused", "none", "no node refers to it", "unreferenced")
    if not tensor.uses:
        return Verdict("unused", "none", "no node reads it", "unread")
    user = label(tensor.uses[0], context)
    return Verdict("unused", "none", f"read by {user}, but no output depends on it", "dead")


def not_numeric(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Booleans and strings are never learned."""
    if family(tensor) not in ("bool", "string"):
        return None
    use = first_use(tensor)
    return Verdict(
        "constant",
        role_of(use),
        f"{tensor.stored.dtype} input of {label(use, context)}",
        "not-numeric",
    )


def quantization(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Scales and zero points, whatever their type."""
    for use in tensor.uses:
        if use.role in ("quantization scale", "zero point"):
            return Verdict(
                "quantization",
                use.role,
                f"{use.role} of {label(use, context)}",
                "quantization-input",
            )
        if use.role == "operand" and is_scale_of_integers(use, context.graph):
            what = "turns an integer product back into floats"
            return Verdict("quantization", "quantization scale", what, "integer-product-scale")
        side = context.sides.get((use.node, use.index))
        if side is not None:
            what = f"{side} of integers, written as {label(use, context)}"
            return Verdict("quantization", side, what, "scale-of-steps")
    return None


def quantized_weight(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Integers in a weight's place: data of DequantizeLinear, packed and integer products."""
    if family(tensor) != "int":
        return None
    for use in tensor.uses:
        is_dequantized = "DequantizeLinear" in use.via
        if use.role == "embedding" and is_dequantized_after(use, context.graph):
            return Verdict(
                "parameter",
                "embedding",
                "rows are dequantized after the look-up",
                "dequantized-rows",
            )
        if is_integer_bias(use, context.graph):
            what = f"added to an integer product by {label(use, context)}"
            return Verdict("parameter", "bias", what, "bias-behind-product")
        if use.role not in QUANTIZED_ROLES and not is_dequantized:
            continue
        role = use.role or "weight"
        if role in ("shape", "axes", "index", "scalar", "literal", "mask"):
            continue
        if is_made_up(tensor, use, context):
            continue
        how = "dequantized for" if is_dequantized else "quantized for"
        return Verdict("parameter", role, f"{how} {label(use, context)}", "quantized-weight")
    return None


def dequantized_by_steps(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Numbers of few bits that Cast and Mul turn back into floats."""
    return context.weights.get(tensor.stored.key)


def integer(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Other integers: shapes, axes, indices, masks, tables."""
    if family(tensor) not in ("int", "complex"):
        return None
    use = first_use(tensor)
    if tensor.stored.numbers is not None and use is not None and use.role in LEARNED_ROLES:
        return None
    name = tensor.stored.name
    if is_buffer(name) or (context.declared is not None and name in context.declared.buffers):
        return Verdict(
            "buffer",
            role_of(use),
            f"named like a buffer of {label(use, context)}",
            "integer-buffer",
        )
    return Verdict(
        "constant", role_of(use), f"integers: {role_of(use)} of {label(use, context)}", "integer"
    )


def batch_statistics(tensor: Attributed, context: KindContext) -> Verdict | None:
    """BatchNormalization's mean and variance, unless an equal tensor was merged into it."""
    roles = {use.role for use in tensor.uses}
    for role in ("running mean", "running variance"):
        if role not in roles:
            continue
        learned = sorted(use.role for use in tensor.uses if use.role in LEARNED_ROLES)
        if learned:
            reason = f"{role} merged with an equal {learned[0]}"
            return Verdict("parameter", learned[0], reason, "merged-statistic")
        use = next(use for use in tensor.uses if use.role == role)
        return Verdict("buffer", role, f"{role} of {label(use, context)}", "batch-statistic")
    return None


def declared_by_export(tensor: Attributed, context: KindContext) -> Verdict | None:
    """torch.export said which names are parameters and which are buffers."""
    name = original_name(tensor.stored.name)
    if context.declared is None or tensor.stored.constant:
        return None
    use = next((use for use in tensor.uses if use.role in LEARNED_ROLES), first_use(tensor))
    if name in context.declared.parameters:
        what = f"declared a parameter by torch.export, used by {label(use, context)}"
        return Verdict("parameter", role_of(use), what, "declared-parameter")
    if name in context.declared.buffers:
        return Verdict(
            "buffer", role_of(use), "declared a buffer by torch.export", "declared-buffer"
        )
    return None


def buffer_by_role_or_name(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Rotary tables, windows, statistics, and names frameworks give to buffers."""
    use = first_use(tensor)
    for candidate in tensor.uses:
        if candidate.role in ("rotary table", "window", "statistic"):
            what = f"{candidate.role} of {label(candidate, context)}"
            return Verdict("buffer", candidate.role, what, "buffer-role")
    if is_buffer(tensor.stored.name):
        return Verdict(
            "buffer", role_of(use), "its name is one that frameworks give to buffers", "buffer-name"
        )
    for candidate in tensor.uses:
        if candidate.role != "operand":
            continue
        if statistic_of_written_norm(tensor, candidate, context.graph) == "mean":
            return Verdict(
                "buffer",
                "running mean",
                "mean of a normalisation written as Sub, Mul, Add",
                "written-norm-mean",
            )
    return None


def computed_table(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Values that a formula gives: masks, frequencies, sines of positions."""
    if tensor.stored.elements <= 1 or not tensor.uses:
        return None
    from graphcount.analysis.computed import judge_table

    return judge_table(tensor, context)


def literal_beside_weights(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Float Constant nodes are literals where the file keeps its weights as initializers."""
    if not (tensor.stored.constant and context.has_weights):
        return None
    use = first_use(tensor)
    what = f"Constant node for {label(use, context)}; this file keeps its weights as initializers"
    return Verdict("constant", role_of(use), what, "literal-constant")


def mask_values(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Tensors holding -inf, NaN or magnitudes from 1e9 on are masks."""
    if any(use.role in LEARNED_ROLES for use in tensor.uses):
        return None
    numbers = context.values.head(tensor.stored)
    if not numbers or not _is_huge(numbers):
        return None
    use = first_use(tensor)
    what = f"holds mask values (infinite, or 1e9 and more) for {label(use, context)}"
    return Verdict("constant", "mask", what, "mask-values")


def _is_huge(numbers: Sequence[float]) -> bool:
    """Return whether a number is infinite, 1e9 or more, or none; NaN makes the sum one."""
    total = sum(numbers)
    return total != total or max(numbers) >= MASK_MAGNITUDE or min(numbers) <= -MASK_MAGNITUDE


def constant_by_role(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Every use is one that learned values do not have."""
    if not tensor.uses or any(use.role not in PLAIN_ROLES for use in tensor.uses):
        return None
    use = tensor.uses[0]
    return Verdict(
        "constant", use.role or "", f"{use.role} of {label(use, context)}", "constant-role"
    )


def affine_of_plain_norm(tensor: Attributed, context: KindContext) -> Verdict | None:
    """A norm without affine parameters gets ones and zeros of the exporter's making."""
    use = first_use(tensor)
    if use is None or use.role not in ("scale", "bias"):
        return None
    if any(op_type != "DequantizeLinear" for op_type in use.via):
        return None
    operator = context.graph.nodes[use.node].operator
    if operator is None or not operator.normalises or maker_of(tensor, context) == "author":
        return None
    filled = context.values.constant(tensor.stored)
    if filled is None or (filled not in (0.0, 1.0) and not use.via):
        return None
    what = (
        f"filled with {filled:g} by the exporter: {label(use, context)} has no learned {use.role}"
    )
    return Verdict("constant", use.role, what, "plain-norm-affine")


def learned_by_role(tensor: Attributed, context: KindContext) -> Verdict | None:
    """A weight's place is a weight."""
    for use in tensor.uses:
        if use.role not in LEARNED_ROLES:
            continue
        shallow = use.role == "embedding" and len(tensor.stored.shape) < 2
        if shallow and maker_of(tensor, context) == "exporter":
            continue
        through = f" through {' and '.join(dict.fromkeys(use.via))}" if use.via else ""
        return Verdict(
            "parameter", use.role, f"{use.role} of {label(use, context)}{through}", "learned-role"
        )
    return None


def by_name(tensor: Attributed, context: KindContext) -> Verdict | None:
    """What is left: a name of the author's making is a parameter, an exporter's is a constant."""
    use = first_use(tensor)
    name, where = tensor.stored.name, label(use, context)
    if tensor.stored.elements <= 1 and not is_dotted(name):
        return Verdict("constant", "literal", f"single value of {where}", "single-number")
    if is_compared(tensor, context.graph):
        return Verdict("constant", "mask", f"values that {where} compares with", "compared")
    if maker_of(tensor, context) == "author":
        return Verdict("parameter", role_of(use), f"named tensor used by {where}", "named-operand")
    return Verdict(
        "constant",
        role_of(use),
        f"operand of {where} with a name made by the exporter",
        "exporter-operand",
    )


KindRule = Callable[[Attributed, KindContext], Verdict | None]

RULES: tuple[KindRule, ...] = (
    not_used,
    not_numeric,
    quantization,
    affine_of_plain_norm,
    quantized_weight,
    dequantized_by_steps,
    integer,
    batch_statistics,
    declared_by_export,
    buffer_by_role_or_name,
    literal_beside_weights,
    mask_values,
    computed_table,
    initial_state,
    filled_left_operand,
    constant_by_role,
    learned_by_role,
    operand,
    by_name,
)
"""In order: the first that returns a verdict decides."""


__all__ = [
    "LEARNED_ROLES",
    "RULES",
    "Kind",
    "KindContext",
    "Verdict",
    "classify",
    "classify_with_uses",
]
