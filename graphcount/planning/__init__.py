"""What if: other element types, training, data, other widths; a pure function of a report."""

from __future__ import annotations

from graphcount.errors import UsageError
from graphcount.planning.mlp import mlp_plan
from graphcount.planning.sizes import size_plan
from graphcount.planning.training import data_plan, training_plan
from graphcount.report.plan import (
    DTYPES,
    OPTIMIZERS,
    Optimizer,
    Plan,
    PlanOptions,
    TargetDType,
)
from graphcount.report.records import Report

DEFAULT_OPTIONS = PlanOptions()


def plan(report: Report, options: PlanOptions = DEFAULT_OPTIONS) -> Plan:
    """Work out what a model would take in other circumstances.

    Args:
        report: A report.
        options: What is asked.

    Raises:
        UsageError: An option makes no sense.
    """
    _check(options)
    mixed = options.mixed_precision
    return Plan(
        path=report.model.path,
        options=options,
        dims=dict(report.dims),
        parameters=report.totals.parameters,
        lower_bound=bool(report.doubts),
        sizes=tuple(size_plan(report, dtype, options) for dtype in options.dtypes),
        training=tuple(training_plan(report, name, mixed) for name in options.optimizers),
        data=data_plan(report.totals.parameters, options.samples),
        mlp=mlp_plan(report, options.layers),
        notes=tuple(_notes(report, mixed)),
    )


def _check(options: PlanOptions) -> None:
    block = options.block
    if block < 16 or block & (block - 1):
        raise UsageError(f"block size {block}: a power of two, at least 16 (as in MatMulNBits)")
    if options.samples is not None and options.samples < 0:
        raise UsageError("a data set has no negative number of samples")
    if any(number < 1 for number in options.layers):
        raise UsageError("at least one hidden layer is needed")
    for names, known in ((options.dtypes, DTYPES), (options.optimizers, OPTIMIZERS)):
        for name in names:
            if name not in known:
                raise UsageError(f"{name!r} is none of {', '.join(known)}")


def _notes(report: Report, mixed: bool) -> list[str]:
    """Return what is not known, or only assumed."""
    notes = []
    totals, framework = report.totals, report.framework
    if totals.activation_nbytes is None and totals.activation_expression is not None:
        notes.append(
            "activations depend on dynamic dimensions: give their sizes, e.g. --dim batch=8"
        )
    elif totals.activation_nbytes is None:
        notes.append("activations are not known: the cost of a forward pass was not worked out")
    elif mixed:
        notes.append("activations are counted at the file's types, not in float16")
    assumed = report.assumed_sizes
    if assumed:
        sizes = ", ".join(f"{name} {size}" for name, size in assumed.items())
        notes.append(f"sizes assumed for activations: {sizes}; --dim sets them")
    if "activation" in totals.at_least:
        notes.append("not every shape is known: activations are at least this")
    if report.doubts:
        first = report.doubts[0]
        notes.append(f"every count is at least this: {first.where}: {first.what}: {first.why}")
    if framework.parameters is not None and framework.parameters != totals.parameters:
        notes.append(
            f"counted are the file's {totals.parameters:,} parameters;"
            f" the framework counted {framework.parameters:,}"
        )
    return notes


__all__ = [
    "DEFAULT_OPTIONS",
    "DTYPES",
    "OPTIMIZERS",
    "Optimizer",
    "Plan",
    "PlanOptions",
    "TargetDType",
    "data_plan",
    "mlp_plan",
    "plan",
    "size_plan",
    "training_plan",
]
