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
    from graphcount.api import (
        Checked,
        Judged,
        Model,
        Scanned,
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
    from graphcount.scanning.work import Analysis

__all__ = [
    "Analysis",
    "BenchOptions",
    "Checked",
    "ConfigError",
    "DamagedError",
    "GraphcountError",
    "Judged",
    "LimitError",
    "Limits",
    "Model",
    "NotOnnxError",
    "NotReadableError",
    "Report",
    "Scanned",
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
    "graphcount.scanning.work": ("Analysis",),
    "graphcount.benchmarking.measure": ("BenchOptions",),
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
