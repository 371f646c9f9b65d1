"""com.microsoft operators of onnxruntime (onnxruntime/docs/ContribOperators.md)."""

from graphcount.ops.spec import SCALE, SCALED_DATA, SCALED_WEIGHT, OpSpec, Role
from graphcount.ops.tables import each, table

_FIVE_SCALES: list[Role] = ["quantization scale"] * 5
_FIVE_ZERO_POINTS: list[Role] = ["zero point"] * 5

_NCHWC = table("com.microsoft.nchwc", {"Conv": OpSpec(("data", "weight", "bias", "operand"))})
"""onnxruntime's blocked convolution; its weights are padded to whole blocks of channels."""

_MICROSOFT = table(
    "com.microsoft",
    {
        **each("FusedMatMul TransposeMatMul FusedMatMulActivation", OpSpec(("weight", "weight"))),
        **each("FusedGemm GemmFastGelu", OpSpec(("weight", "weight", "bias"))),
        "GemmFloat8": OpSpec(
            (
                "weight",
                "weight",
                "bias",
                "quantization scale",
                "quantization scale",
                "quantization scale",
            )
        ),
        **each("FusedConv NhwcFusedConv", OpSpec(("data", "weight", "bias", "operand"))),
        "NhwcConv": OpSpec(("data", "weight", "bias")),
        "ConvTransposeWithDynamicPads": OpSpec(("data", "weight", "shape", "bias")),
        "MatMulNBits": OpSpec(("operand", *SCALED_WEIGHT, "index", "bias")),
        "MatMulBnb4": OpSpec(("operand", "quantized weight", "quantization scale")),
        "MatMulFpQ4": OpSpec(("operand", "quantized weight", "shape")),
        "DynamicQuantizeMatMul": OpSpec(("operand", *SCALED_WEIGHT, "bias")),
        "MatMulIntegerToFloat": OpSpec(
            (
                "quantized weight",
                "quantized weight",
                "quantization scale",
                *SCALE,
                "zero point",
                "bias",
            )
        ),
        "MatMulInteger16": OpSpec(("quantized weight", "quantized weight")),
        "QGemm": OpSpec((*SCALED_WEIGHT, *SCALED_WEIGHT, "quantized bias", *SCALE)),
        "QLinearConv": OpSpec((*SCALED_DATA, *SCALED_WEIGHT, *SCALE, "quantized bias")),
        "QLinearConcat": OpSpec(("quantization scale", "zero point"), rest="operand"),
        "QLinearWhere": OpSpec(("mask", *SCALED_WEIGHT, *SCALED_WEIGHT, *SCALE)),
        "DynamicQuantizeLSTM": OpSpec(
            (
                "data",
                "quantized weight",
                "quantized weight",
                "bias",
                "shape",
                "initial state",
                "initial state",
                "peephole weight",
                *SCALE,
                *SCALE,
            )
        ),
        "GatherBlockQuantized": OpSpec(
            ("quantized weight", "index", "quantization scale", "zero point")
        ),
        **each(
            "Attention PackedAttention DecoderMaskedSelfAttention LongformerAttention",
            OpSpec(("operand", "weight", "bias"), rest="mask"),
        ),
        "QAttention": OpSpec(
            (
                "operand",
                "quantized weight",
                "bias",
                "quantization scale",
                "quantization scale",
                "mask",
                "zero point",
                "zero point",
                "state",
            )
        ),
        **each(
            "MultiHeadAttention PackedMultiHeadAttention",
            OpSpec(("operand", "operand", "operand", "bias"), rest="mask"),
        ),
        "DecoderMaskedMultiHeadAttention": OpSpec(
            (
                "operand",
                "operand",
                "operand",
                "mask",
                "mask",
                "state",
                "state",
                "shape",
                "shape",
                "index",
                "bias",
            )
        ),
        "GroupQueryAttention": OpSpec(
            (
                "operand",
                "operand",
                "operand",
                "state",
                "state",
                "shape",
                "shape",
                "rotary table",
                "rotary table",
                "index",
                "mask",
                "weight",
            )
        ),
        "SparseAttention": OpSpec(
            (
                "operand",
                "operand",
                "operand",
                "state",
                "state",
                "index",
                "index",
                "shape",
                "shape",
                "rotary table",
                "rotary table",
            )
        ),
        "RotaryEmbedding": OpSpec(("operand", "index", "rotary table", "rotary table")),
        "GemmaRotaryEmbedding": OpSpec(rest="rotary table"),
        "RelativePositionBias": OpSpec(("embedding", "scalar", "scalar")),
        "GatedRelativePositionBias": OpSpec(
            ("operand", "bias", "operand", "weight", "bias", "weight")
        ),
        "EmbedLayerNormalization": OpSpec(
            (
                "index",
                "index",
                "embedding",
                "embedding",
                "embedding",
                "scale",
                "bias",
                "mask",
                "index",
            )
        ),
        "QEmbedLayerNormalization": OpSpec(
            (
                "index",
                "index",
                "quantized weight",
                "quantized weight",
                "quantized weight",
                "quantized weight",
                "quantized weight",
                "mask",
                *_FIVE_SCALES,
                *_FIVE_ZERO_POINTS,
            )
        ),
        "SkipLayerNormalization": OpSpec(("operand", "operand", "scale", "bias", "bias")),
        "SkipSimplifiedLayerNormalization": OpSpec(("operand", "operand", "scale", "bias")),
        "SimplifiedLayerNormalization": OpSpec(("operand", "scale")),
        "LayerNormalization": OpSpec(("operand", "scale", "bias")),
        "GroupNorm": OpSpec(("operand", "scale", "bias")),
        "SkipGroupNorm": OpSpec(("operand", "scale", "bias", "operand", "bias")),
        **each("BiasGelu BiasSplitGelu FastGelu BiasAdd BiasDropout", OpSpec(("operand", "bias"))),
        "BiasSoftmax": OpSpec(("operand", "mask")),
        **each(
            "Gelu QuickGelu Inverse Trilu Rfft Irfft Unique NGramRepeatBlock",
            OpSpec(rest="operand"),
        ),
        "MoE": OpSpec(("operand", "operand", "weight", "bias", "weight", "bias", "weight", "bias")),
        "QMoE": OpSpec(
            (
                "operand",
                "operand",
                "quantized weight",
                "quantization scale",
                "bias",
                "quantized weight",
                "quantization scale",
                "bias",
                "quantized weight",
                "quantization scale",
                "bias",
                "zero point",
                "zero point",
                "zero point",
            )
        ),
        "WordConvEmbedding": OpSpec(("index", "weight", "bias", "embedding")),
        "AttnLSTM": OpSpec(
            (
                "data",
                "weight",
                "recurrent weight",
                "bias",
                "shape",
                "initial state",
                "initial state",
                "peephole weight",
                "weight",
                "weight",
                "weight",
                "data",
                "shape",
                "weight",
            )
        ),
    },
)

TABLE = {**_MICROSOFT, **_NCHWC}
