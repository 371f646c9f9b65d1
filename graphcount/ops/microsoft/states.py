"""Layers with a state of key size x value size a head: gated delta networks, Mamba-2.

A token updates the state by an outer product and reads it, a product each; the delta rule reads it
once more, for what is to be corrected. The decay scales each element of the state, and is
element-wise work like gates and norms that are fused.
Sources: onnxruntime/docs/ContribOperators.md; Yang et al., "Gated Delta Networks" (2024); Dao and
Gu, "Transformers are SSMs" (2024).
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.ops.attention import LINEAR_ATTENTION
from graphcount.ops.call import Call, Shape, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    UnknownDimError,
    attribute,
    checked,
    input_shape,
    number,
    plural,
    ranked,
)
from graphcount.ops.inference import FLOAT, add, always, over, product, same, times
from graphcount.ops.microsoft.conv import sequences
from graphcount.ops.operator import KeptState, Operator, family
from graphcount.symbolic import Dim


class Net(NamedTuple):
    """Sizes of a gated delta network; None where one is not known.

    Attributes:
        lead: Tokens, or sequences and their length.
        keys: Heads of queries and keys.
        values: Heads of values, states and results.
        key_size: Elements of a key.
        value_size: Elements of a value.
    """

    lead: Shape
    keys: Dim | None
    values: Dim | None
    key_size: Dim | None
    value_size: Dim | None


def _net(call: Call) -> Net:
    """Return sizes by Q, K and V, or by what packs all three and the state behind it."""
    query, value, state = ranked(call, 0, 2, 3, 4), ranked(call, 2, 3, 4), ranked(call, 6, 4)
    if query is None:
        raise UnknownDimError
    if call.has(1):
        values, value_size = value[-2:] if value is not None else (None, None)
        return Net(query[:-2], query[-2], values, query[-1], value_size)
    _, values, value_size, key_size = state if state is not None else (None,) * 4
    both = add(query[-1], times(times(values, value_size), -1))
    return Net(query[:-1], over(both, times(key_size, 2)), values, key_size, value_size)


def gated_delta_net(call: Call) -> Shapes:
    """GatedDeltaNet: a value for each head of V; states (B, H, d_v, d_k); what changed them."""
    net = _net(call)
    batch, decay = sequences(call, 3, 6), call.input(4)
    width = net.values
    if decay is not None and len(decay) > len(net.lead) + 1:
        width = times(net.values, net.key_size)
    values = times(net.values, net.value_size)
    a_step = add(width, times(net.keys, net.key_size), values)
    capacity = call.node.integer("state_update_capacity", 0)
    return [
        (*net.lead, net.values, net.value_size),
        (batch, net.values, net.value_size, net.key_size),
        (batch, times(a_step, capacity)),
    ]


def _rule(call: Call) -> str:
    return call.node.text("update_rule", "gated_delta")


def _tokens(net: Net) -> Dim:
    return checked(product(net.lead))


def _state(net: Net) -> Dim:
    """Return elements of the state of one head."""
    return checked(net.key_size) * checked(net.value_size)


def _net_macs(call: Call) -> Dim:
    input_shape(call, 0, 2, 3, 4)
    net = _net(call)
    products = 3 if "delta" in _rule(call) else 2
    return _tokens(net) * checked(net.values) * _state(net) * products


def _net_work(call: Call) -> Dim:
    net, node = _net(call), call.node
    values = _tokens(net) * checked(net.values)
    work: Dim = values * _state(net) if "gated" in _rule(call) else 0
    if "delta" in _rule(call):
        work = work + 2 * values * checked(net.value_size)
    if node.text("gate_activation", "none") != "none":
        work = work + 3 * size(input_shape(call, 4))
    if node.text("beta_activation", "none") != "none":
        work = work + values
    if node.integer("qk_l2_norm", 0):
        work = work + 2 * _tokens(net) * checked(net.keys) * checked(net.key_size)
    return work


def _net_text(call: Call) -> str:
    net = _net(call)
    reads = ", a read for the delta rule" if "delta" in _rule(call) else ""
    return (
        f"{plural(_tokens(net), 'token')} x {plural(checked(net.values), 'head')} x state of"
        f" {number(_state(net))}: one update{reads}, one read: {number(_net_macs(call))} MACs"
    )


# ------------------------------------------------------------------------------------- replay


def _replayed(call: Call) -> Dim:
    """GatedDeltaNetStateReplay: heads, sizes and steps that are kept are elements of input 3."""
    sizes = call.value(3)
    if sizes is None or len(sizes) != 11:
        raise UnknownDimError
    heads, value_size, key_size, kept = sizes[5], sizes[6], sizes[7], sizes[10]
    return checked(kept) * checked(heads) * checked(value_size) * checked(key_size)


# ------------------------------------------------------------------------------------ Mamba-2


class Mixer(NamedTuple):
    """Sizes of Mamba2Verify."""

    tokens: Dim
    heads: int
    inner: int
    channels: int
    state: int


def _mixer(call: Call) -> Mixer:
    tokens, _ = input_shape(call, 0, 2)
    heads, groups = attribute(call, "heads"), attribute(call, "n_groups")
    width, state = attribute(call, "head_dim", 64), attribute(call, "d_state", 128)
    return Mixer(tokens, heads, heads * width, heads * width + 2 * groups * state, state)


def mamba2(call: Call) -> Shapes:
    """Mamba2Verify: (R, heads * head size), both snapshots, what was convolved and read."""
    mixer = _mixer(call)
    result = (mixer.tokens, mixer.inner)
    return [result, call.input(1), call.input(2), (mixer.tokens, mixer.channels), result]


def _mixer_macs(call: Call) -> Dim:
    """Return four taps for each channel, an update and a read of each state."""
    mixer = _mixer(call)
    return mixer.tokens * (4 * mixer.channels + 2 * mixer.inner * mixer.state)


def _mixer_work(call: Call) -> Dim:
    """Return decay of the state; SiLU of what was convolved; step sizes; skip, gate and norm."""
    mixer = _mixer(call)
    a_token = mixer.inner * mixer.state + mixer.channels + 2 * mixer.heads + 4 * mixer.inner
    return mixer.tokens * a_token


def _mixer_biases(call: Call) -> Dim:
    mixer = _mixer(call)
    return mixer.tokens * mixer.channels


TABLE = family(
    "attention",
    {
        "LinearAttention": LINEAR_ATTENTION,
        "GatedDeltaNet": Operator(
            roles=(
                *("operand", "operand", "operand", "shape", "operand", "operand", "state"),
                *("weight", "bias", "shape", "scalar"),
            ),
            shape=gated_delta_net,
            dtypes=always(0, FLOAT, FLOAT),
            states={6: KeptState(1, "ssm")},
            cost=CostRule(
                "tokens x heads x state (key size x value size), once for each product",
                _net_macs,
                _net_work,
                text=_net_text,
            ),
        ),
        "GatedDeltaNetStateReplay": Operator(
            roles=("state", "state", "state", "shape"),
            shape=same(2),
            states={2: KeptState(0, "ssm")},
            cost=CostRule("a state updated for each step that is kept", _replayed, _replayed),
        ),
        "Mamba2Verify": Operator(
            roles=(
                *("operand", "state", "state", "weight", "bias", "bias", "weight", "weight"),
                *("scale", "index"),
            ),
            shape=mamba2,
            dtypes=always(0, 0, FLOAT, 0, FLOAT),
            states={1: KeptState(1, "convolution"), 2: KeptState(2, "ssm")},
            cost=CostRule(
                "tokens x (taps of all channels, and twice the states of all heads)",
                _mixer_macs,
                _mixer_work,
                _mixer_biases,
            ),
        ),
    },
)
