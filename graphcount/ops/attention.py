"""Attention operators of the default domain (opset 23 and later)."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import table

TABLE = table(
    "",
    {
        "Attention": OpSpec(("operand", "operand", "operand", "mask", "state", "state", "shape")),
        "RotaryEmbedding": OpSpec(("operand", "rotary table", "rotary table", "index")),
        "LinearAttention": OpSpec(rest="operand"),
    },
)
