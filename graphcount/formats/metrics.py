"""OpenMetrics 1.0 text, as GitLab's metrics reports and Prometheus read it: one gauge a number.

What is not known has no line; `graphcount_exact` is 0 where a number is only a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.text import safe
from graphcount.formats.view import View
from graphcount.report.records import Report

METRICS: dict[str, tuple[str, Callable[[Report], int | None]]] = {
    "parameters": ("learned elements", lambda r: r.totals.parameters),
    "buffers": ("state that is not trained", lambda r: r.totals.buffers),
    "elements": ("all stored elements", lambda r: r.totals.elements),
    "nbytes": ("bytes of all stored tensors", lambda r: r.totals.nbytes.total),
    "file_nbytes": ("bytes of the model file", lambda r: r.model.file_nbytes),
    "external_nbytes": ("bytes of external data files", lambda r: r.model.external_nbytes),
    "disk_nbytes": ("bytes of model file and external data", lambda r: r.model.disk_nbytes),
    "nodes": ("nodes in the file", lambda r: r.model.node_count),
    "macs": ("multiply-accumulates of a forward pass", lambda r: r.totals.macs),
    "elementwise": ("element-wise work of a forward pass", lambda r: r.totals.elementwise),
    "peak_activation_nbytes": (
        "largest sum of live activations",
        lambda r: r.totals.peak_activation_nbytes,
    ),
    "unknown": ("things that are not known", lambda r: len(r.unknown)),
    "exact": ("whether the counts are exact", lambda r: int(not r.doubts)),
    "findings": ("limits that are not kept", lambda r: len(r.findings)),
}
"""Gauges: what each says, and where it comes from."""


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render every gauge for every model."""
    lines = []
    for name, (about, read) in METRICS.items():
        rows = [(item.model.path, read(item)) for item in outcomes if isinstance(item, Report)]
        lines += _gauge(name, about, [(path, n) for path, n in rows if n is not None])
    readable = [
        (item.model.path if isinstance(item, Report) else item.path or "", isinstance(item, Report))
        for item in outcomes
    ]
    lines += _gauge("readable", "whether the model could be read", readable)
    return "\n".join([*lines, "# EOF"]) + "\n"


def _gauge(name: str, about: str, rows: Sequence[tuple[str, int]]) -> list[str]:
    if not rows:
        return []
    head = [f"# HELP graphcount_{name} {about}", f"# TYPE graphcount_{name} gauge"]
    return head + [f'graphcount_{name}{{model="{_label(path)}"}} {int(n)}' for path, n in rows]


def _label(text: str) -> str:
    plain = safe(text, None)
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
