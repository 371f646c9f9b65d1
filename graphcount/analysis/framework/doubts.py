"""What keeps a sum of proven sizes from being exact."""

from __future__ import annotations

from collections import defaultdict

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import FX_NODE, Evidence
from graphcount.analysis.framework.sizes import Sizes
from graphcount.analysis.kinds import LEARNED_ROLES
from graphcount.analysis.signature import Signature

COMPLEX = ("complex", "aten.fft", "aten.polar", "aten.view_as_real", "aten.angle")
"""Calls that appear where numbers are complex: those are stored as pairs."""


def doubt(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """Everything that keeps a sum of proven sizes from being exact."""
    if not signature.complete:
        sizes.doubts.append("The signature is cut off, or names a parameter twice.")
    if evidence.producer != "pytorch":
        sizes.doubts.append(f"{evidence.producer[:80] or 'Another tool'} rewrote the file.")
    if any(row.stored.dtype[:3] in ("int", "uin") for row in evidence.parameters):
        sizes.doubts.append("The weights are quantized, so their sizes are no longer torch's.")
    if any(row.stored.problems for row in evidence.rows):
        sizes.doubts.append("Some tensors contradict what the file says about them.")
    if evidence.model_graph.unknowns:
        sizes.doubts.append("Parts of the graph are undefined.")
    if _is_complex(evidence):
        sizes.doubts.append("Complex numbers are stored as pairs, so sizes may be doubled.")
    if _foreign(evidence, signature):
        sizes.doubts.append("Some weights belong to nodes that torch.export did not make.")
    if _tied_by_value(evidence, sizes):
        sizes.doubts.append("A product may share the data of an embedding table.")
    for name in _pairs(evidence, signature):
        sizes.doubts.append(f"{name[:120]} may hold complex numbers as pairs.")
        break


def _is_complex(evidence: Evidence) -> bool:
    return any(
        word in text
        for node in evidence.operators
        if (text := node.record.metadata.get(FX_NODE, ""))
        for word in COMPLEX
    )


def _foreign(evidence: Evidence, signature: Signature) -> bool:
    """Whether undeclared parameters are used only by nodes without torch's metadata."""
    for row in evidence.parameters:
        if row.stored.name in signature.parameters or row.stored.constant:
            continue
        nodes = [evidence.graph.nodes[use.node].record for use in row.tensor.uses]
        if not any(node is not None and FX_NODE in node.metadata for node in nodes):
            return True
    return False


def _tied_by_value(evidence: Evidence, sizes: Sizes) -> bool:
    """Whether a table and a product of its size are equal, or cannot be compared.

    torch.export names one parameter for all uses of a tied one; older versions may not have.
    """
    tied = set(sizes.ties.values())
    weights = [row for row in evidence.parameters if row.verdict.role == "weight"]
    shapes = {tuple(sorted(row.stored.shape)) for row in weights}
    tables: dict[tuple[int, ...], set[bytes | None]] = defaultdict(set)
    for row in evidence.parameters:
        stored, shape = row.stored, tuple(sorted(row.stored.shape))
        is_table = row.verdict.role == "embedding" and len(shape) == 2 and shape in shapes
        if is_table and stored.name not in tied:
            tables[shape].add(evidence.values.digest(stored))
    return any(
        _is_one_of(row, tables[shape], evidence)
        for row in weights
        if (shape := tuple(sorted(row.stored.shape))) in tables
    )


def _is_one_of(row: Row, tables: set[bytes | None], evidence: Evidence) -> bool:
    """Whether a matrix holds the numbers of a table, transposed or not; True when unknown."""
    straight = evidence.values.digest(row.stored)
    turned = evidence.values.digest(row.stored, transposed=True)
    return None in tables or straight is None or straight in tables or turned in tables


def _pairs(evidence: Evidence, signature: Signature) -> list[str]:
    """Declared tensors with a last dimension of two in no place that tells their shape."""
    return [
        row.stored.name
        for row in evidence.rows
        if row.stored.name in signature.parameters
        and row.stored.shape[-1:] == (2,)
        and not any(use.role in LEARNED_ROLES for use in row.tensor.uses)
    ]
