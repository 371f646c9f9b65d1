"""Operators that cost nothing by nature: they move, select, copy, rename, convert or hold numbers.

Listed on purpose: what is neither here nor has a formula is unknown. Cast changes the type of a
number, not the number; Gather multiplies nothing (an embedding is a look-up, though frameworks
that write it as a product with one-hot rows would count it). Control flow is free itself: its
bodies are counted where they run.
"""

from __future__ import annotations

from graphcount.ops.cost.spec import Rule
from graphcount.ops.tables import each, table

SILENT = Rule("")
LOOK_UP = Rule("a look-up: rows are copied, nothing is multiplied, 0 MACs")
BODY = Rule("free itself: the operators of its body are counted by themselves")

TABLE = {
    **table(
        "",
        {
            **each(
                "Identity Cast CastLike BitCast Constant ConstantOfShape EyeLike Shape Size Reshape"
                " Flatten Squeeze Unsqueeze Transpose Expand Tile Concat Split Slice Pad"
                " CenterCropPad Trilu ReverseSequence DepthToSpace SpaceToDepth NonZero Compress"
                " OneHot MaxUnpool Scatter TensorScatter",
                SILENT,
            ),
            **each("Gather GatherElements GatherND", LOOK_UP),
            "Dropout": Rule("does nothing at inference"),
            **each("If Loop Scan SequenceMap", BODY),
            **each(
                "SequenceConstruct SequenceAt SequenceEmpty SequenceErase SequenceInsert"
                " SequenceLength ConcatFromSequence SplitToSequence Optional OptionalGetElement"
                " OptionalHasElement",
                SILENT,
            ),
            **each("StringNormalizer StringConcat StringSplit RegexFullMatch", SILENT),
        },
    ),
    **table(
        "ai.onnx.ml",
        {
            **each(
                "ArrayFeatureExtractor CastMap CategoryMapper DictVectorizer FeatureVectorizer"
                " LabelEncoder OneHotEncoder ZipMap",
                SILENT,
            ),
        },
    ),
    **table("com.microsoft", each("Trilu NGramRepeatBlock", SILENT)),
    **table("com.microsoft.nchwc", each("ReorderInput ReorderOutput", SILENT)),
}
