"""Records of a measurement, in the words of `bench.schema.json` beside this file.

Every field name is a JSON key. Times are seconds, sizes bytes; None is JSON's null: not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from graphcount.report.printable import PrintableResult
from graphcount.version import __version__

BENCH_SCHEMA = "graphcount.bench/1"


class Environment(NamedTuple):
    """Where it ran.

    Attributes:
        cpu: Model name of the processor, as the system states it.
        cores: Logical processors this process may use.
        load_average: Of the last minute, when the measurement began.
    """

    onnxruntime: str
    python: str
    system: str
    cpu: str
    cores: int
    load_average: float | None


class Provider(NamedTuple):
    """Who computed.

    Attributes:
        requested: Name of onnxruntime's execution provider that was asked for.
        active: Providers of the session, in order.
        nodes: Nodes that ran, by provider; empty when no profile was taken.
        io_binding: Inputs and outputs lay on the device and were not copied.
    """

    requested: str
    active: tuple[str, ...]
    nodes: dict[str, int]
    io_binding: bool


class Options(NamedTuple):
    """How it ran.

    Attributes:
        threads: Within an operator; None for onnxruntime's default (one for each core).
        inter_threads: Between operators.
        optimization: `none`, `basic`, `extended` or `all`.
        concurrency: Threads that call the model at the same time.
        sessions: Sessions they share.
        timeout: Seconds after which the child process is ended.
        memory_limit_nbytes: What the child process may hold; None for no limit.
        within: Seconds in which a comparison is to be decided; None without a budget.
    """

    threads: int | None
    inter_threads: int | None
    optimization: str
    warmup: int
    runs: int | None
    seconds: float | None
    concurrency: int
    sessions: int
    seed: int
    timeout: float
    memory_limit_nbytes: int | None
    within: float | None = None


class InputRow(NamedTuple):
    """What was fed to an input.

    Attributes:
        fill: How it was made.
        elements: All elements, where they are few and known: given, or chosen for an input that
            decides what is computed.
        assumed: Why they were chosen, where nobody gave them.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    fill: str
    elements: tuple[int | float, ...] | None = None
    assumed: str | None = None


class Interval(NamedTuple):
    """Bounds of a confidence interval."""

    low: float
    high: float


class Latency(NamedTuple):
    """Seconds of one run. `ci95` bounds the median; None with fewer than six runs."""

    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    mean: float
    stdev: float
    max: float
    ci95: Interval | None


class Noise(NamedTuple):
    """Whether other work disturbed the measurement.

    Attributes:
        load_average: Of the last minute, before the first run.
        outlier_share: Share of runs slower than the upper quartile by 1.5 interquartile ranges.
        warning: What to doubt, or None.
    """

    load_average: float | None
    outlier_share: float
    warning: str | None


class Bin(NamedTuple):
    """A bar of the histogram: runs from `low` to below `high` seconds."""

    low: float
    high: float
    runs: int


class NodeTime(NamedTuple):
    """An operator that onnxruntime ran, with the nodes of the file it stands for.

    Attributes:
        name: What onnxruntime calls it.
        op_type: What it ran: a fused operator has a name of its own.
        sources: Ids of the nodes it computes; for an operator that onnxruntime inserted, those it
            was inserted for.
        attribution: `node` (itself), `fused` (several nodes), `part` (of what several operators
            compute together), `inserted` (onnxruntime's own: layouts, copies between devices).
        calls: Executions in one run.
        time_s: Mean time in one run of the profiled session, without what runs inside.
        elapsed_s: Mean time until the next operator starts: with what onnxruntime does between.
        share: Of the time of all operators.
        parameters: Parameters of the sources.
        nbytes: Operands read and results written, each once.
        macs: Multiply-accumulates of the sources.
        flops_per_s: 2 x MACs / time.
        bytes_per_s: nbytes / time.
        roofline: Achieved share of what the machine allows at this arithmetic intensity.
        bound: `compute` or `memory`: which ceiling applies.
    """

    name: str
    op_type: str
    provider: str
    sources: tuple[str, ...]
    attribution: str
    calls: float
    time_s: float
    elapsed_s: float
    share: float
    parameters: int
    nbytes: int
    macs: int | None
    flops_per_s: float | None
    bytes_per_s: float
    roofline: float | None
    bound: str | None


class Ceiling(NamedTuple):
    """What this machine reached in the same child process, provider and threads.

    Attributes:
        flops_per_s: float32 MatMul of 512 x 512.
        bytes_per_s: Relu of 64 MiB: read once, written once.
    """

    flops_per_s: float
    bytes_per_s: float


