"""Attention: Q·Kᵀ and P·V, and the projections where the operator holds their weights.

MACs = batch · heads · queries · keys · (head size + value head size). Keys are the past ones and
the new ones. Masks do not reduce: causal, local and sparse patterns cost what the dense product
costs, as in torch.utils.flop_counter (sdpa_flop) divided by two. Element-wise: one a score for the
softmax, one more for a mask or bias that is added, one more for a soft cap; the scale is part of
the product; rotated queries and keys count one an element. A mask costs one addition a score even
where it is boolean.
Sources: Vaswani et al. 2017; ONNX Operators.md (Attention-23, RotaryEmbedding, LinearAttention-27).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.ops.call import Call, Shape, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    Formula,
    Text,
    attribute,
    checked,
    factors,
    input_shape,
    nothing,
    number,
    ranked,
    total,
)
from graphcount.ops.inference import add, of_input, over, same, times
from graphcount.ops.operator import KeptState, Operator, family, past, traits
from graphcount.symbolic import Dim

FindSizes = Callable[[Call], "AttentionSizes"]


class AttentionSizes(NamedTuple):
    """Sizes of an attention: `width` is heads x head size of Q, `v_width` heads x that of V."""

    batch: Dim
    heads: Dim
    queries: Dim
    keys: Dim
    width: Dim
    v_width: Dim

    @property
    def scores(self) -> Dim:
        """Scores: one for each query, key and head."""
        return self.batch * self.heads * self.queries * self.keys

    @property
    def macs(self) -> Dim:
        """Q·Kᵀ and P·V."""
        return self.batch * self.queries * self.keys * (self.width + self.v_width)


def attention_cost(
    find: FindSizes,
    *,
    mask: tuple[int, ...] = (),
    projection: Formula = nothing,
    bias: Formula = nothing,
    extra: Formula = nothing,
) -> CostRule:
    """Return the rule of an attention operator; inputs `mask` are added to the scores."""

    def work(call: Call) -> Dim:
        passes = 1 + any(call.has(index) for index in mask) + (call.node.number("softcap", 0) > 0)
        return find(call).scores * passes

    return CostRule(
        "batch x heads x queries x keys x (head size + value head size)"
        + ("" if projection is nothing else ", and the projection of its inputs"),
        total(lambda call: find(call).macs, projection),
        total(work, extra),
        bias,
        _text(find, projection),
    )


def _text(find: FindSizes, projection: Formula) -> Text:
    def text(call: Call) -> str:
        batch, heads, queries, keys, width, v_width = sizes = find(call)
        pairs = factors(batch, queries, keys)
        projected = projection(call)
        projecting = "" if projection is nothing else f"projection {number(projected)} + "
        return (
            f"{projecting}Q·Kᵀ {pairs}·{factors(width)} + P·V {pairs}·{factors(v_width)}"
            f" (batch·queries·keys·width of {number(heads)} heads)"
            f" = {number(sizes.macs + projected)} MACs; masks do not reduce it"
        )

    return text


# ------------------------------------------------------------------------- ai.onnx Attention


def heads(call: Call, index: int) -> Shape | None:
    """Return (batch, heads, length, head size) of Q, K or V; 3-D ones are (batch, length, all)."""
    shape = call.input(index)
    if shape is None or len(shape) == 4:
        return shape
    batch, length, width = shape
    count: int | None = call.node.integer("q_num_heads" if index == 0 else "kv_num_heads", 0)
    count = count or None
    return (batch, count, length, over(width, count))


def attention(call: Call) -> Shapes:
    """Attention: Y as Q with the head size of V; present keys and values; the scores."""
    q, k, v = (heads(call, index) for index in range(3))
    query = call.input(0)
    if q is None or v is None or query is None:
        return [None] * 4
    past = call.input(4)
    length = k[2] if k is not None else v[2]
    total = add(length, past[2] if past is not None else 0) if not call.has(4) or past else None
    y: Shape = (q[0], q[1], q[2], v[3])
    if len(query) == 3:
        y = (q[0], q[2], times(q[1], v[3]))
    size = k[3] if k is not None else None
    return [y, (q[0], v[1], total, size), (q[0], v[1], total, v[3]), (q[0], q[1], q[2], total)]


def _known_heads(call: Call, index: int) -> tuple[Dim, Dim, Dim, Dim]:
    input_shape(call, index, 3, 4)  # refuses other ranks and what is not known
    batch, count, length, one = heads(call, index) or (None,) * 4
    return checked(batch), checked(count), checked(length), checked(one)


def _sizes(call: Call) -> AttentionSizes:
    batch, count, queries, one = _known_heads(call, 0)
    _, _, keys, _ = _known_heads(call, 1)
    *_, v_one = _known_heads(call, 2)
    if call.has(4):
        keys = keys + input_shape(call, 4, 4)[2]
    return AttentionSizes(batch, count, queries, keys, count * one, count * v_one)


# --------------------------------------------------------------------------- LinearAttention


def _state(call: Call) -> Shape:
    """Return (batch, key heads, key size, value size): what LinearAttention keeps."""
    query, key, value = (ranked(call, index, 3) for index in range(3))
    kv_heads = call.node.integer("kv_num_heads", 0) or None
    key_size = over(key[2], kv_heads) if key is not None else None
    if key_size is None and query is not None:
        key_size = over(query[2], call.node.integer("q_num_heads", 0) or None)
    value_size = over(value[2], kv_heads) if value is not None else None
    return (query[0] if query is not None else None, kv_heads, key_size, value_size)


def linear_attention(call: Call) -> Shapes:
    """LinearAttention: (B, T, H * d_v), and the state (B, H_kv, d_k, d_v).

    H is H_q; onnxruntime's own allows more H_kv, which it is then, and a window of states.
    """
    query, value, node = call.input(0), call.input(2), call.node
    if query is None or value is None:
        return [None, call.input(3)]
    state = _state(call)
    q_heads, kv_heads = node.integer("q_num_heads", 0), node.integer("kv_num_heads", 0)
    width = times(state[3], max(q_heads, kv_heads) or None)
    window = node.integer("state_window", 0)
    return [(query[0], query[1], width), (window, *state) if window else state]


class Linear(NamedTuple):
    """Sizes of a linear attention: heads that read, heads that keep a state of key x value size."""

    tokens: Dim
    heads: int
    kv_heads: int
    state: Dim
    v_one: Dim
    rule: str


def _linear(call: Call) -> Linear:
    q_heads, kv_heads = attribute(call, "q_num_heads"), attribute(call, "kv_num_heads")
    batch, length, _ = input_shape(call, 0, 3)
    input_shape(call, 2, 3)
    _, _, key_size, value_size = _state(call)
    v_one = checked(value_size)
    rule = call.node.text("update_rule", "gated_delta")
    heads = max(q_heads, kv_heads)
    return Linear(batch * length, heads, kv_heads, checked(key_size) * v_one, v_one, rule)


def _linear_macs(call: Call) -> Dim:
    sizes = _linear(call)
    updates = sizes.kv_heads * (2 if "delta" in sizes.rule else 1)
    return sizes.tokens * sizes.state * (sizes.heads + updates)


def _linear_work(call: Call) -> Dim:
    sizes = _linear(call)
    decay = sizes.state if "gated" in sizes.rule else 0
    correction = 2 * sizes.v_one if "delta" in sizes.rule else 0
    return sizes.tokens * sizes.kv_heads * (decay + correction)


def _linear_text(call: Call) -> str:
    sizes = _linear(call)
    reads = ", and a read for the delta rule" if "delta" in sizes.rule else ""
    return (
        f"{number(sizes.tokens)} tokens x state of {number(sizes.state)} values a head: one update"
        f" for each of {sizes.kv_heads} key heads{reads}, one read for each of {sizes.heads} query"
        f" heads: {number(_linear_macs(call))} MACs"
    )


def _rotated(call: Call) -> Dim:
    """Return the elements RotaryEmbedding turns: X, or rotary_embedding_dim of a head."""
    data = input_shape(call, 0, 3, 4)
    part = attribute(call, "rotary_embedding_dim", 0)
    heads = attribute(call, "num_heads", 0)
    if not part or (len(data) == 3 and not heads):
        return size(data)
    return size(data[:3]) * part if len(data) == 4 else size(data[:2]) * heads * part


ROTARY = CostRule("a rotation turns each element by its position", elementwise=_rotated)


def flex_attention(call: Call) -> Shapes:
    """FlexAttention: Y as Q with the head size of V."""
    q, v = call.input(0), call.input(2)
    return [(*q[:3], v[3]) if q is not None and v is not None else None]


LINEAR_ATTENTION = Operator(
    roles=("operand", "operand", "operand", "state", "operand", "operand"),
    shape=linear_attention,
    dtypes=of_input(0, 3),
    states={3: KeptState(1, "ssm")},
    cost=CostRule(
        "tokens x heads x state (key size x value size), once for the update and once to read",
        _linear_macs,
        _linear_work,
        text=_linear_text,
    ),
)
"""ONNX's own of opset 27; onnxruntime's domain has it with more heads and a window of states."""

TABLE = family(
    "attention",
    {
        "Attention": Operator(
            roles=("operand", "operand", "operand", "mask", "state", "state", "shape"),
            shape=attention,
            dtypes=of_input(0, 1, 2, 0),
            cost=attention_cost(_sizes, mask=(3,)),
            states=past((4, 1), (5, 2)),
        ),
        "RotaryEmbedding": Operator(
            roles=("operand", "rotary table", "rotary table", "index"), shape=same(0), cost=ROTARY
        ),
        "LinearAttention": LINEAR_ATTENTION,
    },
)

PREVIEW = family(
    "attention",
    {
        "FlexAttention": Operator(
            roles=("operand", "operand", "operand"),
            shape=flex_attention,
            cost=attention_cost(_sizes),
            traits=traits("runs bodies"),
        ),
    },
)
