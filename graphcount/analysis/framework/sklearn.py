"""scikit-learn: binary linear models whose converter stores both classes."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import Adjustment, Evidence

FEW = 1 << 20


def binary_models(evidence: Evidence) -> Iterable[Adjustment]:
    """Converters store -w and w for the two classes of a binary LinearClassifier.

    scikit-learn keeps one row of coefficients and one intercept, so half is a copy.
    """
    found = []
    classifiers = evidence.graph.by_operator.get(("ai.onnx.ml", "LinearClassifier"), ())
    for node in classifiers:
        used = evidence.by_node.get(node.id, ())
        rows = [row for row, use in used if use.role in ("weight", "bias")]
        halves = [row.stored.elements // 2 for row in rows if _is_mirrored(row, evidence)]
        if rows and len(halves) == len(rows):
            removed = sum(halves)
            sentence = (
                f"The binary model stores both signs of its coefficients: {removed:,} elements"
                " repeat others with the sign changed."
            )
            found.append(Adjustment(-removed, -removed, -removed, sentence))
    return found


def _is_mirrored(row: Row, evidence: Evidence) -> bool:
    stored = row.stored
    if stored.elements % 2 or not 2 <= stored.elements <= FEW:
        return False
    numbers = evidence.values.numbers(stored)
    if not numbers:
        return False
    half = len(numbers) // 2
    return all(numbers[at] == -numbers[at + half] for at in range(half))
