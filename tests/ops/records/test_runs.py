"""Shapes, element types and computed elements against what onnxruntime returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import helper

from graphcount.ops import lookup, operators
from graphcount.ops.call import Ratio
from graphcount.ops.inference import result_dtypes
from tests.ops.records.running import call, evaluated, facts, run

MS = "com.microsoft"
Case = tuple[Any, ...]


def u8(*shape: int) -> Any:
    """Return bytes of a shape."""
    return np.arange(int(np.prod(shape)), dtype=np.uint8).reshape(shape)


def i32(*values: int) -> Any:
    """Return a vector of int32."""
    return np.array(values, np.int32)


ONE, ZERO = np.float32(0.5), np.uint8(3)
Q: list[Any] = [ONE, ZERO]
A, B = (3, 7), (7, 11)
H = {"num_heads": 3}
TOKENS = (2, 5, 12)
LETTERS = np.arange(20, dtype=np.int32).reshape(2, 10) + 1
HASHED = {"max_ngram_size": 3, "n_head_per_ngram": 4, "pad_id": 0}
X = (1, 2, 6, 7)
V = [5, 3, 8]
W = [2, 2, 3]

ELEMENTS: list[Case] = [
    # op_types, inputs, outputs (default 1), attributes: all of them compute elements
    ("Add Sub Mul Div Mod Min Max Sum", [V, W]),
    ("Pow", [V, [2, 1, 0]]),
    ("Equal Greater GreaterOrEqual Less LessOrEqual", [V, [5, 4, 3]]),
    ("And Or", [np.array([True, False]), np.array([True, True])]),
    ("Not", [np.array([True, False])]),
    ("Where", [np.array([True, False, True]), V, W]),
    ("Abs Neg Relu", [[-3, 0, 2]]),
    ("Clip", [V, 4, 6]),
    ("Identity", [V]),
    ("Cast", [V], 1, {"to": 6}),
    ("CastLike", [V, np.float32(0)]),
    ("Transpose", [[[1, 2, 3], [4, 5, 6]]]),
    ("Flatten", [[[1, 2, 3], [4, 5, 6]]]),
    ("Reshape", [[1, 2, 3, 4], [2, -1]]),
    ("Expand", [[[1], [2]], [2, 3]]),
    ("Squeeze", [[[7, 8]], [0]]),
    ("Unsqueeze", [[7, 8], [0]]),
    ("Split", [[1, 2, 3], [1, 2]], 2),
    ("Tile", [[1, 2], [2]]),
    ("Concat", [V, W], 1, {"axis": 0}),
    ("Gather", [V, [2, 0]]),
    ("Slice", [V, [1], [3]]),
    ("NonZero", [[0, 4, 0, 5]]),
    ("Shape Size", [(2, 3, 4)]),
    ("ConstantOfShape", [[3]]),
    ("Range", [2, 9, 3]),
    ("ReduceMax ReduceMin ReduceProd ReduceSum", [V]),
    ("CumSum", [V, 0]),
    (f"{MS}::Range", [2, 9, 3]),
    (f"{MS}::Range", [2, 9]),
]
"""Calls with elements that are known beforehand, in the default domain."""

NOT_IN_ONNXRUNTIME = {"Sum", "Relu"}
"""Operators that onnxruntime has for floats only; onnx's reference evaluates them."""


def computed(
    domain: str, op_type: str, inputs: list[Any], outputs: int, attributes: dict[str, Any]
) -> list[Any]:
    """Return what onnxruntime or the reference of onnx computes."""
    if op_type in NOT_IN_ONNXRUNTIME:
        return evaluated(op_type, inputs, **attributes)
    return run(domain, op_type, inputs, outputs, **attributes)


def rows(cases: list[Case]) -> list[tuple[str, str, list[Any], int, dict[str, Any]]]:
    """Return domain, op_type, inputs, outputs and attributes of each call."""
    made = []
    for names, inputs, *more in cases:
        outputs, attributes = (*more, *(1, {})[len(more) :])[:2]
        for name in names.split():
            domain, _, op_type = name.rpartition("::")
            made.append((domain, op_type, inputs, outputs, attributes))
    return made


