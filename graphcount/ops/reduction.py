"""Reductions, sorting and signal processing."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import each, table

TABLE = table(
    "",
    {
        **each(
            "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin"
            " ReduceProd ReduceSum ReduceSumSquare",
            OpSpec(("operand", "axes")),
        ),
        **each("ArgMax ArgMin", OpSpec(("operand",))),
        **each("CumSum CumProd", OpSpec(("operand", "axes"))),
        "TopK": OpSpec(("operand", "scalar")),
        "NonMaxSuppression": OpSpec(("operand", "operand", "scalar", "scalar", "scalar")),
        **each("BlackmanWindow HammingWindow HannWindow", OpSpec(("scalar",))),
        "DFT": OpSpec(("operand", "scalar", "axes")),
        "STFT": OpSpec(("operand", "scalar", "window", "scalar")),
        "MelWeightMatrix": OpSpec(rest="scalar"),
    },
)
