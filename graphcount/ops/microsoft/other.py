"""Word embeddings, recurrent layers and the rest of onnxruntime's operators.

Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops import largest
from graphcount.ops.attributes import first_fault, positive
from graphcount.ops.call import Call, Shapes, integers_of, size
from graphcount.ops.formulas import (
    FREE,
    OUTPUT,
    READ,
    CostRule,
    UnknownDimError,
    input_shape,
    when,
)
from graphcount.ops.image import GRID_SAMPLE, SAMPLING
from graphcount.ops.indexing import LOOK_UP, gather, gather_nd
from graphcount.ops.inference import FLOAT, INT64, add, always, axis_of, over, replace, same, times
from graphcount.ops.making import RANGE
from graphcount.ops.movement import pad
from graphcount.ops.operator import (
    FIRST,
    KEEPS_VALUES,
    PICKS,
    RENAMES,
    SCALE,
    KeptState,
    Multiplicand,
    Operator,
    Role,
    family,
    merge,
    traits,
)
from graphcount.ops.recurrent import LSTM_COST, recurrent, recurrent_cost
from graphcount.ops.reshaping import expand
from graphcount.symbolic import Dim, maximum

# ---------------------------------------------------------------------- words from letters


def _windows(call: Call) -> Dim:
    """WordConvEmbedding: windows of letters, in every word of [words, letters]."""
    data, weights = input_shape(call, 0), input_shape(call, 1, 4)
    if not data:
        raise UnknownDimError
    return size(data[:-1]) * maximum(data[-1] - weights[2] + 1, 0)


def _word_convolution(call: Call) -> Dim:
    return _windows(call) * size(input_shape(call, 1, 4))


def _word_filters(call: Call) -> Dim:
    return _windows(call) * input_shape(call, 1, 4)[0]


# ------------------------------------------------------------------- LSTM with attention


def _attending(call: Call) -> Dim:
    """AttnLSTM: an LSTM whose input is joined with what Bahdanau attention reads from a memory.

    Inputs: 8 query weights, 9 memory weights, 10 score vector, 11 memory, 13 attention layer.
    """
    steps, batch, _ = input_shape(call, 0, 3)
    memory_batch, length, depth = input_shape(call, 11, 3)
    weights = [size(input_shape(call, index, 3)) for index in (1, 2, 8)]
    layers = size(input_shape(call, 13, 3)) if call.has(13) else 0
    scores = size(input_shape(call, 10, 2))
    directions = input_shape(call, 1, 3)[0]
    a_step = weights[0] + weights[1] + weights[2] + layers + length * (scores + directions * depth)
    return steps * batch * a_step + memory_batch * length * size(input_shape(call, 9, 3))


# ----------------------------------------------------------------------------------- shapes


def rfft(call: Call) -> Shapes:
    """Rfft: the last `signal_ndim` axes, the last of them one-sided, then (real, imaginary)."""
    data = call.input(0)
    return [(*data[:-1], add(over(data[-1], 2), 1), 2) if data else None]


def irfft(call: Call) -> Shapes:
    """Irfft: the inverse of Rfft for even lengths."""
    data = call.input(0)
    return [(*data[:-2], times(add(data[-2], -1), 2)) if data else None]


def unique(call: Call) -> Shapes:
    """Unique: its elements, for each element which of them it is, and how often they are there."""
    return [(None,), call.input(0), (None,)]


def c_dist(call: Call) -> Shapes:
    """CDist: (rows of A, rows of B)."""
    a, b = call.input(0), call.input(1)
    return [(a[0] if a else None, b[0] if b else None)]


def expand_dims(call: Call) -> Shapes:
    """ExpandDims: a dimension of size 1 at the axis in input 1."""
    data, axis = call.input(0), integers_of(call, 1)
    if data is None or not axis:
        return [None]
    at = axis_of(axis[0], len(data) + 1)
    return [(*data[:at], 1, *data[at:])]


def crop_and_resize(call: Call) -> Shapes:
    """CropAndResize: (regions, C, height, width) of `crop_size`."""
    data, rois, size = call.input(0), call.input(1), integers_of(call, 3)
    height, width = size if size else (None, None)
    return [(rois[0] if rois else None, data[1] if data else None, height, width)]


def unfold(call: Call) -> Shapes:
    """UnfoldTensor: slices of one axis, each `size` long, which is a new last axis."""
    data, node = call.input(0), call.node
    if data is None:
        return [None]
    size, step = node.integer("size", 0), node.integer("step", 1)
    axis = axis_of(node.integer("dim", -1), len(data))
    count = add(over(add(data[axis], -size), step), 1)
    return [(*replace(data, axis, count), size)]


def word_embedding(call: Call) -> Shapes:
    """WordConvEmbedding: a filter's largest answer for each word of (…, words, letters)."""
    data, weights = call.input(0), call.input(1)
    return [(*data[:-1], weights[0]) if data and weights else None]


