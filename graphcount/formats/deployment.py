"""A deployment as JSON (`graphcount.deployment/1`), as a screen of text, or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphcount.formats.text import ascii_only, escape, one_line, safe
from graphcount.formats.view import DEFAULT_VIEW, View
from graphcount.report.deployment import DEPLOYMENT_SCHEMA, Deployment, StepRow, VariantRow
from graphcount.report.serial import dumps, plain
from graphcount.units import count, counted, exact, nbytes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

FORMATS = ("table", "json", "markdown")

MOST_COMPONENTS, MOST_LINES = 12, 5
"""Components, and lines of joins, variants, files and findings, on one screen."""

HEADS = ("parameters", "shared", "weights", "on disk", "MACs", "peak")


def render(name: str, deployment: Deployment, view: View = DEFAULT_VIEW) -> str:
    """Render a deployment in one of `FORMATS`."""
    if name == "json":
        return f"{dumps(to_dict(deployment))}\n"
    if name == "markdown":
        return _markdown(deployment, view)
    text = _text(deployment, view)
    return ascii_only(text) if view.ascii else text


def to_dict(deployment: Deployment) -> dict[str, Any]:
    """Return the deployment as a JSON object."""
    from graphcount.version import __version__

    fields = {key: plain(value) for key, value in vars(deployment).items()}
    return {"schema": DEPLOYMENT_SCHEMA, "graphcount": __version__, **fields}


# ------------------------------------------------------------------------------------- screen


def _text(deployment: Deployment, view: View) -> str:
    from rich.text import Text

    from graphcount.formats.screen import keep_numbers, paragraph, to_text

    title = Text(safe(deployment.path), style="bold")
    name = f": {safe(deployment.name, 60)}" if deployment.name else ""
    parts: list[RenderableType] = [title.append(f"  {deployment.layout}{name}", style="dim")]
    parts.append(keep_numbers(_components(deployment, view), view.width))
    parts += [paragraph(line) for line in lines(deployment, view)]
    parts += [paragraph(line, "dim") for line in _joins(deployment)]
    parts += [paragraph(line, "dim") for line in _others(deployment, view)]
    parts += [paragraph(line, "yellow") for line in _wrong(deployment)]
    return to_text(parts, view.width, view.color)


def _components(deployment: Deployment, view: View) -> Table:
    """Return one line a component of those that run, and the sum."""
    from graphcount.formats.screen import new_table

    rows, totals = deployment.running, deployment.totals
    numbers_of = [cells(row, view) for row in rows]
    bounds = totals.at_least
    shared = any(row.shared_parameters for row in rows)
    peak = "" if totals.peak_nbytes is None else nbytes(totals.peak_nbytes, view.binary)
    whole = [
        _least(exact(totals.parameters), "parameters", bounds),
        exact(totals.summed_parameters - totals.parameters) if shared else "",
        _least(nbytes(totals.nbytes, view.binary), "nbytes", bounds),
        _least(nbytes(totals.download_nbytes, view.binary), "download_nbytes", bounds),
        "",
        _least(peak, "peak_nbytes", bounds),
    ]
    kept = [at for at in range(len(HEADS)) if any(row[at] for row in numbers_of)]
    table = new_table(("component", "model"), [HEADS[at] for at in kept])
    for row, numbers in list(zip(rows, numbers_of, strict=True))[:MOST_COMPONENTS]:
        model = row.model if row.model is not None else "(no model)"
        table.add_row(
            safe(row.label, 40), safe(row.error or model, 60), *(numbers[at] for at in kept)
        )
    left = len(rows) - MOST_COMPONENTS
    if left > 0:
        table.add_row(f"and {left} more", "", *("" for _ in kept))
    table.add_row("together", "", *(whole[at] for at in kept), style="bold")
    return table


def _least(text: str, measure: str, at_least: Sequence[str]) -> str:
    """Return a number with a sign, where it is a lower bound."""
    return f"\N{GREATER-THAN OR EQUAL TO}{text}" if text and measure in at_least else text


def cells(row: VariantRow, view: View) -> list[str]:
    """Return the numbers of a component; empty is not known, or nothing."""
    size = "" if row.nbytes is None else nbytes(row.nbytes, view.binary)
    peak = "" if row.peak_nbytes is None else nbytes(row.peak_nbytes, view.binary)
    return [
        _least("" if row.parameters is None else exact(row.parameters), "parameters", row.at_least),
        exact(row.shared_parameters) if row.shared_parameters else "",
        _least(size, "parameters", row.at_least),
        nbytes(row.disk_nbytes, view.binary),
        _least("" if row.macs is None else count(row.macs), "macs", row.at_least),
        _least(peak, "peak", row.at_least),
    ]


def lines(deployment: Deployment, view: View) -> Iterator[str]:
    """Yield what the deployment needs, in sentences."""
    yield from _pass(deployment)
    yield from _sizes(deployment, view)
    yield from _over_time(deployment, view)


def _pass(deployment: Deployment) -> Iterator[str]:
    """Yield the sizes that MACs and peaks are of."""
    every = (size for row in deployment.running for size in row.dims.items())
    sizes = [f"{safe(name, 40)} {exact(size)}" for name, size in dict.fromkeys(every)]
    left = len(sizes) - MOST_LINES
    more = f", {left} more" if left > 0 else ""
    text = f"{', '.join(sizes[:MOST_LINES])}{more}"
    if sizes:
        yield f"MACs and peak are of one pass at {text} (--dim sets them)"


def _sizes(deployment: Deployment, view: View) -> Iterator[str]:
    """Yield bytes on disk, to download and in memory, and what may be shared."""
    totals = deployment.totals

    def size(number: int) -> str:
        return nbytes(number, view.binary)

    files = counted(totals.files, "file")
    download = size(totals.download_nbytes)
    if "download_nbytes" in totals.at_least:
        download = f"at least {download}"
    yield f"on disk {size(totals.disk_nbytes)} in {files}, to download {download}"
    if totals.resident_nbytes is not None and totals.peak_nbytes is not None:
        least = "at least " if "resident_nbytes" in totals.at_least else ""
        states = totals.state_nbytes or 0
        state = f" + states {size(states)}" if states else ""
        yield (
            f"resident {least}{size(totals.resident_nbytes)}: weights {size(totals.nbytes)}{state}"
            f" + peak {size(totals.peak_nbytes)}"
        )
    likely = totals.parameters - totals.likely_parameters
    if likely:
        yield (
            f"{counted(likely, 'parameter')} more likely shared: same name, type and shape"
            " (--deep compares them)"
        )


def _over_time(deployment: Deployment, view: View) -> Iterator[str]:
    """Yield states, and what a token costs."""
    for row in deployment.states[:MOST_LINES]:
        amount = "bytes not known" if row.nbytes is None else nbytes(row.nbytes, view.binary)
        if row.nbytes_per_token:
            each = nbytes(row.nbytes_per_token, view.binary)
            amount = f"{each} a token, {amount} for {exact(deployment.context)}"
        yield f"states of {safe(row.component, 40)}: {row.kind}, {amount}"
    several = len({step.component for step in deployment.steps}) > 1
    for step in deployment.steps[:MOST_LINES]:
        of = f" of {safe(step.component, 40)}" if several else ""
        yield f"{step.name}{of}: {step_words(step, view)}"
    left = max(len(deployment.states), len(deployment.steps)) - MOST_LINES
    if left > 0:
        yield f"and more components with states (--format json has all {len(deployment.states)})"


def step_words(step: StepRow, view: View) -> str:
    """Return what a token of a step costs, in words."""
    macs = f"MACs not known ({one_line(step.why, 80)})"
    if step.macs_per_token is not None:
        macs = f"{count(step.macs_per_token)} MACs"
    read = ""
    if step.nbytes_per_token is not None:
        read = f", {nbytes(step.nbytes_per_token, view.binary)} of weights and states read"
    whole = f" ({exact(step.tokens)} at once)" if step.tokens > 1 else ""
    return f"{macs}{read} a token{whole}"


def _joins(deployment: Deployment) -> Iterator[str]:
    rows = deployment.joins
    for row in rows[:MOST_LINES]:
        by = "" if row.by in ("name", "configuration") else f" (by {row.by})"
        wrong = f": {row.mismatch}" if row.mismatch else ""
        yield (
            f"{safe(row.producer, 40)}.{safe(row.output, 40)} →"
            f" {safe(row.consumer, 40)}.{safe(row.input, 40)}{by}{wrong}"
        )
    if len(rows) > MOST_LINES:
        yield f"and {exact(len(rows) - MOST_LINES)} more outputs that feed inputs"


def _others(deployment: Deployment, view: View) -> Iterator[str]:
    """Yield what does not run, and files that are no models."""
    idle = [row for row in deployment.variants if not (row.chosen and row.used)]
    if idle:
        names = [
            f"{safe(row.label, 40)} {nbytes(row.disk_nbytes, view.binary)}"
            for row in idle[:MOST_LINES]
        ]
        more = f" and {len(idle) - MOST_LINES} more" if len(idle) > MOST_LINES else ""
        yield f"not chosen: {', '.join(names)}{more}"
    for kind, word in (("side", "beside them"), ("unknown", "belong to nobody")):
        files = [safe(file.path, 40) for file in deployment.files if file.kind == kind]
        more = f" and {len(files) - MOST_LINES} more" if len(files) > MOST_LINES else ""
        if files:
            yield f"{word}: {', '.join(files[:MOST_LINES])}{more}"


def _wrong(deployment: Deployment) -> Iterator[str]:
    rows = [row for row in deployment.findings if row.severity != "info"]
    for row in rows[:MOST_LINES]:
        yield f"{row.severity} {row.rule}: {one_line(row.message)}"
    if len(rows) > MOST_LINES:
        yield f"and {len(rows) - MOST_LINES} more findings (--format json has all)"
    for item in deployment.unknown[:MOST_LINES]:
        yield f"not known: {one_line(item.where, 80)}: {one_line(item.why)}"
    if len(deployment.unknown) > MOST_LINES:
        yield f"and {exact(len(deployment.unknown) - MOST_LINES)} more that is not known"


# ----------------------------------------------------------------------------------- markdown


def _markdown(deployment: Deployment, view: View) -> str:
    """Return the same as a table of Markdown and a list."""
    kept = ("component", "model", *HEADS)
    text = [f"**{escape(deployment.path, None)}** ({escape(deployment.layout)})", ""]
    text += [f"| {' | '.join(kept)} |", f"|---|---|{'---:|' * len(HEADS)}"]
    for row in deployment.running:
        words = (escape(row.label), escape(row.error or row.model or "(no model)"))
        text.append(f"| {' | '.join((*words, *cells(row, view)))} |")
    others = (*lines(deployment, view), *_wrong(deployment))
    text += ["", *(f"- {escape(line, None)}" for line in others)]
    return "\n".join(text) + "\n"
