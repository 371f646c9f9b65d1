"""From a plan to results: writes the job, runs the child, reads what came back."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphcount.benchmarking import statistics
from graphcount.benchmarking.messages import FedInput, Job, Measured, ModelJob
from graphcount.benchmarking.operators import join
from graphcount.benchmarking.plan import InputPlan, InputsPlan
from graphcount.benchmarking.process import (
    DEFAULT_SHARE,
    BenchError,
    available_memory,
    run_child,
)
from graphcount.benchmarking.providers import CPU, provider
from graphcount.errors import GraphcountError, UsageError, not_writable
from graphcount.graph import ModelGraph, build_graph
from graphcount.loading import read_model
from graphcount.loading.writing import replacing
from graphcount.report.bench import (
    BenchResult,
    Environment,
    InputRow,
    NodeTime,
    Noise,
    Options,
    Profile,
    Provider,
    Versus,
)
from graphcount.report.rows import NodeRow

DEFAULT_RUNS, DEFAULT_SECONDS = 1000, 5.0
"""Without --runs and --seconds: the first of these that is reached, but at least ten runs."""

WARMUP = (5, 1)
"""Without --warmup: runs after the first, for one model and in each block of a comparison."""

DEFAULT_MAX_RATIO, DEFAULT_WITHIN = 1.025, 60.0
"""Of a comparison that is to be decided, where only one of the two is given.

Half-way between equal and 5 % slower, so that both are decided about as fast.
"""

BUSY_LOAD = 0.5
NOISY_OUTLIERS = 0.1
WIDE_INTERVAL = 0.05
"""Load for each core, share of outliers, and width of the median's interval that are warned of."""


@dataclass(frozen=True)
class BenchOptions:
    """How to measure; see `graphcount.report.bench.Options`.

    Attributes:
        provider: A name of `graphcount.benchmarking.providers`.
        threads: Threads within an operator; None: onnxruntime decides.
        inter_threads: Operators run in parallel; None: onnxruntime decides.
        optimization: Optimization level of onnxruntime's graph.
        warmup: Runs before the clock, after the first; None: 5, in each block of a comparison 1.
        runs: Timed runs; None: 1,000, or as many as 5 seconds take.
        seconds: Stop after so many seconds, with ten runs at least.
        concurrency: Threads that call the model in parallel.
        sessions: Sessions that these threads share.
        timeout: Seconds until the child process is ended.
        seed: Seed of the generated inputs.
        memory_limit_nbytes: None for 80 % of the memory available now (no limit off the CPU).
        custom_ops: Library with custom operators; None for none.
        profile: Measure operators too.
        save_inputs: Write the inputs to this `.npz`.
        max_ratio: Budget of a comparison; None: 1.025 when `within` is given, or no budget.
        within: Seconds in which it is to be decided; None: 60 when `max_ratio` is given.
    """

    provider: str = "cpu"
    threads: int | None = None
    inter_threads: int | None = None
    optimization: str = "all"
    warmup: int | None = None
    runs: int | None = None
    seconds: float | None = None
    concurrency: int = 1
    sessions: int = 1
    timeout: float = 600.0
    memory_limit_nbytes: int | None = None
    seed: int = 0
    custom_ops: str | None = None
    profile: bool = True
    save_inputs: str | None = None
    max_ratio: float | None = None
    within: float | None = None


@dataclass(frozen=True)
class BenchedModel:
    """A model that is measured.

    Attributes:
        path: As the caller named it.
        plan: What it is fed.
        graph: Its graph.
        rows: Its nodes with their cost at these sizes, by id; empty when nothing is profiled.
        weights_nbytes: Bytes of its stored tensors.
    """

    path: str
    plan: InputsPlan
    graph: ModelGraph
    rows: Mapping[str, NodeRow]
    weights_nbytes: int = 0


def measure(
    subject: BenchedModel,
    options: BenchOptions,
    progress: Callable[[str], None] = lambda text: None,
    versus: BenchedModel | None = None,
) -> BenchResult:
    """Measure one model, or two in turns.

    Raises:
        UsageError: Options contradict each other.
        BenchError: The model could not be run as asked.
    """
    _check(options, versus)
    options = _with_budget(options)
    with tempfile.TemporaryDirectory(prefix="graphcount-") as folder:
        job = _job(subject, versus, options, folder)
        answer = _run(job, [one for one in (subject, versus) if one], folder, progress)
        optimized = _optimized(folder) if options.profile else None
        if options.save_inputs and job.save_inputs:
            _move(job.save_inputs, options.save_inputs)
    profile: Profile | None = None
    nodes: tuple[NodeTime, ...] = ()
    if answer["profile"] is not None:
        profile, nodes = join(answer["profile"], subject.rows, subject.graph, optimized)
    return _result(subject, versus, options, job, answer, profile, nodes)


