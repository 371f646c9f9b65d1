"""Recurrent layers: W, R, B and P hold every gate; B has the input and the recurrent half."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import each, table

TABLE = table(
    "",
    {
        "LSTM": OpSpec(
            (
                "data",
                "weight",
                "recurrent weight",
                "bias",
                "shape",
                "initial state",
                "initial state",
                "peephole weight",
            )
        ),
        **each(
            "GRU RNN",
            OpSpec(("data", "weight", "recurrent weight", "bias", "shape", "initial state")),
        ),
    },
)
