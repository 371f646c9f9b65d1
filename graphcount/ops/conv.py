"""Convolutions: a filter is laid on every position.

Conv: output positions x filters x (C_in/group · kernel). Padding is multiplied like data, strides
and dilations only change the number of positions. ConvTranspose spreads every input: input
positions x C_in x (C_out/group · kernel). Both as in torch.utils.flop_counter
(conv_flop_count) divided by two; thop counts transposed convolutions otherwise. Element-wise: a
fused activation and a fused sum count one an output each; DeformConv counts the values it
interpolates, QLinearConv the outputs it quantizes again.
Sources: ONNX Operators.md; Dumoulin and Visin, "A guide to convolution arithmetic" (2016).
"""

from __future__ import annotations

from graphcount.loading.model import Node
from graphcount.ops.attributes import WINDOW
from graphcount.ops.call import Call, Dims, Shape, ShapeRule, Shapes, listed, size
from graphcount.ops.causal import causal_conv, causal_cost
from graphcount.ops.formulas import (
    CostRule,
    Formula,
    Text,
    UnknownDimError,
    attribute,
    dimension,
    factors,
    input_shape,
    integers,
    nothing,
    number,
    output_shape,
    outputs,
    plural,
    total,
    when,
)
from graphcount.ops.inference import INT32, add, always, of_input, times
from graphcount.ops.operator import (
    FILTERS,
    SCALE,
    SCALED_DATA,
    SCALED_WEIGHT,
    TURNED_FILTERS,
    KeptState,
    Operator,
    Scaled,
    family,
    traits,
)
from graphcount.ops.pool import is_channels_last, slid, window_fault, windows
from graphcount.symbolic import Dim, floordiv


def conv_cost(
    w: int = 1, bias: int | None = 2, extra: Formula = nothing, words: str = ""
) -> CostRule:
    """Return the rule of a convolution with its weights at input `w` and biases at input `bias`."""

    def macs(call: Call) -> Dim:
        return outputs(call) * size(_filter(call, w))

    return CostRule(
        words or "output positions x filters x weights of a filter",
        macs,
        extra,
        nothing if bias is None else when(bias, outputs),
        _text(w, bias),
    )


def _filter(call: Call, w: int) -> Dims:
    """Return what one filter holds: C_in/group and the kernel, in the order the file keeps them."""
    out = output_shape(call)
    if len(out) < 3:
        raise UnknownDimError
    if call.input(w) is None:
        kernel = integers(call, "kernel_shape", len(out) - 2)
        channels = dimension(call, 0, -1 if is_channels_last(call.node) else 1)
        return (floordiv(channels, attribute(call, "group", 1)), *kernel)
    return input_shape(call, w, len(out))[1:]


def _positions(call: Call) -> Dims:
    """Return where a filter is laid: the batch, unless 1, and the output's spatial axes."""
    out = output_shape(call)
    spatial = out[1:-1] if is_channels_last(call.node) else out[2:]
    return spatial if out[0] == 1 else (out[0], *spatial)


def _text(w: int, bias: int | None) -> Text:
    def text(call: Call) -> str:
        one = _filter(call, w)
        positions = _positions(call)
        filters = output_shape(call)[-1 if is_channels_last(call.node) else 1]
        a_position = size(one) * filters
        weights = f"{factors(*one)} weights x {plural(filters, 'filter')}"
        stored = a_position
        if bias is not None and call.has(bias):
            stored = stored + filters
            weights += f" + {plural(filters, 'bias', 'biases')}"
        groups = attribute(call, "group", 1)
        seen = f" (a filter sees one of {number(groups)} groups of channels)" if groups > 1 else ""
        return (
            f"{weights} = {number(stored)}{seen}; {number(a_position)} MACs"
            f" x {factors(*positions)} positions = {number(a_position * size(positions))} MACs"
        )

    return text


# ------------------------------------------------------------------------------- transposed


