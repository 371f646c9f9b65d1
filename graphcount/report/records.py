"""The report: everything graphcount says about one model, as the rows of `graphcount.report.rows`.

It is what outputs, gates, diffs and clusters see: data, picklable, sorted (`schema.json`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING

from graphcount.errors import Unknown, UsageError
from graphcount.report.printable import PrintableResult
from graphcount.report.rows import (
    OUTPUT,
    UNKNOWN_FRAMEWORK,
    DTypeRow,
    DuplicateRow,
    FingerprintRow,
    FrameworkRow,
    ModelInfo,
    ModuleRow,
    NodeRow,
    OpTypeRow,
    TensorRow,
    Totals,
)

if TYPE_CHECKING:
    import pandas

    from graphcount.report.finding_rows import AuditRow, CheckRow, Finding
    from graphcount.report.frames import TableName
    from graphcount.report.pass_rows import (
        ArenaRow,
        AssumedRow,
        DimensionRow,
        MismatchRow,
        MomentRow,
        PeakRow,
        RangesRow,
        StatesRow,
    )
    from graphcount.report.signature import SignatureRow
    from graphcount.report.sparsity import SparsityRow

REPORT_SCHEMA = "graphcount.report/2"
ERROR_SCHEMA = "graphcount.error/1"


@dataclass(frozen=True, repr=False)
class Report(PrintableResult):
    """Everything graphcount says about one model.

    Groupings (`dtypes`, `op_types`, `modules`) follow from nodes and tensors, so they are worked
    out when they are first asked for. Counts are exact integers; None is what is not known or was
    not computed. What each field counts is in docs/counting.md.

    Attributes:
        model: The file: its format, versions, inputs, outputs and sizes in bytes.
        totals: Elements by kind, bytes, and the cost of one forward pass.
        dims: Sizes that were given for dynamic dimensions.
        nodes: One row for each operator, in graph order.
        tensors: One row for each stored tensor, in the order in which the file has them.
        framework: The parameters that the training framework counted, with evidence.
        peak: The largest sum of live activations, in bytes; see docs/cost.md, "Memory".
        states: What a step hands to the next, and its bytes; None where there is nothing.
        timeline: Bytes of live activations over the run; None unless asked for.
        arena: Places of activations in one block; None unless asked for.
        duplicates: Tensors with equal data.
        dimensions: Dynamic dimensions that have no size, in the order in which they appear.
        mismatches: Declared shapes that are not what the operators make, once a cause.
        assumed: The forward pass at assumed sizes; None where no dimension is dynamic, or nobody
            asked for it.
        ranges: The least and the most over ranges of sizes; None where none were given.
        unknown: What could not be known, and which totals that spoils; see `Totals.at_least`.
        findings: Findings of the audit and of checks.
        audit: What the audit did; None without one.
        signature: What became of a signature; None where there is none, or without an audit.
        fingerprint: Digests of architecture and weights; None unless asked for.
        sparsity: Zeros of the stored tensors; None unless asked for.
        checks: Results of budgets.
    """

    model: ModelInfo
    totals: Totals
    dims: dict[str, int] = field(default_factory=dict)
    nodes: tuple[NodeRow, ...] = ()
    tensors: tuple[TensorRow, ...] = ()
    framework: FrameworkRow = UNKNOWN_FRAMEWORK
    peak: PeakRow | None = None
    states: StatesRow | None = None
    timeline: tuple[MomentRow, ...] | None = None
    arena: ArenaRow | None = None
    duplicates: tuple[DuplicateRow, ...] = ()
    dimensions: tuple[DimensionRow, ...] = ()
    mismatches: tuple[MismatchRow, ...] = ()
    assumed: AssumedRow | None = None
    ranges: RangesRow | None = None
    unknown: tuple[Unknown, ...] = ()
    findings: tuple[Finding, ...] = ()
    audit: AuditRow | None = None
    signature: SignatureRow | None = None
    fingerprint: FingerprintRow | None = None
    sparsity: SparsityRow | None = None
    checks: tuple[CheckRow, ...] = ()

    @cached_property
    def dtypes(self) -> tuple[DTypeRow, ...]:
        """Stored tensors by element type, most bytes first."""
        return dtype_rows(self.tensors)

    @cached_property
    def op_types(self) -> tuple[OpTypeRow, ...]:
        """Nodes by operator, most parameters first."""
        return op_type_rows(self.nodes)

    @cached_property
    def modules(self) -> tuple[ModuleRow, ...]:
        """Modules as a tree in graph order, each with all below it; the first is the model."""
        return module_rows(self.nodes, self.tensors)

    @property
    def assumed_sizes(self) -> dict[str, int]:
        """Sizes that were assumed for dynamic dimensions, by name."""
        return {row.name: row.assumed for row in self.dimensions if row.assumed is not None}

    @cached_property
    def in_numbers(self) -> Report:
        """The report at assumed sizes: what people read; itself where nothing was assumed."""
        row = self.assumed
        if row is None:
            return self
        nodes = zip(self.nodes, row.nodes, strict=True)
        zeros = self.sparsity
        if zeros is not None:
            zeros = zeros._replace(macs_nonzero=zeros.assumed_macs_nonzero)
        return replace(
            self,
            model=self.model._replace(inputs=row.inputs, outputs=row.outputs),
            totals=row.totals,
            dims=row.dims,
            nodes=tuple(node._replace(**costs._asdict()) for node, costs in nodes),
            peak=row.peak,
            timeline=row.timeline,
            arena=row.arena,
            sparsity=zeros,
            states=row.states,
            unknown=row.unknown,
            assumed=None,
        )

    def macs(self, **dims: int) -> int:
        """Return the multiply-accumulates of one forward pass, at sizes of dynamic dimensions.

        Raises:
            UsageError: A dynamic dimension has no size, or no whole number from 0, or the
                cost was not computed.
        """
        return _evaluated(self.totals.macs, self.totals.macs_expression, dims)

    def activation_nbytes(self, **dims: int) -> int:
        """Return the bytes of all activations, at sizes of dynamic dimensions; see `macs`."""
        totals = self.totals
        return _evaluated(totals.activation_nbytes, totals.activation_expression, dims)

    def state_nbytes(self, **dims: int) -> int:
        """Return the bytes that a step hands to the next, at sizes of dynamic dimensions.

        Raises:
            UsageError: The model has no states, or a dynamic dimension has no size.
        """
        if self.states is None:
            raise UsageError("the model hands nothing from one step to the next, or cost was off")
        nbytes = self.states.nbytes
        number, formula = (nbytes, None) if isinstance(nbytes, int) else (None, nbytes)
        return _evaluated(number, formula, dims)

    def to_pandas(self, table: TableName = "tensors") -> pandas.DataFrame:
        """Return a table as a data frame of pandas (extra `pandas`); credentials are masked.

        The columns are the fields of its rows. Shapes are lists; what is not known is missing, and
        integers beyond 64 bits stay Python's. `report.in_numbers` has costs at assumed sizes.

        Args:
            table: `tensors`, `nodes`, `modules`, `op_types`, `dtypes`, `findings` or `unknown`.

        Raises:
            UsageError: There is no such table, or pandas is not installed.
        """
        from graphcount.report.frames import frame

        return frame(self.to_dict(), table)

    @property
    def exact(self) -> bool:
        """Whether nothing is unknown and nothing taken as declared: every number is exact."""
        return not self.unknown

    @property
    def doubts(self) -> tuple[Unknown, ...]:
        """Unknowns that make the counts of stored elements lower bounds, not only the cost."""
        return tuple(unknown for unknown in self.unknown if unknown.affects == "counts")


COSTS = ("macs", "elementwise", "traffic", "activation", "peak")
"""Measures of a forward pass."""

MEASURES = ("parameters", *COSTS)
"""What `Totals.at_least` can have; `parameters` stands for every count of what is stored."""


DATA_ALONE = frozenset({"tensor data", "external data", "packed data"})
"""What can be unknown of a tensor whose dimensions are known: no shape depends on it."""


def at_least(unknown: Iterable[Unknown], lacking: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the measures whose totals are lower bounds.

    Args:
        unknown: What is not known. What spoils counts spoils all that is worked out of them, but
            for data that is missing of tensors whose dimensions are known.
        lacking: Measures of a forward pass that lack something.
    """
    counts = [item.what for item in unknown if item.affects == "counts"]
    if not DATA_ALONE.issuperset(counts):
        return MEASURES
    wanted = {*lacking, *(("parameters",) if counts else ())}
    return tuple(measure for measure in MEASURES if measure in wanted)


