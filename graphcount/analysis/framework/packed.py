"""Weights padded to whole blocks for one machine (onnxruntime's nchwc convolutions)."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.framework.evidence import Adjustment, Evidence

BLOCKED = "com.microsoft.nchwc"


def blocked_weights(evidence: Evidence) -> Iterable[Adjustment]:
    """Channels are rounded up to whole blocks of 8 or 16; the real number is lost."""
    keys = {}
    blocked = [
        node.id
        for (domain, _), nodes in evidence.graph.by_operator.items()
        if domain == BLOCKED
        for node in nodes
    ]
    for node in blocked:
        for row, _ in evidence.by_node.get(node, ()):
            if row.verdict.kind == "parameter":
                keys[row.stored.key] = row.elements
    padded = sum(keys.values())
    if not padded:
        return []
    sentence = (
        f"{padded:,} weights are padded with zeros to blocks of channels for one machine;"
        " how many are real is not stated."
    )
    return [Adjustment(-padded, 0, None, sentence)]
