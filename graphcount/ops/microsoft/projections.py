"""Attention operators of onnxruntime: Q, K and V are found once, for the cost and for the shapes.

Attention is counted as in the default domain: past keys included, masks and sparse patterns not
taken off. A cache that the operator shares between past and present counts with its full length
(upper value). LongformerAttention's second projection is that of global tokens, computed for all
(upper).
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.ops.attention import AttentionSizes, FindSizes
from graphcount.ops.call import Call, Shape, ShapeRule, Shapes, size
from graphcount.ops.formulas import (
    Formula,
    attribute,
    checked,
    input_shape,
    ranked,
)
from graphcount.ops.inference import add, larger, over, times
from graphcount.symbolic import Dim


class Projected(NamedTuple):
    """Q, K and V of an attention; None where a size is not known.

    Attributes:
        batch: Sequences.
        heads: Heads of Q.
        queries: Queries of a sequence.
        new: Keys that the inputs bring.
        keys: Keys in all, those of the past included.
        width: Heads x head size of Q.
        v_width: Heads x head size of V.
    """

    batch: Dim | None
    heads: int | None
    queries: Dim | None
    new: Dim | None
    keys: Dim | None
    width: Dim | None
    v_width: Dim | None

    @property
    def size(self) -> Dim | None:
        """Return the head size of Q and K."""
        return over(self.width, self.heads)

    @property
    def v_size(self) -> Dim | None:
        """Return the head size of V."""
        return over(self.v_width, self.heads)


Project = Callable[[Call], Projected]


def costed(project: Project) -> FindSizes:
    """Return the sizes that a cost needs, all of them known."""

    def find(call: Call) -> AttentionSizes:
        projected = project(call)
        return AttentionSizes(
            checked(projected.batch),
            attribute(call, "num_heads"),
            checked(projected.queries),
            checked(projected.keys),
            checked(projected.width),
            checked(projected.v_width),
        )

    return find


def _heads(call: Call) -> int | None:
    return call.node.integer("num_heads", 0) or None


def with_past(call: Call, new: Dim | None, past: int, axis: int) -> Dim | None:
    """Return the keys, new and past; all of a cache that past and present share."""
    if not call.has(past):
        return new
    cache = ranked(call, past, axis + 2)
    if cache is None:
        return None
    kept = cache[axis]
    return kept if call.node.integer("past_present_share_buffer", 0) else add(kept, new)


# ----------------------------------------- Attention: projects one input to Q, K and V itself


def _widths(call: Call) -> tuple[Dim | None, Dim | None]:
    """Return widths of Q and V where one weight (input 1, its bias input 2) makes Q, K and V."""
    stated = call.node.integers("qkv_hidden_sizes")
    if stated:
        return (stated[0], stated[2]) if len(stated) == 3 else (None, None)
    weight, bias = ranked(call, 1, 2), ranked(call, 2, 1)
    third = over(weight[1] if weight is not None else (bias[0] if bias else None), 3)
    return third, third


def joint(past: int) -> Project:
    """Return how one input (B, S, hidden) is projected; the cache is the input `past`."""

    def project(call: Call) -> Projected:
        batch, length, _ = ranked(call, 0, 3) or (None,) * 3
        keys = with_past(call, length, past, 3)
        return Projected(batch, _heads(call), length, length, keys, *_widths(call))

    return project


def self_attention(past: int) -> ShapeRule:
    """Attention and its kin: Q, K and V come from one weight (hidden, 3 * width).

    `qkv_hidden_sizes` gives Q, K and V widths of their own; `present` is (2, B, heads, …), or the
    buffer that it shares with the past.
    """
    project = joint(past)

    def rule(call: Call) -> Shapes:
        projected = project(call)
        result = (projected.batch, projected.queries, projected.v_width)
        if call.input(0) is None:
            return [result, None]
        present: Shape | None = (
            2,
            projected.batch,
            projected.heads,
            projected.keys,
            projected.v_size,
        )
        if call.has(past) and call.node.integer("past_present_share_buffer", 0):
            present = call.input(past)
        return [result, present]

    return rule


def projection(call: Call) -> Dim:
    """Return the MACs of the weight that makes Q, K and V."""
    return size(input_shape(call, 0, 2, 3)) * input_shape(call, 1, 2)[1]


def projection_bias(call: Call) -> Dim:
    """Return the additions of the bias of that weight."""
    if not call.has(2):
        return 0
    return size(input_shape(call, 0, 2, 3)[:-1]) * input_shape(call, 1, 2)[1]


def packed(call: Call) -> Projected:
    """Tokens of all sequences in one list; token_offset [batch, length] says how they were cut."""
    batch, length = ranked(call, 3, 2) or (None, None)
    return Projected(batch, _heads(call), length, length, length, *_widths(call))


def packed_attention(call: Call) -> Shapes:
    """PackedAttention: tokens of all sequences in one list (tokens, value width)."""
    data = call.input(0)
    return [(data[0] if data is not None else None, _widths(call)[1])]


def windowed(call: Call) -> Projected:
    """Longformer: a query meets `window` keys on each side; global tokens are data, left out."""
    batch, length, _ = ranked(call, 0, 3) or (None,) * 3
    keys = 2 * attribute(call, "window")
    return Projected(batch, _heads(call), length, length, keys, *_widths(call))


def twice_projected(call: Call) -> Dim:
    """Return the MACs of both projections, that of global tokens for all tokens."""
    return projection(call) + size(input_shape(call, 0, 3)) * input_shape(call, 4, 2)[1]


# --------------------------------------------------- attention over projected Q, K and V


def multi_head(past: int) -> Project:
    """Q [B, S, W] or packed [B, S, heads, 3, size]; K and V apart, packed, or [B, heads, L, size].

    Without K (the packed form) the keys are those of Q itself.
    """

    def project(call: Call) -> Projected:
        count = _heads(call)
        query = ranked(call, 0, 3, 5) or (None,) * 3
        width = query[2] if len(query) == 3 else times(query[2], query[4])
        new, v_width = _new_keys(call, count, query[1], width)
        keys = with_past(call, new, past, 2)
        return Projected(query[0], count, query[1], new, keys, width, v_width)

    return project


def _new_keys(
    call: Call, count: int | None, length: Dim | None, width: Dim | None
) -> tuple[Dim | None, Dim | None]:
    """Return the keys and the value width that the K and V inputs bring."""
    if not call.has(1):
        return length, width
    key, value = ranked(call, 1, 3, 4, 5), ranked(call, 2, 3, 4)
    if key is not None and len(key) == 5:  # packed K and V: (B, L, heads, 2, head size)
        return key[1], times(key[4], count)
    longer = value if key is None else key
    new = None if longer is None else longer[1] if len(longer) == 3 else longer[2]
    if not call.has(2):
        return new, width
    if value is None:
        return new, None
    return new, value[2] if len(value) == 3 else times(value[3], count)


def multi_head_attention(past: int) -> ShapeRule:
    """Return the rule of the result, present keys and present values; `past` keys are an input."""

    def rule(call: Call) -> Shapes:
        projected = multi_head(past)(call)
        if call.input(0) is None:
            return [None, None, None]
        head = (projected.batch, projected.heads, projected.keys)
        result = (projected.batch, projected.queries, projected.v_width)
        return [result, (*head, projected.size), (*head, projected.v_size)]

    return rule


def new_key_biases(index: int, past: int) -> Callable[[Call], Dim]:
    """Return the additions of the joint bias of Q, K and V: one for each of their elements."""

    def added(call: Call) -> Dim:
        if not call.has(index):
            return 0
        projected = multi_head(past)(call)
        batch, width = checked(projected.batch), checked(projected.width)
        queries = batch * checked(projected.queries) * width
        if call.has(1) and len(input_shape(call, 1)) == 4:
            return queries  # keys of a cross attention come projected and biased
        return queries + batch * checked(projected.new) * (width + checked(projected.v_width))

    return added


def packed_multi_head(call: Call) -> Projected:
    """Q (tokens, width) with K and V, or (tokens, heads, 3, head size) without."""
    batch, length = ranked(call, 4, 2) or (None, None)
    query, value = ranked(call, 0, 2, 4) or (None, None), ranked(call, 2, 2)
    width = query[1] if len(query) == 2 else times(query[1], query[3])
    v_width = width
    if len(query) == 2 and call.has(2):
        v_width = value[1] if value is not None else None
    return Projected(batch, _heads(call), length, length, length, width, v_width)


def packed_multi_head_attention(call: Call) -> Shapes:
    """PackedMultiHeadAttention: (tokens, value width)."""
    query = call.input(0)
    return [(query[0] if query is not None else None, packed_multi_head(call).v_width)]


def packed_biases(call: Call) -> Dim:
    """Return the additions of the joint bias, one for each element of Q, K and V."""
    query = input_shape(call, 0, 2, 4)
    return query[0] * size(input_shape(call, 3, 1)) if call.has(3) else 0


# ------------------------------------------------------------------------ grouped queries


def grouped(total: int) -> Project:
    """Several query heads share a key head; queries, keys and values may come packed in Q.

    Keys in all are stated by input `total`, else the length of present_key, else past and new.
    """

    def project(call: Call) -> Projected:
        count, kv_count = _heads(call), call.node.integer("kv_num_heads", 0) or None
        batch, length, width = ranked(call, 0, 3) or (None,) * 3
        new = length
        if call.has(1):
            key = ranked(call, 1, 3, 4)
            new = None if key is None else key[-2]
        elif count is not None:
            width = times(over(width, add(count, times(2, kv_count))), count)
        keys = _all_keys(call, new, total)
        return Projected(batch, count, length, new, keys, width, width)

    return project


def _all_keys(call: Call, new: Dim | None, total: int) -> Dim | None:
    stated = call.value(total)
    if stated is not None and len(stated) == 1:
        return stated[0]
    present = call.outputs[1] if len(call.outputs) > 1 else None
    if present is not None and len(present) == 4 and present[2] is not None:
        return present[2]
    return with_past(call, new, 3, 2)


def grouped_attention(total: int) -> ShapeRule:
    """GroupQueryAttention, SparseAttention: the result and present (B, kv heads, L, size), twice.

    The present is as long as the past that the caller hands over, which may have room for more, or
    as all keys where these are more.
    """
    project = grouped(total)

    def rule(call: Call) -> Shapes:
        projected, past = project(call), call.input(3)
        if call.input(0) is None:
            return [None, None, None]
        kept = past[2] if past is not None else None if call.has(3) else 0
        length = projected.new
        if kept != 0:
            stated = call.value(total)
            length = _longer(kept, stated[0] if stated is not None and len(stated) == 1 else None)
        kv_count = call.node.integer("kv_num_heads", 0) or None
        present = (projected.batch, kv_count, length, projected.size)
        return [(projected.batch, projected.queries, projected.v_width), present, present]

    return rule


def _longer(a: Dim | None, b: Dim | None) -> Dim | None:
    """Return the larger of two lengths; None where sizes decide which one that is."""
    if a is None or b is None:
        return None
    longer = larger(a, b)
    return longer if longer in (a, b) else None


def rotations(total: int) -> Formula:
    """Count the elements of queries and new keys that the operator rotates itself."""
    project = grouped(total)

    def rotated(call: Call) -> Dim:
        if not attribute(call, "do_rotary", 0):
            return 0
        heads, kv_heads = attribute(call, "num_heads"), attribute(call, "kv_num_heads")
        projected = project(call)
        tokens = checked(projected.batch) * checked(projected.queries)
        return tokens * checked(projected.size) * (heads + kv_heads)

    return rotated