def transposed(bias: int) -> CostRule:
    """Return the rule of a transposed convolution with biases at input `bias`."""

    def text(call: Call) -> str:
        macs = _transposed_macs(call)  # also refuses ranks that do not fit
        data, weights = input_shape(call, 0), input_shape(call, 1)
        biases = ""
        stored = size(weights)
        if call.has(bias):
            filters = dimension(call, bias, 0)
            stored = stored + filters
            biases = f" + {plural(filters, 'bias', 'biases')}"
        positions = data[2:] if data[0] == 1 else (data[0], *data[2:])
        return (
            f"{factors(*weights)} weights{biases} = {number(stored)}; transposed, so each of the"
            f" {factors(*positions)} input positions meets every weight:"
            f" {number(macs)} MACs"
        )

    return CostRule(
        "input positions x all weights (each input is spread over the kernel)",
        _transposed_macs,
        bias=when(bias, outputs),
        text=text,
    )


def _transposed_macs(call: Call) -> Dim:
    data = input_shape(call, 0)
    if len(data) < 3:
        raise UnknownDimError
    return size(data) * size(input_shape(call, 1, len(data))[1:])


# ------------------------------------------------------------------------------ other forms


def _samples(call: Call) -> Dim:
    """Count DeformConv's interpolations: one for each weight position of each channel."""
    out, data = output_shape(call), input_shape(call, 0)
    if len(out) < 3 or len(data) != len(out):
        raise UnknownDimError
    kernel = input_shape(call, 1, len(out))[2:]
    return out[0] * data[1] * size(kernel) * size(out[2:])


def _activation(call: Call) -> Dim:
    return outputs(call) if call.node.text("activation") else 0


FUSED: Formula = total(_activation, when(3, outputs))


# ------------------------------------------------------------------------------------- shapes


def kernel_of(node: Node, weight: Shape | None, rank: int) -> Shape:
    """Return sizes of the kernel: those of the weight (M, C/group, k…), or the attribute."""
    given = node.integers("kernel_shape")
    if given is not None:
        return given
    return weight[2:] if weight is not None else (None,) * (rank - 2)


def conv_at(weight_index: int) -> ShapeRule:
    """Conv whose weight (M, C/group, k…) is the input at an index."""

    def rule(call: Call) -> Shapes:
        data, weight = call.input(0), call.input(weight_index)
        if data is None:
            if weight is None:
                return [None]
            return [(None, weight[0], *(None,) * (len(weight) - 2))]
        kernels = kernel_of(call.node, weight, len(data))
        channels = weight[0] if weight else None
        return [(data[0], channels, *slid(call.node, data[2:], kernels))]

    return rule


def conv_transpose(call: Call) -> Shapes:
    """ConvTranspose: stride * (size - 1) + output_padding + kernel - pads, or `output_shape`."""
    data, node = call.input(0), call.node
    if data is None:
        return [None]
    given = node.integers("output_shape")
    count = len(data) - 2
    if given is not None:
        channels = _spread_channels(call)
        return [(data[0], channels, *given[-count:])] if len(given) >= count else [None]
    return [spread(call, data, None)]


def _spread_channels(call: Call) -> Dim | None:
    weight = call.input(1)
    return times(weight[1], call.node.integer("group", 1)) if weight is not None else None


