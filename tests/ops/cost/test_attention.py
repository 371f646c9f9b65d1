"""Attention: two matrix products written as loops over heads, for every form of the operator."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from graphcount.ops.call import Call
from graphcount.ops.cost import Cost, explain
from graphcount.symbolic import symbol

Costs = Callable[..., Cost]
MS = "com.microsoft"


def two_products(b: int, heads: int, s: int, t: int, d: int, v: int) -> int:
    """Q·Kᵀ and P·V of each head of each sequence, as torch's bmm counts them."""
    macs = 0
    for _ in product(range(b), range(heads)):
        macs += s * d * t
        macs += s * t * v
    return macs


@pytest.mark.parametrize(
    ("rank", "kv_heads", "past", "v"), list(product((3, 4), (1, 2, 4), (0, 6), (8, 16)))
)
def test_onnx_attention(costs: Costs, rank: int, kv_heads: int, past: int, v: int) -> None:
    b, heads, s, new, d = 2, 4, 5, 7, 8
    shapes: list[tuple[int, ...]]
    if rank == 4:
        shapes = [(b, heads, s, d), (b, kv_heads, new, d), (b, kv_heads, new, v)]
    else:
        shapes = [(b, s, heads * d), (b, new, kv_heads * d), (b, new, kv_heads * v)]
    caches = [(b, kv_heads, past, d), (b, kv_heads, past, v)] if past else []
    found = costs(
        "Attention",
        [*shapes, None, *caches],
        left_out=[3],
        q_num_heads=heads,
        kv_num_heads=kv_heads,
        is_causal=1,
    )
    scores = b * heads * s * (new + past)
    assert found == (two_products(b, heads, s, new + past, d, v), scores, 0)


def test_masks_and_caps_are_elements(costs: Costs) -> None:
    shapes = [(1, 2, 3, 4)] * 3
    masked = costs("Attention", [*shapes, (3, 3)], softcap=5.0)
    assert masked.elementwise == 3 * (2 * 3 * 3)


def test_three_axes_without_heads_are_unknown(costs: Costs) -> None:
    assert costs("Attention", [(1, 3, 8)] * 3).macs is None
    assert costs("Attention", [(1, 3, 8)] * 3, q_num_heads=0, kv_num_heads=-2).macs is None


