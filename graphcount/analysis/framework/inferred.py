"""Sizes that are likely and not proven: siblings, lone tensors of a module, usual ties."""

from __future__ import annotations

from collections import defaultdict

from graphcount.analysis.counts import Row
from graphcount.analysis.framework import fx
from graphcount.analysis.framework.evidence import Evidence
from graphcount.analysis.framework.roles import size_by_operand, size_by_role
from graphcount.analysis.framework.sizes import Called, Sizes
from graphcount.analysis.names import original_name
from graphcount.analysis.signature import Signature

TIED_NAMES = frozenset(
    {
        *("lm_head", "embed_tokens", "wte", "word_embeddings", "shared", "decoder"),
        *("embeddings", "embed_out"),
    }
)
"""Modules that language models usually tie to each other."""


def by_sibling(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """A bias beside a weight has its output channels; norms have equal weight and bias."""
    channels = _channels_by_name(evidence, signature)
    for name in sizes.missing(signature):
        module, _, attribute = name.rpartition(".")
        other = f"{module}.{'bias' if attribute == 'weight' else 'weight'}"
        if attribute == "bias" and other in channels:
            sizes.inferred[name] = channels[other]
        elif attribute in ("weight", "bias") and _is_norm(evidence, other):
            sizes.inferred[name] = sizes.proven.get(other, 0)


def _channels_by_name(evidence: Evidence, signature: Signature) -> dict[str, int]:
    """Output channels of the products whose weight keeps its declared name."""
    found = {}
    for row in evidence.parameters:
        if row.stored.name not in signature.parameters:
            continue
        for use in row.tensor.uses:
            if use.role in ("weight", "quantized weight"):
                channels = evidence.channels(use.node)
                if channels is not None:
                    found[row.stored.name] = channels
                break
    return found


def _is_norm(evidence: Evidence, name: str) -> bool:
    row = evidence.by_name.get(name)
    return (
        row is not None
        and len(row.stored.shape) == 1
        and any(
            "Normalization" in evidence.graph.nodes[use.node].op_type for use in row.tensor.uses
        )
    )


def by_module(
    evidence: Evidence, signature: Signature, calls: tuple[Called, ...], sizes: Sizes
) -> None:
    """As many unexplained tensors as unexplained names, in a module or in the file."""
    spare = unexplained(evidence, signature, calls)
    within: dict[str, list[Row]] = defaultdict(list)
    for row in spare:
        for module in scopes(row, evidence):
            within[module].append(row)
    taken: set[int] = set()
    wanted: dict[str, list[str]] = defaultdict(list)
    for name in sizes.missing(signature):
        wanted[name.rpartition(".")[0]].append(name)
    for module, names in wanted.items():
        rows = within[module]
        if len(names) == 1 and len(rows) == 1 and rows[0].stored.key not in taken:
            sizes.inferred[names[0]] = rows[0].elements
            taken.add(rows[0].stored.key)
    spare = [row for row in spare if row.stored.key not in taken]
    missing = sizes.missing(signature)
    if missing and len(missing) == len(spare):
        sizes.inferred.update(
            (name, row.elements) for name, row in zip(missing, spare, strict=True)
        )


def unexplained(evidence: Evidence, signature: Signature, calls: tuple[Called, ...]) -> list[Row]:
    """Parameters under other names that no torch call accounts for.

    A table's looked-up rows, `embedding_1`, are left out: they are no whole table.
    """
    given: dict[str, set[int]] = defaultdict(set)
    for called in calls:
        sizes = size_by_role(called, evidence) or size_by_operand(called, evidence)
        for elements in sizes.values():
            for node in called.nodes:
                given[node].add(elements)
    spare = []
    for row in evidence.parameters:
        name = original_name(row.stored.name)
        if name in signature.parameters or row.stored.constant or name.startswith("embedding"):
            continue
        if name.endswith("_bias") and name[: -len("_bias")] in signature.parameters:
            continue  # made by folding a BatchNormalization
        if not any(row.elements in given[use.node] for use in row.tensor.uses):
            spare.append(row)
    return spare


def scopes(row: Row, evidence: Evidence) -> set[str]:
    """Modules of the nodes that use a tensor."""
    found = set()
    for use in row.tensor.uses:
        node = evidence.graph.nodes[use.node].record
        if node is not None:
            found.add(fx.scope(node.metadata.get("pkg.torch.onnx.name_scopes", "")))
    return found


def by_tied_name(signature: Signature, sizes: Sizes) -> None:
    """A table named like those usually tied, beside one that a look-up and a product share."""
    tied = set(sizes.ties.values())
    shared = [name for name in signature.parameters if name in sizes.proven and name in tied]
    for name in sizes.missing(signature):
        if _module(name) in TIED_NAMES and name.endswith(".weight") and len(shared) == 1:
            sizes.likely_ties[name] = shared[0]


def _module(name: str) -> str:
    parts = name.split(".")
    return parts[-2] if len(parts) > 1 else ""
