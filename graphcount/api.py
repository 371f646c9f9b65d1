"""One function a verb. What a call does not need, it does not import."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from graphcount.errors import NotReadableError, UsageError
from graphcount.loading import ModelFile, open_payload, read_model
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import ModelProto

if TYPE_CHECKING:
    import networkx as nx

    from graphcount.analysis.fingerprint import Hashes
    from graphcount.analysis.forward import CostOptions
    from graphcount.analysis.plan.records import Optimizer, Plan, TargetDType
    from graphcount.bench.measure import BenchOptions
    from graphcount.bench.measure import Subject as Benched
    from graphcount.gates.checks import Check
    from graphcount.gates.diff.side import Subject
    from graphcount.graph import ModelGraph
    from graphcount.report.bench import Result
    from graphcount.report.diff import Diff
    from graphcount.report.records import Report, RuleInfo

DEEP_AUDIT_NBYTES = 512 * 10**6
"""Up to so many bytes of stored tensors an audit reads them by default."""

MacsConvention = Literal["graphcount", "torchinfo"]

Operators = Mapping[str, Mapping[str, str]]
"""`domain::op_type` → `macs` or `elementwise` → expression."""

COST_NODES = 50_000
"""Shapes and costs are worked out by default up to so many nodes; beyond, when asked for."""

DEEP_BUDGET_NBYTES = 64 * 2**20
"""Payload read by default to compare tensors; `deep=True` lifts it, `deep=False` makes it zero."""


class Model:
    """A model that was read: its records, its graph, its report.

    Example:
        >>> import networkx as nx
        >>> model = graphcount.load("fixtures/cnn.onnx")         # doctest: +SKIP
        >>> nx.ancestors(model.graph, "output:linear_1")         # doctest: +SKIP
    """

    def __init__(self, file: ModelFile, limits: Limits = DEFAULT_LIMITS) -> None:
        self.file = file
        self._limits = limits
        self._model_graph: ModelGraph | None = None
        self._annotated = False
        self._hashes: Hashes | None = None

    @property
    def path(self) -> str:
        """Path as given."""
        return self.file.path

    @property
    def proto(self) -> ModelProto:
        """The ONNX messages, without payload."""
        return self.file.proto

    @property
    def model_graph(self) -> ModelGraph:
        """The graph with what the file leaves undefined; built once."""
        if self._model_graph is None:
            from graphcount.graph import build_graph

            self._model_graph = build_graph(self.file.proto, self._limits)
        return self._model_graph

    @property
    def graph(self) -> nx.MultiDiGraph[str]:
        """The networkx graph: operators as nodes, values as edges; see `graphcount.graph`.

        Operators also carry what was counted: `module`, `parameters`, `buffers`, `nbytes`,
        `output_shapes` (declared ones) and `macs`.
        """
        if not self._annotated:
            nodes = self.model_graph.tables.nodes
            for row in self.report(deep=False).nodes:
                nodes[row.id].update(
                    module=row.module,
                    parameters=row.parameters,
                    buffers=row.buffers,
                    nbytes=row.nbytes,
                    output_shapes=row.output_shapes,
                    macs=row.macs,
                )
            self._annotated = True
        return self.model_graph.graph

    def report(
        self,
        *,
        deep: bool | None = None,
        hash_file: bool = False,
        cost: bool | None = None,
        dims: Mapping[str, int] | None = None,
        shapes: Mapping[str, Sequence[int | str | None]] | None = None,
        macs_convention: MacsConvention = "graphcount",
        in_place: bool = False,
        operators: Operators | None = None,
    ) -> Report:
        """Count the model.

        Args:
            deep: Read payload to compare tensors (copies of tied weights, duplicates): True all of
                it, False none, None up to 64 MiB.
            hash_file: Put the SHA-256 of the model and its side files, and the fingerprints of its
                content, into the report: all of it is read.
            cost: Work out shapes, MACs and activations: None up to 50,000 nodes.
            dims: Sizes of dimensions the model leaves free: `{"batch": 8}`.
            shapes: Shapes of graph inputs: `{"input": (1, 3, 224, 224)}`.
            macs_convention: `torchinfo` counts additions of biases too.
            in_place: Let results take over the memory of inputs, as onnxruntime does, in the peak
                of activations; see `graphcount.analysis.memory`.
            operators: Costs of custom operators as expressions in a node's shapes and attributes:
                `{"com.acme::Foo": {"macs": "prod(outputs[0]) * inputs[1][0]"}}`; see
                `graphcount.ops.cost.user`.

        Raises:
            ShapeError: `dims` or `shapes` do not fit the model.
            UsageError: A formula in `operators` is none, or for an operator that is known.
        """
        from graphcount.analysis.summary import summarize
        from graphcount.analysis.values import Values

        budget = {None: DEEP_BUDGET_NBYTES, True: 1 << 62, False: 0}[deep]
        binary = self.file.format == "onnx"  # offsets into a text form mean nothing
        values = Values(self.path if binary else "-", budget)
        try:
            digest = _sha256(self.path) if hash_file else None
            with _gc_paused():
                asked = cost or dims or shapes or in_place
                small = self.model_graph.node_count <= COST_NODES
                options = None
                if asked or operators or (cost is None and small):
                    options = _cost_options(dims, shapes, macs_convention, in_place, operators)
                if not asked and not (cost is None and small):
                    options = None  # the user's formulas were only checked
                report = summarize(self.file, self.model_graph, values, digest, options)
        finally:
            values.close()
        return replace(report, fingerprint=self.hashes().fingerprint) if hash_file else report

    def hashes(self) -> Hashes:
        """Fingerprints of the content, and the digest of every stored tensor: all is read, once.

        Raises:
            NotReadableError: It cannot be read a second time (standard input).
        """
        if self._hashes is None:
            from graphcount.analysis.fingerprint import fingerprint

            source = open_payload(self.file, self._limits)
            try:
                self._hashes = fingerprint(self.file, self.model_graph, source)
            finally:
                source.close()
        return self._hashes

    @property
    def stored_keys(self) -> tuple[int, ...]:
        """Identities of the stored tensors, in the report's order; see `Stored.key`."""
        from graphcount.analysis.stored import find_stored

        return tuple(tensor.key for tensor in find_stored(self.file.proto, self.file.path))

    def __repr__(self) -> str:
        return f"<graphcount.Model {self.path!r}>"