CONTRIB: list[Case] = [
    (f"{MS}::FusedMatMul", [A, B]),
    (f"{MS}::FusedMatMul", [(2, 7, 3), (2, 11, 7)], 1, {"transA": 1, "transB": 1}),
    (f"{MS}::FusedGemm", [A, B, (11,)], 1, {"activation": "Relu"}),
    (f"{MS}::BiasGelu {MS}::FastGelu", [(2, 3, 8), (8,)]),
    (f"{MS}::Gelu {MS}::QuickGelu", [(2, 3)]),
    (f"{MS}::SkipLayerNormalization", [(2, 3, 8), (2, 3, 8), (8,), (8,), (8,)]),
    (f"{MS}::SkipSimplifiedLayerNormalization", [(2, 3, 8), (2, 3, 8), (8,)]),
    (f"{MS}::Inverse", [np.eye(3, dtype=np.float32) + 1]),
    (f"{MS}::Trilu", [(4, 5)]),
    (f"{MS}::Unique", [np.array([3, 1, 3], np.float32)], 3),
    (f"{MS}::CDist", [(4, 3), (5, 3)], 1, {"metric": "euclidean"}),
    (f"{MS}::ExpandDims", [(2, 3), i32(1)[0]]),
    (f"{MS}::CropAndResize", [(1, 2, 8, 8), (3, 4), i32(0, 0, 0), i32(4, 5)]),
    (f"{MS}::GatherND", [(2, 3, 4), [[0, 1]]]),
    (f"{MS}::Pad", [(2, 3), [0, 1, 0, 2], np.float32(0)]),
    (f"{MS}::QLinearAdd {MS}::QLinearMul", [u8(2, 3), *Q, u8(3), *Q, *Q]),
    (f"{MS}::QLinearConcat", [*Q, u8(2, 3), *Q, u8(2, 4), *Q], 1, {"axis": 1}),
    (f"{MS}::QLinearWhere", [np.array([True, False, True]), u8(2, 3), *Q, u8(3), *Q, *Q]),
    (f"{MS}::QLinearSigmoid {MS}::QLinearLeakyRelu", [u8(2, 3), *Q, *Q]),
    (
        f"{MS}::QLinearAveragePool",
        [u8(1, 2, 6, 7), *Q, *Q],
        1,
        {"kernel_shape": [3, 3], "strides": [2, 2]},
    ),
    (f"{MS}::QLinearGlobalAveragePool", [u8(1, 2, 6, 7), *Q, *Q]),
    (f"{MS}::QGemm", [u8(*A), *Q, u8(*B), *Q, None, *Q]),
    (f"{MS}::QGemm", [u8(*A), *Q, u8(*B), *Q]),
    (f"{MS}::MatMulIntegerToFloat", [u8(*A), u8(*B), ONE, ONE]),
    (f"{MS}::DynamicQuantizeMatMul", [A, u8(*B), ONE]),
    (f"{MS}::QuantizeLinear", [(2, 3), *Q]),
    (f"{MS}::DequantizeLinear", [u8(2, 3), *Q]),
    (
        f"{MS}::MatMulNBits",
        [(3, 32), u8(8, 1, 16), (8,)],
        1,
        {"K": 32, "N": 8, "bits": 4, "block_size": 32},
    ),
    (
        f"{MS}::MatMulBnb4",
        [(3, 32), u8(128), (4,)],
        1,
        {"K": 32, "N": 8, "block_size": 64, "quant_type": 1},
    ),
    (
        f"{MS}::GatherBlockQuantized",
        [u8(4, 16), [1, 2], (4, 1)],
        1,
        {"block_size": 32, "bits": 4, "quantize_axis": 1, "gather_axis": 0},
    ),
    (f"{MS}::Attention", [TOKENS, (12, 36), (36,)], 1, H),
    (f"{MS}::MultiHeadAttention", [TOKENS, TOKENS, TOKENS], 1, H),
    (f"{MS}::QAttention", [u8(*TOKENS), u8(12, 36), (36,), ONE, ONE, None, ZERO, ZERO], 1, H),
    (
        f"{MS}::GroupQueryAttention",
        [(2, 5, 24), (2, 5, 24), (2, 5, 24), (2, 3, 0, 8), (2, 3, 0, 8), i32(4, 4), i32(5)],
        3,
        {**H, "kv_num_heads": 3},
    ),
    (f"{MS}::RotaryEmbedding", [(2, 5, 24), [0], (9, 4), (9, 4)], 1, {"num_heads": 3}),
    (
        f"{MS}::EmbedLayerNormalization",
        [i32(1, 2, 3).reshape(1, 3), None, (9, 8), (5, 8), None, (8,), (8,)],
        2,
    ),
    (f"{MS}::MoE", [(5, 8), (5, 4), (4, 16, 8), (4, 16), (4, 8, 16), (4, 8)], 1, {"k": 2}),
    (f"{MS}::FusedConv", [(1, 2, 6, 7), (4, 2, 3, 3)], 1, {"activation": "Relu"}),
    (f"{MS}::TransposeMatMul", [A, B]),
    (
        f"{MS}::QLinearConv",
        [u8(2, 9, 8, 6), *Q, u8(4, 3, 3, 2), *Q, *Q],
        1,
        {"channels_last": 1, "group": 2, "strides": [2, 1], "pads": [1, 0, 1, 0]},
    ),
    (
        f"{MS}::QLinearAveragePool",
        [u8(1, 6, 7, 2), *Q, *Q],
        1,
        {"kernel_shape": [3, 2], "strides": [2, 1], "channels_last": 1},
    ),
    (f"{MS}::QLinearGlobalAveragePool", [u8(1, 6, 7, 2), *Q, *Q], 1, {"channels_last": 1}),
    (
        f"{MS}::NhwcMaxPool",
        [u8(1, 6, 7, 2)],
        1,
        {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
    ),
    (f"{MS}::MaxpoolWithMask", [X, np.ones(X, np.int32)], 1, {"kernel_shape": [3, 2]}),
    (
        f"{MS}::ConvTransposeWithDynamicPads",
        [(1, 2, 6, 7), (2, 4, 3, 5), [1, 2, 0, 1]],
        1,
        {"strides": [2, 1]},
    ),
    (f"{MS}::CausalConvWithState", [(2, 13, 9), (13, 1, 5)], 2),
    (
        f"{MS}::AttnLSTM",
        [
            *((3, 2, 6), (1, 28, 10), (1, 28, 7), (1, 56), None, None, None, None),
            *((1, 7, 8), (1, 4, 8), (1, 8), (2, 5, 4)),
        ],
        3,
        {"hidden_size": 7},
    ),
    (f"{MS}::WordConvEmbedding", [LETTERS, (50, 1, 5, 16), (50,), (99, 16)]),
    (f"{MS}::NGramRepeatBlock", [[[1, 2, 3, 1, 2]], (1, 9)], 1, {"ngram_size": 2}),
    (
        f"{MS}::BifurcationDetector",
        [[1, 5, 3, 4, 2, 7], [1, 5], [0], [5, 3, 4, 2, 7, 1, 8]],
        2,
        {"min_ngram_size": 1, "max_ngram_size": 3},
    ),
    (f"{MS}::SampleOp {MS}::MurmurHash3", [(2, 3)]),
    (f"{MS}::MurmurHash3", [(2, 3)], 1, {"positive": 0}),
    (f"{MS}::UnfoldTensor", [(2, 9, 3)], 1, {"dim": 1, "size": 4, "step": 2}),
    (f"{MS}::GridSample", [(1, 2, 6, 7), (1, 3, 5, 2)]),
    (f"{MS}::DynamicTimeWarping", [(4, 5)]),
    (
        f"{MS}::Tokenizer",
        [np.array([["a b", "c"], ["d e f", "g"]])],
        1,
        {"mark": 0, "mincharnum": 1, "pad_value": "", "separators": [" "]},
    ),
    (f"{MS}::NGramHashMapping", [[[1, 2, 3]], [1, 3, 5], [7] * 8], 2, HASHED),
    ("SimplifiedLayerNormalization", [(2, 3), (3,)]),
]


def test_shapes_and_types_are_those_of_a_run() -> None:
    """A dimension that depends on the elements may be left open."""
    for domain, op_type, inputs, outputs, attributes in rows([*ELEMENTS, *CONTRIB]):
        found = computed(domain, op_type, inputs, outputs, attributes)
        one, row = call(domain, op_type, inputs, outputs, **attributes), lookup(domain, op_type)
        assert row is not None
        assert row.shape is not None
        for shape, result in zip(row.shape(one), found, strict=False):
            assert shape is not None, op_type
            assert len(shape) == result.ndim, op_type
            for dim, size in zip(shape, result.shape, strict=True):
                assert dim in (None, size), (op_type, shape, result.shape)
        codes = [helper.np_dtype_to_tensor_dtype(result.dtype) for result in found]
        assert result_dtypes(row.dtypes, one)[:outputs] == codes, op_type


def test_elements_are_those_of_a_run() -> None:
    for domain, op_type, inputs, outputs, attributes in rows(ELEMENTS):
        found = computed(domain, op_type, inputs, outputs, attributes)
        one, row = call(domain, op_type, inputs, outputs, **attributes), lookup(domain, op_type)
        assert row is not None
        assert row.data is not None, op_type
        ours = row.data(facts(one), tuple(result.shape for result in found))[:outputs]
        assert ours == [tuple(result.ravel().tolist()) for result in found], op_type


@pytest.mark.parametrize(
    ("op_type", "rounded"), [("Ceil", math.ceil), ("Floor", math.floor), ("Round", round)]
)
def test_fractions_are_rounded(op_type: str, rounded: Callable[[float], int]) -> None:
    row, one = lookup("", op_type), facts(call("", op_type, [[1, 2]]))
    assert row is not None
    assert row.data is not None
    fractions = Ratio(7, 2), Ratio(6, 2)
    known = replace(one, numbers=(fractions,))
    assert row.data(known, ((2,),)) == [(rounded(7 / 2), rounded(6 / 2))]


def test_what_a_constant_holds_is_its_element() -> None:
    row, one = lookup("", "Constant"), facts(call("", "Constant", []))
    assert row is not None
    assert row.data is not None
    assert row.data(replace(one, held=(4, 5)), ((2,),)) == [(4, 5)]


def test_every_operator_that_computes_elements_is_tried() -> None:
    tried = {(domain, op_type) for domain, op_type, *_ in rows(ELEMENTS)}
    assert {key for key, row in operators().items() if row.data is not None} == tried | {
        *(("", "Ceil"), ("", "Floor"), ("", "Round"), ("", "Constant"))
    }
