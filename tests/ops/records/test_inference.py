"""Shapes and element types against the inference of onnxruntime's own definitions."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from graphcount.ops import lookup
from graphcount.ops.call import Shape
from tests.ops.records.inferring import complaint
from tests.ops.records.running import call
from tests.ops.records.test_runs import HASHED, MS, ONE, Case, i32, rows, u8

F = np.float32


def f16(*shape: int) -> Any:
    """Return half-precision floats of a shape."""
    return np.zeros(shape, np.float16)


def f8(*shape: int) -> Any:
    """Return floats of 8 bits of a shape."""
    return np.zeros(shape, ml_dtypes.float8_e4m3fn)


def i8(*shape: int) -> Any:
    """Return signed bytes of a shape."""
    return np.zeros(shape, np.int8)


QUERY: list[Any] = [u8(8, 1, 16), (8, 1), (8,)]
KEY: list[Any] = [u8(4, 1, 16), (4, 1), (4,)]
MLP = 2 * QUERY
PACKED = {"K": 32, "N": 8, "bits": 4, "block_size": 32, "activation": "silu"}


def bf16(*shape: int) -> Any:
    """Return bfloat16 of a shape."""
    return np.zeros(shape, ml_dtypes.bfloat16)


ROTATED = {"rotary_embedding_dim": 4}
HEADS = {"q_num_heads": 4, "kv_num_heads": 2}
FEWER = {"q_num_heads": 2, "kv_num_heads": 4, "state_window": 3}
GROUPS = {"num_heads": 3, "kv_num_heads": 3}
CAPTURED: list[Any] = [None, None, i32(1, 1)]
PAGES: list[Any] = [
    *(f16(7, 4, 3, 8), f16(7, 4, 3, 8), i32(0, 2, 6), i32(5, 5)),
    np.zeros((2, 5), np.int32),
]
CHOSEN: list[Any] = [np.zeros((6, 16), np.int32), i32(*6 * [1])]
NORMS: list[Any] = [(8,), (8,), (99, 4), (99, 4)]
QSA = {"policy_mode": "qsa", "compress_ratio": 4, "token_budget": 16}
CSA = {"policy_mode": "csa", "compress_ratio": 4, "index_topk": 6}
POSITIONS = np.zeros((3, 2, 5), np.int64)
SECTIONS = {"mrope_section": [2, 1, 1]}

INFERRED: list[Case] = [
    # op_types, inputs, outputs, attributes
    (f"{MS}::CausalConvWithState", [(2, 13, 9), (13, 1, 5)], 2),
    (f"{MS}::CausalConvWithState", [(2, 13, 9), (13, 1, 5)], 2, {"dilation": 3}),
    (f"{MS}::CausalConvWithState", [(2, 9, 13), (13, 1, 5)], 2, {"channels_last": 1}),
    (f"{MS}::CausalConvWithState", [(2, 9, 4, 3), (12, 1, 5)], 2, {"channels_last": 1}),
    (f"{MS}::CausalConvWithState", [(2, 13, 9), (13, 1, 5)], 2, {"state_window": 3}),
    (
        f"{MS}::CausalConvWithState",
        [(2, 9, 13), (13, 1, 5)],
        3,
        {"channels_last": 1, "state_update_capacity": 4},
    ),
    (
        f"{MS}::CausalConvWithState",
        [(2, 9, 13), (8, 1, 5)],
        2,
        {"channels_last": 1, "input_channels": 8, "state_channels_last": 0, "state_length": 6},
    ),
    (
        f"{MS}::VarlenCausalConvWithState",
        [(10, 13), (13, 1, 5), i32(0, 4, 10), (13,), (2, 13, 4), i32(1, 1)],
        3,
        {"state_update_capacity": 3},
    ),
    (f"{MS}::ConvStateReplay", [(99,), (99,), (77,), [0] * 8]),
    (f"{MS}::MatMulNBitsMlp", [(2, 5, 32), None, None, *MLP], 1, PACKED),
    (f"{MS}::MatMulNBitsMlp", [(2, 5, 32), (2, 5, 32), (32,), *MLP], 2, PACKED),
    (
        f"{MS}::MatMulNBitsQkv",
        [(2, 5, 32), (2, 5, 32), (32,), *QUERY, *KEY, *KEY],
        4,
        {"K": 32, "Nq": 8, "Nkv": 4, "bits": 4, "block_size": 32},
    ),
    (
        f"{MS}::MatMulNBitsQLoRA",
        [(2, 5, 32), *QUERY[:2], u8(16, 1, 16), (16, 1), u8(8, 1, 16), (8, 1)],
        1,
        {"K": 32, "N": 8, "bits": 4, "block_size": 32, "lora_bits": 4, "lora_block_size": 32},
    ),
    (f"{MS}::MatMulPacked", [f16(2, 5, 32), u8(8, 18)], 1, {"K": 32, "N": 8, "packed_type": 2}),
    (
        f"{MS}::MatMulBlockQuantizedFp4Weight",
        [f16(2, 5, 32), u8(8, 16), u8(8, 2), F(1), F(1), f16(8)],
    ),
    (f"{MS}::MatMulBlockQuantizedFp8Weight", [f16(2, 5, 32), f8(8, 32), (8, 1), F(1), f16(8)]),
    (
        f"{MS}::QOrderedMatMul",
        [i8(2, 5, 7), ONE, i8(7, 11), ONE, ONE, (11,)],
        1,
        {"order_A": 1, "order_B": 0, "order_Y": 1},
    ),
    (f"{MS}::RouterGateUpProj", [f16(2, 5, 7), f16(7, 4 + 12)], 2, {"router_size": 4}),
    (f"{MS}::HyperConnectionPreMix", [(2, 5, 3, 7), (2, 5, 3)]),
    (f"{MS}::HyperConnectionPreMix", [(2, 5, 21), (2, 5, 3)], 1, {"num_branches": 3}),
    (f"{MS}::HyperConnectionPostMix", [(2, 5, 3, 7), (2, 5, 7), (2, 5, 3), (2, 5, 3, 3)]),
    (
        f"{MS}::HyperConnectionLowRankMix",
        [(2, 5, 21), (21,), (21, 4), (4, 21), (21, 3), (2, 5, 7), (2, 5, 3)],
        3,
        {"num_branches": 3},
    ),
    (f"{MS}::SwiGLU", [(2, 16)]),
    (f"{MS}::SwiGLU", [(2, 16), (2, 16)]),
    (f"{MS}::ScaledSiLU", [(2, 5, 7)]),
    (f"{MS}::QOrderedGelu", [i8(2, 5, 7), ONE, ONE], 1, {"order_X": 1, "order_Y": 1}),
    (f"{MS}::GatedAdd", [(2, 5, 7), (2, 5, 7), (2, 5, 1)]),
    (f"{MS}::LinearAttentionGate", [f16(2, 5, 3), (3,), (3,), f16(2, 5, 3)], 2),
    (f"{MS}::MulInteger", [i8(2, 3), None, i8(3), None]),
    (f"{MS}::IsAllFinite", [(2, 3), (4,)]),
    (f"{MS}::BranchwiseRMSNorm", [(2, 5, 21), (7,)], 1, {"num_branches": 3}),
    (f"{MS}::GatedRMSNorm", [(2, 5, 21), (7,), (2, 5, 21)]),
    (f"{MS}::QOrderedLayerNormalization", [i8(2, 5, 7), ONE, (7,), (7,), ONE]),
    (f"{MS}::RMSNormRotary", [f16(2, 5, 3, 8), (8,), [0], (9, 2), (9, 2)], 2, ROTATED),
    (
        f"{MS}::RMSNormRotary",
        [f16(2, 5, 3, 8), (6,), [0], (9, 2), (9, 2)],
        2,
        {**ROTATED, "input_width": 6, "input_start": 2, "flatten_batch": 1, "output_fp16": 1},
    ),
    (f"{MS}::DequantizeBFP", [u8(99), [2, 5], [5, 1]], 1, {"bfp_type": 1}),
    (f"{MS}::ReduceSumInteger", [i8(2, 5, 7)], 1, {"axes": [1], "keepdims": 0}),
    (f"{MS}::GatherPacked", [u8(50, 18), [[1, 2, 3]]], 1, {"K": 32, "packed_type": 2}),
    (f"{MS}::ConvTransposeWithDynamicPads", [(1, 2, 6, 7), (2, 4, 3, 5), [1, 2, 0, 1]]),
    (
        f"{MS}::MoEPacked",
        [f16(10, 32), f16(10, 4), u8(4, 64, 18), u8(4, 64, 18), u8(4, 32, 36)],
        1,
        {"k": 2, "gate_type": 2, "up_type": 2, "down_type": 2},
    ),
    (f"{MS}::MoEGroupRouter", [f16(2, 5, 16), (16,)], 3, {"top_k": 4}),
    (f"{MS}::MoEGroupRouter", [f16(10, 256), (16,), f16(16, 256)], 3, {"top_k": 4}),
    (f"{MS}::NGramHashMapping", [[[1, 2, 3]], [1, 3, 5], [7] * 8, None], 2, HASHED),
    (
        f"{MS}::VarlenNGramHashMapping",
        [[1, 2, 3], [1, 3, 5], [7] * 8, i32(0, 1, 3), *[None] * 5, i32(1, 1)],
        4,
        {**HASHED, "state_update_capacity": 3},
    ),
    (
        f"{MS}::SpeculativePrefixCommit",
        [[[1] * 8] * 2, [[1] * 8] * 2, i32(0), [0] * 32, [0] * 4, [0] * 32, [0, 1]],
        3,
    ),
    (f"{MS}::RestorePadding", [(7, 12), i32(*range(10)).reshape(2, 5)]),
    (f"{MS}::LinearAttention", [(2, 5, 12), (2, 5, 6), (2, 5, 4)], 2, HEADS),
    (
        f"{MS}::LinearAttention",
        [(2, 5, 12), (2, 5, 24), (2, 5, 8)],
        2,
        {**FEWER, "state_window": 3},
    ),
    (
        f"{MS}::GatedDeltaNet",
        [(10, 2, 6), (10, 2, 6), (10, 4, 3), i32(0, 4, 10), (10, 4), (10, 4), (2, 4, 3, 6)],
        2,
    ),
    (
        f"{MS}::GatedDeltaNet",
        [(2, 5, 24 + 12), *3 * [None], (2, 5, 4, 6), (2, 5, 4), (2, 4, 3, 6), *CAPTURED],
        3,
        {"state_update_capacity": 3},
    ),
    (f"{MS}::GatedDeltaNetStateReplay", [(99,), (99,), (77,), [0] * 11]),
    (
        f"{MS}::Mamba2Verify",
        [
            *(bf16(5, 2 * 192 + 2 * 128 + 3), bf16(4, 192 + 256, 3), (4, 3, 128, 64)),
            *(bf16(448, 4), bf16(448), (3,), (3,), (3,), (192,), i32(0)),
        ],
        5,
        {"heads": 3, "n_groups": 1, "head_dim": 64, "d_state": 128},
    ),
    (f"{MS}::PagedAttention", [*3 * [f16(6, 24)], *PAGES], 3, GROUPS),
    (f"{MS}::PagedAttention", [f16(6, 9 * 8), None, None, *PAGES], 3, GROUPS),
    (
        f"{MS}::PagedAttention",
        [f16(6, 24), f16(6, 8), None, f16(7, 4, 1, 8), None, *PAGES[2:]],
        2,
        {"num_heads": 3, "kv_num_heads": 1, "kv_cache_layout": "LATENT", "v_head_size": 5},
    ),
    (f"{MS}::SparsePagedAttention", [*3 * [f16(6, 24)], *PAGES, None, *CHOSEN], 3, GROUPS),
    (
        f"{MS}::DynamicSparseAttention",
        [*3 * [f16(2, 3, 24)], *2 * [f16(2, 3, 9, 8)], None, None, *CHOSEN, i32(3, 3), i32(4)],
        3,
        GROUPS,
    ),
    (f"{MS}::SparseAttentionIndexer", [(2, 5, 3 * 8), (2, 5, 8), *NORMS, None, (2, 9, 8)], 2, QSA),
    (
        f"{MS}::SparseAttentionIndexer",
        [(2, 5, 4 * 8), None, *NORMS, None, (2, 99, 8), *4 * [None], i32(9)],
        2,
        QSA,
    ),
    *[
        (
            f"{MS}::SparseAttentionIndexer",
            [
                *((2, new, 24), (2, new, 16), *NORMS, None, (2, 9, 8), (2, new, 16), (4, 16)),
                *((2, new, 3), np.zeros((2, new), np.int64), None, (2, 2, waiting, 16)),
            ],
            3,
            CSA,
        )
        for new, waiting in ((5, 2), (5, 6), (1, 2), (1, 6), (3, 5), (9, 0))
    ],
    (
        f"{MS}::PackedSparseAttentionIndexer",
        [
            *((10, 24), (10, 16), *NORMS, i32(0, 4, 10), i32(0, 0), (10, 16), (4, 16), (10, 3)),
            *([0] * 10, (2, 50, 8), (2, 7, 16), (2, 7, 16), np.zeros((2, 2), np.int32)),
        ],
        6,
        {**CSA, "state_capacity": 50},
    ),
    (
        f"{MS}::PackedSparseAttentionIndexerMerge",
        [
            np.zeros((4, 9), np.int32),
            *(i32(1, 1, 1, 1), i32(0, 1, 2, 3, 0), i32(*5 * [0]), i32(*5 * [1])),
        ],
        3,
        {"max_output_entries": 12, "policy_mode": "append_range"},
    ),
    (
        f"{MS}::QOrderedAttention",
        [
            *(i8(2, 5, 21), *4 * [ONE], *3 * [i8(21, 21)], *3 * [ONE], *3 * [(21,)]),
            *(None, None, ONE),
        ],
        1,
        {"num_heads": 3, "order_input": 1, "order_weight": 1, "order_output": 1},
    ),
    (
        f"{MS}::QOrderedLongformerAttention",
        [
            *(i8(2, 64, 21), ONE, i8(21, 63), ONE, (63,), ONE, ONE, f16(2, 64), i8(21, 63), ONE),
            *((63,), ONE, np.zeros((2, 64), np.int32), ONE),
        ],
        1,
        {
            "num_heads": 3,
            "window": 8,
            "order_input": 1,
            "order_weight": 1,
            "order_global_weight": 1,
            "order_output": 1,
        },
    ),
    (f"{MS}::MRotaryEmbedding", [(2, 3, 5, 8), POSITIONS, (9, 4), (9, 4)], 1, SECTIONS),
    (f"{MS}::EngramGate", [(2, 5, 3, 7), (2, 5, 3, 7), (2, 5, 7), *[(3, 7)] * 3], 2),
]
"""Calls that the CPU has no kernel for, or only for a part of the attributes."""


SILENT = """
    DequantizeBFP:0 ReduceSumInteger:0
