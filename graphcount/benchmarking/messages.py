"""What the two processes tell each other: a job, then lines of JSON up to a result or an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

from graphcount.benchmarking.trace import OrtNode


class FedInput(TypedDict):
    """One input; see `graphcount.benchmarking.plan.InputPlan`."""

    name: str
    dtype: str
    code: int
    shape: Sequence[int]
    fill: str
    file: tuple[str, str, str | None] | None


class ModelJob(TypedDict):
    """A model to run."""

    path: str
    inputs: Sequence[FedInput]


class Job(TypedDict):
    """What the child is asked to do; see `graphcount.report.bench.Options` for the options.

    Attributes:
        models: One, or two to compare.
        package: What to install where the provider is missing.
        write_optimized: There is room for the optimized model.
        node_count: Nodes of the first model.
        save_inputs: Where to write the inputs, if anywhere.
        folder: Where it may write.
    """

    models: Sequence[ModelJob]
    provider: str
    device: str | None
    package: str
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
    custom_ops: str | None
    profile: bool
    write_optimized: bool
    node_count: int
    save_inputs: str | None
    folder: str


class ModelTimes(TypedDict):
    """How a model ran: seconds of each run among others."""

    session_create_s: float
    first_run_s: float
    io_binding: bool
    providers: Sequence[str]
    times: Sequence[float]


class Machine(TypedDict):
    """Where it ran; see `graphcount.report.bench.Environment`."""

    onnxruntime: str
    python: str
    system: str
    cpu: str
    cores: int
    load_average: float | None


OperatorRow: TypeAlias = tuple[Sequence[OrtNode], str, float, float, float, float]
"""An operator's time; see `graphcount.benchmarking.trace.OperatorTime`."""


class Profiled(TypedDict):
    """What a profile told: means for one run."""

    runs: int
    run_s: float
    graph_s: float
    operators: Sequence[OperatorRow]
    ceiling: tuple[float, float] | None
    notes: Sequence[str]


class Measured(TypedDict):
    """What was measured."""

    environment: Machine
    models: Sequence[ModelTimes]
    wall_s: float
    base_rss_nbytes: int | None
    peak_rss_nbytes: int | None
    profile: Profiled | None


class Progressed(TypedDict):
    """What the child is doing."""

    event: Literal["progress"]
    text: str


class Failed(TypedDict):
    """What kept the child from a result."""

    event: Literal["error"]
    kind: str
    message: str


class Finished(TypedDict):
    """The result."""

    event: Literal["result"]
    measured: Measured


Message: TypeAlias = Progressed | Failed | Finished
