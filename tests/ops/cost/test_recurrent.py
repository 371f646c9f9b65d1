"""Recurrent layers: closed forms for both layouts, both directions, and a cell written out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from graphcount.ops.call import Call
from graphcount.ops.cost import Cost, explain
from graphcount.symbolic import symbol

Costs = Callable[..., Cost]
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
WORK = {"LSTM": 9, "GRU": 8, "RNN": 1}


@pytest.mark.parametrize("op_type", GATES)
@pytest.mark.parametrize(("layout", "directions", "bias"), list(product((0, 1), (1, 2), (0, 1))))
def test_layers(costs: Costs, op_type: str, layout: int, directions: int, bias: int) -> None:
    steps, batch, features, hidden, gates = 10, 3, 5, 7, GATES[op_type]
    x = (batch, steps, features) if layout else (steps, batch, features)
    w, r = (directions, gates * hidden, features), (directions, gates * hidden, hidden)
    inputs = [x, w, r, (directions, 2 * gates * hidden)][: 3 + bias]
    attributes: dict[str, Any] = {"hidden_size": hidden, "layout": layout}
    if directions == 2:
        attributes["direction"] = "bidirectional"
    a_step = sum(gates * hidden * (features + hidden) for _ in range(directions))
    units = steps * batch * directions * hidden
    expected = (
        steps * batch * a_step,
        units * WORK[op_type],
        steps * batch * directions * 2 * gates * hidden * bias,
    )
    assert costs(op_type, inputs, **attributes) == expected
    del attributes["hidden_size"]
    assert costs(op_type, inputs, **attributes) == expected
    if op_type == "LSTM":
        peepholes = [*inputs, *[None] * (7 - len(inputs)), (directions, 3 * hidden)]
        found = costs(op_type, peepholes, left_out=[4, 5, 6], **attributes)
        assert found.elementwise == units * 12


def test_torchinfo_counts_every_number_once_a_step(costs: Costs) -> None:
    inputs = [(100, 1, 64), (1, 256, 64), (1, 256, 64), (1, 512)]
    found = costs("LSTM", inputs, hidden_size=64)
    assert found.macs is not None
    assert found.bias is not None
    assert found.macs + found.bias == 100 * (256 * 64 + 256 * 64 + 512)


def test_quantized_lstm_keeps_its_weights_turned(costs: Costs) -> None:
    inputs = [(10, 3, 5), (1, 5, 28), (1, 7, 28), (1, 56)]
    found = costs("DynamicQuantizeLSTM", inputs, domain="com.microsoft", hidden_size=7)
    assert found.macs == 10 * 3 * 28 * (5 + 7)


def test_unequal_hidden_sizes_are_unknown(costs: Costs) -> None:
    assert costs("LSTM", [(10, 3, 5), None, (1, 28, 7)], hidden_size=8).macs is None
    assert costs("LSTM", [(10, 3, 5), None, None]).macs is None
    assert costs("LSTM", [(10, 3), None, None], hidden_size=8).macs is None


def test_symbols(costs: Costs) -> None:
    seq, batch = symbol("seq"), symbol("batch")
    assert costs("GRU", [(seq, batch, 5), None, (1, 21, 7)]).macs == 21 * 12 * seq * batch


def test_lstm_with_attention(costs: Costs) -> None:
    features, hidden, attention, depth, cell = 5, 7, 4, 6, 3
    inputs = [
        (10, 2, features),
        (1, 4 * hidden, features + cell),
        (1, 4 * hidden, hidden),
        *[None] * 5,
        (1, hidden, attention),
        (1, depth, attention),
        (1, attention),
        (2, 8, depth),
        None,
        (1, depth + hidden, cell),
    ]
    a_step = 4 * hidden * (features + cell + hidden) + hidden * attention
    a_step += 8 * (attention + depth) + (depth + hidden) * cell
    found = costs("AttnLSTM", inputs, domain="com.microsoft", hidden_size=hidden)
    assert found.macs == 10 * 2 * a_step + 2 * 8 * depth * attention


def test_words(call: Callable[..., Call]) -> None:
    inputs = [(100, 1, 64), (1, 256, 64), (1, 256, 64), (1, 512)]
    said = explain(call("LSTM", inputs, hidden_size=64))
    assert "4·((64 + 64)·64 + 64) = 33,024" in said
    assert "4·((64 + 64)·64 + 2·64) = 33,280" in said
    assert said.endswith("= 3,276,800 MACs")
    both = explain(call("GRU", inputs[:3], hidden_size=64, direction="bidirectional"))
    assert "both directions" in both
    assert "no bias" in both
    assert both == (
        "2·3·(64 + 64)·64 = 49,152 parameters, no bias; 2·3·64·(64 + 64) = 49,152 MACs a step,"
        " both directions x 100·1 steps·batch = 4,915,200 MACs"
    )
    doubled = explain(call("LSTM", inputs, hidden_size=64, direction="bidirectional"))
    assert doubled.startswith("2·4·((64 + 64)·64 + 64) = 66,048 parameters with one bias a gate")
    assert "2·4·((64 + 64)·64 + 2·64) = 66,560; " in doubled


def test_the_words_of_a_rule_without_numbers_of_its_own(call: Callable[..., Call]) -> None:
    """A layer of one unit on one feature, attending to one row of one number: all sums are 1."""
    ones = [(1, 1, 1), (1, 4, 2), (1, 4, 1), *[None] * 5, *[(1, 1, 1)] * 2, (1, 1), (1, 1, 1)]
    said = explain(call("AttnLSTM", ones, domain="com.microsoft", hidden_size=1))
    macs = (8 + 4 + 1 + 1 * (1 + 1)) + 1
    assert said.endswith(f"; {macs} MACs; 12 element-wise operations")
    unknown = explain(call("AttnLSTM", [], domain="com.microsoft"))
    assert "MACs unknown: a shape is not known" in unknown
    assert "element-wise operations unknown" in unknown
    assert "no MACs" not in unknown