"""
"""Outputs of which the definition infers nothing."""


def test_the_definitions_of_onnxruntime_infer_the_same() -> None:
    for domain, op_type, inputs, outputs, attributes in rows(INFERRED):
        shapes = ours(domain, op_type, inputs, outputs, attributes)
        said = complaint(domain, op_type, inputs, shapes, **attributes)
        assert said == "", (op_type, shapes)


def ours(
    domain: str, op_type: str, inputs: list[Any], outputs: int, attributes: dict[str, Any]
) -> list[Shape | None]:
    """Return the shapes that a record's rule says, whole ones."""
    row = lookup(domain, op_type)
    assert row is not None
    assert row.shape is not None
    shapes = row.shape(call(domain, op_type, inputs, outputs, **attributes))[:outputs]
    assert len(shapes) == outputs, op_type
    assert all(shape is not None and None not in shape for shape in shapes), (op_type, shapes)
    return shapes


def test_another_rank_is_refused_wherever_a_definition_infers() -> None:
    silent = set()
    for domain, op_type, inputs, outputs, attributes in rows(INFERRED):
        shapes = ours(domain, op_type, inputs, outputs, attributes)
        for index, shape in enumerate(shapes):
            wrong = [*shapes[:index], (*(shape or ()), 9), *shapes[index + 1 :]]
            if not complaint(domain, op_type, inputs, wrong, **attributes):
                silent.add(f"{op_type}:{index}")
    assert silent == set(SILENT.split())