def _run(
    job: Job, subjects: Sequence[BenchedModel], folder: str, progress: Callable[[str], None]
) -> Measured:
    """Run the child; an error at sizes that nobody gave says so."""
    try:
        return run_child(job, subjects[0].path, folder, progress)
    except BenchError as error:
        texts = dict.fromkeys(one.plan.assumptions for one in subjects)
        assumed = "; ".join(text for text in texts if text)
        if not assumed or error.path is None:
            raise
        raise BenchError(f"{assumed}: {error.message}", error.path) from None


def _check(options: BenchOptions, versus: BenchedModel | None) -> None:
    if versus is not None and (options.concurrency > 1 or options.sessions > 1):
        raise UsageError("a comparison takes turns in one thread: no --concurrency, --sessions")
    budget = options.max_ratio is not None or options.within is not None
    if budget and versus is None:
        raise UsageError("--max-ratio and --within need --vs")
    if budget and (options.runs is not None or options.seconds is not None):
        raise UsageError("--max-ratio ends when it is decided: --within, not --runs or --seconds")
    if options.sessions > options.concurrency:
        raise UsageError("more --sessions than --concurrency: some would do nothing")
    if options.custom_ops and not os.path.isfile(options.custom_ops):
        raise UsageError("no such library", options.custom_ops)


def _with_budget(options: BenchOptions) -> BenchOptions:
    """Return options where a comparison with a budget has a limit and a time."""
    if options.max_ratio is None and options.within is None:
        return options
    return replace(
        options,
        max_ratio=DEFAULT_MAX_RATIO if options.max_ratio is None else options.max_ratio,
        within=DEFAULT_WITHIN if options.within is None else options.within,
    )


def _job(
    subject: BenchedModel, versus: BenchedModel | None, options: BenchOptions, folder: str
) -> Job:
    """Return what the child needs; see `graphcount.benchmarking.worker`."""
    row = provider(options.provider)
    limit = options.memory_limit_nbytes
    if limit is None and row.ort_name == CPU:
        free = available_memory()
        limit = int(free * DEFAULT_SHARE) if free else None
    runs, seconds = options.runs, options.seconds
    if runs is None and seconds is None and options.within is None:
        runs, seconds = DEFAULT_RUNS, DEFAULT_SECONDS
    space = shutil.disk_usage(folder).free
    return Job(
        models=[_model(one) for one in (subject, versus) if one is not None],
        options=Options(
            threads=options.threads,
            inter_threads=options.inter_threads,
            optimization=options.optimization,
            warmup=options.warmup if options.warmup is not None else WARMUP[versus is not None],
            runs=runs,
            seconds=seconds,
            concurrency=options.concurrency,
            sessions=options.sessions,
            seed=options.seed,
            timeout=options.timeout,
            memory_limit_nbytes=limit,
            within=options.within,
        ),
        provider=row.ort_name,
        device=row.device,
        package=row.package,
        custom_ops=os.path.abspath(options.custom_ops) if options.custom_ops else None,
        profile=options.profile,
        write_optimized=space > 2 * subject.weights_nbytes + 2**28,
        node_count=len(subject.graph.nodes),
        save_inputs=os.path.join(folder, "inputs.npz") if options.save_inputs else None,
        folder=folder,
        max_ratio=options.max_ratio,
    )


def _model(subject: BenchedModel) -> ModelJob:
    inputs = [_fed(item) for item in subject.plan.inputs]
    return {"path": os.path.abspath(subject.path), "inputs": inputs}


def _fed(item: InputPlan) -> FedInput:
    return {
        "name": item.name,
        "dtype": item.dtype,
        "code": item.code,
        "shape": item.shape,
        "fill": item.fill,
        "elements": item.elements if item.fill == "values" else None,
        "file": item.file,
    }


