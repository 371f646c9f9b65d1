"""The numbers of a whole model, by one name each: what is demanded, remembered and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.report.records import Report
from graphcount.units import Unit


class Number(NamedTuple):
    """One number of a report: what it is a number of, and how to read it; None: not known."""

    unit: Unit
    read: Callable[[Report], int | None]


NUMBERS: dict[str, Number] = {
    "parameters": Number("count", lambda r: r.totals.parameters),
    "parameters_as_used": Number("count", lambda r: r.totals.parameters_as_used),
    "framework_parameters": Number("count", lambda r: r.framework.parameters),
    "buffers": Number("count", lambda r: r.totals.buffers),
    "quantization": Number("count", lambda r: r.totals.quantization),
    "constants": Number("count", lambda r: r.totals.constants),
    "unused": Number("count", lambda r: r.totals.unused),
    "elements": Number("count", lambda r: r.totals.elements),
    "stored_elements": Number("count", lambda r: r.totals.stored_elements),
    "generated": Number("count", lambda r: r.totals.generated),
    "nbytes": Number("bytes", lambda r: r.totals.nbytes.total),
    "parameter_nbytes": Number("bytes", lambda r: r.totals.nbytes.parameters),
    "buffer_nbytes": Number("bytes", lambda r: r.totals.nbytes.buffers),
    "quantization_nbytes": Number("bytes", lambda r: r.totals.nbytes.quantization),
    "constant_nbytes": Number("bytes", lambda r: r.totals.nbytes.constants),
    "unused_nbytes": Number("bytes", lambda r: r.totals.nbytes.unused),
    "absent_nbytes": Number("bytes", lambda r: r.totals.nbytes.absent),
    "overhead_nbytes": Number("bytes", lambda r: r.totals.nbytes.overhead),
    "file_nbytes": Number("bytes", lambda r: r.model.file_nbytes),
    "external_nbytes": Number("bytes", lambda r: r.model.external_nbytes),
    "macs": Number("count", lambda r: r.totals.macs),
    "flops": Number("count", lambda r: r.totals.flops),
    "elementwise": Number("count", lambda r: r.totals.elementwise),
    "activation_nbytes": Number("bytes", lambda r: r.totals.activation_nbytes),
    "peak_activation_nbytes": Number("bytes", lambda r: r.totals.peak_activation_nbytes),
    "input_nbytes": Number("bytes", lambda r: r.totals.input_nbytes),
    "output_nbytes": Number("bytes", lambda r: r.totals.output_nbytes),
    "nodes": Number("count", lambda r: r.model.node_count),
    "tensors": Number("count", lambda r: len(r.tensors)),
    "functions": Number("count", lambda r: r.model.function_count),
    "subgraphs": Number("count", lambda r: r.model.subgraph_count),
    "unknown": Number("count", lambda r: len(r.unknown)),
}
"""Every number by the name that demands, baselines and diffs use for it."""
