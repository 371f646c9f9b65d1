"""Pooling, reductions, sorting, transforms: what folds numbers counts the elements it reads.

A pool reads its whole window for each output (padding included), a reduction each input element
once. Transforms (DFT and kin) count one an output element; the log factor of an FFT is not
counted. NonMaxSuppression counts one comparison a score: how many boxes are compared depends on
the data, as does the region size of RoI pooling, which is therefore unknown.
Source: ONNX Operators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, size
from graphcount.ops.cost.spec import (
    Rule,
    UnknownDimError,
    alike,
    attribute,
    inputs,
    integers,
    number,
    output,
    outputs,
    shape,
)
from graphcount.ops.tables import each, table
from graphcount.symbolic import Dim


def _windows(call: Call) -> Dim:
    out = output(call)
    if len(out) < 3:
        raise UnknownDimError
    return size(out) * size(integers(call, "kernel_shape", len(out) - 2))


def _pool_text(call: Call) -> str:
    window = size(integers(call, "kernel_shape"))
    return (
        f"{number(window)} elements read for each of {number(outputs(call))} outputs ="
        f" {number(_windows(call))}; no MACs"
    )


def _samples(call: Call) -> Dim:
    ratio = attribute(call, "sampling_ratio")  # 0: as many as the region is large
    return outputs(call) * (ratio * ratio)


def _regions(call: Call) -> Dim:
    del call
    raise UnknownDimError


def _second(call: Call) -> Dim:
    """Elements of the second input: scores of boxes, targets of a loss."""
    return size(shape(call, 1))


READ = Rule("one operation for each element that is read", elementwise=inputs)
POOL = Rule("the window is read for each output", elementwise=_windows, text=_pool_text)
OUTPUT = Rule("one operation for each output element", elementwise=outputs)

TABLE = {
    **table(
        "",
        {
            **each("AveragePool LpPool MaxPool", POOL),
            **each("GlobalAveragePool GlobalLpPool GlobalMaxPool", READ),
            **each(
                "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin"
                " ReduceProd ReduceSum ReduceSumSquare ArgMax ArgMin TopK Unique Col2Im"
                " SoftmaxCrossEntropyLoss",
                READ,
            ),
            **each("CumSum CumProd", Rule("one operation for each element", elementwise=alike)),
            "NegativeLogLikelihoodLoss": Rule("one for each target", elementwise=_second),
            "NonMaxSuppression": Rule(
                "one comparison for each score; how many boxes are compared is data, left out",
                elementwise=_second,
            ),
            "MaxRoiPool": Rule("reads its regions, whose size is data", elementwise=_regions),
            "RoiAlign": Rule(
                "sampling_ratio² interpolations for each output element", elementwise=_samples
            ),
            **each("DFT STFT", OUTPUT),
        },
    ),
    **table(
        "com.microsoft",
        {
            "Unique": READ,
            **each("Rfft Irfft", OUTPUT),
        },
    ),
    **table(
        "com.microsoft.nchwc",
        {
            **each("AveragePool MaxPool", POOL),
            **each("GlobalAveragePool GlobalMaxPool", READ),
        },
    ),
}