def _evaluated(number: int | None, expression: str | None, dims: dict[str, int]) -> int:
    """Return a number, or the value of an expression."""
    if number is not None:
        return number
    if expression is None:
        raise UsageError("the cost of a forward pass is not known; see `unknown` in the report")
    from graphcount.symbolic import evaluate
    from graphcount.symbolic.text import formula

    dimension = formula(expression)
    if dimension is None:
        raise UsageError("the formula has names that cannot be read back; count with their sizes")
    for name, size in dims.items():
        if isinstance(size, bool) or not hasattr(size, "__index__") or size < 0:
            raise UsageError(f"{name}: {size!r} is no size")
    try:
        result = evaluate(dimension, {name: index(size) for name, size in dims.items()})
    except ArithmeticError as error:
        raise UsageError(f"the formula has no value for these sizes: {error}") from error
    if not isinstance(result, int):
        missing = ", ".join(sorted(result.symbols()))
        raise UsageError(f"give a size for {missing}")
    return result


# --------------------------------------------------------------------------------------- groupings


def dtype_rows(tensors: Iterable[TensorRow]) -> tuple[DTypeRow, ...]:
    """Return stored tensors by element type, most bytes first."""
    sums: dict[str, list[int]] = {}
    for tensor in tensors:
        row = sums.setdefault(tensor.dtype, [0, 0, 0])
        row[0] += 1
        row[1] += tensor.elements
        row[2] += tensor.nbytes
    rows = [DTypeRow(dtype, *row) for dtype, row in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.nbytes, row.dtype)))


