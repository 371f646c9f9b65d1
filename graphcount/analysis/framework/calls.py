"""Calls of torch operators that the dynamo exporter keeps, and the sizes they prove.

Beside each ONNX node `pkg.torch.onnx.fx_node` holds one line such as
`%linear : [num_users=1] = call_function[target=torch.ops.aten.linear.default](args = (%x, %p_w,
%p_b), kwargs = {})`. The text is untrusted: it is scanned once from left to right. Positions of
arguments follow torch's native_functions.yaml.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import FX_NODE, RULE_NAME, Evidence
from graphcount.analysis.names import original_name
from graphcount.analysis.signature import Signature
from graphcount.graph import OperatorNode

MAX_CHARACTERS = 100_000
NAME_SCOPES = "pkg.torch.onnx.name_scopes"
"""Printed list of the modules around a node, the node last."""

TARGET = "call_function[target=torch.ops."
ARGS = "](args = ("
OPENING, CLOSING = "([{", ")]}"


class FxCall(NamedTuple):
    """One call: `aten.linear` and its positional arguments as text, outermost brackets removed."""

    target: str
    args: tuple[str, ...]


def parse_call(text: str) -> FxCall | None:
    """Parse the text of an fx node; None for anything that is no call of an operator."""
    if len(text) > MAX_CHARACTERS:
        return None
    _, separator, rest = text.partition(TARGET)
    name, opened, rest = rest.partition(ARGS)
    if not separator or not opened:
        return None
    parts = name.split(".")
    return FxCall(".".join(parts[:2]), _split(rest))


def _split(text: str) -> tuple[str, ...]:
    """Return arguments up to the closing bracket, split at commas outside brackets."""
    depth = 0
    start = 0
    parts: list[str] = []
    for position, character in enumerate(text):
        if character in OPENING:
            depth += 1
        elif character in CLOSING:
            if depth == 0:
                parts.append(text[start:position].strip())
                break
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return tuple(parts)


def placeholders(argument: str) -> tuple[str, ...]:
    """Return placeholders in an argument: `%p_w` gives `p_w`; a list gives all of its own."""
    inner = argument.strip("[]")
    parts = (part.strip() for part in inner.split(","))
    return tuple(part[1:] for part in parts if part.startswith("%"))


def product_of(argument: str) -> int | None:
    """Return the product of a list of plain numbers, `[32, 4]`, or None."""
    if not (argument.startswith("[") and argument.endswith("]")):
        return None
    product = 1
    for part in argument[1:-1].split(","):
        part = part.strip()
        if not part.isascii() or not part.isdigit() or len(part) > 12:
            return None
        product *= int(part)
    return product


def second_last(text: str) -> str:
    """Return the last but one of a printed list of strings: what holds the module of a node."""
    parts = _quoted(text)
    return parts[-2] if len(parts) >= 2 else ""


def _quoted(text: str) -> list[str]:
    """Return strings of a printed list of strings."""
    if len(text) > MAX_CHARACTERS:
        return []
    return text.split("'")[1::2]


# --------------------------------------------------------------------------------- calls of a model

PLAIN_RULES = frozenset(
    {
        *("FuseBatchNormIntoConv", "FuseBatchNormIntoConvTranspose", "FuseBatchNormIntoGemm"),
        *("RemoveOptionalBiasFromConv", "RemoveOptionalBiasFromConvTranspose"),
        *("RemoveOptionalBiasFromGemm", "TransposeTranspose", "ReshapeReshape"),
        *("MaterializeReshapeShape", "FuseMaxMinToClip", "UnsqueezeUnsqueeze", "CastCast"),
    }
)
"""Rewrites of onnxscript that leave each weight with the node of its own call."""


class Called(NamedTuple):
    """A torch call, the ids of the ONNX nodes made of it, and the module it stands in."""

    call: FxCall
    nodes: tuple[str, ...]
    scope: str
    owner: str
    text: str


def find_calls(evidence: Evidence) -> tuple[Called, ...]:
    """Return torch calls that name a parameter, each with all of its ONNX nodes."""
    groups: dict[str, list[OperatorNode]] = defaultdict(list)
    for node in evidence.operators:
        text = node.record.metadata.get(FX_NODE, "")
        if "%p_" in text:
            groups[text].append(node)
    calls = []
    for text, nodes in groups.items():
        call = parse_call(text)
        if call is None:
            continue
        metadata = nodes[0].record.metadata
        scope = second_last(metadata.get(NAME_SCOPES, ""))
        owner = second_last(metadata.get("pkg.torch.onnx.class_hierarchy", ""))
        calls.append(Called(call, tuple(node.id for node in nodes), scope, owner, text))
    return tuple(calls)


def is_plain(called: Called, evidence: Evidence) -> bool:
    """Return whether only rewrites that keep the place of weights touched the nodes of a call.

    Other rewrites may join weights of several calls under the name of one of them.
    """
    for node in called.nodes:
        record = evidence.graph.nodes[node].record
        text = record.metadata.get(RULE_NAME, "") if record is not None else ""
        if any(rule.strip() not in PLAIN_RULES for rule in text.split(",") if rule.strip()):
            return False
    return True


# ----------------------------------------------------------------------------------- sizes by place

Sizer = Callable[[FxCall, tuple[str, ...], Evidence], dict[str, int]]
"""From a call and the ids of its ONNX nodes to placeholder → elements."""


def _weight(nodes: tuple[str, ...], evidence: Evidence) -> tuple[int, int | None] | None:
    """Return elements of the one stored weight of these nodes, and its output channels."""
    for node in nodes:
        for row, use in evidence.by_node.get(node, ()):
            if use.index == 1 and use.role in ("weight", "quantized weight"):
                return row.elements, evidence.channels(node)
    return None


def _product(weight: int, bias: int) -> Sizer:
    """Size linear, conv and addmm: the weight's elements, and the output channels for the bias."""

    def size(call: FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
        operand = _weight(nodes, evidence)
        sizes: dict[str, int] = {}
        if operand is None:
            return sizes
        elements, channels = operand
        _put(sizes, call, weight, elements)
        if channels is not None:
            _put(sizes, call, bias, channels)
        return sizes

    return size


def _layer_norm(call: FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
    """Size layer_norm(x, [shape], weight, bias): the shape is written out."""
    sizes: dict[str, int] = {}
    elements = product_of(call.args[1]) if len(call.args) > 1 else None
    if elements is not None:
        _put(sizes, call, 2, elements)
        if not call.target.endswith("rms_norm"):
            _put(sizes, call, 3, elements)
    return sizes


def _channel_norm(weight: int, bias: int) -> Sizer:
    """Size batch_norm, group_norm, instance_norm: an element for each channel."""

    def size(call: FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for node in nodes:
            channels = _norm_channels(node, evidence)
            if channels is not None:
                _put(sizes, call, weight, channels)
                _put(sizes, call, bias, channels)
                break
        return sizes

    return size


def _norm_channels(node: str, evidence: Evidence) -> int | None:
    """Return channels of a norm, or of the product that a BatchNormalization was folded into."""
    operator = evidence.graph.nodes[node].operator
    if operator is not None and operator.normalises:
        row = evidence.stored(node, "scale", "bias", "running mean", "running variance")
        return row.elements if row is not None else None
    return evidence.channels(node)


def _one(position: int, *roles: str) -> Sizer:
    """Return one parameter, the one stored tensor in one of these roles."""

    def size(call: FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for node in nodes:
            row = evidence.stored(node, *roles)
            if row is not None:
                _put(sizes, call, position, row.elements)
                break
        return sizes

    return size


def _recurrent(call: FxCall, nodes: tuple[str, ...], evidence: Evidence) -> dict[str, int]:
    """Size lstm, gru, rnn: weight_ih, weight_hh(, bias_ih, bias_hh) a direction and layer."""
    names = placeholders(call.args[2]) if len(call.args) > 2 else ()
    sizes: list[int] = []
    for node in nodes:
        operator = evidence.graph.nodes[node].operator
        if operator is None or not operator.is_recurrent:
            continue
        weight = evidence.stored(node, "weight")
        recurrent = evidence.stored(node, "recurrent weight")
        if weight is None or recurrent is None or len(weight.stored.shape) != 3:
            return {}
        biased = evidence.stored(node, "bias")
        for _ in range(min(weight.stored.shape[0], 2)):
            sizes.append(weight.elements // weight.stored.shape[0])
            sizes.append(recurrent.elements // weight.stored.shape[0])
            if biased is not None:
                sizes.extend([weight.stored.shape[1]] * 2)
    return dict(zip(names, sizes, strict=True)) if len(sizes) == len(names) else {}


def _put(sizes: dict[str, int], call: FxCall, position: int, elements: int) -> None:
    if 0 <= position < len(call.args):
        argument = call.args[position]
        if argument.startswith("%p_"):
            sizes[argument[1:]] = elements


SIZERS: dict[str, Sizer] = {
    "aten.linear": _product(1, 2),
    "aten.addmm": _product(2, 0),
    "aten.mm": _product(1, -1),
    **dict.fromkeys(
        ("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.convolution"), _product(1, 2)
    ),
    **dict.fromkeys(
        ("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d"),
        _product(1, 2),
    ),
    "aten.layer_norm": _layer_norm,
    "aten.native_layer_norm": _layer_norm,
    "aten.rms_norm": _layer_norm,
    "aten.batch_norm": _channel_norm(1, 2),
    "aten._native_batch_norm_legit_no_training": _channel_norm(1, 2),
    "aten._native_batch_norm_legit": _channel_norm(1, 2),
    "aten._native_batch_norm_legit_functional": _channel_norm(1, 2),
    "aten.native_batch_norm": _channel_norm(1, 2),
    "aten.instance_norm": _channel_norm(1, 2),
    "aten.embedding": _one(0, "embedding"),
    "aten.prelu": _one(1, "slope"),
    "aten._prelu_kernel": _one(1, "slope"),
    "aten.lstm": _recurrent,
    "aten.gru": _recurrent,
    "aten.rnn_tanh": _recurrent,
    "aten.rnn_relu": _recurrent,
}
"""How a call sizes its parameters, by the operator's name."""


def size_by_role(called: Called, evidence: Evidence) -> dict[str, int]:
    """Return placeholder → elements, by the operator of the call."""
    sizer = SIZERS.get(called.call.target)
    return sizer(called.call, called.nodes, evidence) if sizer else {}


def size_by_operand(called: Called, evidence: Evidence) -> dict[str, int]:
    """Size a call with one placeholder and one stored tensor: they belong together."""
    named = {
        name for argument in called.call.args for name in placeholders(argument) if name[:2] == "p_"
    }
    rows = [
        row
        for node in called.nodes
        for row, _ in evidence.by_node.get(node, ())
        if row.elements > 1 and row.verdict.kind in ("parameter", "buffer")
    ]
    if len(named) != 1 or len({row.stored.key for row in rows}) != 1:
        return {}
    return {named.pop(): rows[0].elements}


def unexplained(evidence: Evidence, signature: Signature, calls: tuple[Called, ...]) -> list[Row]:
    """Return parameters under other names that no torch call accounts for.

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


def scopes_of(row: Row, evidence: Evidence) -> set[str]:
    """Return modules of the nodes that use a tensor."""
    scopes = set()
    for use in row.tensor.uses:
        node = evidence.graph.nodes[use.node].record
        if node is not None:
            scopes.add(second_last(node.metadata.get(NAME_SCOPES, "")))
    return scopes
