"""What single converters write: each function reads the trace of one of them."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import BLOCKED, Adjustment, Evidence, doubt, listed

FEW = 1 << 20
"""Elements of a tensor whose values are looked at."""


def graph_inputs(evidence: Evidence) -> Iterable[Adjustment]:
    """Say which of the counted parameters are inputs of the graph; they change no number."""
    rows = [row for row in evidence.parameters if row.stored.where == "input"]
    if not rows:
        return []
    elements = sum(row.elements for row in rows)
    names = listed([row.stored.name for row in rows])
    sentence = (
        f"{elements:,} parameters are graph inputs and not stored (exported without them): {names}."
    )
    return [Adjustment(0, 0, 0, sentence)]


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
    """Find (x - mean) * factor + shift: the factor exists without a learned scale, too."""
    rows = [row for row in evidence.parameters if row.verdict.rule == "written-norm-factor"]
    if not rows:
        return []
    elements = sum(row.elements for row in rows)
    sentence = (
        f"{len(rows)} normalisations are written as Sub, Mul and Add; their {elements:,} factors"
        " are parameters unless the layer learned no scale."
    )
    return [doubt(rows, sentence)]


def binary_models(evidence: Evidence) -> Iterable[Adjustment]:
    """Converters store -w and w for the two classes of a binary LinearClassifier.

    scikit-learn keeps one row of coefficients and one intercept, so half is a copy.
    """
    adjustments = []
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
            adjustments.append(Adjustment(-removed, -removed, -removed, sentence))
    return adjustments


def _is_mirrored(row: Row, evidence: Evidence) -> bool:
    stored = row.stored
    if stored.elements % 2 or not 2 <= stored.elements <= FEW:
        return False
    numbers = evidence.values.numbers(stored)
    if not numbers:
        return False
    half = len(numbers) // 2
    return all(numbers[at] == -numbers[at + half] for at in range(half))


def blocked_weights(evidence: Evidence) -> Iterable[Adjustment]:
    """Channels are rounded up to whole blocks of 8 or 16; what is not zero is real."""
    rows: dict[int, Row] = {}
    blocked = [
        node.id
        for (domain, _), nodes in evidence.graph.by_operator.items()
        if domain == BLOCKED
        for node in nodes
    ]
    for node in blocked:
        for row, _ in evidence.by_node.get(node, ()):
            if row.verdict.kind == "parameter":
                rows[row.stored.key] = row
    padded = sum(row.elements for row in rows.values())
    if not padded:
        return []
    zeros = sum(_zeros(row, evidence) for row in rows.values())
    sentence = (
        f"{padded:,} weights are padded with zeros to blocks of channels for one machine;"
        f" {zeros:,} of them are zeros."
    )
    return [Adjustment(-padded, 0, -zeros, sentence)]


def _zeros(row: Row, evidence: Evidence) -> int:
    """Return how many zeros a tensor holds; 0 when it is too large to look at."""
    numbers = evidence.values.numbers(row.stored) if row.elements <= FEW else None
    return sum(1 for number in numbers if number == 0) if numbers else 0
