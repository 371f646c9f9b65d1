"""Control flow, and text.

Bodies are subgraphs: a tensor is attributed inside them, and their operators are counted where they
run. Shapes of If, Loop and Scan follow from their bodies (`graphcount.analysis.shapes.control`).
Source: ONNX Operators.md.
"""

from __future__ import annotations

from graphcount.ops.attributes import scans_inputs
from graphcount.ops.call import Call, Shapes
from graphcount.ops.formulas import FREE, OUTPUT, CostRule
from graphcount.ops.inference import (
    BOOL,
    FLOAT,
    INT64,
    STRING,
    always,
    broadcasting,
    same,
    unknown,
)
from graphcount.ops.operator import FOLDS, Operator, family, merge, traits

RUNS_BODIES = traits("runs bodies")
BODY = CostRule("costs nothing itself: the operators of its body are counted by themselves")


def tf_idf(call: Call) -> Shapes:
    """TfIdfVectorizer: max(ngram_indexes) + 1 elements a text."""
    data, indexes = call.input(0), call.node.integer_list("ngram_indexes")
    size = max(indexes) + 1 if indexes else None
    return [(*data[:-1], size) if data is not None else None]


def split_text(call: Call) -> Shapes:
    """StringSplit: parts of each text, as many as the longest has, and how many these are."""
    data = call.input(0)
    return [(*data, None) if data is not None else None, data]


TABLE = merge(
    [
        family(
            "control",
            {
                "If": Operator(roles=("scalar",), cost=BODY, traits=RUNS_BODIES),
                "Loop": Operator(
                    roles=("scalar", "scalar"), rest="state", cost=BODY, traits=RUNS_BODIES | FOLDS
                ),
                "Scan": Operator(
                    rest="state",
                    cost=BODY,
                    attribute_check=scans_inputs,
                    traits=RUNS_BODIES | FOLDS,
                ),
            },
        ),
        family(
            "text",
            {
                "StringNormalizer": Operator(rest="literal", shape=unknown, cost=FREE),
                "StringConcat": Operator(rest="literal", shape=broadcasting, cost=FREE),
                "StringSplit": Operator(
                    rest="literal",
                    shape=split_text,
                    dtypes=always(STRING, INT64),
                    cost=FREE,
                    traits=traits("sized by data"),
                ),
                "RegexFullMatch": Operator(
                    rest="literal", shape=same(0), dtypes=always(BOOL), cost=FREE
                ),
                "TfIdfVectorizer": Operator(
                    rest="literal", shape=tf_idf, dtypes=always(FLOAT), cost=OUTPUT
                ),
            },
        ),
    ]
)
