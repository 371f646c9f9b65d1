"""What a budget can be set on: one row a measure."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Literal, NamedTuple

from graphcount.errors import UsageError
from graphcount.report.records import Report


class Measure(NamedTuple):
    """One number of a report.

    Attributes:
        name: As written in a budget.
        unit: How it is shown: a count or bytes.
        read: Takes it from a report; None when it was not computed.
        depends_on: What must be known for it to be exact: nothing but the `file`, the `counts` of
            stored numbers, or these and what is `generated`, or the `cost` of a forward pass.
        about: One line of documentation.
    """

    name: str
    unit: Literal["count", "bytes"]
    read: Callable[[Report], int | None]
    depends_on: Literal["file", "counts", "generated", "cost"]
    about: str


MEASURES: dict[str, Measure] = {
    row.name: row
    for row in (
        Measure(
            "parameters",
            "count",
            lambda r: r.totals.parameters,
            "counts",
            "learned numbers, each stored tensor once",
        ),
        Measure(
            "parameters_as_used",
            "count",
            lambda r: r.totals.parameters_as_used,
            "counts",
            "learned numbers, once for each use",
        ),
        Measure(
            "framework_parameters",
            "count",
            lambda r: r.framework.parameters if r.framework.exact else None,
            "counts",
            "what the training framework counted, when the file proves it",
        ),
        Measure(
            "buffers", "count", lambda r: r.totals.buffers, "counts", "state that is not trained"
        ),
        Measure(
            "quantization",
            "count",
            lambda r: r.totals.quantization,
            "counts",
            "scales and zero points",
        ),
        Measure(
            "constants", "count", lambda r: r.totals.constants, "counts", "shapes, axes, literals"
        ),
        Measure("unused", "count", lambda r: r.totals.unused, "counts", "numbers no output needs"),
        Measure("elements", "count", lambda r: r.totals.elements, "counts", "all stored numbers"),
        Measure(
            "generated", "count", lambda r: r.totals.generated, "generated", "numbers made at load"
        ),
        Measure("nbytes", "bytes", lambda r: r.totals.nbytes.total, "counts", "all stored tensors"),
        Measure(
            "parameter_nbytes",
            "bytes",
            lambda r: r.totals.nbytes.parameters,
            "counts",
            "stored parameters",
        ),
        Measure(
            "unused_nbytes", "bytes", lambda r: r.totals.nbytes.unused, "counts", "dead tensors"
        ),
        Measure("file_nbytes", "bytes", lambda r: r.model.file_nbytes, "file", "the model file"),
        Measure(
            "external_nbytes", "bytes", lambda r: r.model.external_nbytes, "counts", "external data"
        ),
        Measure("macs", "count", lambda r: r.totals.macs, "cost", "multiply-accumulates"),
        Measure("flops", "count", lambda r: r.totals.flops, "cost", "2 x MACs"),
        Measure(
            "elementwise", "count", lambda r: r.totals.elementwise, "cost", "element-wise work"
        ),
        Measure(
            "peak_activation_nbytes",
            "bytes",
            lambda r: r.totals.peak_activation_nbytes,
            "cost",
            "largest sum of live activations",
        ),
        Measure("nodes", "count", lambda r: r.model.node_count, "counts", "nodes in the file"),
        Measure("unknown", "count", lambda r: len(r.unknown), "file", "things that are not known"),
    )
}
"""Every measure by name."""


def find_measure(name: str) -> Measure:
    """The measure of that name.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    measure = MEASURES.get(name)
    if measure is not None:
        return measure
    near = get_close_matches(name, MEASURES, 1)
    hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(MEASURES)}"
    raise UsageError(f"{name!r} is no measure{hint}")
