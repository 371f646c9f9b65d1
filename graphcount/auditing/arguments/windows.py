"""Convolutions and pools (Operators.md): windows, channels and groups that must fit."""

from __future__ import annotations

from graphcount.auditing.arguments.kit import shown
from graphcount.ops.call import Call, Shape


def convolution(call: Call) -> str:
    """X (N, C, D1, …) and W (M, C/group, k1, …)."""
    data, weight = call.input(0), call.input(1)
    if data is None:
        return ""
    if weight is not None and len(weight) != len(data):
        return f"a weight of {len(weight)} dimensions for {len(data)}"
    kernel: Shape | None = call.node.integers("kernel_shape")
    if weight is not None:
        why = _channels(call, data, weight) or _kernel(kernel, weight[2:])
        if why:
            return why
        kernel = weight[2:]
    return _windows(call, data[2:], kernel)


def pool(call: Call) -> str:
    """X (N, C, D1, …)."""
    data = call.input(0)
    if data is None:
        return ""
    return _windows(call, data[2:], call.node.integers("kernel_shape"))


def _channels(call: Call, data: Shape, weight: Shape) -> str:
    if len(data) < 2:
        return ""
    group = call.node.integer("group", 1)
    channels, held, made = data[1], weight[1], weight[0]
    if isinstance(channels, int) and isinstance(held, int) and channels != held * group:
        return f"{channels} channels for a weight of {held} in {group} groups"
    if isinstance(made, int) and group > 0 and made % group:
        return f"{made} channels in {group} groups"
    return ""


def _kernel(stated: Shape | None, held: Shape) -> str:
    if stated is None:
        return ""
    fits = len(stated) == len(held) and all(
        one == other or not isinstance(other, int) for one, other in zip(stated, held, strict=True)
    )
    return "" if fits else f"kernel_shape {shown(stated)} for a weight of {shown(held)}"


def _windows(call: Call, sizes: Shape, kernel: Shape | None) -> str:
    """Lists of one number an axis, pads of two and none negative; a window fits the data."""
    node, count = call.node, len(sizes)
    strides, dilations = node.integers("strides"), node.integers("dilations")
    pads = node.integers("pads")
    for name, numbers in (("strides", strides), ("dilations", dilations), ("kernel", kernel)):
        if numbers is not None and len(numbers) != count:
            return f"{name} {shown(numbers)} for {count} axes"
    if pads is not None and len(pads) != 2 * count:
        return f"pads {shown(pads)} for {count} axes"
    if pads is not None and min(pads, default=0) < 0:
        return f"pads {shown(pads)}"
    slides = node.text("auto_pad", "NOTSET") in ("NOTSET", "") and not node.integer("ceil_mode", 0)
    if not slides or kernel is None:
        return ""
    return _fits(sizes, kernel, dilations or (1,) * count, pads or (0,) * (2 * count))


def _fits(sizes: Shape, kernel: Shape, dilations: tuple[int, ...], pads: tuple[int, ...]) -> str:
    for axis, (size, window) in enumerate(zip(sizes, kernel, strict=True)):
        if not isinstance(size, int) or not isinstance(window, int) or size < 1:
            continue
        padded = size + pads[axis] + pads[len(sizes) + axis]
        reach = (window - 1) * dilations[axis] + 1
        if reach > padded:
            return f"a window of {reach} on {padded} of axis {axis + 2}"
    return ""
