"""What if: other element types, training, data, other widths; a pure function of a report."""

from __future__ import annotations

from graphcount.errors import UsageError
from graphcount.planning.memory import memory_plan
from graphcount.planning.mlp import mlp_plan
from graphcount.planning.remarks import left_out, notes
from graphcount.planning.sizes import CountedModel, size_plan
from graphcount.planning.trained import not_trained, trained_parameters
from graphcount.planning.training import data_plan, training_plan
from graphcount.report.plan import (
    DTYPES,
    OPTIMIZERS,
    MemoryPlan,
    Optimizer,
    Plan,
    PlanOptions,
    TargetDType,
)

DEFAULT_OPTIONS = PlanOptions()


def plan(
    model: CountedModel,
    options: PlanOptions = DEFAULT_OPTIONS,
    memory: MemoryPlan | None = None,
) -> Plan:
    """Work out what a model would take in other circumstances.

    Args:
        model: A model and its report.
        options: What is asked.
        memory: What fits in some memory; see `memory_plan`.

    Raises:
        UsageError: An option makes no sense.
    """
    _check(options)
    report, mixed = model.report, options.mixed_precision
    sizes = tuple(size_plan(model, dtype, options) for dtype in options.dtypes)
    trained, parameters = not not_trained(report), trained_parameters(report)
    optimizers = options.optimizers if trained else ()
    return Plan(
        path=report.model.path,
        options=options,
        dims=dict(report.dims),
        parameters=report.totals.parameters,
        lower_bound=bool(report.doubts),
        sizes=tuple(size for size in sizes if size.converted_tensors),
        training=tuple(
            training_plan(report.totals, parameters, name, mixed) for name in optimizers
        ),
        data=data_plan(parameters, options.samples) if trained else None,
        mlp=mlp_plan(report, options.layers) if trained else None,
        memory=memory,
        left_out=left_out(report, sizes),
        notes=notes(report, sizes, mixed),
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


__all__ = [
    "DEFAULT_OPTIONS",
    "DTYPES",
    "OPTIMIZERS",
    "CountedModel",
    "Optimizer",
    "Plan",
    "PlanOptions",
    "TargetDType",
    "data_plan",
    "memory_plan",
    "mlp_plan",
    "plan",
    "size_plan",
    "training_plan",
]
