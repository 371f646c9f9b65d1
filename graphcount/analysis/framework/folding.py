"""BatchNormalization folded into the product before it, by the traces that each tool leaves.

Folding loses 2C parameters (scale and shift); the product gains C numbers when it had no bias
before. So the framework counted C more than is stored, or 2C when the product had a bias; when the
norm learned no scale and shift, C fewer, or as many.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import (
    CALL_SUFFIX,
    NUMBERED,
    RULE_NAME,
    Adjustment,
    Evidence,
    listed,
)
from graphcount.analysis.names import is_dotted, original_name
from graphcount.graph import OperatorNode, computes, traits_of
from graphcount.loading.model import Node

VALUE_NUMBERING = True
"""Whether the legacy exporter's numbering of values may decide if folded products had a bias.

An implementation detail of torch 2.x: values of the ONNX graph are numbered in the order in which
they are made, parameters first. It only ever chooses the best number inside the range.
"""

MAX_LOOK = 6
"""Nodes between a product and its bias or norm that are looked at."""

REWRITTEN = re.compile(r"getitem(_\d{1,9})?\Z")
LITERAL = re.compile(r"/(?:[^\n]{0,1000}/)?Constant(?:_\d{1,9})?_output_0\Z")
SIMPLIFIED = re.compile(r"_v_(\d{1,9})\Z")
Test = Callable[[Row, Row, OperatorNode], bool]


def _pairs(evidence: Evidence) -> Iterable[tuple[OperatorNode, Row, Row]]:
    """Return products with a stored weight and a stored bias."""
    for node in evidence.products:
        weight = evidence.stored(node.id, "weight", "quantized weight")
        bias = evidence.stored(node.id, "bias", "quantized bias")
        if bias is None and "unscaled" in traits_of(node):
            bias = _added(node.id, evidence)
        if weight is not None and bias is not None:
            yield node, weight, bias


def _added(node: str, evidence: Evidence) -> Row | None:
    """Return the bias that is added behind an integer convolution, its cast and its scale."""
    for _ in range(MAX_LOOK):
        following = evidence.graph.consumers(node)
        if len(following) != 1:
            return None
        node = following[0]
        if computes(evidence.graph.nodes[node]) == "Add":
            return next((row for row, _ in evidence.by_node.get(node, ())), None)
    return None


def _left_products_are_biased(evidence: Evidence) -> bool | None:
    """Return whether the products before the norms that were not folded have a bias.

    Who writes a network mostly treats all of them alike; None where none or only some have one.
    """
    norms = evidence.by_op_type.get("BatchNormalization", ())
    biased = {_is_biased_before(node.id, evidence) for node in norms} - {None}
    return biased.pop() if len(biased) == 1 else None


def _is_biased_before(node: str, evidence: Evidence) -> bool | None:
    """Return whether the product before a norm has a bias, its own or one that is added.

    Between them a quantized file converts and scales.
    """
    for _ in range(MAX_LOOK):
        before = [
            producer
            for producer in evidence.graph.producers(node)
            if evidence.graph.nodes[producer].kind == "operator"
        ]
        if not before:
            return None
        node = before[0]
        adds = computes(evidence.graph.nodes[node]) == "Add" and node in evidence.by_node
        if adds or evidence.stored(node, "bias", "quantized bias") is not None:
            return True
        if evidence.channels(node) is not None:
            return False
    return None


class Fold(NamedTuple):
    """One BatchNormalization in the product before it.

    Attributes:
        channels: Output channels of the product, C.
        had_bias: The product had a bias before; None when nothing tells.
        affine: The norm learned a scale and a shift; None when nothing tells.
        stored: The product has a stored bias now, which is of the exporter's making.
    """

    channels: int
    had_bias: bool | None = None
    affine: bool | None = None
    stored: bool = True


def _ranges(folds: Iterable[Fold], what: str, likely: bool | None) -> list[Adjustment]:
    """Return one finding for all folds of which the same is known.

    Args:
        folds: The norms.
        what: Who folded them.
        likely: Whether the products had a bias, most likely.
    """
    groups: dict[Fold, list[int]] = defaultdict(list)
    for fold in folds:
        groups[fold._replace(channels=0)].append(fold.channels)
    return [
        _range(known._replace(channels=sum(channels)), len(channels), what, bool(likely))
        for known, channels in groups.items()
    ]


def _range(fold: Fold, count: int, what: str, likely: bool) -> Adjustment:
    """Return what a bias, a scale and a shift were, less the bias that is stored: -C to 2C.

    Where nothing tells, the norm most likely had a scale and a shift, and the product no bias.
    """
    channels = fold.channels
    unchanged = -channels if fold.stored else 0
    low = unchanged + channels * bool(fold.had_bias) + 2 * channels * bool(fold.affine)
    best = low if fold.affine is not None else low + 2 * channels
    high = best if fold.had_bias is not None else best + channels
    if fold.had_bias is None and likely:
        best = high
    if low == high:
        why = f"{_more(low)} parameters than stored"
    else:
        had_bias, affine = "they had a bias", "the norms learned a scale and a shift"
        questions = {had_bias: fold.had_bias, affine: fold.affine}
        whether = " and ".join(text for text, known in questions.items() if known is None)
        start = f"{low:,}" if low >= 0 else f"from {_more(low)}"
        why = f"{start} to {_more(high)} parameters than stored, by whether {whether}"
    layers, before = ("layer", "product") if count == 1 else ("layers", "products")
    norms = f"{count} BatchNormalization {layers} into the {before} before"
    sentence = f"{what} {norms}: {why}."
    return Adjustment(low, high, best, sentence)


def _more(number: int) -> str:
    return f"{number:,} more" if number >= 0 else f"{-number:,} fewer"


def by_rewriter(evidence: Evidence) -> Iterable[Adjustment]:
    """Find folds of onnxscript's rewriter, which torch's dynamo exporter runs.

    It says so in the node's metadata; where that is gone, the product gives `getitem_N`, the first
    result of torch's batch_norm. A new bias is called `X.weight_bias`, an old one keeps its name.
    """
    folds = []
    optimised = {
        node.id
        for node, weight, bias in _pairs(evidence)
        if any(test(weight, bias, node) for test in OPTIMISERS.values())
    }
    for node in evidence.products:
        if node.id in optimised:
            continue
        channels = evidence.channels(node.id) if _is_rewritten(node) else None
        if channels is None:
            continue
        bias = evidence.stored(node.id, "bias", "quantized bias")
        name = original_name(bias.stored.name) if bias is not None else ""
        weight = _weight_name(node.id, evidence)
        had_bias = None
        if name.endswith("_bias") and name.startswith(weight):
            had_bias = False
        elif name and name == f"{weight.rpartition('.')[0]}.bias":
            had_bias = True
        folds.append(Fold(channels, had_bias, stored=bias is not None))
    likely = _left_products_are_biased(evidence) if folds else None
    return _ranges(folds, "torch's exporter folded", likely)


def _is_rewritten(node: OperatorNode) -> bool:
    if "FuseBatchNormInto" in node.record.metadata.get(RULE_NAME, ""):
        return True
    return bool(node.outputs) and REWRITTEN.match(node.outputs[0]) is not None


def _weight_name(node: str, evidence: Evidence) -> str:
    row = evidence.stored(node, "weight", "quantized weight")
    return original_name(row.stored.name) if row is not None else "\0"


def _is_onnxruntime(weight: Row, bias: Row, node: OperatorNode) -> bool:
    """Return whether the new tensors are named after the old weight and the norm's shift."""
    return "ConvBnFusion_W_" in weight.stored.name


