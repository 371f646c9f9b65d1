"""Multiply-accumulates of a node from the shapes that a run showed, written from the specification.

Nothing of graphcount is used: these formulas are its opponent. Each takes the shapes of inputs and
outputs (None: left out, or no tensor) and the attributes, and is the number of products that
ONNX's list of operators or onnxruntime's list of contrib operators says the operator sums. Biases,
scales, softmax, masks and activations are none.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

Shape = tuple[int, ...]


class Seen(NamedTuple):
    """A node with what a run showed of it."""

    op_type: str
    inputs: Sequence[Shape | None]
    outputs: Sequence[Shape | None]
    attributes: Mapping[str, Any]

    def shape(self, index: int) -> Shape:
        shape = self.inputs[index]
        assert shape is not None, f"{self.op_type}: input {index} has no shape"
        return shape

    def result(self, index: int = 0) -> Shape:
        shape = self.outputs[index]
        assert shape is not None, f"{self.op_type}: output {index} has no shape"
        return shape

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None


Formula = Callable[[Seen], int]


def convolution(weights: int) -> Formula:
    """Each element of the result sums one filter: weights are M x C/group x kernel."""
    return lambda node: prod(node.result()) * prod(node.shape(weights)[1:])


def transposed(node: Seen) -> int:
    """Each element of the input is spread by a filter: weights are C x M/group x kernel."""
    return prod(node.shape(0)) * prod(node.shape(1)[1:])


def channels_last(weights: int) -> Formula:
    """The same as a convolution; onnxruntime keeps weights M x C/group x kernel there, too."""
    return convolution(weights)


def product(first: int, transposed_by: str = "transA") -> Formula:
    """Each element of the result sums over the last axis of the first matrix (the last but one)."""

    def formula(node: Seen) -> int:
        left = node.shape(first)
        flipped = node.attributes.get(transposed_by, 0) and len(left) > 1
        return prod(node.result()) * left[-2 if flipped else -1]

    return formula


def by_attribute(name: str) -> Formula:
    """Weights are packed: the length of the sum is an attribute."""
    return lambda node: prod(node.result()) * int(node.attributes[name])


def recurrent(weights: int = 1, recurrence: int = 2) -> Formula:
    """Each step of each sequence multiplies all weights of all directions once."""
    return lambda node: (
        prod(node.shape(0)[:2]) * (prod(node.shape(weights)) + prod(node.shape(recurrence)))
    )


def einsum(node: Seen) -> int:
    """Two operands: the product of all labels, if one is summed; more are left to others."""
    equation = node.attributes["equation"].decode().replace(" ", "")
    left, _, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) == 1:
        return 0
    if len(terms) > 2 or "->" not in equation:
        raise NotImplementedError("Einsum of three operands")
    sizes: dict[str, int] = {}
    labels = []
    for term, index in zip(terms, range(len(terms)), strict=True):
        shape = node.shape(index)
        before, _, after = term.partition("...")
        spare = len(shape) - len(before) - len(after)
        spelled = [*before, *(f".{spare - at}" for at in range(spare)), *after]
        labels.append(set(spelled))
        for label, size in zip(spelled, shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), size)
    needed = set(right.replace(".", "")) | {label for label in sizes if label.startswith(".")}
    summed = (labels[0] & labels[1]) - needed
    alone = {label for label in labels[0] ^ labels[1] if label not in needed}
    return prod(size for label, size in sizes.items() if label not in alone) if summed else 0


def attention(node: Seen) -> int:
    """ONNX Attention: Q K' and P V over all keys, with those of the past."""
    query, key, value = node.shape(0), node.shape(1), node.shape(2)
    if len(query) == 4:
        batch, heads, length, size = query
        kv_heads, kv_size, v_size = key[1], key[3], value[3]
        new = key[2]
    else:
        batch, length, hidden = query
        heads = int(node.attributes["q_num_heads"])
        kv_heads = int(node.attributes["kv_num_heads"])
        size, new = hidden // heads, key[1]
        kv_size, v_size = key[2] // kv_heads, value[2] // kv_heads
    assert size == kv_size
    past = node.shape(4)[2] if node.has(4) else 0
    return batch * heads * length * (past + new) * (size + v_size)


