"""Keras: recurrent layers with one bias, and BatchNormalization written out."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.framework.evidence import Adjustment, Evidence, listed

FEW = 1 << 20


def zero_recurrent_bias(evidence: Evidence) -> Iterable[Adjustment]:
    """ONNX's B holds two bias vectors; Keras has one, and converters fill the other with zeros.

    torch initialises both from a uniform distribution, so a half of zeros is none of torch's.
    """
    removed = 0
    names = []
    for row in evidence.parameters:
        stored = row.stored
        if row.verdict.role != "bias" or len(stored.shape) != 2 or stored.elements > FEW:
            continue
        users = [evidence.graph.nodes[use.node].operator for use in row.tensor.uses]
        recurrent = all(user is not None and user.is_recurrent for user in users)
        if not users or not recurrent or stored.shape[1] % 2:
            continue
        numbers = evidence.values.numbers(stored)
        half = stored.shape[1] // 2
        if not numbers or len(numbers) != stored.elements or not any(numbers):
            continue
        rows = [numbers[at + half : at + 2 * half] for at in range(0, len(numbers), 2 * half)]
        if not any(any(part) for part in rows):
            removed += stored.shape[0] * half
            names.append(stored.name)
    if not removed:
        return []
    sentence = (
        f"The recurrent half of the bias is zeros ({listed(names)}): Keras has one bias, ONNX two,"
        f" so {removed:,} elements are no parameters."
    )
    return [Adjustment(-removed, 0, -removed, sentence)]


def written_norms(evidence: Evidence) -> Iterable[Adjustment]:
    """(x - mean) * factor + shift: the factor exists without a learned scale, too."""
    rows = [row for row in evidence.parameters if row.verdict.rule == "written-norm-factor"]
    if not rows:
        return []
    elements = sum(row.elements for row in rows)
    sentence = (
        f"{len(rows)} normalisations are written as Sub, Mul and Add; their {elements:,} factors"
        " are parameters unless the layer learned no scale."
    )
    return [Adjustment(-elements, 0, 0, sentence)]