def op_type_rows(nodes: Iterable[NodeRow]) -> tuple[OpTypeRow, ...]:
    """Return nodes by operator, most parameters first."""
    members: dict[tuple[str, str], list[NodeRow]] = {}
    for node in nodes:
        members.setdefault((node.op_type, node.domain), []).append(node)
    totals = [
        OpTypeRow(
            op_type,
            domain,
            len(rows),
            sum(row.parameters for row in rows),
            sum(row.buffers for row in rows),
            sum(row.nbytes for row in rows),
            sum_known(row.macs for row in rows),
        )
        for (op_type, domain), rows in members.items()
    ]
    return tuple(sorted(totals, key=lambda r: (-r.parameters, -r.nodes, r.op_type, r.domain)))


def module_rows(nodes: Iterable[NodeRow], tensors: Iterable[TensorRow]) -> tuple[ModuleRow, ...]:
    """Return modules as a tree in graph order, each with all below it; first the whole model.

    Tensors that no node owns belong to the whole model only.
    """
    sums: dict[str, _Sums] = {"": _Sums()}
    for node in nodes:
        row = sums.get(node.module)
        if row is None:
            row = _with_parents(sums, node.module)
        row.add(node)
    ordered = _tree_order(sums)
    for path, own in reversed(ordered):  # children before their parents
        if path:
            sums[path.rpartition(".")[0]].join(own)
    for tensor in tensors:
        if tensor.owner is None:
            sums[""].parameters += tensor.elements if tensor.kind == "parameter" else 0
            sums[""].buffers += tensor.elements if tensor.kind == "buffer" else 0
            sums[""].nbytes += tensor.nbytes
    return tuple(
        ModuleRow(
            path,
            path.count(".") + 1 if path else 0,
            row.parameters,
            row.buffers,
            row.nbytes,
            row.macs,
            row.nodes,
        )
        for path, row in ordered
    )


class _Sums:
    """Running sums of a module."""

    __slots__ = ("buffers", "macs", "nbytes", "nodes", "parameters")

    def __init__(self) -> None:
        self.parameters = self.buffers = self.nbytes = self.nodes = 0
        self.macs: int | None = None

    def add(self, node: NodeRow) -> None:
        """Add one node."""
        self.parameters += node.parameters
        self.buffers += node.buffers
        self.nbytes += node.nbytes
        self.nodes += node.op_type != OUTPUT
        if node.macs is not None:
            self.macs = node.macs + (self.macs or 0)

    def join(self, other: _Sums) -> None:
        """Add the sums of a module below."""
        self.parameters += other.parameters
        self.buffers += other.buffers
        self.nbytes += other.nbytes
        self.nodes += other.nodes
        if other.macs is not None:
            self.macs = other.macs + (self.macs or 0)


def _with_parents(sums: dict[str, _Sums], module: str) -> _Sums:
    """Start the sums of a module and of every module above it."""
    missing = []
    path = module
    while path not in sums:
        missing.append(path)
        path = path.rpartition(".")[0]
    for path in reversed(missing):
        sums[path] = _Sums()
    return sums[module]


def _tree_order(sums: dict[str, _Sums]) -> list[tuple[str, _Sums]]:
    """Return parents before children, children in the order they first appear."""
    children: dict[str, list[str]] = {}
    for path in sums:
        if path:
            children.setdefault(path.rpartition(".")[0], []).append(path)
    ordered = []
    stack = [""]
    while stack:
        path = stack.pop()
        ordered.append((path, sums[path]))
        stack.extend(reversed(children.get(path, ())))
    return ordered


def sum_known(numbers: Iterable[int | None]) -> int | None:
    """Sum of the numbers that are known; None when none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
