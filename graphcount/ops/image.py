"""Images: resized, sampled, cut into boxes.

NonMaxSuppression counts one comparison a score: how many boxes are compared depends on the data.
Source: ONNX Operators.md (Resize, GridSample, NonMaxSuppression, …).
"""

from __future__ import annotations

from graphcount.ops import largest
from graphcount.ops.arithmetic import ratio, scaled
from graphcount.ops.attributes import BLOCKS, first_fault, one_of
from graphcount.ops.call import MAX_RANK, Call, Shape, Shapes, numbers_of, size
from graphcount.ops.formulas import (
    FREE,
    OUTPUT,
    CostRule,
    input_shape,
    like_input,
    multiple,
    outputs,
)
from graphcount.ops.inference import (
    INT64,
    UINT8,
    always,
    axes_of,
    dim,
    of_rank,
    over,
    replace,
    same,
    shape_from,
    times,
)
from graphcount.ops.operator import KEEPS_VALUES, Operator, family, traits
from graphcount.ops.precision import kept_by_copies
from graphcount.symbolic import Dim


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
        result = replace(result, axis, scaled(data[axis], scale))
    return [result]


def _sized(call: Call, data: Shape, axes: list[int]) -> Shape | None:
    sizes = numbers_of(call, 3)
    if sizes is None or len(sizes) != len(axes):
        return of_rank(len(data))
    policy = call.node.text("keep_aspect_ratio_policy", "stretch")
    result = data
    for axis, wanted in zip(axes, sizes, strict=True):
        result = replace(result, axis, dim(wanted))
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
    for axis, (_, length) in zip(axes, numbers, strict=True):
        result = replace(result, axis, (2 * best[0] * length + best[1]) // (2 * best[1]))
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
    for length, scale in zip(data, scales, strict=True):
        if not isinstance(scale, int | float):
            raise TypeError("scales are no numbers")
        result.append(scaled(length, ratio(*scale.as_integer_ratio())))
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


def depth_to_space(call: Call) -> Shapes:
    """DepthToSpace: (N, C, H, W) → (N, C / b^2, H * b, W * b)."""
    n, c, h, w = call.input(0) or (None,) * 4
    block = call.node.integer("blocksize", 0)
    return [(n, over(c, block * block), times(h, block), times(w, block))]


def space_to_depth(call: Call) -> Shapes:
    """SpaceToDepth: (N, C, H, W) → (N, C * b^2, H / b, W / b)."""
    n, c, h, w = call.input(0) or (None,) * 4
    block = call.node.integer("blocksize", 0)
    return [(n, times(c, block * block), over(h, block), over(w, block))]


def center_crop_pad(call: Call) -> Shapes:
    """CenterCropPad: the sizes asked for, at `axes` or everywhere."""
    data = call.input(0)
    target = shape_from(call, 1)
    if data is None:
        return [None]
    given = call.node.integers("axes")
    chosen = axes_of(given, len(data)) if given is not None else list(range(len(data)))
    if target is None or len(target) != len(chosen):
        return [of_rank(len(data))]
    result = list(data)
    for axis, length in zip(chosen, target, strict=True):
        result[axis] = length
    return [tuple(result)]


def _interpolated(call: Call) -> Dim:
    return 0 if call.node.text("mode", "nearest") == "nearest" else outputs(call)


def _sampled(call: Call) -> Dim:
    return 0 if call.node.text("mode", "linear") == "nearest" else outputs(call)


def _second(call: Call) -> Dim:
    """Return elements of the second input: scores of boxes, targets of a loss."""
    return size(input_shape(call, 1))


INTERPOLATION = CostRule(
    "one interpolation for each output element; nearest copies", elementwise=_interpolated
)

SAMPLING = CostRule(
    "one interpolation for each output element; nearest copies", elementwise=_sampled
)
GRID_SAMPLE = Operator(roles=("operand", "operand"), shape=grid_sample, cost=SAMPLING)

TABLE = family(
    "image",
    {
        "Resize": Operator(
            roles=("operand", "literal", "literal", "shape"),
            shape=resize,
            precision=kept_by_copies,
            cost=INTERPOLATION,
            attribute_check=one_of("mode", "nearest", "linear", "cubic"),
        ),
        "Upsample": Operator(
            roles=("operand", "literal"),
            shape=upsample,
            precision=kept_by_copies,
            cost=INTERPOLATION,
        ),
        "CenterCropPad": Operator(roles=("operand", "shape"), shape=center_crop_pad, cost=FREE),
        "DepthToSpace": Operator(
            roles=("operand",),
            shape=depth_to_space,
            cost=FREE,
            attribute_check=first_fault(BLOCKS, one_of("mode", "DCR", "CRD")),
            traits=KEEPS_VALUES,
        ),
        "SpaceToDepth": Operator(
            roles=("operand",),
            shape=space_to_depth,
            cost=FREE,
            attribute_check=BLOCKS,
            traits=KEEPS_VALUES,
        ),
        "AffineGrid": Operator(roles=("operand", "shape"), shape=affine_grid, cost=OUTPUT),
        "GridSample": GRID_SAMPLE,
        "ImageDecoder": Operator(
            rest="literal",
            shape=lambda call: [(None, None, None)],
            dtypes=always(UINT8),
            cost=OUTPUT,
        ),
        "NonMaxSuppression": Operator(
            roles=("operand", "operand", "scalar", "scalar", "scalar"),
            shape=lambda call: [(None, 3)],
            most=largest.boxes,
            dtypes=always(INT64),
            cost=CostRule(
                "one comparison for each score; how many boxes are compared is data, left out",
                elementwise=_second,
            ),
            traits=traits("sized by data"),
        ),
        "ImageScaler": Operator(
            roles=("operand",),
            shape=same(0),
            cost=CostRule(
                "a scale and a bias of its channel: two for each element",
                elementwise=multiple(2, like_input),
            ),
        ),
    },
)
