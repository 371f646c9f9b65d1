"""Budgets and lists that a model is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from graphcount.api.arguments import refuse_others
from graphcount.api.model import Sizes, load
from graphcount.errors import UsageError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from graphcount.gates.checks import Check
    from graphcount.report.records import Report


def check(
    path: str,
    *,
    max: Mapping[str, int | str] | None = None,
    min: Mapping[str, int | str] | None = None,
    max_increase: Mapping[str, int | str] | None = None,
    checks: Sequence[Check] = (),
    baseline: str = "",
    deep: bool | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **sizes: Unpack[Sizes],
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
        limits: What the file may ask of us.
        sizes: `dims` and `shapes`; see `Sizes`.

    Raises:
        GraphcountError: The model cannot be read, a measure does not exist, the baseline is stale.
        TypeError: There is no such option.
        ValueError: A limit is no quantity.
    """
    from graphcount.gates.budgets import Bound, Origin, make_budget
    from graphcount.gates.checks import Check
    from graphcount.gates.examine import Baselines, examine, joined

    refuse_others(sizes, Sizes)
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
    dims = dict(sizes.get("dims") or {})
    shapes = {name: tuple(row) for name, row in (sizes.get("shapes") or {}).items()}
    asked = [
        row._replace(dims={**row.dims, **dims}, shapes={**row.shapes, **shapes}) for row in asked
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
