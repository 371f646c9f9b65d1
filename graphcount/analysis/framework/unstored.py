"""Parameters that the file declares and does not hold (torch.onnx.export, export_params=False)."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.framework.evidence import Adjustment, Evidence, listed


def graph_inputs(evidence: Evidence) -> Iterable[Adjustment]:
    """Say which of the counted parameters are inputs of the graph; they change no number."""
    found = [row for row in evidence.parameters if row.stored.where == "input"]
    if not found:
        return []
    elements = sum(row.elements for row in found)
    names = listed([row.stored.name for row in found])
    sentence = (
        f"{elements:,} parameters are graph inputs and not stored (exported without them): {names}."
    )
    return [Adjustment(0, 0, 0, sentence)]
