"""One function a verb, one file a subject. What a call does not need, it does not import."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphcount.report.printable import PrintableResult

if TYPE_CHECKING:
    from graphcount.api.auditing import audit, audits
    from graphcount.api.benchmarking import bench, bench_report, benches
    from graphcount.api.checking import Checked, check
    from graphcount.api.comparing import diff
    from graphcount.api.deploying import deployment
    from graphcount.api.drawing import export, page
    from graphcount.api.explaining import explain
    from graphcount.api.known_rules import rules
    from graphcount.api.model import (
        Counting,
        CountOptions,
        MacsConvention,
        Model,
        Operators,
        SizeOptions,
        count,
        load,
    )
    from graphcount.api.outcomes import Judged, counts
    from graphcount.api.planning import plan
    from graphcount.api.scanning import Interrupted, Scanned, examine, inventory, scan
    from graphcount.api.starting import init

_HOMES = {
    "auditing": ("audit", "audits"),
    "benchmarking": ("bench", "bench_report", "benches"),
    "checking": ("Checked", "check"),
    "comparing": ("diff",),
    "deploying": ("deployment",),
    "drawing": ("export", "page"),
    "explaining": ("explain",),
    "known_rules": ("rules",),
    "model": (
        *("CountOptions", "Counting", "MacsConvention", "Model", "Operators", "SizeOptions"),
        *("count", "load"),
    ),
    "outcomes": ("Judged", "counts"),
    "planning": ("plan",),
    "scanning": ("Interrupted", "Scanned", "examine", "inventory", "scan"),
    "starting": ("init",),
}
"""Names by the file that has them, which is imported when one is first used."""

__all__ = [
    "Checked",
    "CountOptions",
    "Counting",
    "Interrupted",
    "Judged",
    "MacsConvention",
    "Model",
    "Operators",
    "Scanned",
    "SizeOptions",
    "audit",
    "audits",
    "bench",
    "bench_report",
    "benches",
    "check",
    "count",
    "counts",
    "deployment",
    "diff",
    "examine",
    "explain",
    "export",
    "init",
    "inventory",
    "load",
    "page",
    "plan",
    "rules",
    "scan",
]


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def _writer(result: PrintableResult, form: str) -> str:
    from graphcount.api.results import written

    return written(result, form)


PrintableResult.writer = staticmethod(_writer)
