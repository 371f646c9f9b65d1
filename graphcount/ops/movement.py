"""Operators that move, convert or select numbers; most are looked through."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import each, table

FIRST = frozenset({0})

TABLE = table(
    "",
    {
        **each("Identity Cast BitCast Transpose Flatten", OpSpec(("operand",), FIRST)),
        "CastLike": OpSpec(("operand", "literal"), FIRST),
        **each("Reshape Expand", OpSpec(("operand", "shape"), FIRST)),
        **each("Squeeze Unsqueeze", OpSpec(("operand", "axes"), FIRST)),
        "Slice": OpSpec(("operand", "index", "index", "axes", "index"), FIRST),
        "Split": OpSpec(("operand", "shape"), FIRST),
        "Tile": OpSpec(("operand", "shape", "axes")),
        "Concat": OpSpec(rest="operand"),
        "Pad": OpSpec(("operand", "shape", "literal", "axes")),
        "Resize": OpSpec(("operand", "literal", "literal", "shape")),
        "Upsample": OpSpec(("operand", "literal")),
        "CenterCropPad": OpSpec(("operand", "shape")),
        "Trilu": OpSpec(("operand", "scalar")),
        "ReverseSequence": OpSpec(("operand", "shape")),
        **each("DepthToSpace SpaceToDepth", OpSpec(("operand",))),
        "AffineGrid": OpSpec(("operand", "shape")),
        "GridSample": OpSpec(("operand", "operand")),
        **each("Shape Size NonZero EyeLike Unique", OpSpec(("operand",))),
        "ConstantOfShape": OpSpec(("shape",), attributes={"value": "literal"}),
        "Range": OpSpec(("scalar", "scalar", "scalar")),
        "Constant": OpSpec(),
        **each(
            "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial",
            OpSpec(rest="operand"),
        ),
        **each(
            "SequenceConstruct SequenceAt SequenceEmpty SequenceErase SequenceInsert SequenceLength"
            " ConcatFromSequence SplitToSequence Optional OptionalGetElement OptionalHasElement",
            OpSpec(rest="operand"),
        ),
        **each(
            "StringNormalizer StringConcat StringSplit RegexFullMatch TfIdfVectorizer ImageDecoder",
            OpSpec(rest="literal"),
        ),
    },
)
