"""A measurement as text, JSON or CSV; rich is only loaded for text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from graphcount.formats.csv import cell
from graphcount.formats.text import one_line, safe, shape
from graphcount.formats.view import View
from graphcount.report.bench import written
from graphcount.report.serial import dumps
from graphcount.units import count, counted, exact, nbytes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from graphcount.report.bench import BenchResult, NodeTime, Trend

FORMATS = ("table", "json", "csv")

TOP = 10
BAR = 40

NODE_COLUMNS = (
    "model",
    "name",
    "op_type",
    "provider",
    "attribution",
    "sources",
    "calls",
    "time_s",
    "elapsed_s",
    "share",
    "parameters",
    "nbytes",
    "macs",
    "flops_per_s",
    "bytes_per_s",
    "roofline",
    "bound",
)
LATENCY_COLUMNS = ("min", "p50", "p90", "p95", "p99", "mean", "stdev", "max")
COLUMNS = (
    "model",
    "dims",
    *LATENCY_COLUMNS,
    "ci95_low",
    "ci95_high",
    "throughput",
    "runs",
    "session_create_s",
    "first_run_s",
    "peak_rss_nbytes",
)


def render(name: str, results: Sequence[BenchResult], view: View) -> str:
    """Render measurements in one of `FORMATS`; `view.by == "node"` asks CSV for operators."""
    if name == "json":
        from graphcount.report.bench import to_dict

        objects = [to_dict(result) for result in results]
        return f"{dumps(objects[0] if len(objects) == 1 else objects)}\n"
    if name == "csv":
        return _csv(results, view)
    return _text(results, view)


def seconds(value: float) -> str:
    """Return a time in three digits: `231 µs`, `1.23 ms`, `4.56 s`."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor * 0.9995 or unit == "µs":
            scaled = value / factor
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:,.{digits}f} {unit}"
    return ""


# ------------------------------------------------------------------------------------- CSV


