"""graphcount: what is inside a neural network that was exported to ONNX, from the file alone.

    >>> import graphcount
    >>> graphcount.count("fixtures/cnn.onnx").totals.parameters
    26926

Importing this package imports nothing heavy; each name loads what it needs when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphcount.api import (
        Model,
        audit,
        bench,
        check,
        count,
        diff,
        export,
        load,
        page,
        plan,
        rules,
        scan,
    )
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

__all__ = [
    "ConfigError",
    "DamagedError",
    "GraphcountError",
    "LimitError",
    "Limits",
    "Model",
    "NotOnnxError",
    "NotReadableError",
    "Report",
    "Unknown",
    "UsageError",
    "__version__",
    "audit",
    "bench",
    "check",
    "count",
    "diff",
    "export",
    "load",
    "page",
    "plan",
    "rules",
    "scan",
]

_HOMES = {
    "graphcount.api": (
        "Model",
        "audit",
        "bench",
        "check",
        "count",
        "diff",
        "export",
        "load",
        "page",
        "plan",
        "rules",
        "scan",
    ),
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
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            value = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
