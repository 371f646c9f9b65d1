"""What changed from one model to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from graphcount.api.arguments import budgets, model_path
from graphcount.api.model import CountOptions, Model, gc_paused, load
from graphcount.api.sizes import given, optional, refuse_unused
from graphcount.errors import UsageError
from graphcount.loading.folder import is_folder
from graphcount.loading.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from graphcount.api.arguments import Demands, ModelLike
    from graphcount.comparing.side import ComparedModel
    from graphcount.comparing.sizes import Declared
    from graphcount.report.diff import Diff
    from graphcount.report.records import Report


def diff(
    old: ModelLike | Report | Model,
    new: ModelLike | Report | Model,
    *,
    values: bool = False,
    max_increase: Demands = (),
    old_dims: Mapping[str, int] | None = None,
    new_dims: Mapping[str, int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> Diff:
    """Say what changed from one model to another; see `graphcount.comparing` for how.

    Args:
        old: A model (as `load` takes it), path of a folder of models that run as one, or of a saved
            report (`--format json`); a report, or a model that was loaded.
        new: The same.
        values: Compare tensor data, too: all of it is read.
        max_increase: Largest growth: `{"parameters": "5%"}`; what breaks it is in `findings`.
        old_dims: Sizes of dimensions of the old model alone.
        new_dims: Sizes of dimensions of the new one alone.
        limits: What the files may ask of us.
        options: How the models are counted; see `CountOptions`. Unless `assume=False`, dynamic
            dimensions have the same assumed sizes in both: those that the other model fixes, else
            the larger of the two models' hints. No limit looks at these.

    Returns:
        Totals, groups, nodes and tensors that differ, each with its old and new side.

    Raises:
        GraphcountError: One of them cannot be read, or an option makes no sense.
        ValueError: A limit is no quantity.
    """
    growth = budgets("max_increase", max_increase)
    if any(limit.measure.needs_cost for limit in growth) and options.get("cost") is None:
        options["cost"] = True
    alone = (old_dims or {}, new_dims or {})
    difference, before, after = compared(old, new, alone, values=values, limits=limits, **options)
    if not growth:
        return difference
    from graphcount.gates.growth import judge_growth

    return replace(difference, findings=judge_growth(before, after, growth))


def compared(
    old: ModelLike | Report | Model,
    new: ModelLike | Report | Model,
    alone: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {}),
    *,
    values: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> tuple[Diff, Report, Report]:
    """Return a diff without limits, and the two reports that it compares; see `diff`.

    Sizes apply where a model has what they are of; those of one side in `alone` must fit it.
    """
    from graphcount.comparing import compare

    if isinstance(old, str) and old == new == "-":
        raise UsageError("only one of the two can come from standard input")
    with gc_paused():
        dims = options.get("dims") or {}
        either: CountOptions = {
            **optional(options, several=True),
            "assume": options.get("assume", True),
        }
        sides: list[_Side] = [
            (_opened(model, limits, options), {**either, "dims": {**dims, **own}})
            for model, own in zip((old, new), alone, strict=True)
        ]
        first, second = _at_the_same_sizes(sides, values)
        if given(options) and first.source == second.source == "report":
            raise UsageError("sizes belong to the count, and both are reports")
        named = given(options) - frozenset(options.get("where_present", ()))
        refuse_unused([first.report, second.report], named)
        return compare(first, second), first.report, second.report


_Side = tuple["Report | Model", CountOptions]
"""A model or a report, and how it is counted."""


def _opened(
    model: ModelLike | Report | Model, limits: Limits, options: CountOptions
) -> Report | Model:
    """Return what a side of a diff is: a path is read, a folder as models that run as one."""
    from graphcount.report.records import Report as Counted

    if isinstance(model, Counted | Model):
        return model
    from graphcount.gates.saved import read_report

    path = model_path(model)
    if is_folder(path):
        from graphcount.api.deploying import whole_report

        return whole_report(path, limits, options)
    return read_report(path) or load(path, limits=limits)


def _at_the_same_sizes(sides: Sequence[_Side], values: bool) -> list[ComparedModel]:
    """Return both sides, counted at the same assumed sizes where sizes are assumed."""
    from graphcount.comparing.sizes import agreed_sizes, fixed_sizes

    declared = [_declared(*side) for side in sides]
    fixed = [fixed_sizes(declared[0], declared[1]), fixed_sizes(declared[1], declared[0])]
    asked = [_assuming(options, sizes) for (_, options), sizes in zip(sides, fixed, strict=True)]
    subjects = [
        _subject(model, values, options) for (model, _), options in zip(sides, asked, strict=True)
    ]
    final = [not isinstance(model, Model) for model, _ in sides]
    sizes = agreed_sizes(subjects[0].report, subjects[1].report, final)
    for number, (model, _) in enumerate(sides):
        own = subjects[number].report.assumed_sizes
        if isinstance(model, Model) and any(own[name] != size for name, size in sizes.items()):
            again: CountOptions = {**_assuming(asked[number], sizes), "deep": False}
            report = model.report(**again)
            report = replace(report, fingerprint=subjects[number].report.fingerprint)
            subjects[number] = subjects[number]._replace(report=report)
    return subjects


def _declared(model: Report | Model, options: CountOptions) -> Declared:
    """Return the inputs of a side with the sizes that were given for it."""
    from graphcount.comparing.sizes import given_sizes

    if not isinstance(model, Model):
        return [(value.name, value.shape) for value in model.model.inputs]
    shapes = options.get("shapes") or {}
    inputs = [
        (value.name, shapes.get(value.name, value.shape)) for value in model.proto.graph.inputs
    ]
    return given_sizes(inputs, options.get("dims") or {})


def _assuming(options: CountOptions, sizes: Mapping[str, int]) -> CountOptions:
    """Return options that assume these sizes, if they assume any; those of the caller win."""
    assume = options.get("assume", True)
    if assume is False:
        return options
    return {**options, "assume": {**sizes, **(assume if isinstance(assume, Mapping) else {})}}


def _subject(model: Report | Model, values: bool, options: CountOptions) -> ComparedModel:
    """Return one side of a diff: a model with its wiring, or a report without."""
    from graphcount.comparing.side import ComparedModel

    if not isinstance(model, Model):
        source = "deployment" if model.model.format == "deployment" else "report"
        return ComparedModel(model, None, None, None, source)
    from graphcount.analysis.wiring import attribute_texts, wires

    structure: CountOptions = {**options, "deep": False}
    report = model.report(**structure)
    digests = model.hashes().digests if values else None
    if values:
        report = replace(report, fingerprint=model.hashes().fingerprint)
    graph = model.model_graph
    stored = frozenset(model.stored_keys)
    attributes = {
        node.id: attribute_texts(node.record, stored)
        for node in graph.operators
        if node.record.attributes
    }
    fed = {node: rows for node in graph.nodes if (rows := wires(graph, node))}
    return ComparedModel(report, attributes, fed, digests, "model")
