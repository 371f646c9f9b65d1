"""Weights that may never have been learned: filters of a raw signal, and by their names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import Adjustment, Evidence, doubt, listed
from graphcount.analysis.framework.ties import is_filled
from graphcount.analysis.names import maker, original_name

LEAST_TAPS = 16
"""Policy: the shortest filter of a raw signal that may be a window, a wavelet or a sinusoid."""

BUFFER_WORDS = frozenset(
    {
        *("bank", "basis", "blur", "buffer", "cos", "dct", "dft", "fbank", "fft", "filt", "filter"),
        *("filters", "fir", "freq", "freqs", "gaussian", "grid", "mask", "mel", "memory", "pe"),
        *("pos", "sin", "sobel", "stft", "template", "templates", "window"),
    }
)
"""Policy: words in the names of stored arrays that are mostly not learned."""

WORD = re.compile(r"[a-z]+")


def fixed_filters(evidence: Evidence) -> Iterable[Adjustment]:
    """Find long filters along one axis of a raw signal, without a bias: a transform, or learned.

    Spectrograms are written as convolutions with stored sinusoids. Nothing but their values tells
    them from learned filters, and values do not always.
    """
    filters = {
        node.id: row
        for node in evidence.products
        if (row := _filter(node.id, evidence)) is not None
    }
    if not filters:
        return []
    behind = _behind_learned({row.stored.key for row in filters.values()}, evidence)
    fixed = {row.stored.key: row for node, row in filters.items() if node not in behind}
    if not fixed:
        return []
    names = listed([row.stored.name for row in fixed.values()])
    sentence = f"The raw signal passes {names} before anything else: filters that may be fixed."
    return [doubt(fixed.values(), sentence)]


def named_as_buffers(evidence: Evidence) -> Iterable[Adjustment]:
    """Find what multiplies or is looked up, under a name that buffers have.

    A function that a module calls takes a buffer as it takes a parameter.
    """
    words = BUFFER_WORDS | ({"kernel"} if evidence.producer == "pytorch" else set())
    rows = [
        row
        for row in evidence.parameters
        if row.verdict.role in ("weight", "embedding")
        and words & (own := _last_words(row.stored.name))
        and "weight" not in own
    ]
    if not rows:
        return []
    names = listed([row.stored.name for row in rows])
    return [doubt(rows, f"By their names these may be buffers: {names}.")]


def _last_words(name: str) -> frozenset[str]:
    """Return the words of the last part of a name that the author of a network gave."""
    name = original_name(name)
    if maker(name) != "author":
        return frozenset()
    return frozenset(WORD.findall(name.rpartition(".")[2].lower()))


def _filter(node: str, evidence: Evidence) -> Row | None:
    """Return the weight of a convolution of one channel along one axis, without a bias."""
    operator = evidence.graph.nodes[node].operator
    if operator is None or not operator.is_convolution:
        return None
    weight = evidence.stored(node, "weight")
    if weight is None or len(weight.stored.shape) < 3 or weight.stored.shape[1] != 1:
        return None
    taps = weight.stored.shape[2:]
    if max(taps) < LEAST_TAPS or math.prod(taps) != max(taps):
        return None
    bias = evidence.stored(node, "bias")
    return weight if bias is None or is_filled(bias, evidence) else None


def _behind_learned(own: set[int], evidence: Evidence) -> set[str]:
    """Return the nodes that a parameter other than such filters and their biases reaches."""
    behind: set[str] = set()
    for node in evidence.operators:
        producers = evidence.graph.producers(node.id)
        if any(producer in behind for producer in producers) or _learns(node.id, own, evidence):
            behind.add(node.id)
    return behind


def _learns(node: str, own: set[int], evidence: Evidence) -> bool:
    """Return whether an operator uses parameters; those of filters do not count."""
    rows = [row for row, _ in evidence.by_node.get(node, ()) if row.verdict.kind == "parameter"]
    return bool(rows) and not any(row.stored.key in own for row in rows)
