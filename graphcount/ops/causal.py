"""Depthwise convolutions over a sequence that keep what the next call needs.

MACs = outputs x kernel, as a depthwise Conv; a fused activation counts one an output.
Sources: ONNX Operators.md (CausalConvWithState-27); onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    Formula,
    dimension,
    input_shape,
    nothing,
    number,
    outputs,
    when,
)
from graphcount.ops.inference import add, times
from graphcount.symbolic import Dim


def _taps(call: Call) -> Dim:
    """Return what one output of a depthwise convolution is a sum of: the kernel of (C, 1, k…)."""
    return size(input_shape(call, 1)[1:])


def _causal_macs(call: Call) -> Dim:
    return outputs(call) * _taps(call)


def _causal_text(call: Call) -> str:
    return (
        f"each of {number(outputs(call))} outputs is a sum over {number(_taps(call))} positions of"
        f" its own channel, of {number(dimension(call, 1, 0))}: {number(_causal_macs(call))} MACs"
    )


def causal_cost(bias: int, extra: Formula = nothing) -> CostRule:
    """Return the rule of a depthwise convolution over a sequence, in any layout."""

    def activation(call: Call) -> Dim:
        fused = call.node.text("activation", "none") in ("silu", "swish")
        return (outputs(call) if fused else 0) + extra(call)

    return CostRule(
        "outputs x kernel: each channel by itself",
        _causal_macs,
        activation,
        when(bias, outputs),
        _causal_text,
    )


def carried(call: Call) -> Dim | None:
    """Return how many positions of a sequence a causal convolution keeps for the next call."""
    weight, node = call.input(1), call.node
    stated = node.integer("state_length", 0)
    if stated:
        return stated
    kernel = weight[-1] if weight else None
    return times(add(kernel, -1), node.integer("dilation", 1))


def causal_conv(call: Call) -> Shapes:
    """CausalConvWithState: as the input; the state keeps what the kernel reaches back.

    Channels are axis 1 and positions the last axis. onnxruntime's own adds `dilation`, channels
    behind the sequence (`channels_last`), a window of states, and a part of the channels.
    """
    data, node = call.input(0), call.node
    if data is None:
        return [None, None, None]
    kept = carried(call)
    last = bool(node.integer("channels_last", 0))
    channels: Shape = data[2:] if last else data[1:2]
    taken = node.integer("input_channels", 0)
    result = data
    if taken:
        channels, result = (taken,), (*data[:-1], taken)
    is_state_last = (last, False, True)[node.integer("state_channels_last", -1) + 1]
    spatial = () if last else data[2:-1]
    state: Shape = (data[0], *channels, *spatial, kept)
    if is_state_last:
        state = (data[0], kept, *channels)
    window = node.integer("state_window", 0)
    if window:
        state = (window, *state)
    return [result, state, (data[0], node.integer("state_update_capacity", 0), *channels)]
