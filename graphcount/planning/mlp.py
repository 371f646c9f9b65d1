"""Multilayer perceptrons of the same size: how wide with how many hidden layers."""

from __future__ import annotations

from itertools import pairwise
from math import isqrt

from graphcount.ops import lookup
from graphcount.report.plan import MlpPlan, Neighbour, WidthPlan
from graphcount.report.records import Report
from graphcount.report.rows import NodeRow, TensorRow
from graphcount.units import exact


class _NoMlpError(ValueError):
    """The model is something else; says what."""


def mlp_plan(report: Report, hidden: tuple[int, ...] = ()) -> MlpPlan:
    """Return networks of the same total as the model's perceptron, with other layer counts.

    The model has to be a chain of Gemm, or MatMul and Add, with activations between. That follows
    from the report alone: when every operator takes one activation, and there is one output, what
    the output depends on is a chain. (An activation as Gemm's C or as a shape is not seen here.)

    Args:
        report: A report.
        hidden: Numbers of hidden layers; empty for the model's own, one fewer and one more.
    """
    try:
        layers, biases = _layers(report)
    except _NoMlpError as reason:
        return MlpPlan((), False, 0, str(reason), ())
    total, own = parameters(layers, biases), len(layers) - 2
    if total != report.totals.parameters:
        reason_text = f"the layers hold {exact(total)} of {exact(report.totals.parameters)}"
        return MlpPlan((), False, 0, f"{reason_text} parameters", ())
    asked = hidden or tuple(number for number in (own - 1, own, own + 1) if number >= 1)
    widths = tuple(width_plan(layers[0], layers[-1], biases, total, n) for n in asked)
    return MlpPlan(layers, biases, total, "", widths)


def parameters(layers: tuple[int, ...], biases: bool = True) -> int:
    """Sum of in·out (+ out) over the layers."""
    return sum(i * o + (o if biases else 0) for i, o in pairwise(layers))


def width_plan(inputs: int, outputs: int, biases: bool, total: int, hidden: int) -> WidthPlan:
    """Return the width d of l hidden layers that gives a total: a·d² + b·d + c, a = l - 1.

    i·d + (l - 1)·d² + d·o weights and l·d + o biases, so b = i + o + l and c = o (without biases
    i + o and 0); d = (-b + √(b² + 4·a·(total - c))) / 2a, and (total - c) / b where l = 1.

    Args:
        inputs: i.
        outputs: o.
        biases: Layers have biases.
        total: Parameters to reach.
        hidden: l, at least 1.
    """
    a, b = hidden - 1, inputs + outputs + (hidden if biases else 0)
    c = outputs if biases else 0
    below = _root(a, b, c - total)
    square = f"{exact(a)}·d² + " if a else ""
    formula = f"{square}{exact(b)}·d" + (f" + {exact(c)}" if c else "")
    widths = [below] if a * below**2 + b * below + c == total else [below, below + 1]
    neighbours = []
    for width in widths:
        if width >= 1:
            layers = (inputs, *[width] * hidden, outputs) if hidden <= _LISTED else ()
            count = a * width * width + b * width + c
            neighbours.append(Neighbour(width, layers, count, count - total))
    return WidthPlan(hidden, formula, tuple(neighbours))


_LISTED = 1000
"""Layers listed one by one, at most."""


def _root(a: int, b: int, c: int) -> int:
    """Return the largest integer d with a·d² + b·d + c <= 0 (a, b >= 0), or 0 without one."""
    if c >= 0 or b == 0:
        return 0
    return (isqrt(b * b - 4 * a * c) - b) // (2 * a) if a else -c // b


def _layers(report: Report) -> tuple[tuple[int, ...], bool]:
    """Return sizes of the layers, input first.

    Raises:
        _NoMlpError: The model is no plain chain of such layers.
    """
    model = report.model
    if len(model.outputs) != 1 or model.subgraph_count or model.function_count:
        raise _NoMlpError("it has several outputs, subgraphs or functions")
    if report.doubts:
        raise _NoMlpError("something in it is unknown")
    tensors: dict[str, list[tuple[int | None, TensorRow]]] = {}
    for tensor in report.tensors:
        for use in tensor.uses if tensor.kind == "parameter" else ():
            tensors.setdefault(use.node, []).append((use.input, tensor))
        if tensor.kind == "parameter" and len(tensor.uses) != 1:
            raise _NoMlpError(f"{tensor.name} is used {len(tensor.uses)} times")
    sizes: list[int] = []
    biased: list[bool] = []
    for node in report.nodes:
        _step(node, dict(tensors.get(node.id, ())), sizes, biased)
    if len(biased) < 1:
        raise _NoMlpError("it has no such layer")
    if len(set(biased)) > 1:
        raise _NoMlpError("some layers have biases and some have none")
    return tuple(sizes), biased[0]


def _step(
    node: NodeRow, stored: dict[int | None, TensorRow], sizes: list[int], biased: list[bool]
) -> None:
    """Add what a node is: a layer, the bias of the last one, or an activation."""
    if _is_layer(node):
        before, after = _matrix(node, stored)
        if sizes and sizes[-1] != before:
            raise _NoMlpError(
                f"{node.id} takes {before} features, the layer before gives another number"
            )
        sizes += [after] if sizes else [before, after]
        bias = stored.get(2)
        if bias is not None and bias.elements != after:
            raise _NoMlpError(f"{node.id} has a bias of another size")
        biased.append(bias is not None)
    elif node.op_type == "Add" and len(stored) == 1 and biased and not biased[-1]:
        (bias,) = stored.values()
        if bias.elements != sizes[-1]:
            raise _NoMlpError(f"{node.id} adds something else than a bias")
        biased[-1] = True
    elif stored or not _is_activation(node):
        raise _NoMlpError(f"{node.id} is {node.op_type}, no layer and no activation")


def _is_layer(node: NodeRow) -> bool:
    """Whether it is a product with weights as they are, whatever is fused with it."""
    operator = lookup(node.domain, node.op_type)
    if operator is None or not operator.is_matrix_product:
        return False
    return operator.roles[:2] == ("weight", "weight")


def _is_activation(node: NodeRow) -> bool:
    """Whether one activation enters it and comes out element by element, or in another shape."""
    operator = lookup(node.domain, node.op_type)
    if operator is None or not operator.takes_one:
        return False
    by_element = operator.family in ("elementwise", "softmax") or node.op_type == "Cast"
    return by_element or "renames" in operator.traits


def _matrix(node: NodeRow, stored: dict[int | None, TensorRow]) -> tuple[int, int]:
    """Return inputs and outputs of a layer; its output tells the weight's dimensions apart."""
    weight = stored.get(1)
    if weight is None or 0 in stored or len(weight.shape) != 2:
        raise _NoMlpError(f"{node.id} has no weight matrix on its right")
    shape = node.output_shapes[0] if node.output_shapes else None
    after = shape[-1] if shape else None
    if weight.shape[0] == weight.shape[1]:
        after = weight.shape[0]
    if not isinstance(after, int) or after not in weight.shape:
        raise _NoMlpError(f"the output size of {node.id} is not known")
    return weight.elements // max(after, 1), after
