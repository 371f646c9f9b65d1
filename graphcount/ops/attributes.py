"""What attributes can hold, whatever enters a node, and one axis against the rank of the data.

A table of a family joins several of these with `first_fault`.
Source: ONNX Operators.md, the attributes of each operator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from graphcount.dtypes import DTYPES
from graphcount.loading.model import Node
from graphcount.ops.call import AttributeCheck, Call, NodeCheck

LARGEST_BLOCK = 46_340
"""Its square is the largest below 2^31."""

Subject = TypeVar("Subject", Node, Call)


def first_fault(*checks: Callable[[Subject], str]) -> Callable[[Subject], str]:
    """Return a check that says what the first of several finds wrong."""

    def check(subject: Subject) -> str:
        return next(filter(None, (check(subject) for check in checks)), "")

    return check


def each_positive(name: str) -> AttributeCheck:
    """Return a check that every integer of an attribute is at least 1."""

    def check(node: Node) -> str:
        bad = [value for value in node.integers(name) or () if value < 1]
        return f"{name} holds {bad[0]}" if bad else ""

    return check


def positive(name: str, largest: int = (1 << 31) - 1) -> AttributeCheck:
    """Return a check that an attribute lies between 1 and the largest that makes sense."""

    def check(node: Node) -> str:
        value = node.integer(name, 1)
        return "" if 1 <= value <= largest else f"{name} is {value}"

    return check


def not_negative(name: str) -> AttributeCheck:
    """Return a check that an attribute is at least 0."""

    def check(node: Node) -> str:
        value = node.integer(name, 0)
        return f"{name} is {value}" if value < 0 else ""

    return check


def one_of(name: str, *choices: str) -> AttributeCheck:
    """Return a check that an attribute is one of some words; the first is the default."""

    def check(node: Node) -> str:
        value = node.text(name, choices[0])
        return "" if value in choices else f"{name} is {value[:40]!r}"

    return check


def permutes(node: Node) -> str:
    """Transpose: perm names every axis once."""
    perm = node.integers("perm")
    if perm is None or sorted(perm) == list(range(len(perm))):
        return ""
    return f"perm {list(perm)[:16]} is no permutation"


def counts_outputs(node: Node) -> str:
    """Split: num_outputs is the number of outputs."""
    wanted = node.integer("num_outputs", len(node.outputs))
    return "" if wanted == len(node.outputs) else f"num_outputs is {wanted}, not its outputs"


def is_element_type(node: Node) -> str:
    """Cast: the type it casts to exists."""
    attribute = node.attribute("to")
    if attribute is None or attribute.numbers is None or attribute.ref_attr_name:
        return ""
    code = node.integer("to", 1)
    return "" if code in DTYPES else f"to is {code}, no element type"


def scans_inputs(node: Node) -> str:
    """Scan: as many inputs are scanned as there are, at most, and at least one."""
    count = node.integer("num_scan_inputs", 1)
    return "" if 1 <= count <= len(node.inputs) else f"num_scan_inputs is {count}"


WINDOW = first_fault(
    each_positive("strides"),
    each_positive("dilations"),
    each_positive("kernel_shape"),
    positive("group"),
    one_of("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", ""),
)
"""Windows that slide over positions: filters and pools."""

RECURRENT = first_fault(
    positive("hidden_size"), one_of("direction", "forward", "reverse", "bidirectional")
)
"""Layers with a state."""

BLOCKS = positive("blocksize", LARGEST_BLOCK)
"""Blocks of positions that become channels, or channels that become blocks."""

REDUCES_UPDATES = one_of("reduction", "none", "add", "mul", "max", "min")
"""How what is written at a place joins what was there."""


def axis_within(beyond: int = 0) -> NodeCheck:
    """Return a check of `axis` against the rank of the first input.

    Args:
        beyond: By how much it may be beyond the last axis.
    """

    def check(call: Call) -> str:
        shape = call.input(0)
        if shape is None or call.node.attribute("axis") is None:
            return ""
        axis = call.node.integer("axis", 0)
        if -len(shape) <= axis < len(shape) + beyond or (not shape and axis in (0, -1)):
            return ""  # a scalar counts as one dimension
        return f"axis {axis} of {len(shape)} dimensions"

    return check


AXIS = axis_within()


def permutes_all(call: Call) -> str:
    """Transpose: perm has as many axes as the data."""
    shape, perm = call.input(0), call.node.integers("perm")
    if shape is None or perm is None or len(perm) == len(shape):
        return ""
    return f"perm has {len(perm)} axes for {len(shape)}"
