"""One function a verb, one file a subject. What a call does not need, it does not import."""

from graphcount.api.auditing import audit, rules
from graphcount.api.benchmarking import bench
from graphcount.api.checking import check
from graphcount.api.comparing import compared, diff
from graphcount.api.drawing import export, page
from graphcount.api.explaining import explain
from graphcount.api.model import CountOptions, MacsConvention, Model, Operators, Sizes, count, load
from graphcount.api.planning import plan
from graphcount.api.scanning import examine, scan
from graphcount.report.records import Report


def _notebook(report: Report) -> str:
    from graphcount.formats.notebook import render

    return render(report)


Report.notebook = staticmethod(_notebook)

__all__ = [
    "CountOptions",
    "MacsConvention",
    "Model",
    "Operators",
    "Sizes",
    "audit",
    "bench",
    "check",
    "compared",
    "count",
    "diff",
    "examine",
    "explain",
    "export",
    "load",
    "page",
    "plan",
    "rules",
    "scan",
]