def load(path: str, *, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model without its payload.

    Args:
        path: `.onnx` file, ONNX text or JSON, or `-` for standard input.
        limits: What the file may ask of us.

    Raises:
        GraphcountError: Not readable, not ONNX, damaged, or beyond the limits.
    """
    with _gc_paused():
        return Model(read_model(str(path), limits), limits)


def count(
    path: str,
    *,
    deep: bool | None = None,
    hash_file: bool = False,
    cost: bool | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    macs_convention: MacsConvention = "graphcount",
    in_place: bool = False,
    operators: Operators | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Report:
    """Count a model: `load(path).report(...)`; see there."""
    return load(path, limits=limits).report(
        deep=deep,
        hash_file=hash_file,
        cost=cost,
        dims=dims,
        shapes=shapes,
        macs_convention=macs_convention,
        in_place=in_place,
        operators=operators,
    )


def audit(
    path: str,
    *,
    deep: bool | None = None,
    select: Sequence[str] = (),
    ignore: Mapping[str, str] | None = None,
    hash_file: bool = False,
    progress: Callable[[str], None] = lambda rule: None,
    limits: Limits = DEFAULT_LIMITS,
) -> Report:
    """Look for what a model hides; see `graphcount.audit`.

    Args:
        path: The model.
        deep: Run the rules that read payload and side files: None up to 512 MB of them.
        select: Ids of rules to run, or their beginnings; empty for all.
        ignore: Ids of rules (or their beginnings) whose findings are set aside, with the reason.
        hash_file: Put the SHA-256 of the model and its side files into the report.
        progress: Called with what is being done: the id of a rule, or how far a long one is.
        limits: What the file may ask of us.

    Returns:
        The report of the model without its cost, with `findings` and `audit`.

    Raises:
        GraphcountError: The model cannot be read, or a selection names no rule.
    """
    from dataclasses import replace

    from graphcount.audit.context import Context
    from graphcount.audit.engine import Selection
    from graphcount.audit.engine import audit as run

    with _gc_paused():
        model = Model(read_model(str(path), limits, keep_thin=True), limits)
    report = model.report(deep=False, hash_file=hash_file, cost=False)
    if deep is None:
        deep = report.totals.nbytes.total <= DEEP_AUDIT_NBYTES and model.file.is_at_hand
    context = Context(model.file, model.model_graph, deep=deep, limits=limits, progress=progress)
    try:
        with _gc_paused():
            found = run(context, Selection(tuple(select), dict(ignore or {})), progress)
    finally:
        context.close()
    return replace(report, findings=found.findings, audit=found.audit)


def rules() -> tuple[RuleInfo, ...]:
    """Every rule that a finding can carry, with its documentation."""
    from graphcount.audit.rule import info
    from graphcount.audit.rules import load_rules

    return tuple(info(module) for module in load_rules())


def check(
    path: str,
    *,
    max: Mapping[str, int | str] | None = None,
    min: Mapping[str, int | str] | None = None,
    max_increase: Mapping[str, int | str] | None = None,
    checks: Sequence[Check] = (),
    baseline: str = "",
    deep: bool | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Report:
    """Hold a model against budgets; it passes when `report.findings` is empty.

    Args:
        path: The model.
        max: Largest allowed values: `{"parameters": "30M", "nbytes": "100MB", "nodes.Loop": 0}`.
        min: Smallest allowed values.
        max_increase: Largest growth since the baseline: `{"parameters": "5%"}`.
        checks: Checks of a configuration (`graphcount.config.load_config().checks`).
        baseline: File written by `graphcount check --write-baseline`.
        deep: Read payload to compare tensors; see `Model.report`.
        dims: Sizes of dimensions the model leaves free.
        shapes: Shapes of graph inputs.
        limits: What the file may ask of us.

    Raises:
        GraphcountError: The model cannot be read, a measure does not exist, the baseline is stale.
        ValueError: A limit is no quantity.
    """
    from graphcount.gates.budgets import Bound, Origin, make_budget
    from graphcount.gates.checks import Check
    from graphcount.gates.examine import Baselines, examine, joined

    given: dict[Bound, Mapping[str, int | str] | None]
    given = {"max": max, "min": min, "max_increase": max_increase}
    budgets = tuple(
        make_budget(name, str(limit), bound, Origin(option=bound))
        for bound, rows in given.items()
        for name, limit in (rows or {}).items()
    )
    asked = [*checks, Check("budgets", budgets=budgets)] if budgets else [*checks]
    if not any(check.demands for check in asked):
        raise UsageError("nothing to check: give max, min, max_increase or checks")
    sizes, inputs = dict(dims or {}), {name: tuple(row) for name, row in (shapes or {}).items()}
    asked = [
        row._replace(dims={**row.dims, **sizes}, shapes={**row.shapes, **inputs}) for row in asked
    ]
    model = load(path, limits=limits)
    examined = examine(
        lambda dims, shapes, cost: model.report(deep=deep, cost=cost, dims=dims, shapes=shapes),
        path,
        asked,
        Baselines(baseline),
        {},
    )
    return joined(examined)


def plan(
    model: str | Report,
    *,
    dtypes: Sequence[TargetDType] | None = None,
    block: int = 32,
    per_channel: bool = False,
    asymmetric: bool = False,
    optimizers: Sequence[Optimizer] | None = None,
    mixed_precision: bool = False,
    samples: int | None = None,
    layers: Sequence[int] = (),
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Plan:
    """What a model would take in other circumstances; see `graphcount.analysis.plan`.

    Args:
        model: Path of a model, or its report (counted with the `dims` it needs).
        dtypes: Element types to store the weights in; None for all.
        block: Numbers that share a scale in int4.
        per_channel: int8 with one scale for each output channel.
        asymmetric: int4 with zero points.
        optimizers: Optimizers to train with; None for all.
        mixed_precision: Train in float16 with float32 master weights.
        samples: Size of a data set to judge.
        layers: Hidden layers of networks of the same size; empty for those around the model's.
        dims: Sizes of dimensions the model leaves free.
        shapes: Shapes of graph inputs.
        limits: What the file may ask of us.

    Raises:
        GraphcountError: The model cannot be read, or an option makes no sense.
    """
    from graphcount.analysis.plan import DTYPES, OPTIMIZERS, PlanOptions
    from graphcount.analysis.plan import plan as work_out
    from graphcount.report.records import Report as Counted

    options = PlanOptions(
        dtypes=tuple(DTYPES if dtypes is None else dtypes),
        block=block,
        per_channel=per_channel,
        asymmetric=asymmetric,
        optimizers=tuple(OPTIMIZERS if optimizers is None else optimizers),
        mixed_precision=mixed_precision,
        samples=samples,
        layers=tuple(layers),
    )
    if not isinstance(model, Counted):
        model = count(model, dims=dims, shapes=shapes, limits=limits)
    elif dims or shapes:
        raise UsageError("dims and shapes belong to the count: give the path, or count with them")
    return work_out(model, options)


def diff(
    old: str | Report | Model,
    new: str | Report | Model,
    *,
    values: bool = False,
    hash_file: bool = False,
    cost: bool | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    in_place: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Diff:
    """What changed from one model to another; see `graphcount.gates.diff` for how they are matched.

    Args:
        old: Path of a model or of a saved report (`--format json`), a report, or a model.
        new: The same.
        values: Compare the numbers of tensors, too: all of them are read.
        hash_file: Compare the files' SHA-256 and the fingerprints of their content.
        cost: Work out shapes, MACs and activations: None up to 50,000 nodes.
        dims: Sizes of dimensions the models leave free.
        shapes: Shapes of graph inputs.
        in_place: Let results take over the memory of inputs in the peak of activations.
        limits: What the files may ask of us.

    Raises:
        GraphcountError: One of them cannot be read, or an option makes no sense.
    """
    return compared(
        old,
        new,
        values=values,
        hash_file=hash_file,
        cost=cost,
        dims=dims,
        shapes=shapes,
        in_place=in_place,
        limits=limits,
    )[0]


def compared(
    old: str | Report | Model,
    new: str | Report | Model,
    *,
    values: bool = False,
    hash_file: bool = False,
    cost: bool | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    in_place: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Diff, Report, Report]:
    """`diff`, and the two reports that it compared."""
    from graphcount.gates.diff import compare

    if old == "-" and new == "-":
        raise UsageError("only one of the two can come from standard input")
    with _gc_paused():
        first, second = (
            _subject(model, values, hash_file, cost, dims, shapes, in_place, limits)
            for model in (old, new)
        )
        if (dims or shapes) and first.source == second.source == "report":
            raise UsageError("dims and shapes belong to the count: these reports were counted")
        return compare(first, second), first.report, second.report


def _subject(
    model: str | Report | Model,
    values: bool,
    hash_file: bool,
    cost: bool | None,
    dims: Mapping[str, int] | None,
    shapes: Mapping[str, Sequence[int | str | None]] | None,
    in_place: bool,
    limits: Limits,
) -> Subject:
    """One side of a diff: a model with its wiring, or a report without."""
    from graphcount.gates.diff.side import Subject
    from graphcount.report.records import Report as Counted

    if isinstance(model, str | os.PathLike):
        from graphcount.gates.saved import read_report

        path = str(model)
        model = read_report(path) or load(path, limits=limits)
    if isinstance(model, Counted):
        return Subject(model, None, None, None, "report")
    from graphcount.analysis.wiring import attribute_texts, wires

    report = model.report(
        deep=False, hash_file=hash_file, cost=cost, dims=dims, shapes=shapes, in_place=in_place
    )
    digests = model.hashes().digests if values else None
    if values:
        report = replace(report, fingerprint=model.hashes().fingerprint)
    tables = model.model_graph.tables
    stored = frozenset(model.stored_keys)
    attributes = {
        node: attribute_texts(data["node"], stored)
        for node, data in tables.nodes.items()
        if data["kind"] == "operator" and data["node"].attributes
    }
    fed = {node: wires(tables, node) for node in tables.nodes if tables.pred[node]}
    return Subject(report, attributes, fed, digests, "model")


def bench(
    path: str,
    options: BenchOptions | None = None,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    inputs: Sequence[str] = (),
    versus: str | None = None,
    trust: bool = False,
    progress: Callable[[str], None] = lambda text: None,
    limits: Limits = DEFAULT_LIMITS,
) -> Result:
    """Run a model with onnxruntime and measure it; see `graphcount.bench`.

    The model is executed, in a child process with limits. A structural audit comes first.

    Args:
        path: The model, an .onnx file.
        options: How to measure; None for the defaults.
        dims: Sizes of dimensions the model leaves free.
        shapes: Shapes of graph inputs.
        inputs: Files with inputs: `name=file.npy`, `file.npz`, a folder with `input_0.pb`.
        versus: Another model to take turns with.
        trust: Run although the audit has findings of high or critical severity.
        progress: Called with what is being done.
        limits: What the file may ask of us.

    Raises:
        GraphcountError: The model is refused, or cannot be read, fed or run.
    """
    from graphcount.bench.measure import BenchOptions, measure

    how = options or BenchOptions()
    subjects: list[Benched] = []
    for one in (path, versus):
        if one is None:
            continue
        if not trust:
            progress("audit")
            _refuse_findings(audit(one, deep=False, limits=limits))
        profiled = how.profile and not subjects
        subjects.append(_benched(one, profiled, dims or {}, shapes or {}, inputs, limits))
    return measure(subjects[0], how, progress, subjects[1] if versus is not None else None)


def _refuse_findings(report: Report) -> None:
    """Refuse to run what the audit warns of.

    Raises:
        UsageError: A finding of high or critical severity, or an audit that is not complete.
    """
    bad = [finding for finding in report.findings if finding.severity in ("critical", "high")]
    if bad:
        more = f" ({len(bad) - 1} more)" if len(bad) > 1 else ""
        first = f"{bad[0].rule} {bad[0].severity}: {bad[0].message}{more}"
        raise UsageError(f"not run, the audit found {first}; --trust runs it", report.model.path)
    if report.audit is not None and not report.audit.complete:
        why = "not run, the audit could not be completed; --trust runs it"
        raise UsageError(why, report.model.path)


def _benched(
    path: str,
    with_cost: bool,
    dims: Mapping[str, int],
    shapes: Mapping[str, Sequence[int | str | None]],
    inputs: Sequence[str],
    limits: Limits,
) -> Benched:
    """A model, what it is fed, and what its nodes should cost at these sizes."""
    from graphcount.bench.measure import Subject
    from graphcount.bench.plan import plan_inputs

    model = load(path, limits=limits)
    if model.file.format != "onnx" or path == "-":
        raise UsageError("onnxruntime runs .onnx files only", path)
    try:
        plan = plan_inputs(model.proto, model.model_graph, dims, shapes, inputs)
    except UsageError as error:
        raise error if error.path else error.at(path) from None
    known = {**dims, **plan.assumed}
    fed = {**shapes, **{item.name: item.shape for item in plan.inputs if item.file is not None}}
    report = model.report(deep=False, cost=with_cost, dims=known, shapes=fed)
    rows = {row.id: row for row in report.nodes}
    nbytes = report.totals.nbytes.total
    return Subject(path, plan, model.model_graph.tables, rows, nbytes)


def _cost_options(
    dims: Mapping[str, int] | None,
    shapes: Mapping[str, Sequence[int | str | None]] | None,
    convention: MacsConvention,
    in_place: bool,
    operators: Operators | None,
) -> CostOptions:
    from graphcount.analysis.forward import CostOptions
    from graphcount.analysis.shapes import Bindings
    from graphcount.ops.cost import NO_RULES, user_rules

    given = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    rules = user_rules(operators) if operators else NO_RULES
    return CostOptions(
        Bindings(dict(dims or {}), given), convention == "torchinfo", in_place, rules
    )


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Pause the cycle collector while many records are made: they form no cycles.

    With 100,000 nodes the collector would go through all of them again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _sha256(path: str) -> str:
    """SHA-256 of a whole file, in chunks.

    Raises:
        NotReadableError: It cannot be read a second time (standard input).
    """
    from graphcount.loading.source import open_regular, sha256

    if path == "-":
        raise NotReadableError("standard input cannot be hashed; name a file", path)
    with open_regular(path) as file:
        return sha256(file)
