"""Normalisation and softmax: one operation for each element that is normalised.

Mean, variance and scale belong to that one operation, so a network counts the same whether its
exporter wrote LayerNormalization or kept BatchNormalization apart. LRN reads `size` channels for
each element. Skip forms add each of their sums.
Sources: ONNX Operators.md; Ioffe and Szegedy 2015; Ba et al. 2016; Zhang and Sennrich 2019.
"""

from __future__ import annotations

from graphcount.ops.call import Call, size
from graphcount.ops.cost.spec import (
    Rule,
    alike,
    attribute,
    dim,
    number,
    outputs,
    plural,
    shape,
    times,
    total,
    when,
)
from graphcount.ops.tables import each, table
from graphcount.symbolic import Dim


def _learned(call: Call, scale: int, shift: int | None) -> str:
    """`64 scales + 64 shifts = 128 parameters`."""
    scales = size(shape(call, scale))
    if shift is None or not call.has(shift):
        return f"{plural(scales, 'scale')}, no shift"
    shifts = size(shape(call, shift))
    return (
        f"{plural(scales, 'scale')} + {plural(shifts, 'shift')} = {number(scales + shifts)}"
        " parameters"
    )


def _batch_text(call: Call) -> str:
    channels = dim(call, 1, 0)
    return (
        f"{_learned(call, 1, 2)}; {plural(channels, 'running mean')} and"
        f" {plural(channels, 'running variance')} are averages kept from training, not learned by"
        f" gradient: buffers, not counted as parameters; one operation for each of"
        f" {number(alike(call))} elements, no MACs"
    )


def _norm(scale: int, shift: int | None, skips: tuple[int, ...] = ()) -> Rule:
    """A normalisation with learned scale and shift, after the sums with inputs `skips`."""
    work = total(alike, *(when(index, alike) for index in skips))

    def text(call: Call) -> str:
        sums = sum(call.has(index) for index in skips)
        before = f" after {plural(sums, 'sum')}" if sums else ""
        return (
            f"{_learned(call, scale, shift)}; one operation for each element{before}:"
            f" {number(work(call))} operations, no MACs"
        )

    return Rule("one operation for each element, and one for each sum", elementwise=work, text=text)


def _neighbours(call: Call) -> Dim:
    return alike(call) * attribute(call, "size")


def _swish(call: Call) -> Dim:
    return outputs(call) if attribute(call, "activation", 0) else 0


def _group(scale: int, shift: int, skips: tuple[int, ...] = ()) -> Rule:
    rule = _norm(scale, shift, skips)
    return Rule(
        "normalisation, the sums before it and the Swish behind it: one for each element",
        elementwise=total(rule.elementwise, _swish),
    )


PLAIN = Rule("one operation for each element: its own value over what all share", elementwise=alike)
SOFTMAX = Rule("one operation for each element: its exponential over their sum", elementwise=alike)
EMBED = Rule(
    "looked-up rows are added (word + position + segment) and normalised",
    elementwise=total(times(2, outputs), when(1, outputs)),
)

TABLE = {
    **table(
        "",
        {
            "BatchNormalization": Rule(
                "one operation for each element; running mean and variance are buffers",
                elementwise=alike,
                text=_batch_text,
            ),
            **each("InstanceNormalization LayerNormalization GroupNormalization", _norm(1, 2)),
            **each("RMSNormalization SimplifiedLayerNormalization", _norm(1, None)),
            **each("LpNormalization MeanVarianceNormalization", PLAIN),
            "LRN": Rule("`size` channels are read for each element", elementwise=_neighbours),
            **each("Softmax LogSoftmax", SOFTMAX),
            "Hardmax": Rule("one comparison for each element", elementwise=alike),
        },
    ),
    **table(
        "com.microsoft",
        {
            "LayerNormalization": _norm(1, 2),
            "SimplifiedLayerNormalization": _norm(1, None),
            "SkipLayerNormalization": _norm(2, 3, (1, 4)),
            "SkipSimplifiedLayerNormalization": _norm(2, None, (1, 3)),
            "GroupNorm": _group(1, 2),
            "SkipGroupNorm": _group(1, 2, (3, 4)),
            **each("EmbedLayerNormalization QEmbedLayerNormalization", EMBED),
        },
    ),
}
