"""com.microsoft operators of onnxruntime (onnxruntime/docs/ContribOperators.md)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.conv import conv_at, global_pool, nhwc_conv, pool, upsample
from graphcount.ops.shape.elementwise import broadcasting
from graphcount.ops.shape.indexing import gather_nd, unique
from graphcount.ops.shape.kit import (
    Rule,
    Shapes,
    add,
    axis_of,
    integers_of,
    larger,
    over,
    replace,
    same,
    times,
    unknown,
)
from graphcount.ops.shape.linear import gemm_at, matmul_shape
from graphcount.ops.shape.movement import expand, pad
from graphcount.ops.shape.norm import layer_norm
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim


def _head_size(width: Dim | None, count: int) -> Dim | None:
    return over(width, count) if count else None


def attention(call: Call) -> Shapes:
    """Attention and its kin: Q, K and V come from one weight (hidden, 3 * width).

    `qkv_hidden_sizes` gives Q, K and V widths of their own; `present` is (2, B, heads, …), or the
    buffer that it shares with the past.
    """
    data, count, width = call.input(0), call.node.integer("num_heads", 0), _value_width(call)
    if data is None:
        return [(None, None, width), None]
    at = 8 if call.node.op_type == "QAttention" else 4
    past = call.input(at)
    length = add(data[1], past[3] if past else 0) if past or not call.has(at) else None
    present: Shape | None = (2, data[0], count or None, length, _head_size(width, count))
    if call.has(at) and call.node.integer("past_present_share_buffer", 0):
        present = past
    return [(data[0], data[1], width), present]


def multi_head_attention(call: Call) -> Shapes:
    """MultiHeadAttention: query (B, S, hidden), or packed (B, S, heads, 3, head size)."""
    query, key, value = (call.input(index) for index in range(3))
    count = call.node.integer("num_heads", 0)
    if query is None:
        return [None, None, None]
    if len(query) == 5:
        size, length = query[4], query[1]
        width, value_size = times(size, count), size
    elif key is not None and len(key) == 5:  # packed K and V: (B, L, heads, 2, head size)
        size = value_size = key[4]
        length, width = key[1], times(size, count)
    elif value is not None and len(value) == 4:  # (B, heads, L, head size): cross attention
        value_size, length = value[3], value[2]
        size, width = key[3] if key else None, times(value_size, count)
    else:
        width = value[2] if value is not None else query[2]
        size, value_size = _head_size(query[2], count), _head_size(width, count)
        length = value[1] if value is not None else query[1]
    past = call.input(6)
    total = add(length, past[2] if past else 0) if past or not call.has(6) else None
    head = (query[0], count or None, total)
    return [(query[0], query[1], width), (*head, size), (*head, value_size)]


def _value_width(call: Call) -> Dim | None:
    """Width of V where one weight (input 1, its bias input 2) makes Q, K and V."""
    weight, bias = call.input(1), call.input(2)
    widths = call.node.integers("qkv_hidden_sizes")
    if widths:
        return widths[2]
    return over(weight[1] if weight is not None else (bias[0] if bias else None), 3)


def packed_attention(call: Call) -> Shapes:
    """PackedAttention: tokens of all sequences in one list (tokens, value width)."""
    data = call.input(0)
    return [(data[0] if data is not None else None, _value_width(call))]


def packed_multi_head_attention(call: Call) -> Shapes:
    """PackedMultiHeadAttention: (tokens, value width); query may be (tokens, heads, 3, head size).

    The other inputs are left out then.
    """
    query, value = call.input(0), call.input(2)
    if query is not None and len(query) == 4:
        return [(query[0], times(query[1], query[3]))]
    tokens = query[0] if query is not None else None
    return [(tokens, value[1] if value is not None else None)]


def decoder_attention(call: Call) -> Shapes:
    """DecoderMaskedMultiHeadAttention: query (B, 1, hidden); the cache keeps its shape."""
    query, value = call.input(0), call.input(2)
    if query is None:
        return [None, call.input(5), call.input(6)]
    width = value[2] if value is not None and len(value) == 3 else query[2]
    return [(query[0], query[1], width), call.input(5), call.input(6)]


def group_query_attention(call: Call) -> Shapes:
    """GroupQueryAttention, SparseAttention: packed QKV without key; present (B, kv heads, L, size).

    The present is as long as the past that the caller hands over, which may have room for more, or
    as all keys where these are more.
    """
    query, key, past = call.input(0), call.input(1), call.input(3)
    count, kv_count = call.node.integer("num_heads", 0), call.node.integer("kv_num_heads", 0)
    if query is None:
        return [None, None, None]
    packed = not call.has(1)
    size = over(query[2], count + 2 * kv_count) if packed else over(query[2], count)
    width = times(size, count) if packed else query[2]
    kept = past[2] if past is not None else None if call.has(3) else 0
    if kept == 0:
        length = key[1] if key is not None else query[1]
    else:
        stated = call.value(7 if call.node.op_type == "SparseAttention" else 6)
        length = _longer(kept, stated[0] if stated is not None and len(stated) == 1 else None)
    present = (query[0], kv_count or None, length, size)
    return [(query[0], query[1], width), present, present]


def _longer(a: Dim | None, b: Dim | None) -> Dim | None:
    """The larger of two lengths; None where sizes decide which one that is."""
    if a is None or b is None:
        return None
    found = larger(a, b)
    return found if found in (a, b) else None


def embed_layer_norm(call: Call) -> Shapes:
    """EmbedLayerNormalization: (B, S, hidden), one mask index a sequence, and the sum."""
    ids, table_ = call.input(0), call.input(2)
    hidden = table_[1] if table_ is not None else None
    if ids is None:
        return [(None, None, hidden), (None,), (None, None, hidden)]
    result: Shape = (*ids, hidden)
    return [result, ids[:1], result]


def skip_layer_norm(call: Call) -> Shapes:
    """SkipLayerNormalization: Y, mean and deviation of the last axis, and the sum."""
    data = call.input(0)
    if data is None:
        return [None] * 4
    statistic = replace(data, len(data) - 1, 1)
    return [data, statistic, statistic, data]


def fused_matmul(call: Call) -> Shapes:
    """FusedMatMul: transA, transB; transBatchA, transBatchB move the batch behind the rows."""
    sides: list[Shape | None] = []
    for index, side in enumerate("AB"):
        shape = call.input(index)
        if shape is not None and len(shape) > 1:
            if call.node.integer(f"transBatch{side}", 0):
                shape = (*shape[1:-1], shape[0], shape[-1])
            if call.node.integer(f"trans{side}", 0):
                shape = (*shape[:-2], shape[-1], shape[-2])
        sides.append(shape)
    return [matmul_shape(*sides)]


def bias_split_gelu(call: Call) -> Shapes:
    """BiasSplitGelu: half of the channels gate the other half."""
    data = call.input(0)
    return [replace(data, len(data) - 1, over(data[-1], 2)) if data else None]


def rfft(call: Call) -> Shapes:
    """Rfft: the last `signal_ndim` axes, the last of them one-sided, then (real, imaginary)."""
    data = call.input(0)
    return [(*data[:-1], add(over(data[-1], 2), 1), 2) if data else None]


def irfft(call: Call) -> Shapes:
    """Irfft: the inverse of Rfft for even lengths."""
    data = call.input(0)
    return [(*data[:-2], times(add(data[-2], -1), 2)) if data else None]


def c_dist(call: Call) -> Shapes:
    """CDist: (rows of A, rows of B)."""
    a, b = call.input(0), call.input(1)
    return [(a[0] if a else None, b[0] if b else None)]


def expand_dims(call: Call) -> Shapes:
    """ExpandDims: a dimension of size 1 at the axis in input 1."""
    data, axis = call.input(0), integers_of(call, 1)
    if data is None or not axis:
        return [None]
    at = axis_of(axis[0], len(data) + 1)
    return [(*data[:at], 1, *data[at:])]


def relative_position_bias(call: Call) -> Shapes:
    """RelativePositionBias: (1, heads, query length, key length)."""
    bias = call.input(0)
    lengths = [(call.value(index) or (None,))[0] for index in (1, 2)]
    return [(1, bias[1] if bias is not None else None, *lengths)]


def gated_relative_position_bias(call: Call) -> Shapes:
    """GatedRelativePositionBias: (B, heads, S, S)."""
    query = call.input(0)
    count = call.node.integer("num_heads", 0) or None
    return [(query[0], count, query[1], query[1]) if query is not None else None]


def crop_and_resize(call: Call) -> Shapes:
    """CropAndResize: (regions, C, height, width) of `crop_size`."""
    data, rois, size = call.input(0), call.input(1), integers_of(call, 3)
    height, width = size if size else (None, None)
    return [(rois[0] if rois else None, data[1] if data else None, height, width)]


def reorder_output(call: Call) -> Shapes:
    """nchwc.ReorderOutput: back to `channels` without the padding of the blocks."""
    data = call.input(0)
    if data is None:
        return [None]
    channels = call.node.integer("channels", 0) or None
    if call.node.integer("channels_last", 0):
        return [(data[0], *data[2:], channels)]
    return [(data[0], channels, *data[2:])]


_MICROSOFT: dict[Key, Rule] = table(
    "com.microsoft",
    each("Attention QAttention DecoderMaskedSelfAttention", attention),
    each("GroupQueryAttention SparseAttention", group_query_attention),
    each("EmbedLayerNormalization QEmbedLayerNormalization", embed_layer_norm),
    each("SkipLayerNormalization SkipSimplifiedLayerNormalization", skip_layer_norm),
    each("LayerNormalization SimplifiedLayerNormalization", layer_norm),
    each("FusedMatMul TransposeMatMul FusedMatMulActivation SparseToDenseMatMul", fused_matmul),
    each("FusedGemm GemmFastGelu GemmFloat8", gemm_at(0, 1)),
    each("NhwcConv NhwcFusedConv", nhwc_conv),
    each(
        "FastGelu Gelu QuickGelu BiasGelu BiasAdd BiasSoftmax GroupNorm RotaryEmbedding MoE QMoE"
        " LongformerAttention NhwcInstanceNorm Inverse Trilu QuantizeWithOrder"
        " DequantizeWithOrder",
        same(0),
    ),
    each("BiasDropout BitmaskDropout BitmaskBiasDropout", same(0, 0)),
    each("ComplexMul ComplexMulConj", broadcasting),
    each("BeamSearch GreedySearch Sampling WhisperBeamSearch EPContext Send Recv Wait", unknown),
    {
        "MultiHeadAttention": multi_head_attention,
        "PackedAttention": packed_attention,
        "PackedMultiHeadAttention": packed_multi_head_attention,
        "DecoderMaskedMultiHeadAttention": decoder_attention,
        "SkipGroupNorm": same(0, 0),
        "BiasSplitGelu": bias_split_gelu,
        "FusedConv": conv_at(1),
        "Rfft": rfft,
        "Irfft": irfft,
        "CDist": c_dist,
        "ExpandDims": expand_dims,
        "RelativePositionBias": relative_position_bias,
        "GatedRelativePositionBias": gated_relative_position_bias,
        "CropAndResize": crop_and_resize,
        "GatherND": gather_nd,
        "Unique": unique,
        "Pad": pad,
        "Expand": expand,
    },
)

_NCHWC: dict[Key, Rule] = table(
    "com.microsoft.nchwc",
    {
        "Conv": conv_at(1),
        "ReorderInput": same(0),
        "ReorderOutput": reorder_output,
        "Upsample": upsample,
    },
    each("MaxPool AveragePool", pool),
    each("GlobalMaxPool GlobalAveragePool", global_pool),
)
"""onnxruntime's blocked layout: channels are padded to whole blocks, which the weights show."""

TABLE: dict[Key, Rule] = {**_MICROSOFT, **_NCHWC}