class Profile(NamedTuple):
    """A second session, profiled: profiling slows every operator, so its run takes longer.

    Attributes:
        runs: Runs it was taken from.
        run_s: Mean time of such a run.
        graph_s: Of it the graph's execution; the rest is the call into onnxruntime.
        operators_s: What operators took of it.
        elapsed_s: The same with what onnxruntime does after each: nearly all of `graph_s`.
        overhead_s: What operators did not take: scheduling, the profiler itself, and the call.
        not_run: Nodes of the file that onnxruntime folded away or did not come to.
    """

    runs: int
    run_s: float
    graph_s: float
    operators_s: float
    elapsed_s: float
    overhead_s: float
    not_run: int
    ceiling: Ceiling | None
    notes: tuple[str, ...]


class Versus(NamedTuple):
    """The other model of an interleaved comparison.

    Attributes:
        path: The other model.
        latency: Its latency.
        ratio: Median of `blocks`.
        interval: Bounds of the ratio, each wrong with probability 0.1 % at most, however long was
            measured; None with fewer than 13 blocks.
        blocks: Of each block the median of this model / that of the other.
        max_ratio: The budget.
        verdict: `kept` (interval not above), `exceeded` (wholly above), `undecided` (it contains
            the budget, or there is none); None without a budget.
    """

    path: str
    latency: Latency
    session_create_s: float
    first_run_s: float
    ratio: float
    interval: Interval | None
    blocks: tuple[float, ...]
    max_ratio: float | None
    verdict: str | None


class Trend(NamedTuple):
    """How a measurement stands beside those before it, at the same sizes.

    Attributes:
        file: The history.
        before: Measurements before it.
        since: Date of the first of them; None when there is none.
        ratio: Its p50 by the median of the latest 20 before it; None when there is none.
        slower_than: Of these so many were faster.
        latest: So many these are.
        changes: From when on the latency was another one for good; None when nobody asked.
    """

    file: str
    before: int
    since: str | None
    ratio: float | None
    slower_than: int
    latest: int
    changes: tuple[LatencyChange, ...] | None = None


class LatencyChange(NamedTuple):
    """A change for good: the first measurement after it, and how many times the level before."""

    date: str
    commit: str | None
    ratio: float


@dataclass(frozen=True, repr=False)
class BenchResult(PrintableResult):
    """One measurement: one model, one set of sizes.

    Attributes:
        assumed: Dimensions nobody gave, with the size that was taken.
        throughput: Runs per second, of all threads together.
        session_create_s: Reading, optimizing and preparing the model.
        first_run_s: The first run: memory is allocated, kernels are chosen.
        runs: Timed runs.
        wall_s: What they took together.
        peak_rss_nbytes: Resident memory of the child process at its peak, before profiling.
        base_rss_nbytes: The same before the session was made: Python, onnxruntime, inputs.
        device_nbytes: Memory of the device at its peak; None where nothing measures it.
        nodes: Operators, the slowest first; empty without a profile.
        history: How it stands beside earlier ones; None without a history.
    """

    path: str
    environment: Environment
    provider: Provider
    options: Options
    dims: dict[str, int]
    assumed: dict[str, int]
    inputs: tuple[InputRow, ...]
    session_create_s: float
    first_run_s: float
    latency: Latency
    throughput: float
    runs: int
    wall_s: float
    peak_rss_nbytes: int | None
    base_rss_nbytes: int | None
    device_nbytes: int | None
    noise: Noise
    histogram: tuple[Bin, ...]
    profile: Profile | None
    nodes: tuple[NodeTime, ...]
    versus: Versus | None
    notes: tuple[str, ...]
    history: Trend | None = None


def written(elements: Sequence[int | float] | None) -> str:
    """Return elements in a few characters: `1`, `[1, 0, 0, ...]`, `[1] * 8`."""
    if not elements or len(elements) == 1:
        return str(elements[0]) if elements else "[]"
    if len(set(elements)) == 1:
        return f"[{elements[0]}] * {len(elements)}"
    more = ", ..." if len(elements) > 6 else ""
    return f"[{', '.join(map(str, elements[:6]))}{more}]"


def to_dict(result: BenchResult) -> dict[str, Any]:
    """Return the result as the JSON object of the schema."""
    from graphcount.report.serial import plain

    rows = {item.name: plain(getattr(result, item.name)) for item in fields(result)}
    path = rows.pop("path")
    return {"schema": BENCH_SCHEMA, "graphcount": __version__, "model": {"path": path}, **rows}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a result, as shipped in the package."""
    import json
    from importlib import resources

    text = resources.files("graphcount.report").joinpath("bench.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
