"""Sizes of parameters from the place they have in a torch call and the node made of it.

Argument positions follow torch's native_functions.yaml.
"""

from __future__ import annotations

from collections.abc import Callable

from graphcount.analysis.framework import fx
from graphcount.analysis.framework.evidence import Evidence
from graphcount.analysis.framework.sizes import Called

Sizer = Callable[[fx.FxCall, tuple[str, ...], Evidence], dict[str, int]]
"""From a call and the ids of its ONNX nodes to placeholder → elements."""


def _weight(nodes: tuple[str, ...], evidence: Evidence) -> tuple[int, int | None] | None:
    """Elements of the one stored weight of these nodes, and its output channels."""
    for node in nodes:
        for row, use in evidence.by_node.get(node, ()):
            if use.index == 1 and use.role in ("weight", "quantized weight"):
                return row.elements, evidence.channels(node)
    return None


def _product(weight: int, bias: int) -> Sizer:
    """Of linear, conv and addmm: the weight's elements, and the output channels for the bias."""

    def size(call: fx.FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
        found = _weight(nodes, evidence)
        sizes: dict[str, int] = {}
        if found is None:
            return sizes
        elements, channels = found
        _put(sizes, call, weight, elements)
        if channels is not None:
            _put(sizes, call, bias, channels)
        return sizes

    return size


def _layer_norm(call: fx.FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
    """Of layer_norm(x, [shape], weight, bias): the shape is written out."""
    sizes: dict[str, int] = {}
    elements = fx.sizes(call.args[1]) if len(call.args) > 1 else None
    if elements is not None:
        _put(sizes, call, 2, elements)
        if not call.target.endswith("rms_norm"):
            _put(sizes, call, 3, elements)
    return sizes


def _channel_norm(weight: int, bias: int) -> Sizer:
    """Of batch_norm, group_norm, instance_norm: a number for each channel."""

    def size(call: fx.FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for node in nodes:
            channels = _norm_channels(node, evidence)
            if channels is not None:
                _put(sizes, call, weight, channels)
                _put(sizes, call, bias, channels)
                break
        return sizes

    return size


def _norm_channels(node: str, evidence: Evidence) -> int | None:
    """Channels of a norm, or of the product that a BatchNormalization was folded into."""
    operator = evidence.graph.nodes[node].operator
    if operator is not None and operator.normalises:
        row = evidence.stored(node, "scale", "bias", "running mean", "running variance")
        return row.elements if row is not None else None
    return evidence.channels(node)


def _one(position: int, *roles: str) -> Sizer:
    """One parameter, the one stored tensor in one of these roles."""

    def size(call: fx.FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for node in nodes:
            row = evidence.stored(node, *roles)
            if row is not None:
                _put(sizes, call, position, row.elements)
                break
        return sizes

    return size


def _recurrent(call: fx.FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
    """Of lstm, gru, rnn: weight_ih, weight_hh(, bias_ih, bias_hh) a direction and layer."""
    names = fx.names(call.args[2]) if len(call.args) > 2 else ()
    sizes: list[int] = []
    for node in nodes:
        operator = evidence.graph.nodes[node].operator
        if operator is None or not operator.is_recurrent:
            continue
        weight = evidence.stored(node, "weight")
        recurrent = evidence.stored(node, "recurrent weight")
        if weight is None or recurrent is None or len(weight.stored.shape) != 3:
            return {}
        biased = evidence.stored(node, "bias")
        for _ in range(min(weight.stored.shape[0], 2)):
            sizes.append(weight.elements // weight.stored.shape[0])
            sizes.append(recurrent.elements // weight.stored.shape[0])
            if biased is not None:
                sizes.extend([weight.stored.shape[1]] * 2)
    return dict(zip(names, sizes, strict=True)) if len(sizes) == len(names) else {}


def _put(sizes: dict[str, int], call: fx.FxCall, position: int, elements: int) -> None:
    if 0 <= position < len(call.args):
        argument = call.args[position]
        if argument.startswith("%p_"):
            sizes[argument[1:]] = elements


SIZERS: dict[str, Sizer] = {
    "aten.linear": _product(1, 2),
    "aten.addmm": _product(2, 0),
    "aten.mm": _product(1, -1),
    **dict.fromkeys(
        ("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.convolution"), _product(1, 2)
    ),
    **dict.fromkeys(
        ("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d"),
        _product(1, 2),
    ),
    "aten.layer_norm": _layer_norm,
    "aten.native_layer_norm": _layer_norm,
    "aten.rms_norm": _layer_norm,
    "aten.batch_norm": _channel_norm(1, 2),
    "aten._native_batch_norm_legit_no_training": _channel_norm(1, 2),
    "aten._native_batch_norm_legit": _channel_norm(1, 2),
    "aten._native_batch_norm_legit_functional": _channel_norm(1, 2),
    "aten.native_batch_norm": _channel_norm(1, 2),
    "aten.instance_norm": _channel_norm(1, 2),
    "aten.embedding": _one(0, "embedding"),
    "aten.prelu": _one(1, "slope"),
    "aten._prelu_kernel": _one(1, "slope"),
    "aten.lstm": _recurrent,
    "aten.gru": _recurrent,
    "aten.rnn_tanh": _recurrent,
    "aten.rnn_relu": _recurrent,
}
"""How a call sizes its parameters, by the operator's name."""


def size_by_role(called: Called, evidence: Evidence) -> dict[str, int]:
    """Placeholder → elements, by the operator of the call."""
    sizer = SIZERS.get(called.call.target)
    return sizer(called.call, called.nodes, evidence) if sizer else {}


def size_by_operand(called: Called, evidence: Evidence) -> dict[str, int]:
    """One placeholder and one stored tensor: they belong together."""
    placeholders = {
        name for argument in called.call.args for name in fx.names(argument) if name[:2] == "p_"
    }
    rows = [
        row
        for node in called.nodes
        for row, _ in evidence.by_node.get(node, ())
        if row.elements > 1 and row.verdict.kind in ("parameter", "buffer")
    ]
    if len(placeholders) != 1 or len({row.stored.key for row in rows}) != 1:
        return {}
    return {placeholders.pop(): rows[0].elements}