def _optimized(folder: str) -> ModelGraph | None:
    """Return the graph that onnxruntime wrote; None when it did not."""
    path = os.path.join(folder, "optimized.onnx")
    try:
        return build_graph(read_model(path).proto) if os.path.exists(path) else None
    except GraphcountError:
        return None


def _move(source: str, target: str) -> None:
    try:
        with replacing(target) as name:
            shutil.copyfile(source, name)
    except OSError as error:
        raise BenchError(not_writable(target, error).message, target) from None


def _result(
    subject: BenchedModel,
    versus: BenchedModel | None,
    options: BenchOptions,
    job: Job,
    answer: Measured,
    profile: Profile | None,
    nodes: tuple[NodeTime, ...],
) -> BenchResult:
    """Return what came back as the record of the report."""
    ours = answer["models"][0]
    times = ours["times"]
    latency = statistics.latency(times)
    ran = dict(Counter(node.provider for node in nodes))
    if ran and job.provider not in ran:
        why = f"{job.provider} computed no operator: all ran on {', '.join(sorted(ran))}"
        raise BenchError(f"onnxruntime fell back: {why}", subject.path)
    environment = Environment(*answer["environment"])
    alone = versus is None
    wall = answer["wall_s"] if alone else math.fsum(times)
    return BenchResult(
        path=subject.path,
        environment=environment,
        provider=Provider(job.provider, tuple(ours["providers"]), ran, ours["io_binding"]),
        options=job.options,
        dims=subject.plan.dims,
        assumed=subject.plan.assumed,
        inputs=tuple(_input(item) for item in subject.plan.inputs),
        session_create_s=ours["session_create_s"],
        first_run_s=ours["first_run_s"],
        latency=latency,
        throughput=len(times) / wall,
        runs=len(times),
        wall_s=wall,
        peak_rss_nbytes=answer["peak_rss_nbytes"] if alone else None,
        base_rss_nbytes=answer["base_rss_nbytes"] if alone else None,
        device_nbytes=None,
        noise=_noise(environment, times),
        histogram=statistics.histogram(times),
        profile=profile,
        nodes=nodes,
        versus=None if versus is None else _versus(versus, options, answer),
        notes=_notes(job, ran, profile),
    )


def _input(item: InputPlan) -> InputRow:
    fill = item.fill if item.file is None else f"file {item.file.path}"
    return InputRow(item.name, item.dtype, item.shape, fill, item.elements, item.assumed or None)


def _versus(subject: BenchedModel, options: BenchOptions, answer: Measured) -> Versus:
    row, blocks = answer["models"][1], tuple(answer["blocks"])
    interval = statistics.ratio_interval(blocks)
    return Versus(
        path=subject.path,
        latency=statistics.latency(row["times"]),
        session_create_s=row["session_create_s"],
        first_run_s=row["first_run_s"],
        ratio=statistics.percentile(sorted(blocks), 50),
        interval=interval,
        blocks=blocks,
        max_ratio=options.max_ratio,
        verdict=statistics.verdict(interval, options.max_ratio),
    )


def _noise(environment: Environment, times: Sequence[float]) -> Noise:
    """Return what speaks against trusting the numbers."""
    share = statistics.outlier_share(times)
    latency = statistics.latency(times)
    load, doubts = environment.load_average, []
    if load is not None and load > BUSY_LOAD * environment.cores:
        doubts.append(f"the machine was busy (load {load:.1f} on {environment.cores} cores)")
    if share > NOISY_OUTLIERS:
        doubts.append(f"{share:.0%} of runs are outliers")
    if latency.ci95 is None:
        doubts.append("fewer than six runs")
    elif latency.ci95.high - latency.ci95.low > WIDE_INTERVAL * latency.p50:
        doubts.append("the median is known to more than 5 % only")
    return Noise(load, share, "; ".join(doubts) or None)


def _notes(job: Job, ran: dict[str, int], profile: Profile | None) -> tuple[str, ...]:
    notes = []
    wanted = job.provider
    elsewhere = sum(count for name, count in ran.items() if name != wanted)
    if elsewhere:
        notes.append(f"{elsewhere} of {sum(ran.values())} operators did not run on {wanted}")
    if profile is None and wanted != CPU:
        notes.append("without a profile nobody knows which operators ran on the device")
    elif wanted != CPU:
        notes.append("times of operators on a device are those of the host that starts them")
    return tuple(notes)
