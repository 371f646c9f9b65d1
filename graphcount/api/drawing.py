"""What people look at: a page, and graphs for other tools."""

from __future__ import annotations

from typing import Any, Unpack

from graphcount.api.arguments import path_text
from graphcount.api.auditing import audited, rules
from graphcount.api.comparing import compared
from graphcount.api.model import CountOptions, Model, gc_paused, load
from graphcount.errors import UsageError
from graphcount.loading import read_model
from graphcount.loading.limits import DEFAULT_LIMITS, Limits


def export(
    path: str,
    name: str,
    *,
    depth: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> str:
    """The graph for another tool; see `graphcount.formats.graphs`.

    Args:
        path: The model.
        name: A key of `EXPORTS`: `mermaid`, `mermaid-state`, `dot`, `svg`, `graphml`, `gexf`,
            `node-link`, `netron`.
        depth: Fold modules at this depth into one node each; None: draw every operator.
        limits: What the file may ask of us.
        options: How the model is counted; see `CountOptions`.

    Raises:
        GraphcountError: The model cannot be read, there is no such export, or it cannot be drawn.
    """
    from graphcount.formats.graphs import EXPORTS
    from graphcount.formats.graphs import export as write

    if name not in EXPORTS:
        raise UsageError(f"no export {name!r}: one of {', '.join(EXPORTS)}")
    structure: CountOptions = {"deep": False, **options}
    model = load(path, limits=limits)
    return write(name, model.drawing(model.report(**structure), depth))


def page(
    path: str,
    *,
    against: str | None = None,
    bench: Any = None,
    audit: bool = True,
    binary: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> str:
    """One self-contained HTML page about a model; see `graphcount.formats.page`.

    Args:
        path: The model.
        against: Another model, or a saved report: the page shows what grew since.
        bench: JSON of `graphcount bench` for the model: the page shows cost against time.
        audit: Look for what the model hides, too; `deep` is for this, too.
        binary: Sizes in KiB, MiB, GiB.
        limits: What the files may ask of us.
        options: How the models are counted; see `CountOptions`.

    Raises:
        GraphcountError: A model cannot be read, or `bench` is no benchmark of it.
    """
    from graphcount.formats.page import render
    from graphcount.formats.page.bench import times
    from graphcount.formats.page.changes import changes

    if bench is not None:
        times(bench)  # what is no benchmark is refused before the model is read
    with gc_paused():  # what an audit looks at is kept: standard input cannot be read twice
        model = Model(read_model(path_text(path), limits, keep_thin=audit), limits)
    timed: CountOptions = {**options, "timeline": True}
    report = model.report(**timed)
    measured = times(bench, {node.id for node in report.nodes}) if bench is not None else None
    if audit:
        report = audited(model, report, options.get("deep"), limits=limits)
    old, found = None, None
    if against is not None:
        from graphcount.report.diff import diff_dict

        difference, old, _ = compared(against, model, limits=limits, **options)
        found = changes(diff_dict(difference))
    return render(
        report,
        rules={rule.id: rule for rule in rules()} if report.findings else {},
        against=old,
        changes=found,
        bench=measured,
        binary=binary,
    )
