"""Residual streams that are mixed: hyper-connections, and the gate of Engram.

C streams of width H stand as (…, C, H), or flat as (…, C * H) with `num_branches`. Sums over
streams, over features or with a matrix are products; gates and norms count one an element.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    attribute,
    dimension,
    input_shape,
    inputs,
    number,
    plural,
)
from graphcount.ops.inference import over, same
from graphcount.ops.operator import Operator, family, merge
from graphcount.symbolic import Dim


def one_stream(call: Call) -> Shape | None:
    """Return the shape of one of the streams in input 0."""
    data, count = call.input(0), call.node.integer("num_branches", 0)
    if data is None:
        return None
    return (*data[:-1], over(data[-1], count)) if count else (*data[:-2], data[-1])


def pre_mix(call: Call) -> Shapes:
    """HyperConnectionPreMix: (…, H)."""
    return [one_stream(call)]


def low_rank_mix(call: Call) -> Shapes:
    """HyperConnectionLowRankMix: (…, H), a gate for each stream (…, C), and the streams."""
    data, count = call.input(0), call.node.integer("num_branches", 0) or None
    gates = (*data[:-1], count) if data is not None else None
    return [one_stream(call), gates, data]


def engram_gate(call: Call) -> Shapes:
    """EngramGate: as the keys (B, S, C, H), twice."""
    return [call.input(0), call.input(0)]


# ------------------------------------------------------------------------------------- costs


def _tokens(call: Call) -> Dim:
    return size(input_shape(call, 0)[:-1])


def _low_rank_weights(call: Call) -> Dim:
    result: Dim = 0
    for index in (2, 3, 4):
        result = result + size(input_shape(call, index, 2))
    return result


def _low_rank_macs(call: Call) -> Dim:
    return _tokens(call) * _low_rank_weights(call) + inputs(call)


def _low_rank_work(call: Call) -> Dim:
    """Return prologue (a product and a sum), norm and gate of each element; gates of the rank."""
    before = 2 * inputs(call) if call.has(5) else 0
    rank, count = input_shape(call, 2, 2)[1], attribute(call, "num_branches")
    return before + 2 * inputs(call) + _tokens(call) * (2 * rank + count)


def _low_rank_text(call: Call) -> str:
    return (
        f"{plural(_low_rank_weights(call), 'weight')} of three projections x"
        f" {plural(_tokens(call), 'token')} + {number(inputs(call))} gated elements summed over"
        f" the streams = {number(_low_rank_macs(call))} MACs"
    )


def _streams(call: Call) -> Dim:
    """Return the matrix of the streams times the streams, where there is one."""
    elements = inputs(call)
    if not call.has(3):
        return 0
    return elements * (attribute(call, "num_branches", 0) or dimension(call, 0, -2))


def _injected(call: Call) -> Dim:
    return 2 * inputs(call)


def _engram_work(call: Call) -> Dim:
    """Return both norms and the gated value, and its norm where it is asked for."""
    normed = inputs(call) if len([name for name in call.node.outputs if name]) > 1 else 0
    return 3 * inputs(call) + normed


TABLE = merge(
    [
        family(
            "linear",
            {
                "HyperConnectionPreMix": Operator(
                    roles=("operand", "operand"),
                    shape=pre_mix,
                    cost=CostRule("each element of a stream times its gate, summed", inputs),
                ),
                "HyperConnectionPostMix": Operator(
                    roles=("operand", "operand", "operand", "operand"),
                    shape=same(0),
                    cost=CostRule(
                        "streams x streams x features for each token",
                        _streams,
                        _injected,
                    ),
                ),
                "HyperConnectionLowRankMix": Operator(
                    roles=("operand", "scale", "weight", "weight", "weight", "operand", "operand"),
                    shape=low_rank_mix,
                    cost=CostRule(
                        "tokens x weights of three projections, and the sum over the streams",
                        _low_rank_macs,
                        _low_rank_work,
                        text=_low_rank_text,
                    ),
                ),
            },
        ),
        family(
            "attention",
            {
                "EngramGate": Operator(
                    roles=("operand", "operand", "operand", "scale", "scale", "scale"),
                    shape=engram_gate,
                    cost=CostRule("key times query for each stream", inputs, _engram_work),
                ),
            },
        ),
    ]
)
