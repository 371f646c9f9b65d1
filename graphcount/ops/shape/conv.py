"""Convolutions, pooling and images (Operators.md: Conv, MaxPool, ConvTranspose, Resize, …)."""

from __future__ import annotations

from typing import NamedTuple

from graphcount.loading.model import Node
from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.kit import (
    MAX_RANK,
    Ratio,
    Rule,
    Shapes,
    add,
    axes_of,
    ceil_over,
    integers_of,
    numbers_of,
    of_rank,
    over,
    product,
    replace,
    times,
)
from graphcount.ops.shape.movement import dim, shape_from
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim, floordiv


class Window(NamedTuple):
    """The window of one spatial axis; `kernel` is dilated."""

    kernel: Dim | None
    stride: int
    begin: int
    end: int


def windows(node: Node, kernels: Shape) -> list[Window]:
    """Windows of all spatial axes, from the attributes that Conv and the pools share."""
    count = len(kernels)
    strides = node.integers("strides") or (1,) * count
    dilations = node.integers("dilations") or (1,) * count
    pads = node.integers("pads") or (0,) * (2 * count)
    if len(strides) != count or len(dilations) != count or len(pads) != 2 * count:
        raise ValueError("strides, dilations or pads do not fit")
    if node.text("auto_pad", "NOTSET") == "VALID":
        pads = (0,) * (2 * count)
    if any(stride < 1 for stride in strides):
        raise ValueError("a stride below 1")
    return [
        Window(add(times(add(kernel, -1), dilation), 1), stride, begin, end)
        for kernel, dilation, stride, begin, end in zip(
            kernels, dilations, strides, pads[:count], pads[count:], strict=True
        )
    ]