def _distances(call: Call) -> Dim:
    """CDist: rows of A x rows of B x features."""
    return size(input_shape(call, 0, 2)) * input_shape(call, 1, 2)[0]


_STATES: tuple[Role, ...] = ("bias", "shape", "initial state", "initial state")
_WEIGHTS: tuple[Role, ...] = ("quantized weight", "quantized weight")
_LSTM: tuple[Role, ...] = ("data", "weight", "recurrent weight", *_STATES, "peephole weight")
_ATTENTION: tuple[Role, ...] = ("weight", "weight", "weight", "data", "shape", "weight")


TABLE = merge(
    [
        family(
            "embedding",
            {
                "TorchEmbedding": Operator(
                    roles=("embedding", "index", "scalar", "scalar"),
                    shape=gather,
                    cost=LOOK_UP,
                    lookups=((1, 0),),
                    form_of="Gather",
                ),
                "WordConvEmbedding": Operator(
                    roles=("index", "weight", "bias", "embedding"),
                    shape=word_embedding,
                    dtypes=always(FLOAT),
                    cost=CostRule(
                        "windows of letters x weights of all filters",
                        _word_convolution,
                        _word_filters,
                        when(2, _word_filters),
                    ),
                    lookups=((0, 3),),
                ),
            },
        ),
        family(
            "recurrent",
            {
                "DynamicQuantizeLSTM": Operator(
                    roles=("data", *_WEIGHTS, *_STATES, "peephole weight", *SCALE, *SCALE),
                    shape=recurrent(1),
                    states={
                        5: KeptState(1, "recurrent", batch=1),
                        6: KeptState(2, "recurrent", batch=1),
                    },
                    cost=recurrent_cost(4, 9, hidden_axis=1),
                    factors=(
                        Multiplicand(1, -2, -1, zero=9),
                        Multiplicand(2, -2, -1, zero=11),
                    ),
                    form_of="LSTM",
                    traits=traits("quantizes"),
                ),
                "AttnLSTM": Operator(
                    roles=(*_LSTM, *_ATTENTION),
                    shape=recurrent(2),
                    states={
                        5: KeptState(1, "recurrent", batch=1),
                        6: KeptState(2, "recurrent", batch=1),
                    },
                    cost=CostRule(
                        "LSTM gates and attention: every weight once a step, plus memory length x"
                        " (score weights + memory depth) a step, plus the memory's own projection",
                        _attending,
                        LSTM_COST.elementwise,
                        LSTM_COST.bias,
                    ),
                ),
            },
        ),
        family(
            "other",
            {
                "Trilu": Operator(
                    roles=("operand", "scalar"),
                    shape=same(0),
                    cost=FREE,
                    traits=traits("overwrites"),
                ),
                "Rfft": Operator(rest="operand", shape=rfft, cost=OUTPUT),
                "Irfft": Operator(rest="operand", shape=irfft, cost=OUTPUT),
                "Unique": Operator(
                    rest="operand",
                    shape=unique,
                    most=largest.different,
                    dtypes=always(0, INT64, INT64),
                    cost=READ,
                    traits=traits("sized by data"),
                ),
                "CDist": Operator(
                    roles=("operand", "operand"),
                    shape=c_dist,
                    cost=CostRule(
                        "a difference of each feature for each pair of rows", elementwise=_distances
                    ),
                ),
                "ExpandDims": Operator(
                    roles=("operand", "axes"),
                    passes=FIRST,
                    shape=expand_dims,
                    cost=FREE,
                    traits=RENAMES,
                ),
                "CropAndResize": Operator(
                    roles=("data", "operand", "index", "shape"),
                    shape=crop_and_resize,
                    cost=SAMPLING,
                ),
                "GridSample": GRID_SAMPLE,
                "Range": RANGE,
                "GatherND": Operator(
                    roles=("embedding", "index"), shape=gather_nd, cost=LOOK_UP, traits=PICKS
                ),
                "Pad": Operator(roles=("operand", "shape", "literal"), shape=pad, cost=FREE),
                "Expand": Operator(
                    roles=("operand", "shape"),
                    passes=FIRST,
                    shape=expand,
                    cost=FREE,
                    traits=KEEPS_VALUES,
                ),
                "UnfoldTensor": Operator(
                    roles=("operand",),
                    shape=unfold,
                    cost=FREE,
                    attribute_check=first_fault(positive("size"), positive("step")),
                    traits=KEEPS_VALUES,
                ),
                "SampleOp": Operator(
                    roles=("operand",), passes=FIRST, shape=same(0), cost=FREE, traits=RENAMES
                ),
            },
        ),
    ]
)
