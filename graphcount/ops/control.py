"""Control flow: bodies are subgraphs, so a tensor is attributed inside them."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import table

TABLE = table(
    "",
    {
        "If": OpSpec(("scalar",)),
        "Loop": OpSpec(("scalar", "scalar"), rest="state"),
        "Scan": OpSpec(rest="state"),
        "SequenceMap": OpSpec(rest="state"),
    },
)