def spread(call: Call, data: Shape, pads: Shape | None) -> Shape:
    """Return what a transposed convolution makes; its pads are an attribute, or given here."""
    node, count = call.node, len(data) - 2
    places = windows(node, kernel_of(node, call.input(1), len(data)))
    extra = node.integers("output_padding") or (0,) * count
    rows = list(zip(data[2:], places, extra, strict=True))
    channels = _spread_channels(call)
    if node.text("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return (data[0], channels, *[times(length, w.stride) for length, w, _ in rows])
    if pads is None:
        pads = (*[w.begin for w in places], *[w.end for w in places])
    cut = [add(begin, end) for begin, end in zip(pads[:count], pads[count:], strict=True)]
    sizes = [
        add(times(add(length, -1), w.stride), more, w.kernel, times(less, -1))
        for (length, w, more), less in zip(rows, cut, strict=True)
    ]
    return (data[0], channels, *sizes)


def filters(node: Node, weight: tuple[int, ...]) -> int | None:
    """Return the filters of a weight (M, C/group, k…)."""
    return weight[0] if weight else None


def transposed_filters(node: Node, weight: tuple[int, ...]) -> int | None:
    """Return the filters of a weight (C, M/group, k…)."""
    return weight[1] * node.integer("group", 1) if len(weight) > 1 else None


# -------------------------------------------------------------------------------------- check


def check_conv(call: Call) -> str:
    """X (N, C, D1, …) and W (M, C/group, k1, …)."""
    data, weight = call.input(0), call.input(1)
    if data is None:
        return ""
    kernel: Shape | None = call.node.integers("kernel_shape")
    if weight is not None:
        if len(weight) != len(data):
            return f"a weight of {len(weight)} dimensions for {len(data)}"
        why = _channels(call, data, weight) or _kernel(kernel, weight[2:])
        if why:
            return why
        kernel = weight[2:]
    return window_fault(call, data[2:], kernel)


def _channels(call: Call, data: Shape, weight: Shape) -> str:
    if len(data) < 2:
        return ""
    group = call.node.integer("group", 1)
    channels, held, made = data[1], weight[1], weight[0]
    if isinstance(channels, int) and isinstance(held, int) and channels != held * group:
        return f"{channels} channels for a weight of {held} in {group} groups"
    if isinstance(made, int) and group > 0 and made % group:
        return f"{made} channels in {group} groups"
    return ""


def _kernel(stated: Shape | None, held: Shape) -> str:
    if stated is None:
        return ""
    fits = len(stated) == len(held) and all(
        one == other or not isinstance(other, int) for one, other in zip(stated, held, strict=True)
    )
    return "" if fits else f"kernel_shape {listed(stated)} for a weight of {listed(held)}"


TABLE = family(
    "conv",
    {
        "Conv": Operator(
            roles=("data", "weight", "bias"),
            shape=conv_at(1),
            cost=conv_cost(),
            check=check_conv,
            factors=FILTERS,
            channels=filters,
            attribute_check=WINDOW,
        ),
        "ConvTranspose": Operator(
            roles=("data", "weight", "bias"),
            shape=conv_transpose,
            cost=transposed(2),
            factors=TURNED_FILTERS,
            channels=transposed_filters,
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
        "DeformConv": Operator(
            roles=("data", "weight", "operand", "bias", "mask"),
            shape=conv_at(1),
            cost=conv_cost(1, 3, _samples),
            factors=FILTERS,
            channels=filters,
            attribute_check=WINDOW,
        ),
        "ConvInteger": Operator(
            roles=("data", "quantized weight", "zero point", "zero point"),
            shape=conv_at(1),
            dtypes=always(INT32),
            cost=conv_cost(bias=None),
            check=check_conv,
            factors=(FILTERS[0]._replace(zero=3),),
            channels=filters,
            form_of="Conv",
            traits=traits("unscaled"),
            attribute_check=WINDOW,
        ),
        "QLinearConv": Operator(
            roles=(*SCALED_DATA, *SCALED_WEIGHT, *SCALE, "quantized bias"),
            shape=conv_at(3),
            dtypes=of_input(7),
            cost=conv_cost(3, 8, outputs),
            factors=(FILTERS[0]._replace(input=3, zero=5),),
            channels=filters,
            form_of="Conv",
            scaled=(Scaled(1, 2, 0), Scaled(4, 5, 3, "filters"), Scaled(6, 7)),
            attribute_check=WINDOW,
        ),
    },
)
