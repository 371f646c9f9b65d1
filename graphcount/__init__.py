"""graphcount: what is inside a neural network that was exported to ONNX, from the file alone.

    >>> import graphcount
    >>> graphcount.count("fixtures/cnn.onnx").totals.parameters
    26926

Importing this package imports nothing heavy; each name loads what it needs when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphcount.version import __version__

if TYPE_CHECKING:
    from graphcount.analysis.shapes.sizes import ShapeError
    from graphcount.api import (
        Checked,
        CountOptions,
        Judged,
        Model,
        Scanned,
        SizeOptions,
        audit,
        audits,
        bench,
        benches,
        check,
        count,
        counts,
        deployment,
        diff,
        explain,
        export,
        init,
        inventory,
        load,
        page,
        plan,
        rules,
        scan,
    )
    from graphcount.benchmarking.measure import BenchOptions
    from graphcount.benchmarking.process import BenchError
    from graphcount.config import load_config
    from graphcount.errors import (
        ConfigError,
        DamagedError,
        GraphcountError,
        LimitError,
        NotOnnxError,
        NotReadableError,
        Unknown,
        UsageError,
    )
    from graphcount.loading.limits import Limits
    from graphcount.report.records import Report
    from graphcount.scanning.work import Analysis, InternalError, ProcessLost, TookTooLong

__all__ = [
    "Analysis",
    "BenchError",
    "BenchOptions",
    "Checked",
    "ConfigError",
    "CountOptions",
    "DamagedError",
    "GraphcountError",
    "InternalError",
    "Judged",
    "LimitError",
    "Limits",
    "Model",
    "NotOnnxError",
    "NotReadableError",
    "ProcessLost",
    "Report",
    "Scanned",
    "ShapeError",
    "SizeOptions",
    "TookTooLong",
    "Unknown",
    "UsageError",
    "__version__",
    "audit",
    "audits",
    "bench",
    "benches",
    "check",
    "count",
    "counts",
    "deployment",
    "diff",
    "explain",
    "export",
    "init",
    "inventory",
    "load",
    "load_config",
    "page",
    "plan",
    "rules",
    "scan",
]

_HOMES = {
    "graphcount.errors": (
        "ConfigError",
        "DamagedError",
        "GraphcountError",
        "LimitError",
        "NotOnnxError",
        "NotReadableError",
        "Unknown",
        "UsageError",
    ),
    "graphcount.loading.limits": ("Limits",),
    "graphcount.report.records": ("Report",),
    "graphcount.scanning.work": ("Analysis", "InternalError", "ProcessLost", "TookTooLong"),
    "graphcount.analysis.shapes.sizes": ("ShapeError",),
    "graphcount.benchmarking.measure": ("BenchOptions",),
    "graphcount.benchmarking.process": ("BenchError",),
    "graphcount.config": ("load_config",),
}
"""Homes of the names that are no verbs; every other one is of `graphcount.api`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = next((home for home, names in _HOMES.items() if name in names), "graphcount.api")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
