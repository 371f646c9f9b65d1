"""A call of every operator that multiplies, with what it costs by a closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from graphcount.ops.call import Shape

MS, ML, NCHWC = "com.microsoft", "ai.onnx.ml", "com.microsoft.nchwc"


class Case(NamedTuple):
    """A call of an operator that multiplies.

    Attributes:
        domain: Its domain.
        op_type: Its op_type.
        inputs: Shape of each input; None for one that is left out.
        outputs: Shapes of outputs.
        macs: Products.
        elementwise: Elements computed one by one.
        bias: Additions of a bias.
        factors: Numbers that the explanation must name.
        attributes: Attributes.
    """

    domain: str
    op_type: str
    inputs: Sequence[Shape | None]
    outputs: Sequence[Shape | None]
    macs: int
    elementwise: int
    bias: int
    factors: tuple[int, ...]
    attributes: dict[str, Any] | None = None


A, B, OUT, C = (3, 7), (7, 11), (3, 11), (11,)
M = 3 * 7 * 11
S = ()


def products() -> list[Case]:
    """Return matrix products of 3 x 7 and 7 x 11."""
    made: list[tuple[str, str, list[Shape | None], int, int]] = [
        ("", "MatMul", [A, B], 0, 0),
        ("", "Gemm", [A, B, C], 0, 33),
        ("", "MatMulInteger", [A, B], 0, 0),
        ("", "QLinearMatMul", [A, S, S, B, S, S, S, S], 33, 0),
        (MS, "FusedMatMul", [A, B], 0, 0),
        (MS, "TransposeMatMul", [A, B], 0, 0),
        (MS, "SparseToDenseMatMul", [A, B], 0, 0),
        (MS, "FusedMatMulActivation", [A, B], 33, 0),
        (MS, "FusedGemm", [A, B, C], 33, 33),
        (MS, "GemmFastGelu", [A, B, C], 33, 33),
        (MS, "GemmFloat8", [A, B, C], 0, 33),
        (MS, "DynamicQuantizeMatMul", [A, B, S, S, C], 21 + 33, 33),
        (MS, "MatMulIntegerToFloat", [A, B, S, S, S, S, C], 33, 33),
        (MS, "MatMulInteger16", [A, B], 0, 0),
        (MS, "QGemm", [A, S, S, B, S, S, C], 33, 33),
    ]
    rows = [Case(d, op, inputs, [OUT], M, e, b, (7, 11)) for d, op, inputs, e, b in made]
    packed = {"K": 7, "N": 11}
    return [
        *rows,
        Case(MS, "MatMulNBits", [A, B, C, None, None, C], [OUT], M, 77, 33, (7, 11), packed),
        Case(MS, "MatMulBnb4", [A, B, C], [OUT], M, 77, 0, (7, 11), packed),
        Case(MS, "MatMulFpQ4", [A, B], [OUT], M, 77, 0, (7, 11)),
        Case("", "Einsum", [A, B], [OUT], M, 0, 0, (7, 11), {"equation": "ij,jk->ik"}),
        Case(MS, "QOrderedMatMul", [A, S, B, S, S, C, OUT], [OUT], M, 66, 33, (7, 11)),
        Case(
            MS,
            "RouterGateUpProj",
            [A, B],
            [(3, 5), (3, 3)],
            M,
            9,
            0,
            (7, 11),
            {"router_size": 5},
        ),
        *packed_products(),
    ]


def packed_products() -> list[Case]:
    """Return products of 3 rows with packed weights of 7 x 11, or several of them."""
    sizes = {"K": 7, "N": 11}
    three = {"K": 7, "Nq": 11, "Nkv": 5}
    half, one = (11, 4), (11, 7)  # bytes, two elements in each of them but the last
    gate: list[Shape | None] = [C, C, C]
    narrow: list[Shape | None] = [None, None, (5,)]
    adapters: list[Shape | None] = [C, C, (2, 1, 8), (2, 1), (11, 1, 8), (11, 1)]
    base: list[Shape | None] = [C, C, (0, 1, 8), (2, 1), (11, 0, 8), (11, 1)]
    added = 7 * 2 + 2 * 11
    return [
        Case(
            MS,
            "MatMulNBitsMlp",
            [A, None, None, *gate, *gate],
            [OUT],
            2 * M,
            154 + 66,
            66,
            (7, 11),
            sizes,
        ),
        Case(
            MS,
            "MatMulNBitsMlp",
            [A, A, (7,), *gate, C, C],
            [OUT],
            2 * M,
            154 + 66 + 42,
            33,
            (11,),
            sizes,
        ),
        Case(
            MS,
            "MatMulNBitsQkv",
            [A, None, (7,), *gate, *narrow, *narrow],
            [OUT, (3, 5), (3, 5)],
            3 * 7 * 21,
            7 * 21 + 21,
            3 * 21,
            (7, 11, 5),
            three,
        ),
        Case(
            MS,
            "MatMulNBitsQLoRA",
            [A, *adapters],
            [OUT],
            M + 3 * added,
            77 + added + 33,
            0,
            (),
            sizes,
        ),
        Case(MS, "MatMulNBitsQLoRA", [A, *base], [OUT], M, 77, 0, (), sizes),
        Case(MS, "MatMulPacked", [A, (11, 9)], [OUT], M, 77, 0, (7, 11), sizes),
        Case(
            MS,
            "MatMulPacked",
            [A, (11, 9)],
            [OUT],
            M,
            110,
            0,
            (7, 11),
            {**sizes, "activation_type": "silu"},
        ),
        Case(
            MS,
            "MatMulBlockQuantizedFp4Weight",
            [(3, 8), half, C, S, None, C],
            [OUT],
            3 * 8 * 11,
            8 * 11,
            33,
            (8, 11),
        ),
        Case(
            MS, "MatMulBlockQuantizedFp8Weight", [A, one, C, S, C], [OUT], M, 77 + 21, 33, (7, 11)
        ),
        Case(MS, "MatMulBlockQuantizedFp8Weight", [A, one, C], [OUT], M, 77, 0, (7, 11)),
    ]


def states() -> list[Case]:
    """Return layers with a state: 10 tokens of 4 value heads, keys of 6 and values of 3."""
    one, values = 6 * 3, 10 * 4
    apart: list[Shape | None] = [(10, 2, 6), (10, 2, 6), (10, 4, 3), (3,), (10, 4), (10, 4)]
    joint: list[Shape | None] = [
        (2, 5, 36),
        None,
        None,
        None,
        (2, 5, 4, 6),
        (2, 5, 4),
        (2, 4, 3, 6),
    ]
    fused = {"gate_activation": "softplus", "beta_activation": "sigmoid", "qk_l2_norm": 1}
    net, out, joined = "GatedDeltaNet", [(10, 4, 3)], [(2, 5, 4, 3)]
    rules = [("linear", 2, 0), ("gated", 2, one), ("delta", 3, 6), ("gated_delta", 3, one + 6)]
    gates = 3 * values * 6 + values + 2 * 10 * 2 * 6
    work = values * (one + 6)
    heads = {"q_num_heads": 2, "kv_num_heads": 4}
    own: list[Shape | None] = [(2, 5, 12), (2, 5, 24), (2, 5, 12)]
    mixed = 5 * (4 * 448 + 2 * 192 * 128)
    mamba: list[Shape | None] = [(5, 2 * 192 + 2 * 128 + 3), (4, 448, 3), (4, 3, 128, 64)]
    return [
        *[
            Case(
                MS, net, apart, out, values * one * n, values * e, 0, (4, 18), {"update_rule": rule}
            )
            for rule, n, e in rules
        ],
        Case(MS, net, joint, joined, values * one * 3, work + gates, 0, (4, 18), fused),
        *[
            Case(
                domain,
                "LinearAttention",
                own,
                [(2, 5, 12)],
                values * one * n,
                values * e,
                0,
                (18, 4),
                {**heads, "update_rule": rule},
            )
            for rule, n, e in rules
            for domain in ("", MS)
        ],
        Case(
            MS,
            "Mamba2Verify",
            [*mamba, (448, 4), (448,), (3,), (3,), (3,), (192,), (1,)],
            [(5, 192)],
            mixed,
            5 * (192 * 128 + 448 + 2 * 3 + 4 * 192),
            5 * 448,
            (),
            {"heads": 3, "n_groups": 1},
        ),
    ]


def pages() -> list[Case]:
    """Return attention of 6 tokens, 3 heads of size 8, over pages, or over what was selected."""
    q, grouped = (6, 24), {"num_heads": 3, "kv_num_heads": 3}
    cache: list[Shape | None] = [(7, 4, 3, 8), (7, 4, 3, 8), (3,), (2,), (2, 5)]
    rotated = {**grouped, "do_rotary": 1}
    norms: list[Shape | None] = [(9, 4), (9, 4), None, None, (8,), (8,)]
    latent = {"num_heads": 3, "kv_num_heads": 1, "kv_cache_layout": "LATENT", "v_head_size": 5}
    narrow: list[Shape | None] = [(6, 24), (6, 8), None, (7, 4, 1, 8), None, *cache[2:]]
    chosen: list[Shape | None] = [None, (6, 16), (6,)]
    window = {**grouped, "attention_mode": "local_plus_selected"}
    paged, sparse, dynamic = "PagedAttention", "SparsePagedAttention", "DynamicSparseAttention"
    kept: list[Shape | None] = [*3 * [(2, 3, 24)], *2 * [(2, 3, 9, 8)], None, None, (6, 16), (6,)]

    def two(keys: int) -> tuple[int, int]:
        return 2 * 6 * keys * 24, 6 * keys * 3

    return [
        Case(MS, paged, [q, q, q, *cache], [q], *two(20), 0, (20,), grouped),
        Case(MS, paged, [(6, 72), None, None, *cache], [q], *two(20), 0, (20,), grouped),
        Case(
            MS,
            paged,
            [q, q, q, *cache, *norms],
            [q],
            two(20)[0],
            two(20)[1] + 2 * 6 * 6 * 8,
            0,
            (20,),
            rotated,
        ),
        Case(MS, paged, narrow, [(6, 15)], 6 * 20 * (24 + 15), 360, 0, (20,), latent),
        Case(MS, sparse, [q, q, q, *cache, *chosen], [q], *two(16), 0, (16,), grouped),
        Case(MS, sparse, [q, q, q, *cache, *chosen], [q], *two(36), 0, (36,), window),
        Case(
            MS,
            sparse,
            [q, q, q, *cache, *chosen],
            [q],
            *two(23),
            0,
            (23,),
            {**window, "local_window_size": 7},
        ),
        Case(MS, dynamic, kept, [(2, 3, 24)], *two(16), 0, (16,), grouped),
        Case(
            MS,
            dynamic,
            kept,
            [(2, 3, 24)],
            *two(23),
            0,
            (23,),
            {**window, "local_window_size": 7},
        ),
        *indexers(),
    ]


def indexers() -> list[Case]:
    """Return 3 heads of size 8 of 10 queries, over 9 earlier tokens or entries, 4 to a block."""
    norms: list[Shape | None] = [(8,), (8,), (99, 4), (99, 4)]
    qsa, csa = {"policy_mode": "qsa"}, {"policy_mode": "csa"}
    four = {"compress_ratio": 4}
    name, queries = "SparseAttentionIndexer", 10 * 3

    def work(entries: int, window: int) -> tuple[int, int]:
        scores = queries * entries
        return scores * 8, 2 * queries * 8 + window * 80 + 2 * 2 * 8 + scores

    blocks: list[Shape | None] = [(2, 5, 24), (2, 5, 8), *norms, None, (2, 9, 8)]
    joint: list[Shape | None] = [(2, 5, 32), None, *norms, None, (2, 9, 8)]
    gate: list[Shape | None] = [(2, 5, 16), (4, 16), (2, 5, 3), (2, 5), None, (2, 2, 6, 16)]
    gated: list[Shape | None] = [(2, 5, 24), (2, 5, 16), *norms, None, (2, 9, 8), *gate]
    packed: list[Shape | None] = [(10, 24), (10, 8), *norms]
    return [
        Case(MS, name, blocks, [(2, 5, 19)], *work(14 // 4, 1), 0, (), {**qsa, **four}),
        Case(MS, name, joint, [(2, 5, 19)], *work(14 // 4, 1), 0, (), {**qsa, **four}),
        # 6 wait, of which 4 are a window already: 2 and 5 new ones close one more
        Case(MS, name, gated, [(2, 5, 6)], *work(9 + 1, 2), 0, (), {**csa, **four}),
        Case(
            MS,
            f"Packed{name}",
            packed,
            [(10, 19)],
            *work(50, 1),
            0,
            (),
            {**qsa, **four, "state_capacity": 50},
        ),
    ]


def projecting() -> list[Case]:
    """Return attention of 2 sequences of 5 tokens that projects its inputs itself."""
    scores, heads = 2 * 3 * 5 * 5, {"num_heads": 3}
    weight, bias = (11, 21), (21,)
    scales, whole = [S, S, S, S], (21, 63)
    one = 2 * 64 * 21 * 63
    ordered: list[Shape | None] = [
        *((2, 5, 11), *scales, weight, weight, weight, S, S, S, bias, bias, bias, None, None, S),
    ]
    longer: list[Shape | None] = [
        *((2, 64, 21), S, whole, S, (63,), S, S, (2, 64), whole, S, (63,), S, (2, 64), S),
    ]
    return [
        Case(
            MS,
            "QOrderedAttention",
            ordered,
            [(2, 5, 21)],
            2 * 5 * 11 * 63 + 2 * scores * 7,
            scores,
            2 * 5 * 63,
            (5,),
            heads,
        ),
        Case(
            MS,
            "QOrderedLongformerAttention",
            longer,
            [(2, 64, 21)],
            2 * one + 2 * 2 * 3 * 64 * 16 * 7,
            2 * (2 * 3 * 64 * 16),
            2 * 64 * 63,
            (64,),
            {**heads, "window": 8},
        ),
    ]


def streams() -> list[Case]:
    """Return 3 streams of 7 features for 10 tokens."""
    flat, apart, one, gates = (2, 5, 21), (2, 5, 3, 7), (2, 5, 7), (2, 5, 3)
    mixed: list[Shape | None] = [flat, (21,), (21, 4), (4, 21), (21, 3)]
    weights = 21 * 4 + 4 * 21 + 21 * 3
    three = {"num_branches": 3}
    work = 2 * 210 + 10 * (2 * 4 + 3)
    name = "HyperConnectionLowRankMix"
    keys: list[Shape | None] = [apart, apart, one, *[(3, 7)] * 3]
    return [
        Case(MS, "HyperConnectionPreMix", [apart, gates], [one], 210, 0, 0, ()),
        Case(MS, "HyperConnectionPostMix", [apart, one, gates], [apart], 0, 420, 0, ()),
        Case(
            MS,
            "HyperConnectionPostMix",
            [flat, one, gates, (2, 5, 3, 3)],
            [flat],
            10 * 3 * 3 * 7,
            420,
            0,
            (),
            three,
        ),
        Case(MS, name, mixed, [one], 10 * weights + 210, work, 0, (weights,), three),
        Case(MS, name, [*mixed, one, gates], [one], 10 * weights + 210, work + 420, 0, (), three),
        Case(MS, "EngramGate", keys, [apart], 210, 3 * 210, 0, ()),
        Case(MS, "EngramGate", keys, [apart, apart], 210, 4 * 210, 0, ()),
    ]


def convolutions() -> list[Case]:
    """Return convolutions of 13 filters of 3 x 5 x 5 over 7 x 9 positions."""
    data, filters, bias, out = (1, 3, 11, 13), (13, 3, 5, 5), (13,), (1, 13, 7, 9)
    macs, outs, one = 7 * 9 * 13 * 75, 7 * 9 * 13, (13, 5)
    quantized: list[Shape | None] = [data, S, S, filters, S, S, S, S, bias]
    last, laid = (1, 7, 9, 13), [(1, 11, 13, 3), filters, bias]
    fused = {"activation": "Relu"}
    back = [(1, 3, 7, 9), (3, 13, 5, 5)]
    spread = 7 * 9 * 3 * 13 * 25
    return [
        Case("", "Conv", [data, filters, bias], [out], macs, 0, outs, one),
        Case("", "ConvInteger", [data, filters], [out], macs, 0, 0, one),
        *[Case(d, "QLinearConv", quantized, [out], macs, outs, outs, one) for d in ("", MS)],
        Case(MS, "FusedConv", [data, filters, bias], [out], macs, outs, outs, one, fused),
        Case(MS, "NhwcFusedConv", laid, [last], macs, outs, outs, one, fused),
        Case(MS, "NhwcConv", laid, [last], macs, 0, outs, one),
        Case(NCHWC, "Conv", [data, filters, bias], [out], macs, outs, outs, one, fused),
        Case("", "ConvTranspose", [*back, bias], [(1, 13, 11, 13)], spread, 0, 1859, one),
        Case(
            MS,
            "ConvTransposeWithDynamicPads",
            [*back, None, bias],
            [(1, 13, 11, 13)],
            spread,
            0,
            1859,
            one,
        ),
        Case(
            "",
            "DeformConv",
            [data, filters, (1, 50, 7, 9), bias],
            [out],
            macs,
            7 * 9 * 3 * 25,
            outs,
            one,
        ),
        Case(
            "",
            "CausalConvWithState",
            [(2, 13, 9), (13, 1, 5), (13,)],
            [(2, 13, 9)],
            2 * 9 * 13 * 5,
            2 * 9 * 13,
            2 * 9 * 13,
            (5, 13),
            {"group": 13, "activation": "silu"},
        ),
        Case(
            MS,
            "QLinearConv",
            [(1, 11, 13, 6), S, S, (13, 3, 5, 5), S, S, S, S, bias],
            [last],
            macs,
            outs,
            outs,
            one,
            {"channels_last": 1, "group": 2},
        ),
        *causal_convolutions(),
    ]


def causal_convolutions() -> list[Case]:
    """Return filters of 5 positions for 13 channels, in every layout."""
    weight, bias, outs = (13, 1, 5), (13,), 2 * 9 * 13
    own: list[Shape | None] = [(2, 9, 13), weight, bias]
    packed: list[Shape | None] = [(18, 13), weight, (3,), bias, (2, 13, 4)]
    silu, deltas = {"activation": "swish"}, [None, (18, 2, 13), (18, 1)]
    name = "CausalConvWithState"
    return [
        Case(
            MS, name, own, [(2, 9, 13)], 5 * outs, outs, outs, (5, 13), {"channels_last": 1, **silu}
        ),
        Case(MS, name, [(2, 9, 1, 13), weight], [(2, 9, 1, 13)], 5 * outs, 0, 0, (5, 13)),
        Case(MS, f"Varlen{name}", packed, [(18, 13)], 5 * outs, outs, outs, (5, 13), silu),
        Case(MS, f"Varlen{name}", [*packed, *deltas], [(18, 13)], 5 * outs, 3 * outs, outs, (5,)),
    ]


def attentions() -> list[Case]:
    """Return attention of 2 sequences of 5 tokens, 3 heads of size 7 on 11 features."""
    scores = 2 * 3 * 5 * 5
    two, tokens, width = 2 * scores * 7, (2, 5, 11), 3 * 21
    weights: list[Shape | None] = [(11, width), (width,)]
    projected, biases = 2 * 5 * 11 * width, 2 * 5 * width
    heads = {"num_heads": 3}
    q = (2, 5, 21)
    own: list[Shape | None] = [tokens, *weights]
    step: list[Shape | None] = [(2, 1, 21)] * 3
    past: list[Shape | None] = [(2, 3, 4, 7)] * 2
    grouped = {"num_heads": 3, "kv_num_heads": 3}
    long: list[Shape | None] = [(2, 64, 11), *weights, (2, 64), *weights, (2, 64)]
    return [
        Case("", "Attention", [(2, 3, 5, 7)] * 3, [(2, 3, 5, 7)], two, scores, 0, (5,)),
        Case(
            "ai.onnx.preview",
            "FlexAttention",
            [(2, 3, 5, 7), (2, 3, 9, 7), (2, 3, 9, 4)],
            [(2, 3, 5, 4)],
            2 * 3 * 5 * 9 * (7 + 4),
            2 * 3 * 5 * 9,
            0,
            (5, 9),
        ),
        Case(
            "",
            "LinearAttention",
            [q, q, q],
            [q],
            2 * 5 * 3 * 49 * 2,
            0,
            0,
            (49,),
            {"q_num_heads": 3, "kv_num_heads": 3, "update_rule": "linear"},
        ),
        *[
            Case(MS, name, own, [q], projected + two, scores, biases, (5,), heads)
            for name in ("Attention", "DecoderMaskedSelfAttention")
        ],
        Case(MS, "QAttention", [*own, S, S], [q], projected + two, scores, biases, (5,), heads),
        Case(
            MS,
            "PackedAttention",
            [(10, 11), *weights, (2, 5), (3,)],
            [(10, 21)],
            projected + two,
            scores,
            biases,
            (5,),
            heads,
        ),
        Case(
            MS,
            "LongformerAttention",
            long,
            [(2, 64, 21)],
            2 * (2 * 64 * 11 * width) + 2 * 2 * 3 * 64 * 16 * 7,
            2 * (2 * 3 * 64 * 16),
            2 * 64 * width,
            (64,),
            {"num_heads": 3, "window": 8},
        ),
        Case(MS, "MultiHeadAttention", [q, q, q, (63,)], [q], two, scores, 630, (5,), heads),
        Case(
            MS,
            "PackedMultiHeadAttention",
            [(10, 21)] * 3 + [(63,), (2, 5), (3,)],
            [(10, 21)],
            two,
            scores,
            630,
            (5,),
            heads,
        ),
        Case(
            MS,
            "DecoderMaskedMultiHeadAttention",
            [*step, None, None, *past, None, None, None, (63,)],
            [(2, 1, 21)],
            2 * 2 * 3 * 5 * 7,
            2 * 3 * 5,
            2 * 63,
            (5,),
            heads,
        ),
        Case(MS, "GroupQueryAttention", [q, q, q], [q], two, scores, 0, (5,), grouped),
        Case(MS, "SparseAttention", [q, q, q], [q], two, scores, 0, (5,), grouped),
        Case(
            MS,
            "GatedRelativePositionBias",
            [q, (21,), (1, 3, 5, 5), (7, 8), (8,), (1, 3, 1, 1)],
            [(2, 3, 5, 5)],
            2 * 5 * 3 * 7 * 8,
            scores,
            2 * 5 * (21 + 3 * 8),
            (),
            heads,
        ),
    ]


def recurrences() -> list[Case]:
    """Return layers of 5 steps, 2 sequences of 3 features, 7 hidden."""
    cases = []
    for op_type, gates, domain in (
        ("LSTM", 4, ""),
        ("GRU", 3, ""),
        ("RNN", 1, ""),
        ("DynamicQuantizeLSTM", 4, MS),
    ):
        wide = gates * 7
        w: list[Shape | None] = (
            [(1, wide, 3), (1, wide, 7)] if not domain else [(1, 3, wide), (1, 7, wide)]
        )
        cases.append(
            Case(
                domain,
                op_type,
                [(5, 2, 3), *w, (1, 2 * wide)],
                [(5, 1, 2, 7)],
                5 * 2 * wide * (3 + 7),
                5 * 2 * 7 * {4: 9, 3: 8, 1: 1}[gates],
                5 * 2 * 2 * wide,
                (3, 7),
                {"hidden_size": 7},
            )
        )
    return cases


def learned() -> list[Case]:
    """Return models of ai.onnx.ml on 5 samples of 3 features, experts, words."""
    x: list[Shape | None] = [(5, 3)]
    linear = {"coefficients": [0.5] * 6, "intercepts": [0.5] * 2, "post_transform": "SOFTMAX"}
    vectors = {"support_vectors": [0.5] * 12, "kernel_type": "RBF"}
    several = {**vectors, "coefficients": [0.5] * 4, "vectors_per_class": [2, 2]}
    single = {**vectors, "coefficients": [0.5] * 4, "n_supports": 4}
    experts: list[Shape | None] = [(10, 64), (10, 8), (8, 128, 64), (8, 128), (8, 64, 128), (8, 64)]
    packed: list[Shape | None] = [
        *((10, 64), (10, 8), (8, 128, 32), (8, 128), (8, 128), (8, 64, 64), (8, 64), (8, 64)),
    ]
    both = 10 * 2 * (2 * 128 * 64)
    blocks: list[Shape | None] = [(10, 64), (10, 8), (8, 128, 36), (8, 128, 36), (8, 64, 72)]
    two_blocks: list[Shape | None] = [*blocks[:3], None, blocks[4]]
    gated: list[Shape | None] = [(10, 64), (10, 64), (10, 8), (8, 1)]
    added = 10 * 2 * (128 + 64)
    letters: list[Shape | None] = [(7, 20), (50, 1, 5, 16), (50,), (99, 16)]
    return [
        Case(ML, "LinearClassifier", x, [], 5 * 6, 10, 10, (6,), linear),
        Case(ML, "LinearRegressor", x, [], 5 * 6, 10, 10, (6,), linear),
        Case(ML, "SVMClassifier", x, [], 5 * (12 + 4), 5 * 4, 0, (12,), several),
        Case(ML, "SVMRegressor", x, [], 5 * (12 + 4), 5 * 4, 0, (12,), single),
        Case(MS, "MoE", experts, [], both, 10 * 2 * 128 + 80, added, (8,), {"k": 2}),
        Case(MS, "QMoE", packed, [], both, 10 * 2 * 128 + 80, added, (8,), {"k": 2}),
        Case(MS, "MoEPacked", blocks, [], both * 3 // 2, 10 * 2 * 128 + 80, 0, (), {"k": 2}),
        Case(MS, "MoEPacked", two_blocks, [], both, 10 * 2 * 128 + 80, 0, (), {"k": 2}),
        Case(MS, "MoEGroupRouter", [(10, 8), (8,)], [], 0, 160, 0, ()),
        Case(MS, "MoEGroupRouter", [(10, 64), (8,), (8, 64)], [], 10 * 64 * 8, 160, 0, ()),
        Case(MS, "GatedAdd", [(10, 64), (10, 64), (10, 1)], [(10, 64)], 0, 1280, 0, ()),
        Case(MS, "GatedAdd", gated, [(10, 64)], 80, 1280 + 10, 0, ()),
        Case(MS, "WordConvEmbedding", letters, [], 7 * 16 * 4000, 5600, 5600, ()),
    ]


def memory() -> Case:
    """Return an LSTM of 3 steps that reads a memory of 5 rows of 4, by the paper's formulas."""
    inputs: list[Shape | None] = [
        *((3, 2, 6), (1, 28, 10), (1, 28, 7), (1, 56), None, None, None, None),
        *((1, 7, 8), (1, 4, 8), (1, 8), (2, 5, 4), None),
    ]
    a_step = 28 * 10 + 28 * 7 + 7 * 8 + 5 * (8 + 4)
    macs = 3 * 2 * a_step + 2 * 5 * (4 * 8)
    return Case(
        MS,
        "AttnLSTM",
        inputs,
        [(3, 1, 2, 7)],
        macs,
        3 * 2 * 7 * 9,
        3 * 2 * 56,
        (),
        {"hidden_size": 7},
    )


def cases() -> list[Case]:
    """Return a call of every operator that multiplies."""
    return [
        *products(),
        *convolutions(),
        *attentions(),
        *projecting(),
        *states(),
        *pages(),
        *streams(),
        *recurrences(),
        *learned(),
        memory(),
    ]
