"""Numbers in attributes against what operators can take, and axes against known ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import DTYPES
from graphcount.graph import ModelGraph, OperatorNode
from graphcount.loading.model import Node
from graphcount.ops.call import Call

WINDOWED = frozenset(
    {
        *("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv", "LpPool"),
        *("MaxPool", "AveragePool", "MaxUnpool"),
    }
)
RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
BLOCKED = frozenset({"DepthToSpace", "SpaceToDepth"})
SCATTERS = frozenset({"ScatterElements", "ScatterND"})
LINEAR = frozenset({"QuantizeLinear", "DequantizeLinear"})

LARGEST_BLOCK = 46_340
"""Its square is the largest below 2^31."""

Check = Callable[[Node], str]


def _each_positive(name: str) -> Check:
    def check(node: Node) -> str:
        values = node.integers(name) or ()
        bad = [value for value in values if value < 1]
        return f"{name} holds {bad[0]}" if bad else ""

    return check


def _positive(name: str, largest: int = (1 << 31) - 1) -> Check:
    def check(node: Node) -> str:
        value = node.integer(name, 1)
        return "" if 1 <= value <= largest else f"{name} is {value}"

    return check


def _not_negative(name: str) -> Check:
    def check(node: Node) -> str:
        value = node.integer(name, 0)
        return f"{name} is {value}" if value < 0 else ""

    return check


def _permutation(node: Node) -> str:
    perm = node.integers("perm")
    if perm is None or sorted(perm) == list(range(len(perm))):
        return ""
    return f"perm {list(perm)[:16]} is no permutation"


def _outputs(node: Node) -> str:
    wanted = node.integer("num_outputs", len(node.outputs))
    return "" if wanted == len(node.outputs) else f"num_outputs is {wanted}, not its outputs"


def _target_type(node: Node) -> str:
    attribute = node.attribute("to")
    if attribute is None or attribute.numbers is None or attribute.ref_attr_name:
        return ""
    code = node.integer("to", 1)
    return "" if code in DTYPES else f"to is {code}, no element type"


def _scanned(node: Node) -> str:
    count = node.integer("num_scan_inputs", 1)
    return "" if 1 <= count <= len(node.inputs) else f"num_scan_inputs is {count}"


def _one_of(name: str, *choices: str) -> Check:
    def check(node: Node) -> str:
        value = node.text(name, choices[0])
        return "" if value in choices else f"{name} is {value[:40]!r}"

    return check


CHECKS: tuple[tuple[frozenset[str], Check], ...] = (
    (WINDOWED, _each_positive("strides")),
    (WINDOWED, _each_positive("dilations")),
    (WINDOWED, _each_positive("kernel_shape")),
    (WINDOWED, _positive("group")),
    (WINDOWED, _one_of("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "")),
    (BLOCKED, _positive("blocksize", LARGEST_BLOCK)),
    (frozenset({"DepthToSpace"}), _one_of("mode", "DCR", "CRD")),
    (RECURRENT, _positive("hidden_size")),
    (RECURRENT, _one_of("direction", "forward", "reverse", "bidirectional")),
    (frozenset({"Transpose"}), _permutation),
    (frozenset({"Split"}), _outputs),
    (frozenset({"Cast"}), _target_type),
    (frozenset({"Scan"}), _scanned),
    (frozenset({"Pad"}), _one_of("mode", "constant", "reflect", "edge", "wrap")),
    (frozenset({"Resize"}), _one_of("mode", "nearest", "linear", "cubic")),
    (frozenset({"BitShift"}), _one_of("direction", "LEFT", "RIGHT")),
    (SCATTERS, _one_of("reduction", "none", "add", "mul", "max", "min")),
    (LINEAR, _not_negative("block_size")),
    (frozenset({"LRN"}), _positive("size")),
    (frozenset({"GroupNormalization"}), _positive("num_groups")),
)
"""Operators of the default domain, and what is wrong with a node of theirs (empty: nothing)."""

BY_OPERATOR: dict[str, list[Check]] = {}
for _operators, _check in CHECKS:
    for _operator in _operators:
        BY_OPERATOR.setdefault(_operator, []).append(_check)

AXIS: dict[str, int] = {
    **dict.fromkeys(("ArgMax", "ArgMin", "Softmax", "LogSoftmax", "Hardmax", "Gather"), 0),
    **dict.fromkeys(("GatherElements", "ScatterElements", "Split", "TopK", "Concat"), 0),
    **dict.fromkeys(("LpNormalization", "LayerNormalization", "Compress"), 0),
    "Flatten": 1,
}
"""Operators with one axis of their first input, and by how much it may be beyond the last one."""

HAS_AXES = frozenset(AXIS) | {"Transpose"}


def out_of_range(graph: ModelGraph, shapes: ValueShapes | None) -> Iterator[tuple[str, Node, str]]:
    """Id and record of every node with a number it cannot take, and what it is."""
    fits: dict[Call, str] = {}
    for node in graph.operators:
        if node.domain != "":
            continue
        record = node.record
        checks = BY_OPERATOR.get(node.op_type, ()) if record.attributes else ()
        why = next(filter(None, (check(record) for check in checks)), "")
        if not why and shapes is not None and _is_compared(node):
            call = shapes.calls(node.id)
            why = _axes(record, call.input(0))
            if not why and _unfit(node, call, fits) and not in_branch(graph, node.scope):
                why = fits[call]
        if why:
            yield node.id, record, why


def _is_compared(node: OperatorNode) -> bool:
    """Whether attributes and constant inputs are compared with what enters the node."""
    operator = node.operator
    return node.op_type in HAS_AXES or (operator is not None and operator.check is not None)


def _unfit(node: OperatorNode, call: Call, known: dict[Call, str]) -> str:
    """Calls are shared, since a network repeats its layers: each is looked at once."""
    if call not in known:
        check = node.operator.check if node.operator is not None else None
        known[call] = check(call) if check is not None else ""
    return known[call]


def _axes(node: Node, shape: tuple[object, ...] | None) -> str:
    if shape is None or not node.attributes or node.op_type not in HAS_AXES:
        return ""
    if node.op_type == "Transpose":
        perm = node.integers("perm")
        fits = perm is None or len(perm) == len(shape)
        return "" if perm is None or fits else f"perm has {len(perm)} axes for {len(shape)}"
    if node.attribute("axis") is None:
        return ""
    axis, beyond = node.integer("axis", 0), AXIS[node.op_type]
    if -len(shape) <= axis < len(shape) + beyond or (not shape and axis in (0, -1)):
        return ""  # a scalar counts as one dimension
    return f"axis {axis} of {len(shape)} dimensions"


def in_branch(graph: ModelGraph, scope: str) -> bool:
    """Whether nodes of a scope stand in a branch of an If, which need not be the one taken.

    Exporters write `If(dim == 1, Squeeze(x), x)`: the Squeeze is wrong wherever it is not reached.
    """
    return any(body.node.op_type == "If" for body in graph.around(scope))
