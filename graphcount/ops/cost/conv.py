"""Convolutions: a filter is laid on every position.

Conv: output positions x filters x (C_in/group · kernel). Padding is multiplied like data, strides
and dilations only change the number of positions. ConvTranspose spreads every input: input
positions x C_in x (C_out/group · kernel). Both as in torch.utils.flop_counter
(conv_flop_count) divided by two; thop counts transposed convolutions otherwise.
Sources: ONNX Operators.md; Dumoulin and Visin, "A guide to convolution arithmetic" (2016).
"""

from __future__ import annotations

from graphcount.ops.call import Call, size
from graphcount.ops.cost.spec import (
    Formula,
    Rule,
    Text,
    UnknownDimError,
    attribute,
    dim,
    factors,
    integers,
    nothing,
    number,
    output,
    outputs,
    plural,
    shape,
    total,
    when,
)
from graphcount.ops.tables import each, table
from graphcount.symbolic import Dim, floordiv

Shape = tuple[Dim, ...]


def conv(w: int = 1, bias: int | None = 2, extra: Formula = nothing, words: str = "") -> Rule:
    """The rule of a convolution with its weights at input `w` and biases at input `bias`."""

    def macs(call: Call) -> Dim:
        return outputs(call) * size(_filter(call, w))

    return Rule(
        words or "output positions x filters x weights of a filter",
        macs,
        extra,
        nothing if bias is None else when(bias, outputs),
        _text(w, bias),
    )


def _filter(call: Call, w: int) -> Shape:
    """What one filter holds: C_in/group and the kernel, in the order the file keeps them."""
    out = output(call)
    if len(out) < 3:
        raise UnknownDimError
    if call.input(w) is None:
        kernel = integers(call, "kernel_shape", len(out) - 2)
        return (floordiv(dim(call, 0, 1), attribute(call, "group", 1)), *kernel)
    return shape(call, w, len(out))[1:]


def _is_channels_last(call: Call) -> bool:
    return call.node.op_type.startswith("Nhwc") or bool(attribute(call, "channels_last", 0))


def _positions(call: Call) -> Shape:
    """Where a filter is laid: the batch, unless it is 1, and the spatial axes of the output."""
    out = output(call)
    spatial = out[1:-1] if _is_channels_last(call) else out[2:]
    return spatial if out[0] == 1 else (out[0], *spatial)


def _text(w: int, bias: int | None) -> Text:
    def text(call: Call) -> str:
        one = _filter(call, w)
        positions = _positions(call)
        filters = output(call)[-1 if _is_channels_last(call) else 1]
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


def transposed(bias: int) -> Rule:
    """The rule of a transposed convolution with biases at input `bias`."""

    def text(call: Call) -> str:
        macs = _transposed_macs(call)  # also refuses ranks that do not fit
        found, weights = shape(call, 0), shape(call, 1)
        biases = ""
        stored = size(weights)
        if call.has(bias):
            filters = dim(call, bias, 0)
            stored = stored + filters
            biases = f" + {plural(filters, 'bias', 'biases')}"
        positions = found[2:] if found[0] == 1 else (found[0], *found[2:])
        return (
            f"{factors(*weights)} weights{biases} = {number(stored)}; transposed, so each of the"
            f" {factors(*positions)} input positions meets every weight:"
            f" {number(macs)} MACs"
        )

    return Rule(
        "input positions x all weights (each input is spread over the kernel)",
        _transposed_macs,
        bias=when(bias, outputs),
        text=text,
    )


def _transposed_macs(call: Call) -> Dim:
    found = shape(call, 0)
    if len(found) < 3:
        raise UnknownDimError
    return size(found) * size(shape(call, 1, len(found))[1:])


# ------------------------------------------------------------------------------ other forms


def _samples(call: Call) -> Dim:
    """DeformConv interpolates a value for every weight position of every channel."""
    out, found = output(call), shape(call, 0)
    if len(out) < 3 or len(found) != len(out):
        raise UnknownDimError
    kernel = shape(call, 1, len(out))[2:]
    return out[0] * found[1] * size(kernel) * size(out[2:])


def _causal_activation(call: Call) -> Dim:
    return outputs(call) if call.node.text("activation", "none") in ("silu", "swish") else 0


def _activation(call: Call) -> Dim:
    return outputs(call) if call.node.text("activation") else 0


_FUSED: Formula = total(_activation, when(3, outputs))

TABLE = {
    **table(
        "",
        {
            "Conv": conv(),
            "ConvTranspose": transposed(2),
            "DeformConv": conv(1, 3, _samples),
            "CausalConvWithState": conv(extra=_causal_activation),
            "ConvInteger": conv(bias=None),
            "QLinearConv": conv(3, 8, outputs),
        },
    ),
    **table(
        "com.microsoft",
        {
            **each("FusedConv NhwcFusedConv", conv(extra=_FUSED)),
            "NhwcConv": conv(),
            "QLinearConv": conv(3, 8, outputs),
            "ConvTransposeWithDynamicPads": transposed(3),
        },
    ),
    **table("com.microsoft.nchwc", {"Conv": conv(extra=_FUSED)}),
}
"""Element-wise: a fused activation and a fused sum count one an output each; DeformConv counts the
values it interpolates, QLinearConv the outputs it quantizes again."""
