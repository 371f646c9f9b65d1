"""Normalisation and softmax: one operation for each element that is normalised.

Mean, variance and scale belong to that one operation, so a network counts the same whether its
exporter wrote LayerNormalization or kept BatchNormalization apart. LRN reads `size` channels for
each element.
Sources: ONNX Operators.md; Ioffe and Szegedy 2015; Ba et al. 2016; Zhang and Sennrich 2019.
"""

from __future__ import annotations

from graphcount.ops.attributes import AXIS, positive
from graphcount.ops.call import Call, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    attribute,
    dimension,
    input_shape,
    like_input,
    number,
    plural,
    total,
    when,
)
from graphcount.ops.inference import FLOAT, always, axis_of, of_input, same
from graphcount.ops.operator import Operator, each, family, merge, traits
from graphcount.symbolic import Dim


def _learned(call: Call, scale: int, shift: int | None) -> str:
    """Return `64 scales + 64 shifts = 128 parameters`."""
    if not call.has(scale):
        return "no scale"
    scales = size(input_shape(call, scale))
    if shift is None or not call.has(shift):
        return f"{plural(scales, 'scale')}, no shift"
    shifts = size(input_shape(call, shift))
    return (
        f"{plural(scales, 'scale')} + {plural(shifts, 'shift')} = {number(scales + shifts)}"
        " parameters"
    )


def _batch_text(call: Call) -> str:
    channels = dimension(call, 1, 0)
    return (
        f"{_learned(call, 1, 2)}; {plural(channels, 'running mean')} and"
        f" {plural(channels, 'running variance')} are averages kept from training, not learned by"
        f" gradient: buffers, not counted as parameters; one operation for each of"
        f" {number(like_input(call))} elements, no MACs"
    )


def norm_cost(scale: int, shift: int | None, skips: tuple[int, ...] = ()) -> CostRule:
    """Return a normalisation with learned scale and shift, after the sums with inputs `skips`."""
    work = total(like_input, *(when(index, like_input) for index in skips))

    def text(call: Call) -> str:
        sums = sum(call.has(index) for index in skips)
        before = f" after {plural(sums, 'sum')}" if sums else ""
        return (
            f"{_learned(call, scale, shift)}; one operation for each element{before}:"
            f" {number(work(call))} operations, no MACs"
        )

    return CostRule(
        "one operation for each element, and one for each sum", elementwise=work, text=text
    )


def _neighbours(call: Call) -> Dim:
    return like_input(call) * attribute(call, "size")


def layer_norm(call: Call) -> Shapes:
    """LayerNormalization: mean and deviation keep the dimensions before `axis`."""
    data = call.input(0)
    if data is None:
        return [None, None, None]
    axis = axis_of(call.node.integer("axis", -1), len(data))
    statistic = (*data[:axis], *(1,) * (len(data) - axis))
    return [data, statistic, statistic]


PLAIN = CostRule(
    "one operation for each element: its own value over what all share", elementwise=like_input
)
SOFTMAX = CostRule(
    "one operation for each element: its exponential over their sum", elementwise=like_input
)

SOFTMAX_TABLE = family(
    "softmax",
    {
        "Hardmax": Operator(
            roles=("operand",),
            shape=same(0),
            cost=CostRule("one comparison for each element", elementwise=like_input),
            check=AXIS,
        ),
        "LogSoftmax": Operator(
            roles=("operand",),
            shape=same(0),
            cost=SOFTMAX,
            check=AXIS,
            traits=traits("overwrites"),
        ),
        "Softmax": Operator(
            roles=("operand",),
            shape=same(0),
            cost=SOFTMAX,
            check=AXIS,
            traits=traits("constrains", "overwrites"),
        ),
    },
)

NORM_TABLE = family(
    "norm",
    {
        "BatchNormalization": Operator(
            roles=("data", "scale", "bias", "running mean", "running variance"),
            shape=same(0, 3, 4, 3, 4),
            dtypes=of_input(0, 3, 4, 3, 4),
            cost=CostRule(
                "one operation for each element; running mean and variance are buffers",
                elementwise=like_input,
                text=_batch_text,
            ),
        ),
        "InstanceNormalization": Operator(
            roles=("data", "scale", "bias"), shape=same(0), cost=norm_cost(1, 2)
        ),
        "GroupNormalization": Operator(
            roles=("data", "scale", "bias"),
            shape=same(0),
            cost=norm_cost(1, 2),
            attribute_check=positive("num_groups"),
        ),
        "LayerNormalization": Operator(
            roles=("data", "scale", "bias"),
            shape=layer_norm,
            dtypes=always(0, FLOAT, FLOAT),
            cost=norm_cost(1, 2),
            check=AXIS,
        ),
        **each(
            "RMSNormalization SimplifiedLayerNormalization",
            Operator(
                roles=("data", "scale"),
                shape=layer_norm,
                dtypes=of_input(1),
                cost=norm_cost(1, None),
                check=AXIS,
                form_of="LayerNormalization",
            ),
        ),
        "LpNormalization": Operator(roles=("data",), shape=same(0), cost=PLAIN, check=AXIS),
        "MeanVarianceNormalization": Operator(roles=("data",), shape=same(0), cost=PLAIN),
        "LRN": Operator(
            roles=("data",),
            shape=same(0),
            cost=CostRule("`size` channels are read for each element", elementwise=_neighbours),
            attribute_check=positive("size"),
        ),
    },
)

TABLE = merge([SOFTMAX_TABLE, NORM_TABLE])
