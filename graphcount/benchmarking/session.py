"""onnxruntime itself: sessions, runs, clocks. Runs in the child."""

from __future__ import annotations

import gc
import re
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ParamSpec, TypeAlias, TypeVar

import numpy as np
import onnxruntime as ort

from graphcount.benchmarking.fill import NUMPY, make
from graphcount.benchmarking.messages import FedInput, Job, ModelJob, ModelTimes
from graphcount.benchmarking.providers import CPU

LEVELS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}

FATAL = 4
"""Log level: errors arrive as exceptions."""

LACKING = frozenset({*NUMPY, "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"})
LACKING |= {"uint4", "int4", "uint2", "int2", "float4e2m1"}
"""Element types that onnxruntime cannot hand over as numpy arrays."""

MIN_RUNS = 10
MAX_RUNS = 1_000_000

ModelRun = Callable[[], object]
Feeds: TypeAlias = Mapping[str, object]
"""Values of the inputs by name."""

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")
Tell = Callable[[str], None]

_NOISE = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : "
    r"|\S*/\w+\.(?:cc|h|cpp):\d+ [^()]{0,300}\([^()]{0,300}\)(?: const)? "
)
"""What messages of onnxruntime say of its own sources."""


class RunError(Exception):
    """Why there is no measurement: `kind` is `runtime`, `memory` or `provider`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


def guarded(
    function: Callable[Asked, Answer], *arguments: Asked.args, **options: Asked.kwargs
) -> Answer:
    """Call onnxruntime; its exceptions become a `RunError`."""
    try:
        return function(*arguments, **options)
    except MemoryError as error:
        raise RunError("memory", str(error) or "an allocation failed") from None
    except Exception as error:
        text = " ".join(_NOISE.sub("", str(error)[:4000]).split())
        memory = "bad_alloc" in text or "Failed to allocate" in text or "out of memory" in text
        raise RunError("memory" if memory else "runtime", f"onnxruntime: {text}") from None


def session_options(job: Job) -> ort.SessionOptions:
    """Return options of a session; onnxruntime's own defaults for what the job leaves open."""
    options = ort.SessionOptions()
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.graph_optimization_level = LEVELS[job.options.optimization]
    if job.options.threads:
        options.intra_op_num_threads = job.options.threads
    if job.options.inter_threads:
        options.inter_op_num_threads = job.options.inter_threads
        if job.options.inter_threads > 1:
            options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
    if job.custom_ops:
        guarded(options.register_custom_ops_library, job.custom_ops)
    return options


def create(path: str, job: Job, options: ort.SessionOptions) -> ort.InferenceSession:
    """Return a session on the provider that was asked for.

    Raises:
        RunError: It cannot be made, or onnxruntime fell back to another provider.
    """
    wanted = job.provider
    providers = [wanted] if wanted == CPU else [wanted, CPU]
    try:
        session = guarded(
            ort.InferenceSession, path, options, providers=providers, enable_fallback=0
        )
    except RunError as error:  # the path is said once, by whoever prints the error
        message = error.message.replace(f"Load model from {path} ", "").replace("failed:", "", 1)
        raise RunError(error.kind, message) from None
    active = session.get_providers()
    if not active or active[0] != wanted:
        got = active[0] if active else "none"
        raise RunError(
            "provider", f"onnxruntime fell back from {wanted} to {got}: nothing was measured"
        )
    return session


def feeds_of(session: ort.InferenceSession, inputs: Sequence[FedInput], seed: int) -> Feeds:
    """Return the values of all inputs."""
    types = {value.name: value.type for value in session.get_inputs()}
    try:
        return {
            item["name"]: make(item, types.get(item["name"], ""), seed, position)
            for position, item in enumerate(inputs)
            if item["name"] in types
        }
    except ValueError as error:
        raise RunError("runtime", f"an input cannot be made: {error}") from None


