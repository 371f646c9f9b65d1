"""The numbers of a whole model, by one name each: what is demanded, remembered and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.report.records import Report
from graphcount.units import Unit


class ReportNumber(NamedTuple):
    """One number of a report: what it is a number of, and how to read it; None: not known."""

    unit: Unit
    read: Callable[[Report], int | None]


NUMBERS: dict[str, ReportNumber] = {
    "parameters": ReportNumber("count", lambda r: r.totals.parameters),
    "parameters_as_used": ReportNumber("count", lambda r: r.totals.parameters_as_used),
    "framework_parameters": ReportNumber("count", lambda r: r.framework.parameters),
    "buffers": ReportNumber("count", lambda r: r.totals.buffers),
    "quantization": ReportNumber("count", lambda r: r.totals.quantization),
    "constants": ReportNumber("count", lambda r: r.totals.constants),
    "unused": ReportNumber("count", lambda r: r.totals.unused),
    "elements": ReportNumber("count", lambda r: r.totals.elements),
    "stored_elements": ReportNumber("count", lambda r: r.totals.stored_elements),
    "generated": ReportNumber("count", lambda r: r.totals.generated),
    "operand_elements": ReportNumber("count", lambda r: r.totals.operand_elements),
    "nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.total),
    "parameter_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.parameters),
    "buffer_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.buffers),
    "quantization_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.quantization),
    "constant_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.constants),
    "unused_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.unused),
    "absent_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.absent),
    "stored_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.stored),
    "overhead_nbytes": ReportNumber("bytes", lambda r: r.totals.nbytes.overhead),
    "file_nbytes": ReportNumber("bytes", lambda r: r.model.file_nbytes),
    "external_nbytes": ReportNumber("bytes", lambda r: r.model.external_nbytes),
    "disk_nbytes": ReportNumber("bytes", lambda r: r.model.disk_nbytes),
    "macs": ReportNumber("count", lambda r: r.totals.macs),
    "flops": ReportNumber("count", lambda r: r.totals.flops),
    "elementwise": ReportNumber("count", lambda r: r.totals.elementwise),
    "bit_operations": ReportNumber("count", lambda r: r.totals.bit_operations),
    "traffic_nbytes": ReportNumber("bytes", lambda r: r.totals.traffic_nbytes),
    "activation_nbytes": ReportNumber("bytes", lambda r: r.totals.activation_nbytes),
    "peak_activation_nbytes": ReportNumber("bytes", lambda r: r.totals.peak_activation_nbytes),
    "load_nbytes": ReportNumber("bytes", lambda r: r.totals.load_nbytes),
    "input_nbytes": ReportNumber("bytes", lambda r: r.totals.input_nbytes),
    "output_nbytes": ReportNumber("bytes", lambda r: r.totals.output_nbytes),
    "nodes": ReportNumber("count", lambda r: r.model.node_count),
    "tensors": ReportNumber("count", lambda r: len(r.tensors)),
    "functions": ReportNumber("count", lambda r: r.model.function_count),
    "subgraphs": ReportNumber("count", lambda r: r.model.subgraph_count),
    "unknown": ReportNumber("count", lambda r: len(r.unknown)),
}
"""Every number by the name that demands, baselines and diffs use for it."""
