"""What people look at: an HTML page, and graphs for other tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from graphcount.api.arguments import model_path
from graphcount.api.auditing import AuditOptions, audited
from graphcount.api.comparing import compared
from graphcount.api.known_rules import rules
from graphcount.api.model import CountOptions, Model, gc_paused, load
from graphcount.errors import DamagedError, GraphcountError, UsageError
from graphcount.loading import read_model
from graphcount.loading.folder import is_folder
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.report.drawing import Drawing
from graphcount.report.records import Report
from graphcount.units import nbytes

if TYPE_CHECKING:
    from graphcount.api.arguments import ModelLike

MAX_BENCH_NBYTES = 256 * 2**20
"""Results of benchmarks are read up to this size."""


def export(
    path: ModelLike,
    name: str,
    *,
    depth: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> str:
    """Return the graph for another tool; see `graphcount.formats.graphs`.

    Args:
        path: The model, as `load` takes it.
        name: A key of `EXPORTS`: `mermaid`, `mermaid-state`, `dot`, `svg`, `graphml`, `gexf`,
            `node-link`, `netron`.
        depth: Fold modules at this depth into one node each; None: draw every operator.
        limits: What the file may ask of us.
        options: How the model is counted, at assumed sizes, too, unless `assume=False`; see
            `CountOptions`.

    Raises:
        GraphcountError: The model cannot be read, there is no such export, or it cannot be drawn.
    """
    from graphcount.formats.graphs import EXPORTS
    from graphcount.formats.graphs import export as write

    if name not in EXPORTS:
        raise UsageError(f"no export {name!r}: one of {', '.join(EXPORTS)}")
    return write(name, drawn(path, depth=depth, limits=limits, **options))


def drawn(
    path: ModelLike,
    *,
    depth: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> Drawing:
    """Return what every export shows of a model; the words are those of `export`.

    Raises:
        GraphcountError: The model cannot be read.
    """
    structure: CountOptions = {"deep": False, "assume": True, **options}
    model = load(path, limits=limits)
    return model.drawing(model.report(**structure), depth)


def page(
    path: ModelLike,
    *,
    against: ModelLike | None = None,
    bench: Any = None,
    history: str | None = None,
    audit: bool = True,
    binary: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> str:
    """Make one self-contained HTML page about a model; see `graphcount.formats.page`.

    Args:
        path: The model, as `load` takes it, or a folder of models that run as one; see
            `graphcount.deployment`.
        against: Another model, or a saved report: the page shows what grew since.
        bench: What `graphcount bench --format json` says of the model, or its file: the page shows
            cost against time.
        history: File that `graphcount bench --history` writes: the page shows latency over time.
        audit: Look for what the model hides, too; `deep` is for this, too.
        binary: Sizes in KiB, MiB, GiB.
        limits: What the files may ask of us.
        options: How the models are counted; see `CountOptions`.

    Returns:
        The HTML of the page.

    Raises:
        GraphcountError: A model cannot be read, or `bench` is no benchmark of it, or `history` has
            none.
    """
    how: dict[str, Any] = {"against": against, "bench": bench, "history": history}
    return paged(path, audit=audit, binary=binary, limits=limits, **how, **options).text


class Paged(NamedTuple):
    """A page, and the report that it shows."""

    text: str
    report: Report


def paged(
    path: ModelLike,
    *,
    against: ModelLike | None = None,
    bench: Any = None,
    history: str | None = None,
    audit: bool = True,
    binary: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> Paged:
    """Return a page with the report that it shows; the words are those of `page`.

    Raises:
        GraphcountError: As `page` does.
    """
    from graphcount.formats.page import render
    from graphcount.formats.page.bench import times

    path = model_path(path)
    past = _read_history(history, path) if history is not None else None
    if is_folder(path):
        return _paged_folder(path, against, audit, binary, limits, options)
    bench = None if bench is None else _read_bench(bench)  # refused before the model is read
    with gc_paused():  # what an audit looks at is kept: standard input cannot be read twice
        model = Model(read_model(path, limits, keep_thin=audit), limits)
    sized: CountOptions = {**options, "assume": True}
    timed: CountOptions = {**sized, "timeline": True}
    measured = model.measured(**timed)
    report = measured.report
    timings = times(bench, {node.id for node in report.nodes}) if bench is not None else None
    if audit:
        report = audited(model, measured, AuditOptions(options.get("deep")), limits=limits)
    old, grown = _grown(against, model, limits, sized) if against is not None else (None, None)
    text = render(
        report,
        rules={rule.id: rule for rule in rules()} if report.findings else {},
        against=old,
        changes=grown,
        bench=timings,
        history=past,
        flows=model.flows(report),
        binary=binary,
    )
    return Paged(text, report)


def _read_history(file: str, path: str) -> dict[str, Any]:
    """Return what a history has of a model, as the page shows it.

    Raises:
        GraphcountError: It cannot be read, or has nothing of this model.
    """
    if is_folder(path):
        raise UsageError("a history is of one model, and this is a folder", path)
    from graphcount.api.history import read_history
    from graphcount.formats.page.history import over_time
    from graphcount.gates.baseline import relative

    return over_time(read_history(file), relative(file, path), file)


def _paged_folder(
    path: str,
    against: ModelLike | None,
    audit: bool,
    binary: bool,
    limits: Limits,
    options: CountOptions,
) -> Paged:
    """Make the page of a deployment: one map over all components, and how they go together."""
    from graphcount.api.auditing import audit as look
    from graphcount.api.deploying import (
        CONTEXT,
        audited_deployment,
        deployed,
        flows_of_whole,
        whole_of,
    )
    from graphcount.formats.page import render

    made = deployed(path, None, CONTEXT, None, limits, options)
    deep = options.get("deep")
    report = (
        audited_deployment(made, lambda model: look(model, deep=deep, limits=limits))
        if audit
        else whole_of(made)
    )
    old, grown = _grown(against, report, limits, {}) if against is not None else (None, None)
    text = render(
        report,
        rules={rule.id: rule for rule in rules()} if report.findings else {},
        against=old,
        changes=grown,
        deployment=made.deployment,
        flows=flows_of_whole(made, limits),
        binary=binary,
    )
    return Paged(text, report)


def _grown(
    against: ModelLike, model: Model | Report, limits: Limits, options: CountOptions
) -> tuple[Report, dict[str, Any]]:
    """Return the report of the other model, and what differs from it."""
    from graphcount.formats.page.changes import changes
    from graphcount.report.diff import diff_dict

    difference, old, _ = compared(against, model, limits=limits, **options)
    return old, changes(diff_dict(difference))


def _read_bench(path: Any) -> Any:
    """Return the JSON of a benchmark, which may be read already.

    Raises:
        GraphcountError: It cannot be read, or is none.
    """
    from graphcount.formats.page.bench import times
    from graphcount.loading.source import open_regular

    if not isinstance(path, str):
        times(path)
        return path
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BENCH_NBYTES + 1)
    except GraphcountError as error:
        raise error.at(path) from None
    if len(data) > MAX_BENCH_NBYTES:
        raise DamagedError(f"more than {nbytes(MAX_BENCH_NBYTES)} of JSON", path)
    try:
        result = json.loads(data)
        times(result)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"not JSON: {error}", path) from None
    except GraphcountError as error:
        raise error.at(path) from None
    return result
