"""Look-ups: a stored table is an embedding, stored indices are indices."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import each, table

TABLE = table(
    "",
    {
        **each("Gather GatherElements GatherND", OpSpec(("embedding", "index"))),
        **each("Scatter ScatterElements ScatterND", OpSpec(("operand", "index", "operand"))),
        "TensorScatter": OpSpec(("operand", "operand", "index")),
        "OneHot": OpSpec(("index", "scalar", "literal")),
        "Compress": OpSpec(("operand", "mask")),
    },
)
