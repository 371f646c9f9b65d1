"""BatchNormalization folded into the product before it, by the traces that each tool leaves.

Folding loses 2C parameters (scale and shift); the product gains C numbers when it had no bias
before. So the framework counted C more than is stored, or 2C when the product had a bias.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import (
    CALL_SUFFIX,
    NUMBERED,
    RULE_NAME,
    Adjustment,
    Evidence,
    listed,
)
from graphcount.analysis.names import original_name
from graphcount.loading.model import Node

VALUE_NUMBERING = True
"""Whether the legacy exporter's numbering of values may decide if folded products had a bias.

An implementation detail of torch 2.x: values of the ONNX graph are numbered in the order in which
they are made, parameters first. It only ever chooses the best number inside the range.
"""

REWRITTEN = re.compile(r"getitem(_\d{1,9})?\Z")
SIMPLIFIED = re.compile(r"_v_(\d{1,9})\Z")
Test = Callable[[Row, Row, dict[str, Any]], bool]


def _pairs(evidence: Evidence) -> Iterable[tuple[str, dict[str, Any], Row, Row]]:
    """Products with a stored weight and a stored bias."""
    for node, data in evidence.products:
        weight = evidence.stored(node, "weight", "quantized weight")
        bias = evidence.stored(node, "bias", "quantized bias")
        if bias is None and data["op_type"] == "ConvInteger":
            bias = _added(node, evidence)
        if weight is not None and bias is not None:
            yield node, data, weight, bias


def _added(node: str, evidence: Evidence) -> Row | None:
    """The bias that is added behind an integer convolution, its cast and its scale."""
    for _ in range(6):
        following = list(evidence.graph.succ[node])
        if len(following) != 1:
            return None
        node = following[0]
        if evidence.graph.nodes[node].get("op_type") == "Add":
            return next((row for row, _ in evidence.by_node.get(node, ())), None)
    return None


def _range(channels: int, had_bias: bool | None, count: int, what: str) -> Adjustment:
    low = channels * (2 if had_bias else 1)
    high = channels * (1 if had_bias is False else 2)
    if had_bias is None:
        why = f"between {low:,} and {high:,} parameters more, by whether these had a bias"
    else:
        why = f"{low:,} parameters more than stored"
    return Adjustment(low, high, low, f"{what} {count} BatchNormalization layers: {why}.")


def by_rewriter(evidence: Evidence) -> Iterable[Adjustment]:
    """The rewriter of onnxscript, as torch's dynamo exporter runs it, when the signature is lost.

    It says so in the node's metadata; where that is gone, the product gives `getitem_N`, the first
    result of torch's batch_norm. A new bias is called `X.weight_bias`, an old one keeps its name.
    """
    with_bias = without = unknown = 0
    counts = [0, 0, 0]
    for node, data in evidence.products:
        if not _is_rewritten(data):
            continue
        channels = evidence.channels(node)
        if channels is None:
            continue
        bias = evidence.stored(node, "bias", "quantized bias")
        name = original_name(bias.stored.name) if bias is not None else ""
        if name.endswith("_bias") and name.startswith(_weight_name(node, evidence)):
            without, counts[0] = without + channels, counts[0] + 1
        elif name and name == f"{_weight_name(node, evidence).rpartition('.')[0]}.bias":
            with_bias, counts[1] = with_bias + channels, counts[1] + 1
        elif not name:
            unknown, counts[2] = unknown + channels, counts[2] + 1
    what = "torch's exporter folded"
    found = []
    if counts[0]:
        found.append(_range(without, False, counts[0], what))
    if counts[1]:
        found.append(_range(with_bias, True, counts[1], what))
    if counts[2]:
        found.append(_range(unknown, None, counts[2], what))
    return found


def _is_rewritten(data: dict[str, Any]) -> bool:
    node = data["node"]
    if "FuseBatchNormInto" in node.metadata.get(RULE_NAME, ""):
        return True
    return bool(node.outputs) and REWRITTEN.match(node.outputs[0]) is not None


def _weight_name(node: str, evidence: Evidence) -> str:
    row = evidence.stored(node, "weight", "quantized weight")
    return original_name(row.stored.name) if row is not None else "\0"


def by_onnxruntime(evidence: Evidence) -> Iterable[Adjustment]:
    """Its ConvBNFusion names the new weight `ConvBnFusion_W_<old name>`."""
    return _by_names(
        evidence,
        "onnxruntime folded",
        lambda weight, bias, data: "ConvBnFusion_W_" in weight.stored.name,
    )


def by_onnxslim(evidence: Evidence) -> Iterable[Adjustment]:
    """It names the new tensors after the BatchNormalization's output."""

    def test(weight: Row, bias: Row, data: dict[str, Any]) -> bool:
        output = data["node"].outputs[0] if data["node"].outputs else ""
        names = (weight.stored.name, bias.stored.name)
        return bool(output) and names == (f"{output}_weight", f"{output}_bias")

    return _by_names(evidence, "onnxslim folded", test)


