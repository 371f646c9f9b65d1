"""What a demand can be made on: one row a measure, one row a family of measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial

from graphcount.dtypes import BY_NAME
from graphcount.errors import UsageError
from graphcount.gates.contributors import (
    Parts,
    is_node,
    modules,
    no_parts,
    nodes_of,
    op_types,
    operator,
    peak_values,
    tensors,
    unknowns,
)
from graphcount.gates.measure import DependsOn, Measure, MeasureFamily
from graphcount.gates.subject import Subject
from graphcount.ops import operators
from graphcount.report.numbers import NUMBERS
from graphcount.report.rows import TensorRow
from graphcount.units import Unit


def _measure(
    name: str, about: str, parts: Parts = no_parts, depends_on: DependsOn = "counts"
) -> Measure:
    """Return a measure that is a number of the report."""
    unit, read = NUMBERS[name]
    return Measure(name, unit, lambda s: read(s.report), depends_on, about, parts)


def _on_disk(name: str, about: str, parts: Parts) -> Measure:
    """Return a measure of files, which is not known where one cannot be looked at."""

    def read(subject: Subject) -> int | None:
        known = all(file.nbytes is not None for file in subject.report.model.side_files)
        return NUMBERS[name].read(subject.report) if known else None

    missing = "an external data file is missing or must not be looked at"
    return Measure(name, "bytes", read, "file", about, parts, missing)


def _elements_of(kind: str) -> Parts:
    return tensors(lambda row: row.elements if row.kind == kind else 0)


def _bytes_of(kind: str) -> Parts:
    return tensors(lambda row: row.nbytes if row.kind == kind else 0)


def _latency(percentile: str) -> Measure:
    name = f"latency_{percentile}"
    about = f"{percentile} of a forward pass, from the benchmark given with --bench"
    missing = "no benchmark of this model says it (--bench)"
    return Measure(
        name, "time", lambda s: s.latency.get(percentile), "file", about, no_parts, missing
    )


def _sparsity(subject: Subject) -> int | None:
    """Return millionths of the parameters that are zero, rounded down; None where one is unread."""
    report = subject.report
    row, parameters = report.sparsity, report.totals.parameters
    if row is None or not parameters or row.parameters != parameters:
        return None
    return row.parameter_zeros * 10**6 // parameters


def _nonzero_macs(subject: Subject) -> int | None:
    return subject.report.sparsity.macs_nonzero if subject.report.sparsity else None


MEASURES: dict[str, Measure] = {
    row.name: row
    for row in (
        _measure(
            "parameters",
            "learned elements, each stored tensor once",
            modules(lambda node: node.parameters),
        ),
        _measure("parameters_as_used", "learned elements, with shared weights counted per use"),
        Measure(
            "framework_parameters",
            "count",
            lambda s: s.report.framework.parameters if s.report.framework.exact else None,
            "counts",
            "what the training framework counted, when the file proves it",
            no_parts,
            "the file does not prove it",
        ),
        _measure("buffers", "state that is not trained", _elements_of("buffer")),
        _measure("quantization", "scales and zero points", _elements_of("quantization")),
        _measure("constants", "shapes, axes, literals", _elements_of("constant")),
        _measure("unused", "elements no output needs", _elements_of("unused")),
        _measure("elements", "all stored elements", tensors(lambda row: row.elements)),
        _measure("generated", "elements made at load", depends_on="generated"),
        Measure(
            "operand_elements",
            "count",
            lambda s: s.report.totals.operand_elements,
            "operands",
            "numbers that reach what is computed, whatever their kind",
            no_parts,
            "it makes numbers of constants, and their shapes were not worked out (--cost)",
        ),
        _measure("nbytes", "all stored tensors", tensors(lambda row: row.nbytes)),
        _measure("parameter_nbytes", "parameters", _bytes_of("parameter")),
        _measure("buffer_nbytes", "buffers", _bytes_of("buffer")),
        _measure("quantization_nbytes", "scales and zero points", _bytes_of("quantization")),
        _measure("constant_nbytes", "constants", _bytes_of("constant")),
        _measure("unused_nbytes", "dead tensors", _bytes_of("unused")),
        _on_disk(
            "disk_nbytes",
            "all that lies on disk: the model file and its external data files",
            tensors(lambda row: row.stored_nbytes),
        ),
        _measure(
            "file_nbytes",
            "the model file",
            tensors(lambda row: 0 if row.storage.location else row.stored_nbytes),
            "file",
        ),
        _on_disk(
            "external_nbytes",
            "external data files, each once",
            tensors(lambda row: row.stored_nbytes if row.storage.location else 0),
        ),
        Measure(
            "compressed_nbytes",
            "bytes",
            lambda s: s.compressed_nbytes,
            "counts",
            "model file and external data files as gzip -6 packs them (zlib level 6, no headers)",
            no_parts,
            "a file cannot be read",
        ),
        _measure("macs", "multiply-accumulates", modules(lambda node: node.macs), "macs"),
        _measure("flops", "2 x MACs", modules(lambda node: 2 * (node.macs or 0)), "macs"),
        _measure(
            "elementwise",
            "element-wise work",
            modules(lambda node: node.elementwise),
            "elementwise",
        ),
        Measure(
            "bit_operations",
            "count",
            lambda s: s.report.totals.bit_operations,
            "macs",
            "MACs x bits of the one operand x bits of the other",
            modules(lambda node: node.bit_operations),
            "the types of some operands are not known",
        ),
        _measure(
            "traffic_nbytes",
            "bytes that nodes read and write",
            modules(lambda node: node.traffic_nbytes),
            "traffic",
        ),
        _measure("input_nbytes", "graph inputs", depends_on="shapes"),
        _measure("output_nbytes", "graph outputs", depends_on="shapes"),
        _measure("load_nbytes", "constants folded at load", depends_on="shapes"),
        _measure("activation_nbytes", "all activations of a forward pass", depends_on="activation"),
        _measure("peak_activation_nbytes", "largest sum of live activations", peak_values, "peak"),
        Measure(
            "sparsity",
            "share",
            _sparsity,
            "counts",
            "parameters that are zero; all weights are read",
            no_parts,
            "a parameter cannot be read, or there is none",
            reads_data=True,
        ),
        Measure(
            "nonzero_macs",
            "count",
            _nonzero_macs,
            "macs",
            "multiply-accumulates with weights that are not zero; all weights are read",
            no_parts,
            "of a node only an upper bound is known",
            reads_data=True,
            is_most=lambda s: s.report.sparsity is not None and not s.report.sparsity.macs_exact,
        ),
        _measure("nodes", "nodes in the file", op_types(lambda node: 1)),
        _measure("unknown", "things that are not known", unknowns, "file"),
        *(_latency(percentile) for percentile in ("p50", "p90", "p95", "p99")),
        Measure(
            "latency_ratio",
            "ratio",
            lambda s: s.latency.get("ratio_most"),
            "file",
            "latency by that of another model, from bench --vs, given with --bench",
            no_parts,
            "no comparison of this model with another says it (bench --vs, --bench)",
            is_most=lambda s: "ratio_most" in s.latency,
            least=lambda s: s.latency.get("ratio_least"),
        ),
    )
}
"""Every measure without an argument, by name."""

NOT_IN_BASELINES = {
    *("compressed_nbytes", "sparsity", "nonzero_macs"),
    *("latency_p50", "latency_p90", "latency_p95", "latency_p99", "latency_ratio"),
}
"""Measures that cost more than counting, or are not a fact of the file: only when asked for."""


def _of_dtype(prefix: str, read: Callable[[TensorRow], int], unit: Unit, dtype: str) -> Measure:
    parts = tensors(lambda row: read(row) if row.dtype == dtype else 0)
    return Measure(
        f"{prefix}.{dtype}",
        unit,
        lambda s: sum(number for _, number in parts(s)),
        "counts",
        f"{prefix} of {dtype} tensors",
        parts,
    )


def _of_op_type(name: str) -> Measure:
    return Measure(
        f"nodes.{name}",
        "count",
        lambda s: len(nodes_of(s.report, name)),
        "counts",
        f"nodes {name}, calls of functions expanded",
        lambda s: ((node.id, 1) for node in nodes_of(s.report, name)),
    )


def _of_module(module: str) -> Measure:
    def read(subject: Subject) -> int | None:
        rows = subject.report.modules
        return next((row.parameters for row in rows if row.name == module), None)

    about = f"parameters of module {module} and below; not known when there is none"
    inside = f"{module}."
    parts = modules(lambda node: node.parameters if f"{node.module}.".startswith(inside) else 0)
    missing = f"there is no module {module}"
    return Measure(f"parameters.{module}", "count", read, "counts", about, parts, missing)


def _dtypes_present(subject: Subject) -> Iterable[str]:
    return (row.dtype for row in subject.report.dtypes)


FAMILIES: dict[str, MeasureFamily] = {
    row.prefix: row
    for row in (
        MeasureFamily(
            "nbytes",
            "DTYPE",
            partial(_of_dtype, "nbytes", lambda row: row.nbytes, "bytes"),
            _dtypes_present,
            BY_NAME,
            True,
            0,
            "stored tensors of an element type: nbytes.float32",
        ),
        MeasureFamily(
            "elements",
            "DTYPE",
            partial(_of_dtype, "elements", lambda row: row.elements, "count"),
            _dtypes_present,
            BY_NAME,
            True,
            0,
            "stored elements of an element type: elements.int8",
        ),
        MeasureFamily(
            "nodes",
            "OPERATOR",
            _of_op_type,
            lambda s: {operator(node) for node in s.report.nodes if is_node(node)},
            [name for _, name in operators("")],
            False,
            0,
            "nodes of an operator: nodes.Conv, nodes.com.microsoft::Gelu",
        ),
        MeasureFamily(
            "parameters",
            "MODULE",
            _of_module,
            lambda s: (row.name for row in s.report.modules if row.depth == 1),
            (),
            False,
            None,
            "parameters of a module: parameters.encoder.layer.0",
        ),
    )
}
"""Every family by prefix."""


def find_measure(name: str) -> Measure:
    """Return the measure of that name.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    measure = MEASURES.get(name)
    if measure is not None:
        return measure
    prefix, dot, argument = name.partition(".")
    family = FAMILIES.get(prefix)
    if family is None or not dot or not argument:
        near = get_close_matches(prefix, [*MEASURES, *FAMILIES], 1) or [
            known for known in MEASURES if prefix and prefix in known
        ]
        hint = f"; did you mean {near[0]}?" if near else "; see graphcount check --list-measures"
        raise UsageError(f"{name!r} is no measure{hint}")
    require_known(argument, family.known, family.closed, family.argument.lower())
    return family.make(argument)


def require_known(name: str, known: Iterable[str], closed: bool, what: str) -> None:
    """Refuse a name that is surely a slip: nearly a known one, or not of a closed set.

    Operators of other domains than ONNX's own are nobody's list, so any name may be meant.

    Raises:
        UsageError: With the nearest right name.
    """
    names = list(known)
    if name in names:
        return
    near = [] if "::" in name else get_close_matches(name, names, 1, 0.6 if closed else 0.7)
    if near or closed:
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{name!r} is no {what}{hint}")


def require_operator(name: str) -> None:
    """Refuse an operator's name that is surely a slip.

    Raises:
        UsageError: With the nearest right name.
    """
    require_known(name, FAMILIES["nodes"].known, False, "operator")


def list_measures() -> list[tuple[str, str, str]]:
    """Name, unit and meaning of every measure and family."""
    rows: list[tuple[str, str, str]] = [
        (row.name, row.unit, row.about) for row in MEASURES.values()
    ]
    for family in FAMILIES.values():
        unit = family.make("x").unit
        rows.append((f"{family.prefix}.{family.argument}", unit, family.about))
    return rows
