"""Sizes of declared parameters that no tensor and no call of torch states.

A size follows from its sibling, from the same place in another block, or from the only tensor of
its module that nothing else explains. What is left is estimated from what folding kept of it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import isqrt

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.calls import Called, scopes_of, unexplained
from graphcount.analysis.framework.evidence import Evidence, is_generated
from graphcount.analysis.framework.ties import find_copies
from graphcount.analysis.names import original_name
from graphcount.analysis.signature import Signature

TIED_NAMES = frozenset(
    {
        *("lm_head", "embed_tokens", "wte", "word_embeddings", "shared", "decoder"),
        *("embeddings", "embed_out"),
    }
)
"""Modules that language models usually tie to each other."""

POOLER = re.compile(r"(.*\.)?pooler(\.dense)?\.(weight|bias)\Z")
"""Policy: the square Linear that language and vision models have behind what they return."""

POSITION_BIAS = ".relative_position_bias_table"
"""Policy: the table of a window's relative positions, of which folding keeps the gathered rows."""

NUMBER = re.compile(r"\d+")


@dataclass
class Sizes:
    """What is known of each declared parameter.

    Attributes:
        proven: Name → elements, as the file states.
        inferred: Name → elements, most likely.
        ties: Name → the declared name it shares its tensor with, proven by a call.
        likely_ties: The same by name and size alone.
        estimated: Name → elements, as far as what is stored of it tells.
        doubts: Why no number can be exact.
    """

    proven: dict[str, int] = field(default_factory=dict)
    inferred: dict[str, int] = field(default_factory=dict)
    ties: dict[str, str] = field(default_factory=dict)
    likely_ties: dict[str, str] = field(default_factory=dict)
    estimated: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def missing(self, signature: Signature) -> list[str]:
        """Return declared names without any size."""
        known = (self.proven, self.inferred, self.ties, self.likely_ties, self.estimated)
        return [name for name in signature.parameters if not any(name in part for part in known)]

    @property
    def all_ties(self) -> list[tuple[str, str]]:
        """Names that share a tensor, each with the name it shares it with."""
        return [*self.ties.items(), *self.likely_ties.items()]


def infer(
    evidence: Evidence, signature: Signature, calls: tuple[Called, ...], sizes: Sizes
) -> None:
    """Size what is missing, the surest first."""
    if sizes.missing(signature):
        by_sibling(evidence, signature, sizes)
        by_block(signature, sizes)
        by_module(evidence, signature, calls, sizes)
        by_tied_name(signature, sizes)
    if sizes.missing(signature):
        by_window(evidence, signature, sizes)
        by_rows(evidence, signature, sizes)
        by_pooler(evidence, signature, sizes)


def by_block(signature: Signature, sizes: Sizes) -> None:
    """Take the size that the parameter of the same name has in all other blocks of a model."""
    elements_of: dict[str, set[int]] = defaultdict(set)
    for known in (sizes.proven, sizes.inferred):
        for name, elements in known.items():
            elements_of[NUMBER.sub("#", name)].add(elements)
    for name in sizes.missing(signature):
        seen = elements_of.get(NUMBER.sub("#", name), set())
        if len(seen) == 1:
            sizes.inferred[name] = next(iter(seen))


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
    """Return output channels of the products whose weight keeps its declared name."""
    channels_of = {}
    for row in evidence.parameters:
        if row.stored.name not in signature.parameters:
            continue
        for use in row.tensor.uses:
            if use.role in ("weight", "quantized weight"):
                channels = evidence.channels(use.node)
                if channels is not None:
                    channels_of[row.stored.name] = channels
                break
    return channels_of


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
    """Pair as many unexplained tensors as names, in a module or in the file."""
    tied = {sizes.proven[other] for _, other in sizes.all_ties if other in sizes.proven}
    copies = {
        copy.row.stored.key
        for copy in find_copies(evidence)
        if copy.likely or (copy.of is None and copy.row.elements in tied)
    }
    spare = unexplained(evidence, signature, calls)
    spare = [row for row in spare if row.stored.key not in copies]
    within: dict[str, list[Row]] = defaultdict(list)
    for row in spare:
        for module in scopes_of(row, evidence):
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


def by_tied_name(signature: Signature, sizes: Sizes) -> None:
    """Size a table named as tied ones are, beside one that a look-up and a product share."""
    tied = set(sizes.ties.values())
    shared = [name for name in signature.parameters if name in sizes.proven and name in tied]
    for name in sizes.missing(signature):
        if _module(name) in TIED_NAMES and name.endswith(".weight") and len(shared) == 1:
            sizes.likely_ties[name] = shared[0]


def _module(name: str) -> str:
    parts = name.split(".")
    return parts[-2] if len(parts) > 1 else ""


# ---------------------------------------------------------------------------------- estimated sizes


def by_window(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """Size the table of relative positions in a window of w x w: (2w - 1)² rows.

    Of the table of all heads, folding keeps heads x w² x w² gathered numbers.
    """
    for name in sizes.missing(signature):
        module = name.removesuffix(POSITION_BIAS)
        if module == name:
            continue
        for row in evidence.rows:
            shape = row.stored.shape
            if len(shape) < 3 or shape[-1] != shape[-2] or module not in scopes_of(row, evidence):
                continue
            side = isqrt(shape[-1])
            if side * side == shape[-1] and is_generated(row):
                sizes.estimated[name] = (2 * side - 1) ** 2 * shape[-3]
                break


def by_rows(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """Count the rows that folding kept of a table: the least that it had."""
    missing = [name for name in sizes.missing(signature) if name.endswith(".weight")]
    tables = [name for name in missing if _is_table_name(name)]
    rows = [row for row in evidence.rows if _is_looked_up(row)]
    for name, row in zip(tables, rows, strict=False):
        sizes.estimated[name] = row.stored.shape[-1] * row.stored.shape[-2]


def _is_table_name(name: str) -> bool:
    return "emb" in _module(name) or _module(name) in ("wpe", "wte")


def _is_looked_up(row: Row) -> bool:
    """Return whether a tensor is named after a look-up that was folded, or is rows of a table."""
    name = original_name(row.stored.name)
    return len(row.stored.shape) > 1 and (
        name.startswith("embedding") or row.verdict.rule == "table-added"
    )


def by_pooler(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """Size a pooler that forward does not use: as wide as the norms."""
    norms = Counter(
        row.elements
        for row in evidence.parameters
        if row.verdict.role == "scale" and len(row.stored.shape) == 1
    )
    if not norms:
        return
    width = norms.most_common(1)[0][0]
    for name in sizes.missing(signature):
        match = POOLER.match(name)
        if match is not None:
            sizes.estimated[name] = width * width if match[3] == "weight" else width