def by_onnxsim(evidence: Evidence) -> Iterable[Adjustment]:
    """It numbers the new weight and bias one after the other: `_v_39`, `_v_40`."""

    def test(weight: Row, bias: Row, data: dict[str, Any]) -> bool:
        first = SIMPLIFIED.match(weight.stored.name)
        second = SIMPLIFIED.match(bias.stored.name)
        return bool(first and second and int(second[1]) == int(first[1]) + 1)

    return _by_names(evidence, "onnxsim folded", test)


def _by_names(evidence: Evidence, what: str, test: Test) -> Iterable[Adjustment]:
    channels = count = 0
    for node, data, weight, bias in _pairs(evidence):
        if test(weight, bias, data):
            channels += evidence.channels(node) or 0
            count += 1
    if not channels:
        return []
    removed = _removed_biases(evidence)
    return [_range(channels, removed if removed else None, count, what)]


def _removed_biases(evidence: Evidence) -> bool:
    """It lists the values it removed: as many biases of products as of norms, or fewer."""
    text = evidence.model.proto.metadata.get("onnxsim.removed_values", "")
    if not text or len(text) > 10_000_000:
        return False
    names = {name.strip() for name in text.split(",")}
    norms = {name[: -len(".running_mean")] for name in names if name.endswith(".running_mean")}
    weights = {name[: -len(".weight")] for name in names if name.endswith(".weight")} - norms
    return bool(weights) and all(f"{module}.bias" in names for module in weights)


def by_legacy_exporter(evidence: Evidence) -> Iterable[Adjustment]:
    """A new weight and bias are named one after the other: `onnx::Conv_38`, `onnx::Conv_39`."""
    channels: list[int] = []
    numbers: list[int] = []
    for node, _, weight, bias in _pairs(evidence):
        first = NUMBERED.match(original_name(weight.stored.name))
        second = NUMBERED.match(original_name(bias.stored.name))
        size = evidence.channels(node)
        if first and second and size and int(second[2]) == int(first[2]) + 1:
            channels.append(size)
            numbers.append(int(first[2]))
    if not channels:
        return []
    total = sum(channels)
    adjustment = _range(total, None, len(channels), "torch's legacy exporter folded")
    biased = _biased_by_numbering(evidence, len(channels), min(numbers))
    if biased is None:
        return [adjustment]
    which = "all of them" if biased else "none of them"
    sentence = f"{adjustment.sentence} The numbering of values says that {which} had a bias."
    return [adjustment._replace(best=2 * total if biased else total, sentence=sentence)]


def _biased_by_numbering(evidence: Evidence, folded: int, first: int) -> bool | None:
    """Whether all (True) or none (False) of the folded products had a bias, or None.

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
    named.extend(node.outputs[0] for node in graph.nodes if node.op_type == "Identity")
    norms = sum(1 for name in named if name.endswith(".running_mean"))
    expected = inputs + len(named) + norms + 6 * folded + values
    surplus = (first - 1) - expected
    if surplus == 0:
        return False
    return True if surplus == folded else None


def _is_exported(node: Node) -> bool:
    """Whether a node is still as the legacy exporter named it: its module's path, its op type."""
    kind = CALL_SUFFIX.sub("", node.name.rpartition("/")[2])
    return kind == node.op_type and not node.domain


__all__ = [
    "VALUE_NUMBERING",
    "by_legacy_exporter",
    "by_onnxruntime",
    "by_onnxsim",
    "by_onnxslim",
    "by_rewriter",
    "listed",
]