def slid(node: Node, sizes: Shape, kernels: Shape) -> list[Dim | None]:
    """How often windows fit: floor((size + pads - kernel) / stride) + 1."""
    found = windows(node, kernels)
    pairs = list(zip(sizes, found, strict=True))
    if node.text("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return [ceil_over(size, window.stride) for size, window in pairs]
    if node.integer("ceil_mode", 0):
        return [_slid_up(size, window) for size, window in pairs]
    return [
        add(over(add(size, w.begin + w.end, times(w.kernel, -1)), w.stride), 1) for size, w in pairs
    ]


def _slid_up(size: Dim | None, window: Window) -> Dim | None:
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


def kernel_of(node: Node, weight: Shape | None, rank: int) -> Shape:
    """Sizes of the kernel: those of the weight (M, C/group, k…), or the attribute."""
    given = node.integers("kernel_shape")
    if given is not None:
        return given
    return weight[2:] if weight is not None else (None,) * (rank - 2)


def conv_at(weight_index: int) -> Rule:
    """Conv whose weight (M, C/group, k…) is the input at an index."""

    def rule(call: Call) -> Shapes:
        data, weight = call.input(0), call.input(weight_index)
        if data is None:
            if weight is None:
                return [None]
            return [(None, weight[0], *(None,) * (len(weight) - 2))]
        kernels = kernel_of(call.node, weight, len(data))
        channels = weight[0] if weight else None
        return [(data[0], channels, *slid(call.node, data[2:], kernels))]

    return rule


def nhwc_conv(call: Call) -> Shapes:
    """NhwcConv (ContribOperators.md): channels last, weight (M, k…, C/group)."""
    data, weight = call.input(0), call.input(1)
    if data is None or weight is None:
        return [None]
    kernels = call.node.integers("kernel_shape") or weight[1:-1]
    return [(data[0], *slid(call.node, data[1:-1], kernels), weight[0])]


def conv_transpose(call: Call) -> Shapes:
    """ConvTranspose: stride * (size - 1) + output_padding + kernel - pads, or `output_shape`."""
    data, weight, node = call.input(0), call.input(1), call.node
    if data is None:
        return [None]
    group = node.integer("group", 1)
    channels = times(weight[1], group) if weight is not None else None
    given = node.integers("output_shape")
    count = len(data) - 2
    if given is not None:
        return [(data[0], channels, *given[-count:])] if len(given) >= count else [None]
    found = windows(node, kernel_of(node, weight, len(data)))
    extra = node.integers("output_padding") or (0,) * count
    same_size = node.text("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")
    sizes: list[Dim | None] = []
    for size, window, more in zip(data[2:], found, extra, strict=True):
        if same_size:
            sizes.append(times(size, window.stride))
            continue
        grown = times(add(size, -1), window.stride)
        sizes.append(add(grown, more, window.kernel, -window.begin - window.end))
    return [(data[0], channels, *sizes)]


def pool(call: Call) -> Shapes:
    """MaxPool, AveragePool, LpPool: channels stay; MaxPool's indices have the same shape."""
    data = call.input(0)
    kernels = call.node.integers("kernel_shape")
    if data is None or kernels is None:
        return [None, None]
    result = (*data[:2], *slid(call.node, data[2:], kernels))
    return [result, result]


def global_pool(call: Call) -> Shapes:
    """GlobalAveragePool and its kin: every spatial dimension becomes 1."""
    data = call.input(0)
    return [(*data[:2], *(1,) * (len(data) - 2)) if data is not None else None]


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


def resize(call: Call) -> Shapes:
    """Resize: sizes, or floor(size * scale); Resize-10 and Upsample have the scales second."""
    data, node = call.input(0), call.node
    if data is None:
        return [None]
    given = node.integers("axes")
    axes = axes_of(given, len(data)) if given is not None else list(range(len(data)))
    if call.has(3):
        return [_sized(call, data, axes)]
    scales = numbers_of(call, 2 if len(node.inputs) > 2 else 1)
    if scales is None or len(scales) != len(axes):
        return [of_rank(len(data))]
    result = data
    for axis, scale in zip(axes, scales, strict=True):
        size = data[axis]
        if isinstance(scale, Ratio):
            scaled = over(times(size, scale.over), scale.under)
        else:
            scaled = times(size, scale)
        result = replace(result, axis, scaled)
    return [result]


def _sized(call: Call, data: Shape, axes: list[int]) -> Shape | None:
    sizes = numbers_of(call, 3)
    if sizes is None or len(sizes) != len(axes):
        return of_rank(len(data))
    policy = call.node.text("keep_aspect_ratio_policy", "stretch")
    result = data
    for axis, size in zip(axes, sizes, strict=True):
        result = replace(result, axis, dim(size))
    if policy == "stretch":
        return result
    pairs = [(result[axis], data[axis]) for axis in axes]
    numbers = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int) and b > 0]
    if len(numbers) != len(pairs):
        return of_rank(len(data))
    # the one scale a / b for all axes: compare a/b as a * other b
    best = numbers[0]
    for a, b in numbers[1:]:
        less = a * best[1] < best[0] * b
        best = (a, b) if less == (policy == "not_larger") else best
    for axis, (_, size) in zip(axes, numbers, strict=True):
        result = replace(result, axis, (2 * best[0] * size + best[1]) // (2 * best[1]))
    return result


def upsample(call: Call) -> Shapes:
    """Upsample: scales as an input, or as an attribute in Upsample-7."""
    attribute = call.node.attribute("scales")
    data = call.input(0)
    if attribute is None or attribute.numbers is None:
        return resize(call)
    if data is None:
        return [None]
    scales = attribute.numbers.values
    if len(scales) != len(data):
        raise ValueError("scales do not fit")
    result: list[Dim | None] = []
    for size, scale in zip(data, scales, strict=True):
        if not isinstance(scale, int | float):
            raise TypeError("scales are no numbers")
        a, b = scale.as_integer_ratio()
        result.append(floordiv(size * a, b) if size is not None else None)
    return [tuple(result)]


def grid_sample(call: Call) -> Shapes:
    """GridSample: (N, C, *sizes of the grid)."""
    data, grid = call.input(0), call.input(1)
    if data is None or grid is None:
        return [None]
    return [(*data[:2], *grid[1:-1])]


def affine_grid(call: Call) -> Shapes:
    """AffineGrid: (N, *sizes, 2 or 3) from the size (N, C, *sizes)."""
    size = shape_from(call, 1)
    if size is None or len(size) > MAX_RANK or len(size) < 3:
        return [None]
    return [(size[0], *size[2:], len(size) - 2)]


TABLE: dict[Key, Rule] = table(
    "",
    each("Conv ConvInteger DeformConv", conv_at(1)),
    {
        "QLinearConv": conv_at(3),
        "ConvTranspose": conv_transpose,
        "MaxUnpool": max_unpool,
        "RoiAlign": roi_align,
        "MaxRoiPool": max_roi_pool,
        "Col2Im": col2im,
        "Resize": resize,
        "Upsample": upsample,
        "GridSample": grid_sample,
        "AffineGrid": affine_grid,
    },
    each("MaxPool AveragePool LpPool", pool),
    each("GlobalAveragePool GlobalMaxPool GlobalLpPool", global_pool),
)
