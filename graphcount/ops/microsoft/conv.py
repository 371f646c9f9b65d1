"""Convolutions of onnxruntime, and its blocked layout (com.microsoft.nchwc).

In the blocked layout channels are padded to whole blocks, which the weights show.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.attributes import WINDOW
from graphcount.ops.call import Call, ShapeRule, Shapes
from graphcount.ops.conv import FUSED, conv_at, conv_cost, filters, transposed, transposed_filters
from graphcount.ops.formulas import FREE, READ, outputs
from graphcount.ops.image import upsample
from graphcount.ops.inference import of_input, same
from graphcount.ops.operator import (
    SCALE,
    SCALED_DATA,
    SCALED_WEIGHT,
    Operator,
    Scaled,
    each,
    family,
    merge,
)
from graphcount.ops.pool import POOL, global_pool, pool, slid


def nhwc_conv(kernel: slice) -> ShapeRule:
    """Return the rule of a convolution with channels last; `kernel` is what its weight has of one.

    NhwcConv keeps (M, k…, C/group), NhwcFusedConv (M, C/group, k…) as Conv does.
    """

    def rule(call: Call) -> Shapes:
        data, weight = call.input(0), call.input(1)
        if data is None or weight is None:
            return [None]
        kernels = call.node.integers("kernel_shape") or weight[kernel]
        return [(data[0], *slid(call.node, data[1:-1], kernels), weight[0])]

    return rule


def reorder_output(call: Call) -> Shapes:
    """nchwc.ReorderOutput: back to `channels` without the padding of the blocks."""
    data = call.input(0)
    if data is None:
        return [None]
    channels = call.node.integer("channels", 0) or None
    if call.node.integer("channels_last", 0):
        return [(data[0], *data[2:], channels)]
    return [(data[0], channels, *data[2:])]


TABLE = family(
    "conv",
    {
        "FusedConv": Operator(
            roles=("data", "weight", "bias", "operand"),
            shape=conv_at(1),
            cost=conv_cost(extra=FUSED),
            channels=filters,
            form_of="Conv",
            attribute_check=WINDOW,
        ),
        "NhwcFusedConv": Operator(
            roles=("data", "weight", "bias", "operand"),
            shape=nhwc_conv(slice(2, None)),
            cost=conv_cost(extra=FUSED),
            channels=filters,
            form_of="Conv",
            attribute_check=WINDOW,
        ),
        "NhwcConv": Operator(
            roles=("data", "weight", "bias"),
            shape=nhwc_conv(slice(1, -1)),
            cost=conv_cost(),
            channels=filters,
            form_of="Conv",
            attribute_check=WINDOW,
        ),
        "ConvTransposeWithDynamicPads": Operator(
            roles=("data", "weight", "shape", "bias"),
            cost=transposed(3),
            channels=transposed_filters,
            form_of="ConvTranspose",
            attribute_check=WINDOW,
        ),
        "QLinearConv": Operator(
            roles=(*SCALED_DATA, *SCALED_WEIGHT, *SCALE, "quantized bias"),
            shape=conv_at(3),
            dtypes=of_input(7),
            cost=conv_cost(3, 8, outputs),
            channels=filters,
            form_of="Conv",
            scaled=(Scaled(1, 2, 0), Scaled(4, 5, 3, "filters"), Scaled(6, 7)),
            attribute_check=WINDOW,
        ),
    },
)

BLOCKED = merge(
    [
        family(
            "conv",
            {
                "Conv": Operator(
                    roles=("data", "weight", "bias", "operand"),
                    shape=conv_at(1),
                    cost=conv_cost(extra=FUSED),
                    channels=filters,
                    attribute_check=WINDOW,
                ),
            },
        ),
        family(
            "pool",
            {
                **each(
                    "AveragePool MaxPool", Operator(shape=pool, cost=POOL, attribute_check=WINDOW)
                ),
                **each("GlobalAveragePool GlobalMaxPool", Operator(shape=global_pool, cost=READ)),
            },
        ),
        family(
            "image",
            {
                "Upsample": Operator(shape=upsample),
            },
        ),
        family(
            "reshaping",
            {
                "ReorderInput": Operator(shape=same(0), cost=FREE),
                "ReorderOutput": Operator(shape=reorder_output, cost=FREE),
            },
        ),
    ]
)
