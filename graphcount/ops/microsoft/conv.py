"""Convolutions of onnxruntime, and its blocked layout (com.microsoft.nchwc).

In the blocked layout channels are padded to whole blocks, which the weights show.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.attributes import WINDOW
from graphcount.ops.call import Call, Shape, ShapeRule, Shapes, numbers_of
from graphcount.ops.causal import carried, causal_conv, causal_cost
from graphcount.ops.conv import (
    FUSED,
    conv_at,
    conv_cost,
    filters,
    spread,
    transposed,
    transposed_filters,
)
from graphcount.ops.formulas import FREE, READ, outputs
from graphcount.ops.image import INTERPOLATION, upsample
from graphcount.ops.inference import add, of_input, same
from graphcount.ops.operator import (
    FILTERS,
    FOLDS,
    SCALE,
    SCALED_DATA,
    SCALED_WEIGHT,
    TURNED_FILTERS,
    KeptState,
    Multiplicand,
    Operator,
    Scaled,
    each,
    family,
    merge,
)
from graphcount.ops.pool import POOL, global_pool, is_channels_last, pool, slid
from graphcount.ops.precision import kept
from graphcount.symbolic import Dim, Expr


def nhwc_conv(kernel: slice, weight_index: int = 1) -> ShapeRule:
    """Return the rule of a convolution with channels last; `kernel` is what its weight has of one.

    NhwcConv keeps (M, k…, C/group), NhwcFusedConv and QLinearConv (M, C/group, k…) as Conv does.
    """

    def rule(call: Call) -> Shapes:
        data, weight = call.input(0), call.input(weight_index)
        if data is None or weight is None:
            return [None]
        kernels = call.node.integers("kernel_shape") or weight[kernel]
        return [(data[0], *slid(call.node, data[1:-1], kernels), weight[0])]

    return rule


def qlinear_conv(call: Call) -> Shapes:
    """QLinearConv: that of ONNX, or with `channels_last` of data and result, not of the weight."""
    if is_channels_last(call.node):
        return nhwc_conv(slice(2, None), 3)(call)
    return conv_at(3)(call)


def conv_transpose_dynamic(call: Call) -> Shapes:
    """ConvTransposeWithDynamicPads: begins, then ends of the pads are input 2."""
    data = call.input(0)
    if data is None:
        return [None]
    count = 2 * (len(data) - 2)
    pads: Shape = (0,) * count
    if call.has(2):
        numbers = numbers_of(call, 2)
        known = [one if isinstance(one, int | Expr) else None for one in numbers or ()]
        pads = tuple(known) if numbers is not None else (None,) * count
    return [spread(call, data, pads)]


def packed_causal_conv(call: Call) -> Shapes:
    """VarlenCausalConvWithState: (tokens, C) as the input; a state (B, C, positions) a sequence."""
    data = call.input(0)
    if data is None:
        return [None, None, None]
    tokens, channels = data
    batch = sequences(call, 2, 4)
    update = (batch, call.node.integer("state_update_capacity", 0), channels)
    return [(tokens, channels), (batch, channels, carried(call)), update]


def sequences(call: Call, offsets: int, state: int) -> Dim | None:
    """Return how many sequences are packed: by their state, or by offsets (batch + 1)."""
    kept, ends = call.input(state), call.input(offsets)
    if kept:
        return kept[0]
    return add(ends[0], -1) if ends else None


def _deltas(call: Call) -> Dim:
    """Coefficients of both taps get a sum each, and the previous product is masked."""
    return 3 * outputs(call) if call.has(6) else 0


LARGEST_BLOCK = 16
"""Channels of a block are 16 where the processor has AVX-512, else 8 (onnxruntime, mlas snchwc)."""


def reorder_input(call: Call) -> Shapes:
    """nchwc.ReorderInput: channels first, filled up to blocks whose size the processor decides."""
    data = call.input(0)
    if data is None or len(data) < 2:
        return [None]
    last = call.node.integer("channels_last", 0)
    channels, sizes = (data[-1], data[1:-1]) if last else (data[1], data[2:])
    whole = isinstance(channels, int) and channels % LARGEST_BLOCK == 0
    return [(data[0], channels if whole else None, *sizes)]


def reorder_output(call: Call) -> Shapes:
    """nchwc.ReorderOutput: back to `channels` without the padding of the blocks."""
    data = call.input(0)
    if data is None:
        return [None]
    channels = call.node.integer("channels", 0) or None
    if call.node.integer("channels_last", 0):
        return [(data[0], *data[2:], channels)]
    return [(data[0], channels, *data[2:])]


CONVOLUTIONS = family(
    "conv",
    {
        "FusedConv": Operator(
            roles=("data", "weight", "bias", "operand"),
            shape=conv_at(1),
            cost=conv_cost(extra=FUSED),
            factors=FILTERS,
            channels=filters,
            form_of="Conv",
            attribute_check=WINDOW,
        ),
        "NhwcFusedConv": Operator(
            roles=("data", "weight", "bias", "operand"),
            shape=nhwc_conv(slice(2, None)),
            cost=conv_cost(extra=FUSED),
            factors=FILTERS,
            channels=filters,
            form_of="Conv",
            attribute_check=WINDOW,
        ),
        "NhwcConv": Operator(
            roles=("data", "weight", "bias"),
            shape=nhwc_conv(slice(1, -1)),
            cost=conv_cost(),
            factors=(Multiplicand(1, -1, 0),),
            channels=filters,
            form_of="Conv",
            attribute_check=WINDOW,
        ),
        "ConvTransposeWithDynamicPads": Operator(
            roles=("data", "weight", "shape", "bias"),
            shape=conv_transpose_dynamic,
            cost=transposed(3),
            factors=TURNED_FILTERS,
            channels=transposed_filters,
            form_of="ConvTranspose",
            attribute_check=WINDOW,
        ),
        "QLinearConv": Operator(
            roles=(*SCALED_DATA, *SCALED_WEIGHT, *SCALE, "quantized bias"),
            shape=qlinear_conv,
            dtypes=of_input(7),
            cost=conv_cost(3, 8, outputs),
            factors=(FILTERS[0]._replace(input=3, zero=5),),
            channels=filters,
            form_of="Conv",
            scaled=(Scaled(1, 2, 0), Scaled(4, 5, 3, "filters"), Scaled(6, 7)),
            attribute_check=WINDOW,
        ),
        "CausalConvWithState": Operator(
            roles=("data", "weight", "bias", "state"),
            shape=causal_conv,
            cost=causal_cost(2),
            factors=FILTERS,
            channels=filters,
            states={3: KeptState(1, "convolution")},
        ),
        "VarlenCausalConvWithState": Operator(
            roles=("data", "weight", "shape", "bias", "state", "shape", "operand", "mask"),
            shape=packed_causal_conv,
            cost=causal_cost(3, _deltas),
            factors=FILTERS,
            channels=filters,
            states={4: KeptState(1, "convolution")},
        ),
        "ConvStateReplay": Operator(
            roles=("state", "state", "state", "shape"),
            shape=same(2),
            cost=FREE,
            states={2: KeptState(0, "convolution")},
        ),
    },
)

POOLS = family(
    "pool",
    {
        "NhwcMaxPool": Operator(
            roles=("data",),
            shape=pool,
            precision=kept,
            cost=POOL,
            form_of="MaxPool",
            attribute_check=WINDOW,
            traits=FOLDS,
        ),
        "MaxpoolWithMask": Operator(
            roles=("data", "mask"),
            shape=pool,
            cost=POOL,
            form_of="MaxPool",
            attribute_check=WINDOW,
            traits=FOLDS,
        ),
    },
)

TABLE = merge([CONVOLUTIONS, POOLS])

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
                    "AveragePool MaxPool",
                    Operator(
                        roles=("data",),
                        shape=pool,
                        cost=POOL,
                        attribute_check=WINDOW,
                        traits=FOLDS,
                    ),
                ),
                **each(
                    "GlobalAveragePool GlobalMaxPool",
                    Operator(roles=("data",), shape=global_pool, cost=READ, traits=FOLDS),
                ),
            },
        ),
        family(
            "image",
            {
                "Upsample": Operator(roles=("operand",), shape=upsample, cost=INTERPOLATION),
            },
        ),
        family(
            "reshaping",
            {
                "ReorderInput": Operator(roles=("operand",), shape=reorder_input, cost=FREE),
                "ReorderOutput": Operator(roles=("operand",), shape=reorder_output, cost=FREE),
            },
        ),
    ]
)
