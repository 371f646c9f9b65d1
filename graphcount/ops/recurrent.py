"""Recurrent layers: every gate multiplies the input and the last state, once a step.

W, R, B and P hold every gate; B has the input and the recurrent half. MACs = seq · batch ·
directions · gates · hidden · (input + hidden), for both layouts; sequence_lens is ignored (upper
value). Element-wise, a step and hidden unit: RNN 1 activation; GRU 3 activations, r⊙h, 1 − z, two
products and their sum = 8 (linear_before_reset the same); LSTM 4 activations, f⊙c, i⊙g, their sum,
tanh(c), o⊙tanh(c) = 9, with peepholes 3 products more. The first state counts as any other: torch's
number, though a decomposed export may skip it.
Sources: ONNX Operators.md (RNN, GRU, LSTM); Cho et al. 2014; Hochreiter and Schmidhuber 1997.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from graphcount.ops.attributes import RECURRENT
from graphcount.ops.call import Call, ShapeRule, Shapes
from graphcount.ops.formulas import (
    CostRule,
    Formula,
    Text,
    agree,
    checked,
    factors,
    input_shape,
    maybe,
    number,
    ranked,
)
from graphcount.ops.operator import LAYER_WEIGHTS, KeptState, Operator, Role, family
from graphcount.symbolic import Dim

LayerSizes: TypeAlias = "tuple[Dim | None, Dim | None, int, Dim | None, Dim | None]"


class RecurrentSizes(NamedTuple):
    """Sizes of a recurrent layer."""

    steps: Dim
    batch: Dim
    directions: int
    hidden: Dim
    features: Dim

    @property
    def states(self) -> Dim:
        """Return how many hidden units are computed in all steps."""
        return self.steps * self.batch * self.directions * self.hidden


def layer(call: Call, hidden_axis: int) -> LayerSizes:
    """Return what is known of `RecurrentSizes` by X, R and the attributes.

    `hidden_axis` is that of R (directions, …).
    """
    data, recurrence, node = ranked(call, 0, 3), ranked(call, 2, 3), call.node
    first, second, features = data if data is not None else (None,) * 3
    steps, batch = (second, first) if node.integer("layout", 0) else (first, second)
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    hidden: Dim | None = node.integer("hidden_size", 0) or None
    if hidden is None and recurrence is not None:
        hidden = recurrence[hidden_axis]
    return steps, batch, directions, hidden, features


def _sizes(call: Call, hidden_axis: int) -> RecurrentSizes:
    kept = maybe(lambda: input_shape(call, 2, 3)[hidden_axis])
    stated = call.node.integer("hidden_size", 0) or None
    steps, batch, directions, _, features = layer(call, hidden_axis)
    hidden = checked(agree(stated, kept))
    return RecurrentSizes(checked(steps), checked(batch), directions, hidden, checked(features))


def recurrent(hidden_axis: int) -> ShapeRule:
    """Y (seq, directions, batch, hidden), Y_h and Y_c (directions, batch, hidden).

    With layout 1 the batch is first.
    """

    def rule(call: Call) -> Shapes:
        steps, batch, directions, hidden, _ = layer(call, hidden_axis)
        if call.node.integer("layout", 0):
            last = (batch, directions, hidden)
            return [(batch, steps, directions, hidden), last, last]
        final = (directions, batch, hidden)
        return [(steps, directions, batch, hidden), final, final]

    return rule


def check_layer(call: Call) -> str:
    """Compare the weights with the elements of a step, initial states with the batch."""
    data, weight = call.input(0), call.input(1)
    if data is not None and len(data) != 3:
        return f"data of {len(data)} dimensions where there are 3"
    if data is None:
        return ""
    features = data[2], weight[2] if weight is not None and len(weight) == 3 else None
    if _differ(*features):
        return f"weights for {features[1]} elements of a step that has {features[0]}"
    axis = 0 if call.node.integer("layout", 0) else 1
    for index in (5, 6):
        state = call.input(index) if call.has(index) else None
        held = state[axis] if state is not None and len(state) == 3 else None
        batch = data[0 if axis == 0 else 1]
        if _differ(batch, held):
            return f"an initial state for {held} sequences of {batch}"
    return ""


def _differ(a: Dim | None, b: Dim | None) -> bool:
    return isinstance(a, int) and isinstance(b, int) and a != b


def recurrent_cost(gates: int, elementwise: int, hidden_axis: int = 2) -> CostRule:
    """Return the rule of a layer with so many gates and element-wise operations a hidden unit."""

    def macs(call: Call) -> Dim:
        sizes = _sizes(call, hidden_axis)
        return sizes.states * gates * (sizes.features + sizes.hidden)

    def work(call: Call) -> Dim:
        peepholes = 3 if gates == 4 and call.has(7) else 0
        return _sizes(call, hidden_axis).states * (elementwise + peepholes)

    return CostRule(
        "steps x batch x directions x gates x hidden x (input + hidden)",
        macs,
        work,
        _biases(gates, hidden_axis),
        _text(gates, hidden_axis),
    )


def _biases(gates: int, hidden_axis: int) -> Formula:
    """ONNX adds two biases a gate: that of the input and that of the recurrent half."""

    def added(call: Call) -> Dim:
        return _sizes(call, hidden_axis).states * (2 * gates) if call.has(3) else 0

    return added


def _text(gates: int, hidden_axis: int) -> Text:
    def text(call: Call) -> str:
        steps, batch, directions, hidden, features = _sizes(call, hidden_axis)
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


LSTM_COST = recurrent_cost(4, 9)

WEIGHTS: tuple[Role, ...] = ("weight", "recurrent weight", "bias")
ROLES: tuple[Role, ...] = ("data", *WEIGHTS, "shape", "initial state")

TABLE = family(
    "recurrent",
    {
        "LSTM": Operator(
            roles=(*ROLES, "initial state", "peephole weight"),
            shape=recurrent(2),
            states={5: KeptState(1, "recurrent", batch=1), 6: KeptState(2, "recurrent", batch=1)},
            cost=LSTM_COST,
            factors=LAYER_WEIGHTS,
            attribute_check=RECURRENT,
            check=check_layer,
        ),
        "GRU": Operator(
            roles=ROLES,
            shape=recurrent(2),
            states={5: KeptState(1, "recurrent", batch=1)},
            cost=recurrent_cost(3, 8),
            factors=LAYER_WEIGHTS,
            attribute_check=RECURRENT,
            check=check_layer,
        ),
        "RNN": Operator(
            roles=ROLES,
            shape=recurrent(2),
            states={5: KeptState(1, "recurrent", batch=1)},
            cost=recurrent_cost(1, 1),
            factors=LAYER_WEIGHTS,
            attribute_check=RECURRENT,
            check=check_layer,
        ),
    },
)
