"""Reductions, losses and signal processing: what folds elements counts those it reads.

Transforms (DFT and kin) count one an output element; the log factor of an FFT is not counted.
Source: ONNX Operators.md (ReduceSum, ArgMax, SoftmaxCrossEntropyLoss, DFT, STFT, …).
"""

from __future__ import annotations

from graphcount.ops import arithmetic
from graphcount.ops.attributes import AXIS
from graphcount.ops.call import (
    Call,
    DataRule,
    Facts,
    Number,
    Results,
    Shape,
    Shapes,
    beyond,
    given,
    integers_of,
    numbers_of,
    size,
)
from graphcount.ops.elements import first_input, folded, folded_to_one
from graphcount.ops.formulas import OUTPUT, READ, UNARY, CostRule, input_shape
from graphcount.ops.inference import INT64, add, always, axes_of, axis_of, dim, of_rank, over, same
from graphcount.ops.operator import FOLDS, Operator, each, family
from graphcount.symbolic import Dim, Expr, floordiv


def reduced(shape: Shape, axes: set[int], keep: bool) -> Shape:
    """Return a shape after a reduction over axes that exist."""
    if keep:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def reduce(call: Call) -> Shapes:
    """Reduce*: over `axes` (attribute or input), over all when there are none."""
    data, node = call.input(0), call.node
    if data is None:
        return [() if not call.has(1) and _reduces_all(call) else None]
    keep = bool(node.integer("keepdims", 1))
    axes = node.integers("axes")
    if axes is None and call.has(1):
        axes = integers_of(call, 1)
        if axes is None:
            return [of_rank(len(data)) if keep else None]
    if not axes:
        if node.integer("noop_with_empty_axes", 0):
            return [data]
        axes = tuple(range(len(data)))
    return [reduced(data, set(axes_of(axes, len(data))), keep)]


def _reduces_all(call: Call) -> bool:
    node = call.node
    noop = node.integer("noop_with_empty_axes", 0)
    return not node.integer("keepdims", 1) and not node.integers("axes") and not noop


def arg(call: Call) -> Shapes:
    """ArgMax, ArgMin: over one axis."""
    data = call.input(0)
    if data is None:
        return [None]
    axis = axis_of(call.node.integer("axis", 0), len(data))
    return [reduced(data, {axis}, bool(call.node.integer("keepdims", 1)))]


def loss(call: Call) -> Shapes:
    """Return a loss for each target, or one; SoftmaxCrossEntropyLoss adds log probabilities."""
    whole = call.node.text("reduction", "mean") != "none"
    return [() if whole else call.input(1), call.input(0)]


def dft(call: Call) -> Shapes:
    """DFT: real and imaginary part last; the axis has `dft_length`, or half when one-sided."""
    data = call.input(0)
    if data is None or len(data) < 2:
        return [None]
    axis: int | None = call.node.integer("axis", 1 if call.opset < 20 else -2)
    if call.has(2):
        given = numbers_of(call, 2)
        axis = given[0] if given and isinstance(given[0], int) else None
    if axis is None:
        return [(None,) * (len(data) - 1) + (2,)]
    at = range(len(data))[axis]
    length = data[at]
    if call.has(1):
        lengths = numbers_of(call, 1)
        length = dim(lengths[0]) if lengths else None
    onesided, inverse = call.node.integer("onesided", 0), call.node.integer("inverse", 0)
    result: list[Dim | None] = [*data[:-1], 1 if onesided and inverse else 2]
    if onesided and not inverse:
        length = add(over(length, 2), 1)
    result[at] = length
    return [tuple(result)]


def stft(call: Call) -> Shapes:
    """STFT: (batch, frames, bins, 2)."""
    signal: Shape = call.input(0) or (None, None)
    step = (numbers_of(call, 1) or (None,))[0]
    length: Dim | None = None
    lengths = numbers_of(call, 3)
    if lengths:
        length = dim(lengths[0])
    elif call.input(2):
        length = (call.input(2) or (None,))[0]
    frames = bins = None
    if length is not None and isinstance(step, int | Expr) and signal[1] is not None:
        frames = floordiv(signal[1] - length, step) + 1
    if length is not None:
        bins = floordiv(length, 2) + 1 if call.node.integer("onesided", 1) else length
    return [(signal[0], frames, bins, 2)]


def _targets(call: Call) -> Dim:
    return size(input_shape(call, 1))


def accumulated(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """CumSum of a vector."""
    numbers, shape = first_input(facts)
    options = (facts.node.integer("exclusive", 0), facts.node.integer("reverse", 0))
    if len(shape) != 1 or any(options):
        return [None]
    total: Number = 0
    result: list[Number] = []
    for number in numbers:
        total = arithmetic.plus(total, number)
        result.append(total)
    return [tuple(result)]


def check_cum_sum(call: Call) -> str:
    """The axis exists."""
    return _axes(call, given(call, 1))


def check_axes(call: Call) -> str:
    """The axes exist."""
    return _axes(call, given(call, 1, "axes"))


def _axes(call: Call, axes: tuple[int, ...] | None) -> str:
    data = call.input(0)
    return beyond(axes, len(data)) if data is not None and axes is not None else ""


def _reduction(data: DataRule | None = None) -> Operator:
    """Return the record of a reduction over axes."""
    return Operator(
        roles=("operand", "axes"),
        shape=reduce,
        data=data,
        cost=READ,
        check=check_axes,
        traits=FOLDS,
    )


TABLE = family(
    "reduction",
    {
        "NegativeLogLikelihoodLoss": Operator(
            rest="operand", shape=loss, cost=CostRule("one for each target", elementwise=_targets)
        ),
        "SoftmaxCrossEntropyLoss": Operator(rest="operand", shape=loss, cost=READ),
        **each(
            "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMean ReduceSumSquare",
            _reduction(),
        ),
        "ReduceMax": _reduction(folded_to_one(folded(arithmetic.maximum_of), None)),
        "ReduceMin": _reduction(folded_to_one(folded(arithmetic.minimum_of), None)),
        "ReduceProd": _reduction(folded_to_one(folded(arithmetic.multiplied), 1)),
        "ReduceSum": _reduction(folded_to_one(folded(arithmetic.plus), 0)),
        **each(
            "ArgMax ArgMin",
            Operator(
                roles=("operand",),
                shape=arg,
                dtypes=always(INT64),
                cost=READ,
                check=AXIS,
                traits=FOLDS,
            ),
        ),
        "CumSum": Operator(
            roles=("operand", "axes"),
            shape=same(0),
            data=accumulated,
            cost=UNARY,
            check=check_cum_sum,
        ),
        "CumProd": Operator(roles=("operand", "axes"), shape=same(0), cost=UNARY),
        "DFT": Operator(roles=("operand", "scalar", "axes"), shape=dft, cost=OUTPUT),
        "STFT": Operator(roles=("operand", "scalar", "window", "scalar"), shape=stft, cost=OUTPUT),
    },
)
