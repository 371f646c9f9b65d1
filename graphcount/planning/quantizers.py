"""What onnxruntime's tools (1.32) store in another type: which inputs of which operators, and how.

`quantize_dynamic` (`IntegerOpsRegistry`) makes int8, `MatMulNBitsQuantizer` int4,
`transformers.float16.convert_float_to_float16` float16. All of them take initializers only, not
the tensors of Constant nodes or of local functions, and look at the type of an operator alone, not
at its domain.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from graphcount.planning.readers import HeldTensor, Reader

QUANTIZED = ("float32", "float16")
"""Element types that `quantize_dynamic` takes; scales have the type of the weight."""

BLOCKED = ("float32", "float16", "bfloat16")
"""Element types that `MatMulNBitsQuantizer` takes."""


class Recipe(NamedTuple):
    """What `quantize_dynamic` does with the initializers that a node reads.

    Attributes:
        needs: Inputs that have to be float initializers, or the node stays as it is.
        int8: Inputs whose initializer becomes int8.
        uint8: Inputs whose initializer becomes uint8, with one scale; an input that is no
            initializer is quantized while the model runs.
        axes: Axes of an int8 tensor that have a scale for each index: none is one scale a tensor.
        channels: The same with `per_channel=True`.
        typed: Its first input must be a float as far as onnx infers types.
        rank: Rank that the needed inputs have; 0 for any.
        without: Attribute that keeps the node as it is.
        outputs: Most outputs it may have; 0 for any.
        bias: Input whose addition needs a shape int64[rank], which the tool stores; 0 for none.
    """

    needs: tuple[int, ...] = ()
    int8: tuple[int, ...] = ()
    uint8: tuple[int, ...] = ()
    axes: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    typed: bool = False
    rank: int = 0
    without: str = ""
    outputs: int = 0
    bias: int = 0

    def takes(self, reader: Reader) -> bool:
        """Return whether the tool quantizes a node."""
        needed = [reader.operand(index) for index in self.needs]
        fit = all(
            operand is not None
            and operand.dtype in QUANTIZED
            and self.rank in (0, len(operand.shape))
            for operand in needed
        )
        stays = bool(self.without) and reader.node.attribute(self.without) is not None
        few = not self.outputs or len(reader.node.outputs) <= self.outputs
        return fit and few and not stays and (reader.typed or not self.typed)

    def stops(self, reader: Reader) -> bool:
        """Return whether the tool gives up: to add a bias, it wants the weight's rank."""
        return bool(self.bias) and self.bias < len(reader.operands) and self.weight(reader) is None

    def weight(self, reader: Reader) -> HeldTensor | None:
        """Return the first initializer that is needed, or None."""
        return reader.operand(self.needs[0])

    def scales(self, operand: HeldTensor, index: int, per_channel: bool) -> int:
        """Return the number of scales, each with a zero point of a byte."""
        if index in self.uint8:
            return 1
        axes = self.channels if per_channel else self.axes
        return prod(operand.shape[axis] for axis in axes if operand.shape)


INT8 = {
    "MatMul": Recipe(needs=(1,), int8=(1,), uint8=(0,), channels=(-1,)),
    "Conv": Recipe(needs=(1,), int8=(1,), uint8=(0,), typed=True, bias=2),
    "LSTM": Recipe(needs=(1, 2), int8=(1, 2), axes=(0,), channels=(0, 1), typed=True, rank=3),
    "Attention": Recipe(
        needs=(1,), int8=(1,), uint8=(0,), channels=(-1,), without="qkv_hidden_sizes"
    ),
    "EmbedLayerNormalization": Recipe(uint8=(2, 3, 4, 5, 6), outputs=2),
    "Gather": Recipe(needs=(0,), uint8=(0,)),
}
"""Policy: what `quantize_dynamic` takes (`IntegerOpsRegistry`, `MatMulConstBOnly`), in the main
graph alone (`EnableSubgraph` is off). Gemm is a MatMul by then; see `readers`."""

MOVES = frozenset({"Transpose"})
"""Policy: what it leaves as it is, also behind a tensor that it quantized (`Direct8BitOp`)."""

INT4 = {"MatMul": 1, "Gather": 0}
"""Policy: operator and input that `MatMulNBitsQuantizer` takes, in bodies too, with
`op_types_to_quantize=("MatMul", "Gather")` and `quant_axes=(("MatMul", 0), ("Gather", 1))`, after
`ONNXModel.replace_gemm_with_matmul`."""

FLOAT32_NODES = frozenset(
    [
        "ArrayFeatureExtractor",
        "Binarizer",
        "CastMap",
        "CategoryMapper",
        "CumSum",
        "DictVectorizer",
        "FeatureVectorizer",
        "Imputer",
        "LabelEncoder",
        "LinearClassifier",
        "LinearRegressor",
        "Max",
        "Min",
        "NonMaxSuppression",
        "Normalizer",
        "OneHotEncoder",
        "RandomUniformLike",
        "Range",
        "RoiAlign",
        "SVMClassifier",
        "SVMRegressor",
        "Scaler",
        "TopK",
        "TreeEnsemble",
        "TreeEnsembleClassifier",
        "TreeEnsembleRegressor",
        "Upsample",
        "ZipMap",
    ]
)
"""Policy: what the float16 converter leaves in float32 (`DEFAULT_OP_BLOCK_LIST`)."""

FLOAT32_INPUTS = {"Resize": (2,), "GroupNorm": (1, 2), "SkipGroupNorm": (1, 2)}
"""Policy: inputs it leaves in float32 (`ALWAYS_FLOAT_INPUTS`); Resize of opset 10 has input 1."""


def float32_inputs(op_type: str, opset: int) -> tuple[int, ...]:
    """Return the inputs of an operator that the float16 converter leaves in float32."""
    inputs = FLOAT32_INPUTS.get(op_type, ())
    return (1,) if inputs == (2,) and opset <= 10 else inputs
