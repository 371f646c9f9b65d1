"""com.microsoft operators with formulas of their own: fused attentions, experts, word embeddings.

Attention is counted as in `attention`: past keys included, masks and sparse patterns not taken
off. A cache that the operator shares between past and present counts with its full length (upper
value). Mixtures of experts count the k experts a token goes to, not those that are stored.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable

from graphcount.ops.call import Call, size
from graphcount.ops.cost.attention import ROTARY, Sizes, attention
from graphcount.ops.cost.spec import (
    Rule,
    UnknownDimError,
    attribute,
    checked,
    dim,
    integers,
    number,
    output,
    outputs,
    plural,
    shape,
    when,
)
from graphcount.ops.tables import table
from graphcount.symbolic import Dim, floordiv, maximum

Shape = tuple[Dim, ...]
Find = Callable[[Call], Sizes]


def _with_past(call: Call, new: Dim, past: int, axis: int) -> Dim:
    """Keys: the new ones and those of the past; all of a cache that past and present share."""
    if not call.has(past):
        return new
    kept = dim(call, past, axis)
    return kept if attribute(call, "past_present_share_buffer", 0) else kept + new


# ----------------------------------------- Attention: projects one input to Q, K and V itself


def _widths(call: Call) -> tuple[Dim, Dim]:
    """(query width, value width) of one weight that holds Q, K and V side by side."""
    if call.node.integers("qkv_hidden_sizes"):
        query, _, value = integers(call, "qkv_hidden_sizes", 3)
        return query, value
    third = floordiv(shape(call, 1, 2)[1], 3)
    return third, third


def _projection(call: Call) -> Dim:
    return size(shape(call, 0, 2, 3)) * shape(call, 1, 2)[1]


def _projection_bias(call: Call) -> Dim:
    return size(shape(call, 0, 2, 3)[:-1]) * shape(call, 1, 2)[1] if call.has(2) else 0


def _self_attention(past: int) -> Find:
    def find(call: Call) -> Sizes:
        batch, length, _ = shape(call, 0, 3)
        keys = _with_past(call, length, past, 3)
        return Sizes(batch, attribute(call, "num_heads"), length, keys, *_widths(call))

    return find


def _packed_attention(call: Call) -> Sizes:
    """Tokens of all sequences in one list; token_offset [batch, length] says how they were cut."""
    batch, length = shape(call, 3, 2)
    return Sizes(batch, attribute(call, "num_heads"), length, length, *_widths(call))


def _windowed(call: Call) -> Sizes:
    """Longformer: a query meets `window` keys on each side; global tokens are data, left out."""
    batch, length, _ = shape(call, 0, 3)
    keys = 2 * attribute(call, "window")
    return Sizes(batch, attribute(call, "num_heads"), length, keys, *_widths(call))


def _twice_projected(call: Call) -> Dim:
    return _projection(call) + size(shape(call, 0, 3)) * shape(call, 4, 2)[1]


# --------------------------------------------------- attention over projected Q, K and V


def _multi_head(past: int) -> Find:
    """Q [B, S, W] or packed [B, S, heads, 3, size]; K and V apart, packed, or [B, heads, L, size].

    Without K (the packed form) the keys are those of Q itself.
    """

    def find(call: Call) -> Sizes:
        heads = attribute(call, "num_heads")
        query = shape(call, 0, 3, 5)
        batch, length = query[0], query[1]
        width = query[2] if len(query) == 3 else query[2] * query[4]
        new, v_width = _new_keys(call, heads, length, width)
        keys = _with_past(call, new, past, 2)
        return Sizes(batch, heads, length, keys, width, v_width)

    return find


def _new_keys(call: Call, heads: int, length: Dim, width: Dim) -> tuple[Dim, Dim]:
    """(keys, value width) that the K and V inputs bring."""
    if not call.has(1):
        return length, width
    key = shape(call, 1, 3, 4, 5)
    if len(key) == 5:
        return key[1], width
    new = key[1] if len(key) == 3 else key[2]
    if not call.has(2):
        return new, width
    value = shape(call, 2, 3, 4)
    return new, value[2] if len(value) == 3 else heads * value[3]


def _new_key_biases(index: int, past: int) -> Callable[[Call], Dim]:
    """Additions of the joint bias of Q, K and V: one for each of their numbers."""

    def added(call: Call) -> Dim:
        if not call.has(index):
            return 0
        found = _multi_head(past)(call)
        new, v_width = _new_keys(call, attribute(call, "num_heads"), found.queries, found.width)
        queries = found.batch * found.queries * found.width
        if call.has(1) and len(shape(call, 1)) == 4:
            return queries  # keys of a cross attention come projected and biased
        return queries + found.batch * new * (found.width + v_width)

    return added


def _packed_multi_head(call: Call) -> Sizes:
    batch, length = shape(call, 4, 2)
    query = shape(call, 0, 2, 4)
    width = query[1] if len(query) == 2 else query[1] * query[3]
    v_width = shape(call, 2, 2)[1] if call.has(2) else width
    return Sizes(batch, attribute(call, "num_heads"), length, length, width, v_width)


def _packed_biases(call: Call) -> Dim:
    query = shape(call, 0, 2, 4)
    return query[0] * size(shape(call, 3, 1)) if call.has(3) else 0


def _grouped(total: int, past: int = 3) -> Find:
    """Several query heads share a key head; queries, keys and values may come packed in Q."""

    def find(call: Call) -> Sizes:
        heads, kv_heads = attribute(call, "num_heads"), attribute(call, "kv_num_heads")
        batch, length, width = shape(call, 0, 3)
        if not call.has(1):
            width = floordiv(width, heads + 2 * kv_heads) * heads
        keys = _all_keys(call, length, total, past)
        return Sizes(batch, heads, length, keys, width, width)

    return find


def _all_keys(call: Call, new: Dim, total: int, past: int) -> Dim:
    """Keys in all: stated as a number, else the length of present_key, else past and new."""
    stated = call.value(total)
    if stated is not None and len(stated) == 1:
        return checked(stated[0])
    present = call.outputs[1] if len(call.outputs) > 1 else None
    if present is not None and len(present) == 4 and present[2] is not None:
        return output(call, 1, 4)[2]
    return _with_past(call, new, past, 2)


def _rotations(call: Call) -> Dim:
    """Queries and new keys that the operator rotates itself."""
    if not attribute(call, "do_rotary", 0):
        return 0
    heads, kv_heads = attribute(call, "num_heads"), attribute(call, "kv_num_heads")
    batch, length, width = shape(call, 0, 3)
    one = floordiv(width, heads if call.has(1) else heads + 2 * kv_heads)
    return batch * length * one * (heads + kv_heads)


def _gate(call: Call) -> Dim:
    """GatedRelativePositionBias: each head of each token times a weight [head size, D]."""
    batch, length, width = shape(call, 0, 3)
    return batch * length * width * shape(call, 3, 2)[1]


def _gate_bias(call: Call) -> Dim:
    batch, length, width = shape(call, 0, 3)
    biases = attribute(call, "num_heads") * shape(call, 3, 2)[1] if call.has(4) else 0
    return batch * length * (biases + (width if call.has(1) else 0))


# ------------------------------------------------------------------------ mixture of experts


def _experts(weights: tuple[int, ...], biases: tuple[int, ...], is_packed: bool) -> Rule:
    """A token goes through k experts, each of them two or three matrices [experts, …]."""

    def matrix(call: Call, index: int) -> Dim:
        return size(shape(call, index, 3)[1:]) * (_in_a_byte(call) if is_packed else 1)

    def one(call: Call) -> Dim:
        result: Dim = 0
        for index in weights:
            result = result + (matrix(call, index) if call.has(index) else 0)
        return result

    def macs(call: Call) -> Dim:
        return _tokens(call) * attribute(call, "k", 1) * one(call)

    def added(call: Call) -> Dim:
        result: Dim = 0
        for index in biases:
            if call.has(index):
                result = result + shape(call, index, 2)[1]
        return _tokens(call) * attribute(call, "k", 1) * result

    def work(call: Call) -> Dim:
        """Activations (inner widths of the k experts) and the softmax over all experts."""
        inner = floordiv(matrix(call, weights[1]), dim(call, 0, -1))
        return _tokens(call) * attribute(call, "k", 1) * inner + size(shape(call, 1, 2))

    def text(call: Call) -> str:
        experts = dim(call, weights[0], 0)
        return (
            f"{number(attribute(call, 'k', 1))} of {plural(experts, 'expert')} for each token:"
            f" {plural(one(call), 'weight')} an expert x {plural(_tokens(call), 'token')}"
            f" = {number(macs(call))} MACs; all experts are stored"
        )

    return Rule("tokens x k experts x weights of one expert", macs, work, added, text)


def _in_a_byte(call: Call) -> int:
    bits = attribute(call, "expert_weight_bits", 4)
    if bits not in (1, 2, 4, 8):
        raise UnknownDimError
    return 8 // bits


def _tokens(call: Call) -> Dim:
    return size(shape(call, 0, 2, 3)[:-1])


# ---------------------------------------------------------------------- words from letters


def _windows(call: Call) -> Dim:
    """WordConvEmbedding: windows of letters, in every word of [words, letters]."""
    found, weights = shape(call, 0), shape(call, 1, 4)
    if not found:
        raise UnknownDimError
    return size(found[:-1]) * maximum(found[-1] - weights[2] + 1, 0)


def _word_convolution(call: Call) -> Dim:
    return _windows(call) * size(shape(call, 1, 4))


def _word_filters(call: Call) -> Dim:
    return _windows(call) * shape(call, 1, 4)[0]


TABLE = table(
    "com.microsoft",
    {
        "Attention": attention(
            _self_attention(4), mask=(3, 5), projection=_projection, bias=_projection_bias
        ),
        "QAttention": attention(
            _self_attention(8), mask=(5,), projection=_projection, bias=_projection_bias
        ),
        "DecoderMaskedSelfAttention": attention(
            _self_attention(4), mask=(3, 5), projection=_projection, bias=_projection_bias
        ),
        "PackedAttention": attention(
            _packed_attention, mask=(5,), projection=_projection, bias=_projection_bias
        ),
        "LongformerAttention": attention(
            _windowed, mask=(3,), projection=_twice_projected, bias=_projection_bias
        ),
        "MultiHeadAttention": attention(_multi_head(6), mask=(4, 5), bias=_new_key_biases(3, 6)),
        "DecoderMaskedMultiHeadAttention": attention(
            _multi_head(5), mask=(3, 4), bias=_new_key_biases(10, 5)
        ),
        "PackedMultiHeadAttention": attention(_packed_multi_head, mask=(6,), bias=_packed_biases),
        "GroupQueryAttention": attention(_grouped(6), mask=(10,), extra=_rotations),
        "SparseAttention": attention(_grouped(7), extra=_rotations),
        "RotaryEmbedding": ROTARY,
        "GatedRelativePositionBias": Rule(
            "tokens x heads x head size x gate width", _gate, outputs, _gate_bias
        ),
        "MoE": _experts((2, 4, 6), (3, 5, 7), is_packed=False),
        "QMoE": _experts((2, 5, 8), (4, 7, 10), is_packed=True),
        "WordConvEmbedding": Rule(
            "windows of letters x weights of all filters",
            _word_convolution,
            _word_filters,
            when(2, _word_filters),
        ),
    },
)
"""LongformerAttention's second projection is that of global tokens, computed for all (upper)."""
