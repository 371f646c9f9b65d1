"""Recurrent layers (Operators.md: LSTM, GRU, RNN): every step, the last state, the last cell."""

from __future__ import annotations

from graphcount.ops.call import Call
from graphcount.ops.shape.kit import Rule, Shapes, over
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim


def recurrent(call: Call) -> Shapes:
    """Y (seq, directions, batch, hidden), Y_h and Y_c (directions, batch, hidden).

    With layout 1 the batch is first.
    """
    data, recurrence, node = call.input(0), call.input(2), call.node
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    seq, batch, _ = data if data is not None else (None,) * 3
    hidden: Dim | None = node.integer("hidden_size", 0) or None
    if hidden is None and recurrence is not None:
        hidden = recurrence[2]
    if node.integer("layout", 0):
        seq, batch = batch, seq
        last = (batch, directions, hidden)
        return [(batch, seq, directions, hidden), last, last]
    final = (directions, batch, hidden)
    return [(seq, directions, batch, hidden), final, final]


def dynamic_quantize_lstm(call: Call) -> Shapes:
    """DynamicQuantizeLSTM (ContribOperators.md): R is stored as (directions, hidden, 4*hidden)."""
    data, recurrence = call.input(0), call.input(2)
    hidden: Dim | None = call.node.integer("hidden_size", 0) or None
    if hidden is None and recurrence is not None:
        hidden = over(recurrence[2], 4)
    directions = 2 if call.node.text("direction", "forward") == "bidirectional" else 1
    seq, batch, _ = data if data is not None else (None,) * 3
    last = (directions, batch, hidden)
    return [(seq, directions, batch, hidden), last, last]


TABLE: dict[Key, Rule] = {
    **table("", each("LSTM GRU RNN", recurrent)),
    **table("com.microsoft", {"DynamicQuantizeLSTM": dynamic_quantize_lstm}),
}
