"""Mixtures of experts: a token goes through k of those that are stored, and counts for these.

What a router computes counts one a score: a sigmoid, a bias, a comparison.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.loading.model import Node
from graphcount.ops.call import Call, Dims, Packed, Packing, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    UnknownDimError,
    attribute,
    dimension,
    input_shape,
    number,
    plural,
)
from graphcount.ops.inference import FLOAT, always, product, same
from graphcount.ops.operator import Operator, Role, family
from graphcount.ops.packing import per_byte
from graphcount.symbolic import Dim, floordiv


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


# --------------------------------------------------------------------- packed in block formats


def _packed_weights(call: Call) -> Dim:
    """MoEPacked: gate, down and (if any) up of one expert, each inner width x hidden size."""
    inner = input_shape(call, 2, 3)[1]
    return (2 + int(call.has(3))) * inner * dimension(call, 0, -1)


def _rows(call: Call) -> Dim:
    return size(input_shape(call, 0)[:-1])


def _packed_macs(call: Call) -> Dim:
    return _rows(call) * attribute(call, "k", 1) * _packed_weights(call)


def _packed_work(call: Call) -> Dim:
    """Return an activation for each inner width, what the router weighs, and what is dequantized.

    All experts are dequantized at most once, and k for each token: the smaller number depends on
    the tokens, and the kernel does it as it reads, so it counts none.
    """
    inner = _rows(call) * attribute(call, "k", 1) * input_shape(call, 2, 3)[1]
    return inner + size(input_shape(call, 1, 2))


IQ2_XXS = 16
"""Id of a block format, the one that ContribOperators.md names: 256 elements in 66 bytes."""


def _unpacked(node: Node, index: int | None, tensor: Packed) -> int | None:
    name = {2: "gate_type", 3: "up_type", 4: "down_type"}.get(-1 if index is None else index, "")
    if not name or node.integer(name, 0) != IQ2_XXS or tensor.nbytes % 66:
        return None
    return tensor.nbytes // 66 * 256


# ------------------------------------------------------------------------------------- router


def _scores(call: Call) -> Dims:
    """Return tokens and experts."""
    logits = input_shape(call, 0)
    if not logits:
        raise UnknownDimError
    return (size(logits[:-1]), dimension(call, 2, 0) if call.has(2) else logits[-1])


def _projected(call: Call) -> Dim:
    return size(_scores(call)) * (dimension(call, 0, -1) if call.has(2) else 0)


def _routed(call: Call) -> Dim:
    return 2 * size(_scores(call))


def router(call: Call) -> Shapes:
    """MoEGroupRouter: (tokens, experts), three times."""
    data, bias = call.input(0), call.input(1)
    tokens = product(data[:-1]) if data is not None else None
    scores = (tokens, bias[0] if bias else None)
    return [scores, scores, scores]


_EXPERT: tuple[Role, ...] = ("weight", "bias")
_QUANTIZED: tuple[Role, ...] = ("quantized weight", "quantization scale", "bias")
_ZERO_POINTS: tuple[Role, ...] = ("zero point", "zero point", "zero point")
_PACKED: tuple[Role, ...] = ("quantized weight", "quantized weight", "quantized weight")

TABLE = family(
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
        "MoEPacked": Operator(
            roles=("operand", "operand", *_PACKED, "operand"),
            shape=same(0),
            cost=CostRule("tokens x k experts x weights of one expert", _packed_macs, _packed_work),
            packing=Packing(_unpacked),
        ),
        "MoEGroupRouter": Operator(
            roles=("operand", "bias", "weight"),
            shape=router,
            dtypes=always(0, FLOAT, FLOAT),
            cost=CostRule(
                "a sigmoid and a bias for each score, after its projection if any",
                _projected,
                _routed,
            ),
        ),
    },
)