def _csv(results: Sequence[BenchResult], view: View) -> str:
    """Return a CSV row for each measurement, or for each operator."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    by_node = view.by == "node"
    writer.writerow(NODE_COLUMNS if by_node else COLUMNS)
    for result in results:
        path = cell(result.path)
        if by_node:
            for node in result.nodes:
                sources = cell(" ".join(node.sources))
                words = (cell(node.name), cell(node.op_type), node.provider, node.attribution)
                writer.writerow((path, *words, sources, *node[5:]))
            continue
        dims = cell(" ".join(f"{name}={size}" for name, size in result.dims.items()))
        times = [getattr(result.latency, column) for column in LATENCY_COLUMNS]
        interval = result.latency.ci95 or (None, None)
        rest = (result.throughput, result.runs, result.session_create_s, result.first_run_s)
        writer.writerow((path, dims, *times, *interval, *rest, result.peak_rss_nbytes))
    return out.getvalue()


# ------------------------------------------------------------------------------------ text


def _text(results: Sequence[BenchResult], view: View) -> str:
    from graphcount.formats.screen import to_text

    return to_text(_parts(results, view), view.width, view.color)


def _parts(results: Sequence[BenchResult], view: View) -> Iterator[RenderableType]:
    from rich.text import Text

    first = results[0]
    yield Text(safe(first.path), style="bold")
    for line in _circumstances(first):
        yield Text(f"  {line}", style="dim")
    if len(results) > 1:
        yield _sweep(results, view)
    else:
        yield _numbers(first, view)
        yield _histogram(first)
        yield from _versus(first)
        yield from _history(first.history)
        yield from _operators(first, view)
    for note in dict.fromkeys(note for result in results for note in _notes(result)):
        yield Text(f"  note: {one_line(note)}", style="yellow")


def _circumstances(result: BenchResult) -> list[str]:
    """Return where, how and with what the latency was measured."""
    options, environment = result.options, result.environment
    threads = "threads by default" if options.threads is None else f"threads {options.threads}"
    provider = result.provider.requested.removesuffix("ExecutionProvider")
    parts = [f"onnxruntime {environment.onnxruntime}", provider, threads]
    parts.append(f"optimization {options.optimization}")
    if options.concurrency > 1:
        parts.append(f"{options.concurrency} callers on {options.sessions} session(s)")
    load = "" if environment.load_average is None else f", load {environment.load_average:.1f}"
    lines = [", ".join(parts), f"{safe(environment.cpu)}, {environment.cores} cores{load}"]
    width = max((len(safe(item.name, 40)) for item in result.inputs), default=0)
    for item in result.inputs[:TOP]:
        fill = written(item.elements) if item.fill == "values" else safe(item.fill, 60)
        words = f"{item.dtype} {shape(item.shape)} {fill}"
        lines.append(f"input  {safe(item.name, 40):{width}} {words}")
    if len(result.inputs) > TOP:
        lines.append(f"input  {len(result.inputs) - TOP} more")
    return lines


def _numbers(result: BenchResult, view: View) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    latency = result.latency
    interval = ""
    if latency.ci95 is not None:
        low, high = latency.ci95
        interval = f"95 % interval {seconds(low)} to {seconds(high)}"
    tail = f"{seconds(latency.p90)} / {seconds(latency.p95)} / {seconds(latency.p99)}"
    mean = f"{seconds(latency.mean)} ± {seconds(latency.stdev)}"
    ends = f"from {seconds(latency.min)} to {seconds(latency.max)}"
    rows = [
        ("p50", seconds(latency.p50), interval),
        ("p90 / p95 / p99", tail, ""),
        ("mean", mean, ends),
        ("throughput", f"{_rate(result.throughput)} runs/s", ""),
        ("runs", exact(result.runs), f"in {seconds(result.wall_s)}, {_warmup(result)}"),
        ("session", seconds(result.session_create_s), f"first run {seconds(result.first_run_s)}"),
    ]
    if result.peak_rss_nbytes is not None:
        base = ""
        if result.base_rss_nbytes is not None:
            base = f"{nbytes(result.base_rss_nbytes, view.binary)} before the model"
        rows.append(("peak memory", nbytes(result.peak_rss_nbytes, view.binary), base))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", no_wrap=True, overflow="ellipsis")
    table.add_row("", "", "")
    for label, value, more in rows:
        table.add_row(f"  {label}", Text(value, style="bold"), more)
    return table


def _warmup(result: BenchResult) -> str:
    return f"after {result.options.warmup + 1} to warm up"


def _giga(rate: float) -> str:
    """Return a rate in 10^9 a second, three digits."""
    return f"{rate / 1e9:.3g}" if rate >= 1e7 else "<0.01"


def _rate(rate: float) -> str:
    return f"{rate:.3g}" if rate < 1000 else count(round(rate))


def _histogram(result: BenchResult) -> RenderableType:
    from rich.text import Text

    highest = max((row.runs for row in result.histogram), default=0)
    lines = [""]
    for row in result.histogram:
        length = row.runs * BAR / highest if highest else 0
        bar = "█" * int(length) or ("▏" if row.runs else "")
        beyond = f" slower, up to {seconds(row.high)}" if row.low >= result.latency.p95 else ""
        lines.append(f"  {seconds(row.low):>8} {bar} {exact(row.runs)}{beyond}")
    return Text("\n".join(lines))


def _versus(result: BenchResult) -> list[RenderableType]:
    from rich.text import Text

    other = result.versus
    if other is None:
        return []
    interval = ""
    if other.interval is not None:
        interval = f", 99.8 % interval {other.interval.low:.3f} to {other.interval.high:.3f}"
    lines = [
        "",
        f"  {other.ratio:.3f} times {safe(other.path)}, its p50 {seconds(other.latency.p50)}",
    ]
    lines.append(f"  median of {len(other.blocks)} block(s){interval}")
    if other.verdict is not None:
        lines.append(f"  at most {other.max_ratio:g} allowed: {verdict(result)}")
    return [Text("\n".join(lines))]


def _history(history: Trend | None) -> list[RenderableType]:
    from rich.text import Text

    if history is None:
        return []
    if history.ratio is None or history.since is None:
        lines = [f"  the first of this model at these sizes in {safe(history.file)}"]
    else:
        of = (
            f"the median of the latest {history.latest}" if history.latest > 1 else "the one before"
        )
        lines = [
            f"  {history.ratio:.3f} times {of} in {safe(history.file)}",
            f"  slower than {history.slower_than} of {history.latest},"
            f" {history.before} since {safe(history.since[:10])}",
        ]
    for change in history.changes or ():
        at = f" ({safe(change.commit[:12])})" if change.commit else ""
        lines.append(f"  {change.ratio:.3f} times as slow from {safe(change.date[:10])}{at} on")
    if history.changes == ():
        lines.append("  no change for good")
    return [Text("\n".join(["", *lines]))]


def verdict(result: BenchResult) -> str:
    """Return what a comparison with a budget came to, in words."""
    versus, within = result.versus, result.options.within
    if versus is None or versus.verdict is None:
        return "no budget"
    if versus.verdict != "undecided":
        exceeded = versus.verdict == "exceeded"
        return "SLOWER, the whole interval lies above" if exceeded else "not slower"
    need = "" if versus.interval else ", 13 at least are needed"
    blocks = f"{len(versus.blocks)} block(s){need}"
    return f"cannot say within {within:g} s ({blocks}): give it more time (--within)"


def _sweep(results: Sequence[BenchResult], view: View) -> Table:
    """Return a table with a line for each measurement."""
    from graphcount.formats.screen import new_table

    names = sorted({name for result in results for name in result.dims})
    moving = [name for name in names if len({result.dims.get(name) for result in results}) > 1]
    table = new_table(
        [safe(name, 20) for name in moving],
        ["p50", "p90", "p99", "runs/s", *([f"{moving[0]}/s"] if len(moving) == 1 else []), "peak"],
    )
    for result in results:
        latency, rate = result.latency, result.throughput
        items = [_rate(rate * result.dims.get(moving[0], 0))] if len(moving) == 1 else []
        peak = result.peak_rss_nbytes
        table.add_row(
            *(exact(result.dims.get(name, 0)) for name in moving),
            seconds(latency.p50),
            seconds(latency.p90),
            seconds(latency.p99),
            _rate(rate),
            *items,
            "" if peak is None else nbytes(peak, view.binary),
        )
    return table


def _operators(result: BenchResult, view: View) -> list[RenderableType]:
    """Return the slowest operators and the sum of the others."""
    from rich.text import Text

    from graphcount.formats.screen import new_table

    profile = result.profile
    if profile is None:
        return []
    top, width = view.top or TOP, view.width or 100
    rows = [
        (
            seconds(node.time_s),
            f"{node.share:.1%}",
            count(node.macs) if node.macs else "",
            "" if node.flops_per_s is None else _giga(node.flops_per_s),
            _giga(node.bytes_per_s),
            "" if node.roofline is None else f"{node.roofline:.0%} {(node.bound or '')[:1]}",
        )
        for node in result.nodes[:top]
    ]
    rest = result.nodes[top:]
    if rest:
        macs = sum(node.macs or 0 for node in rest)
        time = seconds(sum(node.time_s for node in rest))
        share = f"{sum(node.share for node in rest):.1%}"
        rows.append((time, share, count(macs) if macs else "", "", "", ""))
    heads = ["time", "share", "MACs", "GFLOP/s", "GB/s", "roof"]
    dropped = () if width >= 100 else ("MACs",) if width >= 72 else ("MACs", "GB/s", "roof")
    kept = [at for at in range(len(heads)) if heads[at] not in dropped]
    table = new_table(["operator", "ran as"], [heads[at] for at in kept])
    for at, column in zip(kept, table.columns[2:], strict=True):
        column.min_width = max(len(row[at]) for row in [heads, *rows])
    table.columns[1].min_width = min(13, max(len(node.op_type) for node in result.nodes[:top]))
    taken = sum(column.min_width or 0 for column in table.columns) + 3 * len(table.columns) - 1
    table.columns[0].max_width = max(8, width - taken)
    words = [(_sources(node), safe(node.op_type, 13)) for node in result.nodes[:top]]
    for (name, ran_as), row in zip([*words, (f"{len(rest):,} more", "")], rows, strict=False):
        table.add_row(Text(name), Text(ran_as), *(row[at] for at in kept))
    return [table, Text("\n".join(f"  {line}" for line in _profiled(result)), style="dim")]


def _sources(node: NodeTime) -> str:
    """Return the node, or how many there are; computing nodes come before activations."""
    if not node.sources:
        return "(inserted)"
    more = f" +{len(node.sources) - 1}" if len(node.sources) > 1 else ""
    prefix = "for " if node.attribution == "inserted" else ""
    return f"{prefix}{safe(node.sources[0])}{more}"


def _profiled(result: BenchResult) -> list[str]:
    profile = result.profile
    if profile is None:
        return []
    graph = profile.graph_s or 1.0
    lines = [
        f"operators took {seconds(profile.operators_s)} of {seconds(profile.graph_s)}"
        f" ({profile.operators_s / graph:.1%}), {profile.elapsed_s / graph:.1%} with what"
        f" onnxruntime does after each; the call {seconds(profile.run_s - profile.graph_s)} more"
        " (profiling slows runs down)"
    ]
    if profile.ceiling is not None:
        flops, stream = profile.ceiling
        lines.append(
            f"roof: share of this machine's {flops / 1e9:.3g} GFLOP/s (c) or"
            f" {stream / 1e9:.3g} GB/s (m), float32"
        )
    if profile.not_run:
        lines.append(
            f"{counted(profile.not_run, 'node')} of the file did not run: folded, or not reached"
        )
    return lines


def _notes(result: BenchResult) -> list[str]:
    notes = []
    if result.assumed:
        sizes = ", ".join(f"{safe(name, 40)} {size}" for name, size in result.assumed.items())
        notes.append(f"assumed: {sizes} (--dim sets them)")
    steering = [
        f"{safe(row.name, 40)} = {written(row.elements)} ({safe(row.assumed, 60)})"
        for row in result.inputs
        if row.assumed
    ]
    if steering:
        notes.append(f"assumed: {', '.join(steering)} (--value sets them)")
    if result.noise.warning:
        notes.append(result.noise.warning)
    profile = result.profile.notes if result.profile is not None else ()
    return [*notes, *result.notes, *profile]
