"""What a model would take in other circumstances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from graphcount.api.arguments import several
from graphcount.api.model import Model, SizeOptions, load
from graphcount.loading.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from graphcount.report.plan import Optimizer, Plan, TargetDType


def plan(
    model: str | Model,
    *,
    dtypes: Sequence[TargetDType] | None = None,
    block: int = 32,
    per_channel: bool = False,
    asymmetric: bool = False,
    optimizers: Sequence[Optimizer] | None = None,
    mixed_precision: bool = False,
    samples: int | None = None,
    layers: Sequence[int] = (),
    limits: Limits = DEFAULT_LIMITS,
    **sizes: Unpack[SizeOptions],
) -> Plan:
    """Work out what a model would take in other circumstances; see `graphcount.planning`.

    Args:
        model: Path of a model, or one that was loaded.
        dtypes: Element types to store the weights in; None for all.
        block: Elements that share a scale in int4.
        per_channel: int8 with one scale for each output channel.
        asymmetric: int4 with zero points.
        optimizers: Optimizers to train with; None for all.
        mixed_precision: Train in float16 with float32 master weights.
        samples: Size of a data set to judge.
        layers: Hidden layers of networks of the same size; empty for those around the model's.
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
    return work_out(CountedModel(report.in_numbers, loaded.proto, keys), options)
