"""Weights are quantized on paper: they are stored as floats and rounded when the model runs.

What it does:
    Finds float weights all of whose uses stand behind QuantizeLinear and DequantizeLinear, and says
    how many bytes they take and how many they would as the integers that they are rounded to.

Why it matters:
    What training with quantization exports so is as large as before, and slower where a runtime
    does not fold it: the file has the numbers of a quantized model and the size of a float one.
    Quant of QONNX is not reported: its models hold floats on purpose, since ONNX has no type of
    most widths, and the tools that take them pack the weights themselves.

Example:
    A weight of 4 MB in float32, QuantizeLinear to int8, DequantizeLinear, Conv: 1 MB would do.

What to do:
    Fold QuantizeLinear into the weights: store their integers and keep DequantizeLinear. Leave it
    where a compiler that does so itself takes the file (TensorRT).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcount.analysis.attribution import TensorUse
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.dtypes import BY_NAME, DTYPES, DType
from graphcount.graph import ModelGraph, OperatorNode
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("QNT005", "on-paper", "info")

ROUNDED = ("QuantizeLinear", "DequantizeLinear")
"""Policy: what tools put behind floats that are to be integers later."""


def check(context: Context) -> Iterable[Finding]:
    """Yield at most one finding."""
    if context.shapes is None:
        return
    made = _rounded_to(context.graph, context.shapes.dtypes)
    weights, nbytes, smaller = [], 0, 0
    for row in context.rows if made else ():
        dtype, stored = BY_NAME.get(row.stored.dtype), row.stored
        integers = next((made[origin] for origin in row.tensor.origins if origin in made), None)
        if dtype is None or dtype.family != "float" or integers is None or not row.tensor.live:
            continue
        if dtype.bits > integers.bits and all(map(_is_rounded, row.tensor.uses)):
            weights.append((stored.nbytes, stored.name, integers.name))
            nbytes += dtype.nbytes(stored.elements)
            smaller += integers.nbytes(stored.elements)
    if weights:
        _, name, integers_name = max(weights, key=lambda weight: weight[0])
        yield RULE.finding(
            f"{counted(len(weights), 'weight')} of {nbytes:,} bytes stored as floats and rounded by"
            f" QuantizeLinear in each run; stored quantized they take {smaller:,} bytes; the"
            f" largest is {name!r}, to {integers_name}",
            {"tensor": name},
            nbytes=nbytes,
            quantized_nbytes=smaller,
            tensors=len(weights),
        )


def _is_rounded(use: TensorUse) -> bool:
    """Return whether a use takes the floats that integers were made of and back."""
    first, second = ROUNDED
    return first in use.via and second in use.via[use.via.index(first) :]


def _rounded_to(graph: ModelGraph, dtypes: Mapping[tuple[str, str], int]) -> Mapping[str, DType]:
    """Return to which integers a value is rounded, by the node that holds it."""
    made = {}
    for (_, op_type), nodes in graph.by_operator.items():
        for node in nodes if op_type == ROUNDED[0] else ():
            use = graph.operand(node.id, 0)
            result = node.outputs[0] if node.outputs else ""
            integers = DTYPES.get(dtypes.get((node.id, result), 0))
            if use is not None and integers is not None and integers.family == "int":
                made[graph.source(use, _passes_on).producer] = integers
    return made


def _passes_on(node: OperatorNode) -> bool:
    return node.operator is not None and bool(node.operator.passes)