@pytest.mark.parametrize(("past", "shared"), [(0, 0), (6, 0), (6, 1)])
@pytest.mark.parametrize("sizes", [None, (32, 32, 16)])
def test_attention_that_projects(
    costs: Costs, past: int, shared: int, sizes: tuple[int, ...] | None
) -> None:
    b, s, features, heads = 2, 5, 24, 4
    q, k, v = sizes or (32, 32, 32)
    keys = past if shared else past + s
    inputs = [(b, s, features), (features, q + k + v), (q + k + v,), None]
    cache = [(2, b, heads, past, 8)] if past else []
    attributes = {"num_heads": heads, "past_present_share_buffer": shared}
    if sizes:
        attributes["qkv_hidden_sizes"] = sizes  # type: ignore[assignment]
    found = costs("Attention", [*inputs, *cache], domain=MS, left_out=[3], **attributes)
    projected = b * s * features * (q + k + v)
    assert found.macs == projected + two_products(b, heads, s, keys, q // heads, v // heads)
    assert found.bias == b * s * (q + k + v)
    quantized = [*inputs[:3], (), (), None, (), (), *cache]
    same = costs("QAttention", quantized, domain=MS, left_out=[5], **attributes)
    assert (same.macs, same.bias) == (found.macs, found.bias)


@pytest.mark.parametrize("past", [0, 6])
def test_multi_head(costs: Costs, past: int) -> None:
    b, s, new, heads, d, v = 2, 5, 7, 4, 8, 16
    q, k, value = (b, s, heads * d), (b, new, heads * d), (b, new, heads * v)
    cache = [(b, heads, past, d), (b, heads, past, v)] if past else []
    inputs = [q, k, value, (2 * heads * d + heads * v,), None, None, *cache]
    found = costs("MultiHeadAttention", inputs, domain=MS, left_out=[4, 5], num_heads=heads)
    assert found.macs == two_products(b, heads, s, new + past, d, v)
    assert found.bias == b * (s * heads * d + new * heads * (d + v))


def test_multi_head_packed_and_crossed(costs: Costs) -> None:
    heads, d = 4, 8
    packed = costs("MultiHeadAttention", [(2, 5, heads, 3, d)], domain=MS, num_heads=heads)
    assert packed.macs == two_products(2, heads, 5, 5, d, d)
    pair = [(2, 5, heads * d), (2, 7, heads, 2, d)]
    assert costs("MultiHeadAttention", pair, domain=MS, num_heads=heads).macs == two_products(
        2, heads, 5, 7, d, d
    )
    cross = [(2, 5, heads * d), (2, heads, 7, d), (2, heads, 7, d), (3 * heads * d,)]
    found = costs("MultiHeadAttention", cross, domain=MS, num_heads=heads)
    assert (found.macs, found.bias) == (two_products(2, heads, 5, 7, d, d), 2 * 5 * heads * d)
    tokens = [(9, heads * d)] * 3 + [None, (2, 6), (3,)]
    found = costs("PackedMultiHeadAttention", tokens, domain=MS, left_out=[3], num_heads=heads)
    assert found.macs == two_products(2, heads, 6, 6, d, d)


@pytest.mark.parametrize("packed", [False, True])
def test_grouped_queries(costs: Costs, packed: bool) -> None:
    b, s, past, heads, kv, d = 2, 5, 6, 8, 2, 16
    cache = [(b, kv, past, d)] * 2
    if packed:
        inputs = [(b, s, (heads + 2 * kv) * d), None, None, *cache]
    else:
        inputs = [(b, s, heads * d), (b, s, kv * d), (b, s, kv * d), *cache]
    known = {
        "domain": MS,
        "num_heads": heads,
        "kv_num_heads": kv,
        "left_out": [1, 2] if packed else [],
    }
    found = costs("GroupQueryAttention", inputs, **known)
    assert found.macs == two_products(b, heads, s, past + s, d, d)
    rotated = costs("GroupQueryAttention", inputs, **known, do_rotary=1)
    assert rotated.elementwise == b * heads * s * (past + s) + b * s * (heads + kv) * d
    stated = [*inputs, (b,), ()]
    numbers = (*[None] * 6, (9,))
    total = costs("GroupQueryAttention", stated, values=numbers, **known)
    assert total.macs == two_products(b, heads, s, 9, d, d)
    present = costs("GroupQueryAttention", stated, [None, (b, kv, 32, d), (b, kv, 32, d)], **known)
    assert present.macs == two_products(b, heads, s, 32, d, d)
    sparse = costs("SparseAttention", inputs, **known)
    assert sparse.macs == found.macs


def test_other_contrib_attentions(costs: Costs) -> None:
    weights = [(24, 96), (96,)]
    packed = costs("PackedAttention", [(9, 24), *weights, (2, 6), (3,)], domain=MS, num_heads=4)
    assert packed.macs == 9 * 24 * 96 + two_products(2, 4, 6, 6, 8, 8)
    assert packed.bias == 9 * 96
    long = [(2, 64, 24), *weights, (2, 64), *weights, (2, 64)]
    found = costs("LongformerAttention", long, domain=MS, num_heads=4, window=8)
    assert found.macs == 2 * (2 * 64 * 24 * 96) + two_products(2, 4, 64, 16, 8, 8)
    step = [(2, 1, 24), *weights, None, (2, 2, 4, 32, 8)]
    masked = costs(
        "DecoderMaskedSelfAttention",
        step,
        domain=MS,
        left_out=[3],
        num_heads=4,
        past_present_share_buffer=1,
    )
    assert masked.macs == 2 * 24 * 96 + two_products(2, 4, 1, 32, 8, 8)
    step = [(2, 1, 32)] * 3 + [None, None, (2, 4, 6, 8), (2, 4, 6, 8)]
    masked = costs("DecoderMaskedMultiHeadAttention", step, domain=MS, left_out=[3, 4], num_heads=4)
    assert masked.macs == two_products(2, 4, 1, 7, 8, 8)


@pytest.mark.parametrize(
    ("rule", "updates", "work"),
    [("linear", 1, 0), ("gated", 1, 8 * 16), ("delta", 2, 32), ("gated_delta", 2, 160)],
)
def test_linear_attention(costs: Costs, rule: str, updates: int, work: int) -> None:
    b, t, heads, kv, d, v = 2, 9, 4, 2, 8, 16
    shapes = [(b, t, heads * d), (b, t, kv * d), (b, t, kv * v)]
    found = costs("LinearAttention", shapes, q_num_heads=heads, kv_num_heads=kv, update_rule=rule)
    assert found.macs == b * t * d * v * (heads + kv * updates)
    assert found.elementwise == b * t * kv * work


def test_rotary(costs: Costs) -> None:
    assert costs("RotaryEmbedding", [(2, 4, 5, 8)]).elementwise == 320
    part = costs("RotaryEmbedding", [(2, 5, 32)], num_heads=4, rotary_embedding_dim=4)
    assert part.elementwise == 2 * 5 * 4 * 4
    part = costs("RotaryEmbedding", [(2, 4, 5, 8)], rotary_embedding_dim=4, domain=MS)
    assert part.elementwise == 160


def test_experts(costs: Costs) -> None:
    router = (10, 8)
    inputs = [(2, 5, 64), router, (8, 128, 64), (8, 128), (8, 64, 128), (8, 64)]
    found = costs("MoE", inputs, domain=MS, k=2)
    assert found.macs == 10 * 2 * (128 * 64 * 2)
    assert found.bias == 10 * 2 * (128 + 64)
    assert found.elementwise == 10 * 2 * 128 + 80
    quantized = [(10, 64), router, (8, 128, 32), (8, 128), None, (8, 64, 64), (8, 64), None]
    found = costs("QMoE", quantized, domain=MS, k=2, left_out=[4, 7])
    assert found.macs == 10 * 2 * (128 * 64 * 2)
    assert costs("QMoE", quantized, domain=MS, k=2, expert_weight_bits=5).macs is None


def test_word_convolution_and_gate(costs: Costs) -> None:
    words = costs("WordConvEmbedding", [(7, 20), (50, 1, 5, 16), (50,), (99, 16)], domain=MS)
    assert (words.macs, words.bias) == (7 * 16 * 50 * 5 * 16, 7 * 16 * 50)
    gate = costs(
        "GatedRelativePositionBias",
        [(2, 5, 32), (32,), (1, 4, 5, 5), (8, 8), (8,), (1, 4, 1, 1)],
        [(2, 4, 5, 5)],
        domain=MS,
        num_heads=4,
    )
    assert gate == (2 * 5 * 4 * 8 * 8, 2 * 4 * 25, 2 * 5 * (32 + 4 * 8))


def test_words(call: Callable[..., Call]) -> None:
    batch = symbol("batch")
    said = explain(call("Attention", [(batch, 12, 197, 64)] * 3))
    assert "Q·Kᵀ batch·197·197·768 + P·V batch·197·197·768" in said
    assert "59610624*batch MACs" in said
    projecting = call("Attention", [(1, 5, 24), (24, 96), (96,)], domain=MS, num_heads=4)
    assert explain(projecting).startswith("projection 11,520 + ")
    experts = call("MoE", [(9, 4), (9, 8), (8, 6, 4), None, (8, 4, 6)], domain=MS, k=2)
    assert explain(experts).startswith("2 of 8 experts for each token")
    assert explain(projecting) == (
        "projection 11,520 + Q·Kᵀ 1·5·5·32 + P·V 1·5·5·32 (batch·queries·keys·width of 4 heads)"
        " = 13,120 MACs; masks do not reduce it"
    )


def test_packed_tokens_with_queries_keys_and_values_in_one(costs: Costs) -> None:
    """[tokens, heads, 3, head size], and a bias of 3 x heads x head size for each token."""
    heads, d, tokens = 4, 8, 9
    inputs = [(tokens, heads, 3, d), None, None, (3 * heads * d,), (2, 6), (3,)]
    found = costs("PackedMultiHeadAttention", inputs, domain=MS, left_out=[1, 2], num_heads=heads)
    assert found.macs == two_products(2, heads, 6, 6, d, d)
    assert found.bias == tokens * 3 * heads * d


@pytest.mark.parametrize(
    ("op_type", "masks"),
    [("Attention", (3, 5)), ("DecoderMaskedSelfAttention", (3, 5)), ("QAttention", (5,))],
)
def test_a_mask_is_one_more_pass_over_the_scores(
    costs: Costs, op_type: str, masks: tuple[int, ...]
) -> None:
    b, s, features, heads = 2, 5, 24, 4
    inputs = [(b, s, features), (features, 96), (96,), *[None] * 6]
    scores = b * heads * s * s
    for given in ((), *((one,) for one in masks), masks):
        left_out = [index for index in range(3, 9) if index not in (*given, 6)]  # 6: lengths
        found = costs(op_type, inputs, domain=MS, left_out=left_out, num_heads=heads)
        assert found.macs == b * s * features * 96 + two_products(b, heads, s, s, 8, 8)
        assert found.elementwise == scores * (2 if given else 1)
        assert found.bias == b * s * 96
