"""Real latency, next to what it should cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Unpack

from graphcount.api.arguments import refuse_others, several
from graphcount.api.auditing import audit
from graphcount.api.model import Operators, Sizes, load
from graphcount.errors import UsageError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from graphcount.benchmarking.measure import BenchOptions, Subject
    from graphcount.report.bench import Result
    from graphcount.report.records import Report


def bench(
    path: str,
    options: BenchOptions | None = None,
    *,
    inputs: Sequence[str] = (),
    versus: str | None = None,
    trust: bool = False,
    operators: Operators | None = None,
    progress: Callable[[str], None] = lambda text: None,
    limits: Limits = DEFAULT_LIMITS,
    **sizes: Unpack[Sizes],
) -> Result:
    """Run a model with onnxruntime and measure it; see `graphcount.benchmarking`.

    The model is executed, in a child process with limits. A structural audit comes first.

    Args:
        path: The model, an .onnx file.
        options: How to measure; None for the defaults.
        inputs: Files with inputs: `name=file.npy`, `file.npz`, a folder with `input_0.pb`.
        versus: Another model to take turns with.
        trust: Run although the audit has findings of high or critical severity.
        operators: Costs of custom operators; see `CountOptions`.
        progress: Called with what is being done.
        limits: What the file may ask of us.
        sizes: `dims` and `shapes`; see `Sizes`.

    Raises:
        GraphcountError: The model is refused, or cannot be read, fed or run.
        TypeError: There is no such option; runs and the like are fields of `options`.
    """
    from graphcount.benchmarking.measure import BenchOptions, measure

    refuse_others(sizes, Sizes)
    how = options or BenchOptions()
    subjects: list[Subject] = []
    for one in (path, versus):
        if one is None:
            continue
        if not trust:
            progress("audit")
            _refuse_findings(audit(one, deep=False, limits=limits))
        profiled = how.profile and not subjects
        subjects.append(_subject(one, profiled, several(inputs), operators, limits, sizes))
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


def _subject(
    path: str,
    with_cost: bool,
    inputs: Sequence[str],
    operators: Operators | None,
    limits: Limits,
    sizes: Sizes,
) -> Subject:
    """A model, what it is fed, and what its nodes should cost at these sizes."""
    from graphcount.benchmarking.measure import Subject
    from graphcount.benchmarking.plan import plan_inputs

    dims, shapes = sizes.get("dims") or {}, sizes.get("shapes") or {}
    model = load(path, limits=limits)
    if model.file.format != "onnx" or path == "-":
        raise UsageError("onnxruntime runs .onnx files only", path)
    try:
        plan = plan_inputs(model.proto, model.model_graph, dims, shapes, inputs)
    except UsageError as error:
        raise error if error.path else error.at(path) from None
    known = {**dims, **plan.assumed}
    fed = {**shapes, **{item.name: item.shape for item in plan.inputs if item.file is not None}}
    report = model.report(deep=False, cost=with_cost, dims=known, shapes=fed, operators=operators)
    rows = {row.id: row for row in report.nodes}
    nbytes = report.totals.nbytes.total
    return Subject(path, plan, model.model_graph.tables, rows, nbytes)