def _is_onnxslim(weight: Row, bias: Row, node: OperatorNode) -> bool:
    """Return whether the new tensors are named after the BatchNormalization's output."""
    output = node.outputs[0] if node.outputs else ""
    names = (weight.stored.name, bias.stored.name)
    return bool(output) and names == (f"{output}_weight", f"{output}_bias")


def _is_onnxsim(weight: Row, bias: Row, node: OperatorNode) -> bool:
    """Return whether weight and bias are numbered one after the other: `_v_39`, `_v_40`."""
    first = SIMPLIFIED.match(weight.stored.name)
    second = SIMPLIFIED.match(bias.stored.name)
    return bool(first and second and int(second[1]) == int(first[1]) + 1)


OPTIMISERS: dict[str, Test] = {
    "onnxruntime": _is_onnxruntime,
    "onnxslim": _is_onnxslim,
    "onnxsim": _is_onnxsim,
}
"""How each optimiser names what it folded."""


def by_optimisers(evidence: Evidence) -> Iterable[Adjustment]:
    """Find folds of optimisers that give the new tensors names of their own."""
    had_bias = True if _removed(evidence, _biases) else None
    affine = True if _removed(evidence, _scales) else None
    for tool, test in OPTIMISERS.items():
        folds = [
            Fold(evidence.channels(node.id) or 0, had_bias, affine or _learned_shift(bias))
            for node, weight, bias in _pairs(evidence)
            if test(weight, bias, node)
        ]
        if folds:
            likely = _left_products_are_biased(evidence)
            yield from _ranges((fold for fold in folds if fold.channels), f"{tool} folded", likely)


