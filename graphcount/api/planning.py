"""What a model would take in other circumstances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from graphcount.api.arguments import several
from graphcount.api.model import Model, SizeOptions, load
from graphcount.errors import UsageError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.units import parse

if TYPE_CHECKING:
    from graphcount.api.arguments import ModelLike
    from graphcount.report.plan import MemoryPlan, Optimizer, Plan, TargetDType
    from graphcount.report.records import Report


def plan(
    model: ModelLike | Model,
    *,
    dtypes: Sequence[TargetDType] | None = None,
    block: int = 32,
    per_channel: bool = False,
    asymmetric: bool = False,
    optimizers: Sequence[Optimizer] | None = None,
    mixed_precision: bool = False,
    samples: int | None = None,
    layers: Sequence[int] = (),
    memory: int | str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **sizes: Unpack[SizeOptions],
) -> Plan:
    """Work out what a model would take in other circumstances; see `graphcount.planning`.

    Args:
        model: A model, as `load` takes it, or one that was loaded.
        dtypes: Element types to store the weights in; None for all.
        block: Elements that share a scale in int4.
        per_channel: int8 with one scale for each output channel.
        asymmetric: int4 with zero points.
        optimizers: Optimizers to train with; None for all.
        mixed_precision: Train in float16 with float32 master weights.
        samples: Size of a data set to judge.
        layers: Hidden layers of networks of the same size; empty for those around the model's.
        memory: Bytes, or text as `8GB`: the longest context and the largest batch that fit in them.
        limits: What the file may ask of us.
        sizes: `dims` and `shapes`; see `SizeOptions`.

    Returns:
        Bytes in other element types and in training, sizes of data, and other widths.

    Raises:
        GraphcountError: The model cannot be read, or an option makes no sense.
    """
    from graphcount.planning import DTYPES, OPTIMIZERS, CountedModel, PlanOptions
    from graphcount.planning import plan as work_out

    options = PlanOptions(
        dtypes=DTYPES if dtypes is None else several(dtypes),
        block=block,
        per_channel=per_channel,
        asymmetric=asymmetric,
        optimizers=OPTIMIZERS if optimizers is None else several(optimizers),
        mixed_precision=mixed_precision,
        samples=samples,
        layers=tuple(layers),
    )
    loaded = model if isinstance(model, Model) else load(model, limits=limits)
    report, counted = loaded.measured(assume=True, **sizes)
    keys = tuple(tensor.key for tensor in counted.stored)
    fits = None if memory is None else _fits(loaded, memory, sizes)
    return work_out(CountedModel(report.in_numbers, loaded.proto, keys), options, fits)


def _fits(model: Model, memory: int | str, sizes: SizeOptions) -> MemoryPlan:
    """Return what fits in memory; sizes that were given hold for all that is counted."""
    from graphcount.planning import memory_plan

    try:
        nbytes = parse(memory, "bytes") if isinstance(memory, str) else memory
    except ValueError as error:
        raise UsageError(f"memory: {error}") from None
    shapes, values = sizes.get("shapes"), sizes.get("input_values")

    def count(dims: Mapping[str, int], proposed: Mapping[str, int] | bool) -> Report:
        return model.report(
            cost=True, dims=dims, shapes=shapes, input_values=values, assume=proposed
        )

    return memory_plan(count({}, True), nbytes, dict(sizes.get("dims") or {}), count)
