"""Operators that make tensors of a size they are told (Operators.md)."""

from __future__ import annotations

from graphcount.auditing.arguments.kit import given, shown
from graphcount.ops.call import Call


def constant_of_shape(call: Call) -> str:
    """The dimensions are none below 0."""
    return _sizes(given(call, 0))


def random(call: Call) -> str:
    """The dimensions in `shape` are none below 0."""
    return _sizes(call.node.integers("shape"))


def _sizes(sizes: tuple[int, ...] | None) -> str:
    return f"sizes {shown(sizes)}" if sizes and min(sizes) < 0 else ""


def range_(call: Call) -> str:
    """Steps of 0 never arrive."""
    return "delta is 0" if given(call, 2) == (0,) else ""


def one_hot(call: Call) -> str:
    """At least one class."""
    depth = given(call, 1)
    return f"depth is {depth[0]}" if depth and depth[0] < 1 else ""