def _learned_shift(bias: Row) -> bool | None:
    """Return whether onnxruntime named the bias after a shift that was learned.

    A norm that learns nothing gets ones and zeros in Constant nodes of the exporter's making.
    """
    _, separator, name = bias.stored.name.partition("ConvBnFusion_BN_B_")
    if not separator:
        return None
    if is_dotted(name):
        return True
    return False if LITERAL.match(name) else None


def _removed(evidence: Evidence, test: Callable[[set[str]], bool]) -> bool:
    """Return what the list of removed values shows that onnxsim leaves."""
    text = evidence.model.proto.metadata.get("onnxsim.removed_values", "")
    if not text or len(text) > 10_000_000:
        return False
    return test({name.strip() for name in text.split(",")})


def _modules_of(names: set[str], ending: str) -> set[str]:
    return {name[: -len(ending)] for name in names if name.endswith(ending)}


def _biases(names: set[str]) -> bool:
    """As many biases of products as of norms, or fewer: every product had one."""
    products = _modules_of(names, ".weight") - _modules_of(names, ".running_mean")
    return bool(products) and all(f"{module}.bias" in names for module in products)


def _scales(names: set[str]) -> bool:
    """Every norm had a scale and a shift."""
    norms = _modules_of(names, ".running_mean")
    return bool(norms) and all({f"{norm}.weight", f"{norm}.bias"} <= names for norm in norms)


def by_legacy_exporter(evidence: Evidence) -> Iterable[Adjustment]:
    """A new weight and bias are named one after the other: `onnx::Conv_38`, `onnx::Conv_39`."""
    channels: list[int] = []
    numbers: list[int] = []
    for node, weight, bias in _pairs(evidence):
        first = NUMBERED.match(original_name(weight.stored.name))
        second = NUMBERED.match(original_name(bias.stored.name))
        size = evidence.channels(node.id)
        if first and second and size and int(second[2]) == int(first[2]) + 1:
            channels.append(size)
            numbers.append(int(first[2]))
    if not channels:
        return []
    total = sum(channels)
    likely = _left_products_are_biased(evidence)
    adjustment = _range(Fold(total), len(channels), "torch's legacy exporter folded", bool(likely))
    biased = _biased_by_numbering(evidence, len(channels), min(numbers))
    if biased is None:
        return [adjustment]
    which = "all of them" if biased else "none of them"
    sentence = f"{adjustment.sentence} The numbering of values says that {which} had a bias."
    return [adjustment._replace(best=2 * total if biased else total, sentence=sentence)]


def _biased_by_numbering(evidence: Evidence, folded: int, first: int) -> bool | None:
    """Return whether all (True) or none (False) of the folded products had a bias, or None.

    Before folding, the graph numbers its inputs, then parameters and buffers, then the result of
    every node; the first new weight comes two numbers after the last of them. A BatchNormalization
    has five tensors, `num_batches_tracked` included, a product one, or two with a bias.
    """
    if not VALUE_NUMBERING:
        return None
    graph = evidence.model.proto.graph
    if not all(_is_exported(node) for node in graph.nodes):
        return None  # another tool added, fused or renamed nodes
    if any(tensor.name.startswith("/") for tensor in graph.initializers):
        return None  # another tool evaluated nodes, and their results are no longer counted
    nodes = [node for node in graph.nodes if node.op_type != "Identity"]
    values = sum(len(node.outputs) for node in nodes) + folded
    named = [tensor.name for tensor in graph.initializers if NUMBERED.match(tensor.name) is None]
    stored = {tensor.name for tensor in graph.initializers}
    inputs = sum(1 for info in graph.inputs if info.name not in stored)
    identities = (node for node in graph.nodes if node.op_type == "Identity")
    named.extend(name for node in identities for name in node.outputs[:1])
    norms = sum(1 for name in named if name.endswith(".running_mean"))
    expected = inputs + len(named) + norms + 6 * folded + values
    surplus = (first - 1) - expected
    if surplus == 0:
        return False
    return True if surplus == folded else None


def _is_exported(node: Node) -> bool:
    """Return whether a node has the legacy exporter's name: its module's path, its op type."""
    kind = CALL_SUFFIX.sub("", node.name.rpartition("/")[2])
    return kind == node.op_type and not node.domain


__all__ = [
    "VALUE_NUMBERING",
    "by_legacy_exporter",
    "by_optimisers",
    "by_rewriter",
    "listed",
]
