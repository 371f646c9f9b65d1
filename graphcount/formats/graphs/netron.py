"""Numbers for Netron: open this file when the model is open, and each node shows them.

Netron reads `{"signature": "netron:attachment", "metrics": [...]}` and shows the metrics whose
`kind` and `target` are those of what is selected (`metadata.Attachment` in Netron's view.js, 9.3).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from graphcount.formats.graphs.labels import name
from graphcount.report.drawing import Drawing, DrawnNode
from graphcount.report.serial import dumps


def netron(drawing: Drawing) -> str:
    """Return JSON: parameters, bytes and MACs of each node that has a name of its own."""
    sizes = ", ".join(f"{name(dim)}={size}" for dim, size in drawing.assumed.items())
    names = Counter(node.name for node in drawing.nodes)
    metrics = [
        {"kind": "node", "target": node.name.partition("\n")[0], "name": label, "value": value}
        for node in drawing.nodes
        if node.name and names[node.name] == 1
        for label, value in _numbers(node, sizes)
    ]
    data = {"signature": "netron:attachment", "metrics": metrics}
    return dumps(data) + "\n"


def _numbers(node: DrawnNode, sizes: str) -> list[tuple[str, Any]]:
    """Return names and values of what a node has; MACs at assumed sizes name these."""
    numbers: list[tuple[str, Any]] = []
    if node.parameters:
        numbers.append(("parameters", node.parameters))
    if node.nbytes:
        numbers.append(("bytes", node.nbytes))
    macs = node.macs if node.macs is not None else node.macs_expression
    if macs:
        numbers.append(("MACs", macs))
    if macs and node.macs is None and node.assumed_macs is not None:
        numbers.append((f"MACs at {sizes}", node.assumed_macs))
    return numbers
