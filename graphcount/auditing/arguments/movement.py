"""Operators that move numbers without changing them (Operators.md): lists that must fit."""

from __future__ import annotations

from itertools import zip_longest
from math import prod

from graphcount.auditing.arguments.kit import beyond, given, repeated, shown, whole
from graphcount.ops.call import Call

SLICE_LISTS = ("starts", "ends", "axes", "steps")


def slices(call: Call) -> str:
    """One start, end and step an axis; no step is 0; the axes exist."""
    lengths = _lengths(call)
    if len(set(lengths.values())) > 1:
        return "; ".join(f"{length} {name}" for name, length in lengths.items())
    if 0 in (given(call, 4) or ()):
        return "a step is 0"
    data, axes = call.input(0), given(call, 3, "axes")
    if data is None:
        return ""
    if axes is not None:
        return beyond(axes, len(data)) or repeated(axes, len(data))
    count = lengths.get("starts", 0)
    too_many = count > len(data) and not call.has(3)
    return f"{count} starts for {len(data)} dimensions" if too_many else ""


def _lengths(call: Call) -> dict[str, int]:
    in_attributes = call.node.attribute("starts") is not None
    lengths = {}
    for index, name in enumerate(SLICE_LISTS, 1):
        numbers = call.node.integers(name) if in_attributes else given(call, index)
        length = len(numbers) if numbers is not None else _length(call, index)
        if length is not None:
            lengths[name] = length
    return lengths


def _length(call: Call, index: int) -> int | None:
    shape = whole(call.input(index)) if call.has(index) else None
    return shape[0] if shape and len(shape) == 1 else None


def reshape(call: Call) -> str:
    """At most one -1, nothing below, and as many elements as there are."""
    asked = given(call, 1, "shape")
    if asked is None:
        return ""
    if min(asked, default=0) < -1 or asked.count(-1) > 1:
        return f"shape {shown(asked)}"
    keeps_zeros = bool(call.node.integer("allowzero", 0))
    if keeps_zeros and 0 in asked and -1 in asked:
        return f"shape {shown(asked)} with allowzero"
    data = call.input(0)
    if data is None:
        return ""
    if not keeps_zeros:
        if any(size == 0 for size in asked[len(data) :]):
            return f"shape {shown(asked)} copies a dimension that {len(data)} do not have"
        pairs = zip_longest(asked, data[: len(asked)])
        copied = whole(old if size == 0 else size for size, old in pairs if size is not None)
        if copied is None:
            return ""
        asked = copied
    return _elements(asked, whole(data))


def _elements(asked: tuple[int, ...], sizes: tuple[int, ...] | None) -> str:
    if sizes is None or min(sizes, default=0) < 0:
        return ""
    have, known = prod(sizes), prod(size for size in asked if size != -1)
    if -1 in asked and not known:
        return ""
    fits = have % known == 0 if -1 in asked else have == known
    return "" if fits else f"shape {shown(asked)} for {shown(sizes)}"


def split(call: Call) -> str:
    """Sizes of the outputs: one each, none negative, together the whole axis."""
    data, outputs = call.input(0), len(call.node.outputs)
    axis = call.node.integer("axis", 0)
    size = data[axis] if data and -len(data) <= axis < len(data) else None
    if not call.has(1) and call.node.attribute("split") is None:
        uneven = isinstance(size, int) and outputs and size % outputs
        halved = call.node.attribute("num_outputs") is None
        return f"{size} into {outputs} outputs" if uneven and halved else ""
    sizes = given(call, 1, "split")
    if sizes is None:
        return ""
    if min(sizes, default=0) < 0 or (isinstance(size, int) and sum(sizes) != size):
        return f"sizes {shown(sizes)}" + (f" of {size}" if isinstance(size, int) else "")
    return f"{len(sizes)} sizes for {outputs} outputs" if len(sizes) != outputs else ""


def squeeze(call: Call) -> str:
    """The axes exist and are 1 long."""
    data, axes = call.input(0), given(call, 1, "axes")
    if data is None or axes is None:
        return ""
    why = beyond(axes, len(data))
    if why or not data:
        return why
    bad = next((a for a in axes if isinstance(data[a], int) and data[a] != 1), None)
    return "" if bad is None else f"axis {bad} is {data[bad]} long, not 1"


def unsqueeze(call: Call) -> str:
    """The axes exist in the result, once each."""
    data, axes = call.input(0), given(call, 1, "axes")
    if data is None or axes is None:
        return ""
    rank = len(data) + len(axes)
    return beyond(axes, rank) or repeated(axes, rank)


def pad(call: Call) -> str:
    """Two numbers an axis, and nothing is cut that is not there."""
    data, pads = call.input(0), given(call, 1, "pads", "paddings")
    axes = given(call, 3)
    if data is None or pads is None or (call.has(3) and axes is None):
        return ""
    chosen = tuple(range(len(data))) if axes is None else axes
    if len(pads) != 2 * len(chosen):
        return f"{len(pads)} pads for {len(chosen)} axes"
    why = beyond(chosen, len(data))
    if why or not data:
        return why
    for axis, begin, end in zip(chosen, pads, pads[len(chosen) :], strict=False):
        size = data[axis]
        if isinstance(size, int) and size + begin + end < 0:
            return f"pads {begin} and {end} of an axis of {size}"
    return ""


def expand(call: Call) -> str:
    """Broadcasting: sizes are the same, or one of them is 1; exporters write -1 for "as it is"."""
    data, asked = call.input(0), given(call, 1)
    if asked is None:
        return ""
    if min(asked, default=0) < -1:
        return f"shape {shown(asked)}"
    for old, new in zip(reversed(data or ()), reversed(asked), strict=False):
        if isinstance(old, int) and old != new and 1 not in (old, new) and new != -1:
            return f"shape {shown(asked)} for {shown(data or ())}"
    return ""


def tile(call: Call) -> str:
    """One count an axis, none negative (opset 1 has another form, of three inputs)."""
    data, repeats = call.input(0), given(call, 1)
    if repeats is None or call.has(2):
        return ""
    if min(repeats, default=0) < 0:
        return f"repeats {shown(repeats)}"
    if data is not None and len(repeats) != len(data):
        return f"{len(repeats)} repeats for {len(data)} dimensions"
    return ""