def _multi_head(node: Seen) -> int:
    """com.microsoft MultiHeadAttention with query, key and value of rank 3, or key of rank 4."""
    batch, length, hidden = node.shape(0)[:3]
    if len(node.shape(0)) != 3 or not node.has(1):
        raise NotImplementedError("packed query, key and value")
    heads = int(node.attributes["num_heads"])
    key, value = node.shape(1), node.shape(2)
    keys = key[2] if len(key) == 4 else key[1]
    v_hidden = value[1] * value[3] if len(value) == 4 else value[2]
    past = node.shape(6)[2] if node.has(6) else 0
    assert heads
    return batch * length * (past + keys) * (hidden + v_hidden)


def _self_attention(node: Seen) -> int:
    """com.microsoft Attention: one projection to queries, keys and values, then attention."""
    batch, length, _ = node.shape(0)
    rows, columns = node.shape(1)
    sizes = node.attributes.get("qkv_hidden_sizes") or [columns // 3] * 3
    past = node.shape(4)[3] if node.has(4) else 0
    project = batch * length * rows * columns
    return project + batch * length * (past + length) * (int(sizes[0]) + int(sizes[2]))


def _grouped(node: Seen) -> int:
    """com.microsoft GroupQueryAttention: keys are those of the present."""
    heads, kv_heads = int(node.attributes["num_heads"]), int(node.attributes["kv_num_heads"])
    batch, length, hidden = node.shape(0)
    size = hidden // heads if node.has(1) else hidden // (heads + 2 * kv_heads)
    total = node.result(1)[2]
    return 2 * batch * heads * length * total * size


def linear_attention(node: Seen) -> int:
    """A token: q' S for each query head, k v' for each state, S' k too where the rule is delta."""
    batch, length, hidden = node.shape(0)
    heads, states = int(node.attributes["q_num_heads"]), int(node.attributes["kv_num_heads"])
    state = (hidden // heads) * (node.shape(2)[2] // states)
    rule = node.attributes.get("update_rule", b"gated_delta")
    updates = 2 if b"delta" in rule else 1
    return batch * length * state * (heads + updates * states)


FORMULAS: dict[str, Formula] = {
    "Conv": convolution(1),
    "ConvInteger": convolution(1),
    "FusedConv": convolution(1),
    "NhwcConv": channels_last(1),
    "DeformConv": convolution(1),
    "CausalConvWithState": convolution(1),
    "LinearAttention": linear_attention,
    "QLinearConv": convolution(3),
    "ConvTranspose": transposed,
    "ConvTransposeWithDynamicPads": transposed,
    "MatMul": product(0),
    "MatMulInteger": product(0),
    "MatMulIntegerToFloat": product(0),
    "DynamicQuantizeMatMul": product(0),
    "QLinearMatMul": product(0),
    "FusedMatMul": product(0),
    "TransposeMatMul": product(0),
    "Gemm": product(0),
    "FusedGemm": product(0),
    "QGemm": product(0),
    "MatMulNBits": by_attribute("K"),
    "MatMulBnb4": by_attribute("K"),
    "LSTM": recurrent(),
    "GRU": recurrent(),
    "RNN": recurrent(),
    "DynamicQuantizeLSTM": recurrent(),
    "Einsum": einsum,
    "Attention": attention,
    "com.microsoft::Attention": _self_attention,
    "com.microsoft::QAttention": _self_attention,
    "com.microsoft::MultiHeadAttention": _multi_head,
    "com.microsoft::GroupQueryAttention": _grouped,
}

NOTHING = frozenset({"LinearRegressor", "LinearClassifier", "SVMRegressor", "SVMClassifier"})
"""Of ai.onnx.ml: weights are attributes; not covered here."""


class Counter:
    """Sums MACs by operator, and names what it has no formula for."""

    def __init__(self) -> None:
        self.by_op: collections.Counter[str] = collections.Counter()
        self.left: collections.Counter[str] = collections.Counter()

    @property
    def total(self) -> int:
        return sum(self.by_op.values())

    def add(self, domain: str, node: Seen) -> None:
        formula = FORMULAS.get(f"{domain}::{node.op_type}") or FORMULAS.get(node.op_type)
        if formula is None:
            if node.op_type in NOTHING:
                self.left[node.op_type] += 1
            return
        try:
            self.by_op[node.op_type] += formula(node)
        except (AssertionError, NotImplementedError, IndexError, KeyError) as error:
            self.left[f"{node.op_type}: {error}"] += 1
