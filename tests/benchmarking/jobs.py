"""A job for the child, as small as it gets."""

from __future__ import annotations

from graphcount.benchmarking.messages import Job
from graphcount.benchmarking.providers import CPU
from graphcount.report.bench import Options

JOB = Job(
    models=(),
    options=Options(
        threads=1,
        inter_threads=None,
        optimization="all",
        warmup=0,
        runs=1,
        seconds=None,
        concurrency=1,
        sessions=1,
        seed=7,
        timeout=60,
        memory_limit_nbytes=None,
    ),
    provider=CPU,
    device=None,
    package="graphcount[bench]",
    custom_ops=None,
    profile=False,
    write_optimized=False,
    node_count=1,
    save_inputs=None,
    folder="",
)
