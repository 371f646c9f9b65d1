"""What the two processes tell each other: a job, then lines of JSON up to a result or an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, TypedDict

from graphcount.benchmarking.trace import OrtNode
from graphcount.report.bench import Environment, Options


class FedInput(TypedDict):
    """One input; see `graphcount.benchmarking.plan.InputPlan`."""

    name: str
    dtype: str
    code: int
    shape: Sequence[int]
    fill: str
    elements: Sequence[int | float] | None
    file: tuple[str, str, str | None] | None


class ModelJob(TypedDict):
    """A model to run."""

    path: str
    inputs: Sequence[FedInput]


class Job(NamedTuple):
    """What the child is asked to do.

    Attributes:
        models: One, or two to compare.
        options: How to run them.
        provider: What onnxruntime calls the execution provider.
        device: What it calls the device that inputs and outputs stay on; None for the host.
        package: What to install where the provider is missing.
        custom_ops: Library with custom operators.
        profile: Measure operators too.
        write_optimized: There is room for the optimized model.
        node_count: Nodes of the first model.
        save_inputs: Where to write the inputs, if anywhere.
        folder: Where it may write.
        max_ratio: A comparison that is decided against it ends; None: none is.
    """

    models: Sequence[ModelJob]
    options: Options
    provider: str
    device: str | None
    package: str
    custom_ops: str | None
    profile: bool
    write_optimized: bool
    node_count: int
    save_inputs: str | None
    folder: str
    max_ratio: float | None = None


def read_job(text: str) -> Job:
    """Read a job from the JSON that `json.dumps` makes of it: records become arrays."""
    models, options, *rest = json.loads(text)
    return Job(models, Options(*options), *rest)


class ModelTimes(TypedDict):
    """How a model ran: seconds of each run among others."""

    session_create_s: float
    first_run_s: float
    io_binding: bool
    providers: Sequence[str]
    times: Sequence[float]


OperatorRow: TypeAlias = tuple[Sequence[OrtNode], str, float, float, float, float]
"""An operator's time; see `graphcount.benchmarking.trace.OperatorTime`."""


class Profiled(TypedDict):
    """What a profile says: means for one run."""

    runs: int
    run_s: float
    graph_s: float
    operators: Sequence[OperatorRow]
    ceiling: tuple[float, float] | None
    notes: Sequence[str]


class Measured(TypedDict):
    """What was measured; on the way the environment is an array.

    `blocks` has the ratio of each block of a comparison; it is empty for one model.
    """

    environment: Environment
    models: Sequence[ModelTimes]
    blocks: Sequence[float]
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
