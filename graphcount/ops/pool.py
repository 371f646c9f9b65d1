"""Pooling, and the windows that convolutions and pools slide over data.

What folds elements counts those it reads: a pool its whole window for each output (padding
included). The region size of RoI pooling depends on the data and is therefore unknown.
Source: ONNX Operators.md (MaxPool, Conv, RoiAlign, Col2Im, …).
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.loading.model import Node
from graphcount.ops.attributes import WINDOW
from graphcount.ops.call import Call, Shape, Shapes, integers_of, listed, size
from graphcount.ops.formulas import (
    FREE,
    READ,
    CostRule,
    UnknownDimError,
    attribute,
    integers,
    number,
    output_shape,
    outputs,
)
from graphcount.ops.inference import INT64, add, always, ceil_over, over, product, shape_from, times
from graphcount.ops.operator import FOLDS, Operator, each, family
from graphcount.ops.precision import kept
from graphcount.symbolic import Dim


class AxisWindow(NamedTuple):
    """The window of one spatial axis; `kernel` is dilated."""

    kernel: Dim | None
    stride: int
    begin: int
    end: int


def lists(node: Node, count: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return strides, dilations and pads as Conv and the pools state them for `count` axes."""
    ones = (1,) * count
    strides, dilations = (node.integers(name) or ones for name in ("strides", "dilations"))
    return strides, dilations, node.integers("pads") or (0,) * (2 * count)


def windows(node: Node, kernels: Shape) -> list[AxisWindow]:
    """Return the windows of all spatial axes, from the attributes that Conv and the pools share."""
    count = len(kernels)
    strides, dilations, pads = lists(node, count)
    if len(strides) != count or len(dilations) != count or len(pads) != 2 * count:
        raise ValueError("strides, dilations or pads do not fit")
    if node.text("auto_pad", "NOTSET") == "VALID":
        pads = (0,) * (2 * count)
    if any(stride < 1 for stride in strides):
        raise ValueError("a stride below 1")
    rows = zip(kernels, dilations, strides, pads[:count], pads[count:], strict=True)
    return [
        AxisWindow(add(times(add(kernel, -1), dilation), 1), stride, begin, end)
        for kernel, dilation, stride, begin, end in rows
    ]


