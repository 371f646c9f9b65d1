"""The child process: reads one job from stdin, answers in JSON lines on its standard output.

What both say is in `graphcount.benchmarking.messages`. onnxruntime is imported after the limits are
in place.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphcount.benchmarking.limits import apply, peak_rss
from graphcount.benchmarking.messages import (
    Job,
    Measured,
    Message,
    ModelTimes,
    Profiled,
    read_job,
)
from graphcount.errors import GraphcountError
from graphcount.report.bench import Environment

if TYPE_CHECKING:
    import onnxruntime as ort

    from graphcount.benchmarking.session import ModelRun

PROFILE_SECONDS = 1.0
PROFILE_RUNS = 200
PROFILE_EVENTS = 200_000
"""onnxruntime keeps at most 1,000,000 events."""


def main() -> None:
    """Run the job; every outcome is one line."""
    own = os.dup(1)
    os.dup2(2, 1)  # what native code prints must not look like an answer
    stream = os.fdopen(own, "w", encoding="utf-8")

    def answer(message: Message) -> None:
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    job = read_job(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    apply(job.options.memory_limit_nbytes)
    answer(_outcome(job, lambda text: answer({"event": "progress", "text": text})))


def _outcome(job: Job, tell: Callable[[str], None]) -> Message:
    why = _missing(job)
    if why:
        return {"event": "error", "kind": "setup", "message": why}
    from graphcount.benchmarking.session import RunError

    try:
        return {"event": "result", "measured": measure(job, tell)}
    except RunError as error:
        kind, message = error.kind, error.message
    except GraphcountError as error:  # an input file that changed since it was checked
        kind, message = "runtime", str(error)
    except MemoryError as error:
        kind, message = "memory", str(error) or "an allocation failed"
    except Exception as error:
        kind, message = "bug", f"{type(error).__name__}: {error}"
    return {"event": "error", "kind": kind, "message": message}


def _missing(job: Job) -> str:
    """Return why onnxruntime or its provider is not there, and what to do; empty: they are."""
    install = f"pip install '{job.package}'"
    try:
        import onnxruntime as ort
    except ImportError as error:
        if error.name == "onnxruntime":
            return f"onnxruntime is not installed: {install}"
        limited = job.options.memory_limit_nbytes
        advice = "--memory-limit may be too small for it" if limited else install
        return f"onnxruntime cannot be loaded: {error}: {advice}"
    providers = ort.get_available_providers()
    if job.provider in providers:
        return ""
    has = ", ".join(providers)
    return f"onnxruntime {ort.__version__} has no {job.provider} here (it has {has}): {install}"


def _leave_with_parent() -> None:
    """End this process when nobody waits for it any more: its input ends."""
    while os.read(0, 1):
        pass
    os._exit(3)


def measure(job: Job, tell: Callable[[str], None]) -> Measured:
    """Make sessions, run them, profile the first model."""
    from graphcount.benchmarking.blocks import compare

    base = peak_rss()
    environment = _environment()
    if len(job.models) > 1:
        models, blocks = compare(job, tell)
        wall = math.fsum(map(math.fsum, (row["times"] for row in models)))
    else:
        (models, wall), blocks = _alone(job, tell), []
    peak = peak_rss()
    profile = None
    if job.profile:
        tell("profile")
        profile = _profile(job, min(models[0]["times"]))
    return {
        "environment": environment,
        "models": models,
        "blocks": blocks,
        "wall_s": wall,
        "base_rss_nbytes": base,
        "peak_rss_nbytes": peak,
        "profile": profile,
    }


def _alone(job: Job, tell: Callable[[str], None]) -> tuple[list[ModelTimes], float]:
    """Return how one model ran, and seconds of all of it."""
    from graphcount.benchmarking.session import guarded, prepare, save

    calls: list[ModelRun] = []
    for _ in range(job.options.sessions):
        tell("session")
        call, row, feeds = prepare(job.models[0], job)
        calls.append(call)
    if job.save_inputs:
        save(feeds, job.save_inputs)
    tell("warm-up")
    for call in calls:
        for _ in range(job.options.warmup):
            guarded(call)
    row["times"], wall = _timed(calls, job, tell)
    return [row], wall


def _environment() -> Environment:
    import onnxruntime as ort

    return Environment(
        onnxruntime=ort.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu(),
        cores=_cores(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _timed(
    calls: Sequence[ModelRun], job: Job, tell: Callable[[str], None]
) -> tuple[list[float], float]:
    """Return seconds of the runs of a model, and of all of it."""
    from graphcount.benchmarking.session import concurrent, guarded, timed

    if job.options.concurrency > 1:
        return guarded(concurrent, calls, job.options.concurrency, job, tell)
    start = time.perf_counter()
    times = guarded(timed, calls[0], job, tell)
    return times, time.perf_counter() - start


def _profile(job: Job, fastest: float) -> Profiled:
    """Run the first model in a session that is profiled, and write what it was optimized to."""
    from graphcount.benchmarking import trace
    from graphcount.benchmarking.probes import ceiling
    from graphcount.benchmarking.session import RunError, bind, feeds_of, guarded

    model = job.models[0]
    notes: list[str] = []
    session = _profiled_session(job, model["path"], notes)
    feeds = feeds_of(session, model["inputs"], job.options.seed)
    call, _ = bind(session, feeds, model["inputs"], job.device)
    wanted = min(PROFILE_RUNS, max(3, int(PROFILE_SECONDS / max(fastest, 1e-6))))
    wanted = max(1, min(wanted, PROFILE_EVENTS // max(1, job.node_count)))
    for _ in range(wanted + 1):
        guarded(call)
    path = Path(session.end_profiling())
    runs = list(trace.runs(json.loads(path.read_text("utf-8"))))
    del session, call
    if not runs:
        raise RunError("runtime", "onnxruntime wrote an empty profile")
    kept = trace.faster_half(runs[1:] or runs)
    try:
        top: tuple[float, float] | None = ceiling(job)
    except Exception as error:
        notes.append(f"no ceiling was measured: {str(error).splitlines()[0][:200]}")
        top = None
    return {
        "runs": len(kept),
        "run_s": sum(run.micros for run in kept) / len(kept) / 1e6,
        "graph_s": sum(run.graph_micros for run in kept) / len(kept) / 1e6,
        "operators": trace.operators(kept),
        "ceiling": top,
        "notes": notes,
    }


def _profiled_session(job: Job, path: str, notes: list[str]) -> ort.InferenceSession:
    """Return a session with a profile; where it can, it writes the optimized model too."""
    from graphcount.benchmarking.session import RunError, create, session_options

    for write in (True, False):
        options = session_options(job)
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(job.folder, "profile")
        if write and job.write_optimized:
            options.optimized_model_filepath = os.path.join(job.folder, "optimized.onnx")
            key = "session.optimized_model_external_initializers"
            options.add_session_config_entry(f"{key}_file_name", "optimized.bin")
            options.add_session_config_entry(f"{key}_min_size_in_bytes", "1024")
        try:
            return create(path, job, options)
        except RunError:
            if not write:
                raise
            notes.append("onnxruntime cannot write its optimized graph here: joined by names only")
    raise AssertionError


def _cpu() -> str:
    """Return the processor's name, as the system states it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
