"""Experts, word embeddings, recurrent layers and the rest of onnxruntime's operators.

Mixtures of experts count the k experts a token goes to, not those that are stored.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shapes, integers_of, size
from graphcount.ops.formulas import (
    FREE,
    OUTPUT,
    READ,
    CostRule,
    UnknownDimError,
    attribute,
    dimension,
    input_shape,
    number,
    plural,
    when,
)
from graphcount.ops.indexing import LOOK_UP, gather, gather_nd
from graphcount.ops.inference import INT64, add, always, axis_of, over, same, times, unknown
from graphcount.ops.movement import pad
from graphcount.ops.operator import (
    KEEPS_VALUES,
    PICKS,
    SCALE,
    Operator,
    Role,
    each,
    family,
    merge,
    traits,
)
from graphcount.ops.packing import per_byte
from graphcount.ops.recurrent import LSTM_COST, recurrent, recurrent_cost
from graphcount.ops.reshaping import expand
from graphcount.symbolic import Dim, floordiv, maximum

# ------------------------------------------------------------------------ mixture of experts


def _experts(weights: tuple[int, ...], biases: tuple[int, ...], is_packed: bool) -> CostRule:
    """A token goes through k experts, each of them two or three matrices [experts, …]."""

    def matrix(call: Call, index: int) -> Dim:
        return size(input_shape(call, index, 3)[1:]) * (_in_a_byte(call) if is_packed else 1)

    def one(call: Call) -> Dim:
        result: Dim = 0
        for index in weights:
            result = result + (matrix(call, index) if call.has(index) else 0)
        return result

    def macs(call: Call) -> Dim:
        return _tokens(call) * attribute(call, "k", 1) * one(call)

    def added(call: Call) -> Dim:
        result: Dim = 0
        for index in biases:
            if call.has(index):
                result = result + input_shape(call, index, 2)[1]
        return _tokens(call) * attribute(call, "k", 1) * result

    def work(call: Call) -> Dim:
        """Return activations (inner widths of the k experts) and the softmax over all experts."""
        inner = floordiv(matrix(call, weights[1]), dimension(call, 0, -1))
        return _tokens(call) * attribute(call, "k", 1) * inner + size(input_shape(call, 1, 2))

    def text(call: Call) -> str:
        experts = dimension(call, weights[0], 0)
        return (
            f"{number(attribute(call, 'k', 1))} of {plural(experts, 'expert')} for each token:"
            f" {plural(one(call), 'weight')} an expert x {plural(_tokens(call), 'token')}"
            f" = {number(macs(call))} MACs; all experts are stored"
        )

    return CostRule("tokens x k experts x weights of one expert", macs, work, added, text)


def _in_a_byte(call: Call) -> int:
    bits = attribute(call, "expert_weight_bits", 4)
    if bits not in (1, 2, 4, 8):
        raise UnknownDimError
    return 8 // bits


def _tokens(call: Call) -> Dim:
    return size(input_shape(call, 0, 2, 3)[:-1])


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

    Inputs: 9 query weights, 10 memory weights, 11 scores, 12 memory, 14 attention layer.
    """
    steps, batch, _ = input_shape(call, 0, 3)
    memory_batch, length, depth = input_shape(call, 12, 3)
    weights = [size(input_shape(call, index, 3)) for index in (1, 2, 9)]
    layers = size(input_shape(call, 14, 3)) if call.has(14) else 0
    scores = size(input_shape(call, 11, 2))
    directions = input_shape(call, 1, 3)[0]
    a_step = weights[0] + weights[1] + weights[2] + layers + length * (scores + directions * depth)
    return steps * batch * a_step + memory_batch * length * size(input_shape(call, 10, 3))


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


_STATES: tuple[Role, ...] = ("bias", "shape", "initial state", "initial state")
_WEIGHTS: tuple[Role, ...] = ("quantized weight", "quantized weight")
_LSTM: tuple[Role, ...] = ("data", "weight", "recurrent weight", *_STATES, "peephole weight")
_ATTENTION: tuple[Role, ...] = ("weight", "weight", "weight", "data", "shape", "weight")
_EXPERT: tuple[Role, ...] = ("weight", "bias")
_QUANTIZED: tuple[Role, ...] = ("quantized weight", "quantization scale", "bias")
_ZERO_POINTS: tuple[Role, ...] = ("zero point", "zero point", "zero point")


TABLE = merge(
    [
        family(
            "experts",
            {
                "MoE": Operator(
                    roles=("operand", "operand", *3 * _EXPERT),
                    shape=same(0),
                    cost=_experts((2, 4, 6), (3, 5, 7), is_packed=False),
                ),
                "QMoE": Operator(
                    roles=("operand", "operand", *3 * _QUANTIZED, *_ZERO_POINTS, "operand"),
                    rest="quantization scale",
                    shape=same(0),
                    cost=_experts((2, 5, 8), (4, 7, 10), is_packed=True),
                    packing=per_byte("expert_weight_bits", frozenset({2, 5, 8, 11, 12, 13})),
                ),
            },
        ),
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
                    cost=recurrent_cost(4, 9, hidden_axis=1),
                    form_of="LSTM",
                ),
                "AttnLSTM": Operator(
                    roles=(*_LSTM, *_ATTENTION),
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
                "Trilu": Operator(roles=("operand", "scalar"), shape=same(0), cost=FREE),
                "Rfft": Operator(rest="operand", shape=rfft, cost=OUTPUT),
                "Irfft": Operator(rest="operand", shape=irfft, cost=OUTPUT),
                "Unique": Operator(
                    rest="operand",
                    shape=unique,
                    dtypes=always(0, INT64, INT64),
                    cost=READ,
                    traits=traits("sized by data"),
                ),
                "NGramRepeatBlock": Operator(rest="operand", cost=FREE),
                **each(
                    "BeamSearch GreedySearch Sampling WhisperBeamSearch",
                    Operator(shape=unknown, traits=traits("runs bodies")),
                ),
                **each("EPContext Send Recv Wait", Operator(shape=unknown)),
                "CDist": Operator(shape=c_dist),
                "ExpandDims": Operator(shape=expand_dims),
                "CropAndResize": Operator(shape=crop_and_resize),
                "GatherND": Operator(shape=gather_nd, traits=PICKS),
                "Pad": Operator(shape=pad),
                "Expand": Operator(shape=expand, traits=KEEPS_VALUES),
            },
        ),
    ]
)
