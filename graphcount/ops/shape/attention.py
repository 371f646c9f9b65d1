"""Attention operators of ONNX (Operators.md: Attention-23, RotaryEmbedding, LinearAttention, …)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.kit import Rule, Shapes, add, over, same, times
from graphcount.ops.tables import Key, table
from graphcount.symbolic import Dim


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


def heads(call: Call, index: int) -> Shape | None:
    """(batch, heads, length, head size) of Q, K or V, which may be (batch, length, all heads)."""
    shape = call.input(index)
    if shape is None or len(shape) == 4:
        return shape
    batch, length, width = shape
    count: int | None = call.node.integer("q_num_heads" if index == 0 else "kv_num_heads", 0)
    count = count or None
    return (batch, count, length, over(width, count))


def linear_attention(call: Call) -> Shapes:
    """LinearAttention: (B, T, H_q * d_v), and the state (B, H_kv, d_k, d_v)."""
    query, key, value = (call.input(index) for index in range(3))
    if query is None or value is None:
        return [None, call.input(3)]
    q_heads, kv_heads = (call.node.integer(f"{name}_num_heads", 0) for name in ("q", "kv"))
    value_size = over(value[2], kv_heads)
    key_size: Dim | None = over(key[2], kv_heads) if key is not None else None
    state = (query[0], kv_heads, key_size, value_size)
    return [(query[0], query[1], times(value_size, q_heads)), state]


def flex_attention(call: Call) -> Shapes:
    """FlexAttention: Y as Q with the head size of V."""
    q, v = call.input(0), call.input(2)
    return [(*q[:3], v[3]) if q is not None and v is not None else None]


def causal_conv(call: Call) -> Shapes:
    """CausalConvWithState: as the input; the state keeps the last k - 1 positions."""
    data, weight = call.input(0), call.input(1)
    if data is None:
        return [None, None]
    kept = add(weight[2], -1) if weight is not None else None
    return [data, (data[0], data[1], kept)]


TABLE: dict[Key, Rule] = {
    **table(
        "",
        {
            "Attention": attention,
            "LinearAttention": linear_attention,
            "CausalConvWithState": causal_conv,
            "RotaryEmbedding": same(0),
        },
    ),
    **table("ai.onnx.preview", {"FlexAttention": flex_attention}),
}
