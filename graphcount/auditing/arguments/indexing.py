"""Indices and axes against the dimensions they choose from (Operators.md)."""

from __future__ import annotations

from graphcount.auditing.arguments.kit import beyond, given
from graphcount.ops.call import Call


def gather(call: Call) -> str:
    """Indices lie inside the axis."""
    data, indices = call.input(0), given(call, 1)
    if not data or not indices:
        return ""
    axis = call.node.integer("axis", 0)
    size = data[axis] if -len(data) <= axis < len(data) else None
    if not isinstance(size, int) or size < 1:
        return ""
    bad = next((index for index in indices if not -size <= index < size), None)
    return "" if bad is None else f"index {bad} of {size}"


def gather_nd(call: Call) -> str:
    """batch_dims leave something to choose, and an index has as many numbers as that at most."""
    data, indices = call.input(0), call.input(1)
    batch = call.node.integer("batch_dims", 0)
    if batch < 0:
        return f"batch_dims is {batch}"
    if data is None or indices is None:
        return ""
    if batch >= min(len(data), len(indices)):
        return f"batch_dims is {batch} for {len(data)} and {len(indices)} dimensions"
    width = indices[-1]
    if isinstance(width, int) and width > len(data) - batch:
        return f"indices of {width} numbers for {len(data) - batch} dimensions"
    return ""


def top_k(call: Call) -> str:
    """As many as the axis has, at most."""
    data, wanted = call.input(0), given(call, 1, "k")
    axis = call.node.integer("axis", -1)
    if not wanted or len(wanted) != 1:
        return ""
    size = data[axis] if data and -len(data) <= axis < len(data) else None
    if wanted[0] < 0 or (isinstance(size, int) and wanted[0] > size):
        return f"k is {wanted[0]}" + (f" of {size}" if isinstance(size, int) else "")
    return ""


def cum_sum(call: Call) -> str:
    """The axis exists."""
    return _axes(call, given(call, 1))


def reduction(call: Call) -> str:
    """The axes exist."""
    return _axes(call, given(call, 1, "axes"))


def _axes(call: Call, axes: tuple[int, ...] | None) -> str:
    data = call.input(0)
    return beyond(axes, len(data)) if data is not None and axes is not None else ""