def bind(
    session: ort.InferenceSession, feeds: Feeds, inputs: Sequence[FedInput], device: str | None
) -> tuple[ModelRun, bool]:
    """Return what one run calls, and whether inputs and outputs stay on the device.

    On the host this is `session.run`, as everyone calls it.
    """
    names = [value.name for value in session.get_outputs()]
    codes = {item["name"]: item["code"] for item in inputs if item["dtype"] in NUMPY}
    tensors = all(
        isinstance(value, np.ndarray) and value.dtype != object for value in feeds.values()
    )
    if device is not None and tensors and not codes:
        binding = session.io_binding()
        for name, value in feeds.items():
            held = guarded(ort.OrtValue.ortvalue_from_numpy, value, device, 0)
            binding.bind_ortvalue_input(name, held)
        for name in names:
            binding.bind_output(name, device, 0)

        def on_device() -> None:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        return on_device, True
    without_numpy = any(_element(value.type) in LACKING for value in session.get_outputs())
    if (codes or without_numpy) and tensors:
        wrapped = {
            name: ort.OrtValue.ortvalue_from_numpy_with_onnx_type(value, codes[name])
            if name in codes
            else ort.OrtValue.ortvalue_from_numpy(value)
            for name, value in feeds.items()
        }
        return lambda: session.run_with_ort_values(names, wrapped), False
    return partial(session.run, None, feeds), False


def _element(ort_type: str) -> str:
    """Return the element type of `tensor(float)`."""
    return ort_type.removeprefix("tensor(").removesuffix(")")


def prepare(model: ModelJob, job: Job) -> tuple[ModelRun, ModelTimes, Feeds]:
    """Make the session and the inputs of a model, and run it once."""
    options = session_options(job)
    start = time.perf_counter()
    session = create(model["path"], job, options)
    created = time.perf_counter() - start
    feeds = feeds_of(session, model["inputs"], job.options.seed)
    call, bound = bind(session, feeds, model["inputs"], job.device)
    start = time.perf_counter()
    guarded(call)
    first = time.perf_counter() - start
    row: ModelTimes = {
        "session_create_s": created,
        "first_run_s": first,
        "io_binding": bound,
        "providers": list(session.get_providers()),
        "times": (),
    }
    return call, row, feeds


def save(feeds: Feeds, path: str) -> None:
    """Write the inputs that are plain tensors as `.npz`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in feeds.items():
            if isinstance(value, np.ndarray) and value.dtype != object:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, value, allow_pickle=False)


def timed(call: ModelRun, job: Job, tell: Tell) -> list[float]:
    """Return seconds of each run."""
    wanted, limit = job.options.runs or MAX_RUNS, job.options.seconds
    clock = time.perf_counter_ns
    durations: list[float] = []
    end = clock() + int(limit * 1e9) if limit is not None else None
    reported = clock()
    gc.disable()
    try:
        while len(durations) < wanted:
            start = clock()
            call()
            now = clock()
            durations.append((now - start) / 1e9)
            if end is not None and now > end and len(durations) >= min(MIN_RUNS, wanted):
                break
            if now - reported > 500_000_000:
                done = f"run {len(durations):,}"
                tell(done + (f" of {wanted:,}" if wanted < MAX_RUNS else ""))
                reported = now
    finally:
        gc.enable()
    return durations


def concurrent(
    calls: Sequence[ModelRun], threads: int, job: Job, tell: Tell
) -> tuple[list[float], float]:
    """Return seconds of all runs of so many threads that share the calls, and of all of it."""
    runs = job.options.runs
    options = job.options._replace(runs=-(-runs // threads) if runs else None)
    share = job._replace(options=options)
    gate = threading.Barrier(threads + 1)
    durations: list[list[float]] = [[] for _ in range(threads)]
    failed: list[Exception] = []

    def work(number: int) -> None:
        gate.wait()
        try:
            silent: Tell = tell if number == 0 else lambda text: None
            durations[number] = timed(calls[number % len(calls)], share, silent)
        except Exception as error:
            failed.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    gate.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]
    return [time for times in durations for time in times], time.perf_counter() - start