def slid(node: Node, sizes: Shape, kernels: Shape) -> list[Dim | None]:
    """Return how often windows fit: floor((size + pads - kernel) / stride) + 1."""
    places = windows(node, kernels)
    ours, theirs = len(sizes), len(places)
    if ours != theirs:
        raise ValueError(f"spatial dimensions: {ours} of the data, {theirs} of the kernel")
    pairs = list(zip(sizes, places, strict=True))
    if node.text("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return [ceil_over(size, window.stride) for size, window in pairs]
    if node.integer("ceil_mode", 0):
        return [_slid_up(size, window) for size, window in pairs]
    return [
        add(over(add(size, w.begin + w.end, times(w.kernel, -1)), w.stride), 1) for size, w in pairs
    ]


def _slid_up(size: Dim | None, window: AxisWindow) -> Dim | None:
    """With ceil_mode: rounded up, but the last window starts inside the data or its begin pad.

    ceil((size + pads - kernel) / stride) + 1 and floor((size + begin - 1) / stride) + 1: the first
    one is the smaller one exactly when kernel - end >= stride.
    """
    if not isinstance(window.kernel, int):
        return None
    if window.kernel - window.end >= window.stride:
        reach = add(size, window.begin + window.end - window.kernel)
        return add(ceil_over(reach, window.stride), 1)
    return add(over(add(size, window.begin - 1), window.stride), 1)


def window_fault(call: Call, sizes: Shape, kernel: Shape | None) -> str:
    """Lists of one number an axis, pads of two and none negative; a window fits the data."""
    node, count = call.node, len(sizes)
    strides, dilations, pads = lists(node, count)
    for name, numbers in (("strides", strides), ("dilations", dilations), ("kernel", kernel)):
        if numbers is not None and len(numbers) != count:
            return f"{name} {listed(numbers)} for {count} axes"
    if len(pads) != 2 * count or min(pads, default=0) < 0:
        return f"pads {listed(pads)}" + ("" if len(pads) == 2 * count else f" for {count} axes")
    slides = node.text("auto_pad", "NOTSET") in ("NOTSET", "") and not node.integer("ceil_mode", 0)
    if not slides or kernel is None or min(strides, default=1) < 1:
        return ""
    for axis, (length, window) in enumerate(zip(sizes, windows(node, kernel), strict=True), 2):
        if not isinstance(length, int) or not isinstance(window.kernel, int) or length < 1:
            continue
        padded = length + window.begin + window.end
        if window.kernel > padded:
            return f"a window of {window.kernel} on {padded} of axis {axis}"
    return ""


# ------------------------------------------------------------------------------------- pools


def is_channels_last(node: Node) -> bool:
    """Return whether channels stand behind the spatial axes: by name, or by `channels_last`."""
    return node.op_type.startswith("Nhwc") or bool(node.integer("channels_last", 0))


def pool(call: Call) -> Shapes:
    """MaxPool, AveragePool, LpPool: channels stay; MaxPool's indices have the same shape."""
    data = call.input(0)
    kernels = call.node.integers("kernel_shape")
    if data is None or kernels is None:
        return [None, None]
    if is_channels_last(call.node):
        result = (data[0], *slid(call.node, data[1:-1], kernels), data[-1])
    else:
        result = (*data[:2], *slid(call.node, data[2:], kernels))
    return [result, result]


def global_pool(call: Call) -> Shapes:
    """GlobalAveragePool and its kin: every spatial dimension becomes 1."""
    data = call.input(0)
    if data is None:
        return [None]
    ones = (1,) * (len(data) - 2)
    if is_channels_last(call.node):
        return [(data[0], *ones, data[-1])]
    return [(*data[:2], *ones)]


def max_unpool(call: Call) -> Shapes:
    """MaxUnpool: the shape asked for, or the inverse of the pooling."""
    data, kernels = call.input(0), call.node.integers("kernel_shape")
    if call.has(2):
        return [shape_from(call, 2)]
    if data is None or kernels is None:
        return [None]
    sizes = [
        add(times(add(size, -1), w.stride), w.kernel, -w.begin - w.end)
        for size, w in zip(data[2:], windows(call.node, kernels), strict=True)
    ]
    return [(*data[:2], *sizes)]


def roi_align(call: Call) -> Shapes:
    """RoiAlign: (regions, C, output_height, output_width)."""
    data, rois, node = call.input(0), call.input(1), call.node
    height, width = node.integer("output_height", 1), node.integer("output_width", 1)
    return [(rois[0] if rois else None, data[1] if data else None, height, width)]


def max_roi_pool(call: Call) -> Shapes:
    """MaxRoiPool: (regions, C, *pooled_shape)."""
    data, rois = call.input(0), call.input(1)
    pooled = call.node.integers("pooled_shape") or (None, None)
    return [(rois[0] if rois else None, data[1] if data else None, *pooled[:2])]


def col2im(call: Call) -> Shapes:
    """Col2Im: (N, C / block elements, *image_shape)."""
    data, image, block = call.input(0), shape_from(call, 1), integers_of(call, 2)
    if data is None or image is None:
        return [None]
    return [(data[0], over(data[1], product(block) if block else None), *image)]


def check_pool(call: Call) -> str:
    """X (N, C, D1, …)."""
    data = call.input(0)
    if data is None:
        return ""
    return window_fault(call, data[2:], call.node.integers("kernel_shape"))


def _windows(call: Call) -> Dim:
    out = output_shape(call)
    if len(out) < 3:
        raise UnknownDimError
    return size(out) * size(integers(call, "kernel_shape", len(out) - 2))


def _pool_text(call: Call) -> str:
    window = size(integers(call, "kernel_shape"))
    return (
        f"{number(window)} elements read for each of {number(outputs(call))} outputs ="
        f" {number(_windows(call))}; no MACs"
    )


def _samples(call: Call) -> Dim:
    ratio = attribute(call, "sampling_ratio")  # 0: as many as the region is large
    return outputs(call) * (ratio * ratio)


def _regions(call: Call) -> Dim:
    del call
    raise UnknownDimError


POOL = CostRule("the window is read for each output", elementwise=_windows, text=_pool_text)

TABLE = family(
    "pool",
    {
        **each(
            "AveragePool LpPool",
            Operator(
                roles=("data",),
                shape=pool,
                cost=POOL,
                check=check_pool,
                attribute_check=WINDOW,
                traits=FOLDS,
            ),
        ),
        **each(
            "GlobalAveragePool GlobalLpPool",
            Operator(roles=("data",), shape=global_pool, cost=READ, traits=FOLDS),
        ),
        "GlobalMaxPool": Operator(
            roles=("data",), shape=global_pool, precision=kept, cost=READ, traits=FOLDS
        ),
        "MaxPool": Operator(
            roles=("data",),
            shape=pool,
            dtypes=always(0, INT64),
            precision=kept,
            cost=POOL,
            check=check_pool,
            attribute_check=WINDOW,
            traits=FOLDS,
        ),
        "MaxUnpool": Operator(
            roles=("data", "index", "shape"), shape=max_unpool, cost=FREE, attribute_check=WINDOW
        ),
        "MaxRoiPool": Operator(
            roles=("data", "operand"),
            shape=max_roi_pool,
            cost=CostRule("reads its regions, whose size is data", elementwise=_regions),
        ),
        "RoiAlign": Operator(
            roles=("data", "operand", "index"),
            shape=roi_align,
            cost=CostRule(
                "sampling_ratio² interpolations for each output element", elementwise=_samples
            ),
        ),
        "Col2Im": Operator(roles=("data", "shape", "shape"), shape=col2im, cost=READ),
    },
)
