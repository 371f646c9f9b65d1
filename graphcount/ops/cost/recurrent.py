"""Recurrent layers: every gate multiplies the input and the last state, once a step.

MACs = seq · batch · directions · gates · hidden · (input + hidden), for both layouts; sequence_lens
is ignored (upper value). Element-wise, a step and hidden unit: RNN 1 activation; GRU 3 activations,
r⊙h, 1 − z, two products and their sum = 8 (linear_before_reset the same); LSTM 4 activations,
f⊙c, i⊙g, their sum, tanh(c), o⊙tanh(c) = 9, with peepholes 3 products more. The first state counts
as any other: torch's number, though a decomposed export may skip it.
Sources: ONNX Operators.md (RNN, GRU, LSTM); Cho et al. 2014; Hochreiter and Schmidhuber 1997.
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.ops.call import Call, size
from graphcount.ops.cost.spec import (
    Formula,
    Rule,
    Text,
    agree,
    attribute,
    factors,
    maybe,
    number,
    shape,
)
from graphcount.ops.tables import table
from graphcount.symbolic import Dim


class Layer(NamedTuple):
    """Sizes of a recurrent layer."""

    steps: Dim
    batch: Dim
    directions: int
    hidden: Dim
    features: Dim

    @property
    def states(self) -> Dim:
        """Hidden units computed in all steps."""
        return self.steps * self.batch * self.directions * self.hidden


def layer(call: Call, hidden_axis: int) -> Layer:
    """Sizes from X, R and the attributes; `hidden_axis` is that of R [directions, …]."""
    first, second, features = shape(call, 0, 3)
    steps, batch = (second, first) if attribute(call, "layout", 0) else (first, second)
    stated = attribute(call, "hidden_size", 0) or None
    kept = maybe(lambda: shape(call, 2, 3)[hidden_axis])
    directions = 2 if call.node.text("direction") == "bidirectional" else 1
    return Layer(steps, batch, directions, agree(stated, kept), features)


def _rule(gates: int, elementwise: int, hidden_axis: int = -1) -> Rule:
    def macs(call: Call) -> Dim:
        found = layer(call, hidden_axis)
        return found.states * gates * (found.features + found.hidden)

    def work(call: Call) -> Dim:
        peepholes = 3 if gates == 4 and call.has(7) else 0
        return layer(call, hidden_axis).states * (elementwise + peepholes)

    return Rule(
        "steps x batch x directions x gates x hidden x (input + hidden)",
        macs,
        work,
        _biases(gates, hidden_axis),
        _text(gates, hidden_axis),
    )


def _biases(gates: int, hidden_axis: int) -> Formula:
    """ONNX adds two biases a gate: that of the input and that of the recurrent half."""

    def added(call: Call) -> Dim:
        return layer(call, hidden_axis).states * (2 * gates) if call.has(3) else 0

    return added


def _text(gates: int, hidden_axis: int) -> Text:
    def text(call: Call) -> str:
        steps, batch, directions, hidden, features = layer(call, hidden_axis)
        macs = directions * gates * hidden * (features + hidden)
        one = gates * ((hidden + features) * hidden + hidden)
        two = gates * ((hidden + features) * hidden + 2 * hidden)
        twice = "2·" if directions == 2 else ""
        ways = ", both directions" if directions == 2 else ""
        h, i = number(hidden), number(features)
        stored = (
            f"{twice}{gates}·(({h} + {i})·{h} + {h}) = {number(directions * one)} parameters with"
            f" one bias a gate; ONNX keeps two (input and recurrent half), so"
            f" {twice}{gates}·(({h} + {i})·{h} + 2·{h}) = {number(directions * two)}"
            if call.has(3)
            else f"{twice}{gates}·({h} + {i})·{h} = {number(macs)} parameters, no bias"
        )
        return (
            f"{stored}; {twice}{gates}·{h}·({i} + {h}) = {number(macs)} MACs a step{ways}"
            f" x {factors(steps, batch)} steps·batch = {number(macs * steps * batch)} MACs"
        )

    return text


# ------------------------------------------------------------------- LSTM with attention


def _attending(call: Call) -> Dim:
    """AttnLSTM: an LSTM whose input is joined with what Bahdanau attention reads from a memory.

    Inputs: 9 query weights, 10 memory weights, 11 scores, 12 memory, 14 attention layer.
    """
    steps, batch, _ = shape(call, 0, 3)
    memory_batch, length, depth = shape(call, 12, 3)
    weights = [size(shape(call, index, 3)) for index in (1, 2, 9)]
    layers = size(shape(call, 14, 3)) if call.has(14) else 0
    scores = size(shape(call, 11, 2))
    directions = shape(call, 1, 3)[0]
    a_step = weights[0] + weights[1] + weights[2] + layers + length * (scores + directions * depth)
    return steps * batch * a_step + memory_batch * length * size(shape(call, 10, 3))


_LSTM = _rule(4, 9)
_QUANTIZED = _rule(4, 9, hidden_axis=1)

TABLE = {
    **table("", {"LSTM": _LSTM, "GRU": _rule(3, 8), "RNN": _rule(1, 1)}),
    **table(
        "com.microsoft",
        {
            "DynamicQuantizeLSTM": _QUANTIZED,
            "AttnLSTM": Rule(
                "LSTM gates and attention: every weight once a step, plus memory length x (score"
                " weights + memory depth) a step, plus the memory's own projection",
                _attending,
                _LSTM.elementwise,
                _LSTM.bias,
            ),
        },
    ),
}
"""DynamicQuantizeLSTM keeps R as [directions, hidden, 4·hidden]."""
