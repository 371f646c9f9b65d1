"""Attention: Q·Kᵀ and P·V, and the projections where the operator holds their weights.

MACs = batch · heads · queries · keys · (head size + value head size). Keys are the past ones and
the new ones. Masks do not reduce: causal, local and sparse patterns cost what the dense product
costs, as in torch.utils.flop_counter (sdpa_flop) divided by two. Element-wise: one a score for the
softmax, one more for a mask or bias that is added, one more for a soft cap; the scale is part of
the product; rotated queries and keys count one an element.
Sources: Vaswani et al. 2017; ONNX Operators.md (Attention-23, LinearAttention-27).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.ops.call import Call, size
from graphcount.ops.cost.spec import (
    Formula,
    Rule,
    Text,
    UnknownDimError,
    attribute,
    factors,
    nothing,
    number,
    shape,
    total,
)
from graphcount.ops.tables import table
from graphcount.symbolic import Dim, floordiv

Shape = tuple[Dim, ...]


class Sizes(NamedTuple):
    """Sizes of an attention: `width` is heads x head size of Q, `v_width` heads x that of V."""

    batch: Dim
    heads: Dim
    queries: Dim
    keys: Dim
    width: Dim
    v_width: Dim

    @property
    def scores(self) -> Dim:
        """Scores: one for each query, key and head."""
        return self.batch * self.heads * self.queries * self.keys

    @property
    def macs(self) -> Dim:
        """Q·Kᵀ and P·V."""
        return self.batch * self.queries * self.keys * (self.width + self.v_width)


Find = Callable[[Call], Sizes]


def attention(
    find: Find,
    *,
    mask: tuple[int, ...] = (),
    projection: Formula = nothing,
    bias: Formula = nothing,
    extra: Formula = nothing,
) -> Rule:
    """The rule of an attention operator; `mask` are the inputs that are added to the scores."""

    def work(call: Call) -> Dim:
        passes = 1 + any(call.has(index) for index in mask) + (call.node.number("softcap", 0) > 0)
        return find(call).scores * passes

    return Rule(
        "batch x heads x queries x keys x (head size + value head size)"
        + ("" if projection is nothing else ", and the projection of its inputs"),
        total(lambda call: find(call).macs, projection),
        total(work, extra),
        bias,
        _text(find, projection),
    )


def _text(find: Find, projection: Formula) -> Text:
    def text(call: Call) -> str:
        batch, heads, queries, keys, width, v_width = found = find(call)
        pairs = factors(batch, queries, keys)
        projected = projection(call)
        said = "" if projection is nothing else f"projection {number(projected)} + "
        return (
            f"{said}Q·Kᵀ {pairs}·{factors(width)} + P·V {pairs}·{factors(v_width)}"
            f" (batch·queries·keys·width of {number(heads)} heads)"
            f" = {number(found.macs + projected)} MACs; masks do not reduce it"
        )

    return text


# ------------------------------------------------------------------------- ai.onnx Attention


def _split(found: Shape, heads: int) -> tuple[Dim, Dim, Dim, Dim]:
    """(batch, heads, length, head size) of [B, heads, S, size] or [B, S, heads·size]."""
    if len(found) == 4:
        batch, count, length, one = found
        return batch, count, length, one
    if len(found) != 3 or heads < 1:
        raise UnknownDimError
    batch, length, width = found
    return batch, heads, length, floordiv(width, heads)


def _onnx(call: Call) -> Sizes:
    q_heads, kv_heads = attribute(call, "q_num_heads", 0), attribute(call, "kv_num_heads", 0)
    batch, heads, queries, one = _split(shape(call, 0, 3, 4), q_heads)
    keys = _split(shape(call, 1, 3, 4), kv_heads)[2]
    v_one = _split(shape(call, 2, 3, 4), kv_heads)[3]
    if call.has(4):
        keys = keys + shape(call, 4, 4)[2]
    return Sizes(batch, heads, queries, keys, heads * one, heads * v_one)


# --------------------------------------------------------------------------- LinearAttention


class Linear(NamedTuple):
    """Sizes of a linear attention; `state` is key size x value size of one head."""

    tokens: Dim
    heads: int
    kv_heads: int
    state: Dim
    v_one: Dim
    rule: str


def _linear(call: Call) -> Linear:
    heads, kv_heads = attribute(call, "q_num_heads"), attribute(call, "kv_num_heads")
    batch, length, width = shape(call, 0, 3)
    v_one = floordiv(shape(call, 2, 3)[2], kv_heads)
    state = floordiv(width, heads) * v_one
    rule = call.node.text("update_rule", "gated_delta")
    return Linear(batch * length, heads, kv_heads, state, v_one, rule)


def _linear_macs(call: Call) -> Dim:
    found = _linear(call)
    updates = found.kv_heads * (2 if "delta" in found.rule else 1)
    return found.tokens * found.state * (found.heads + updates)


def _linear_work(call: Call) -> Dim:
    found = _linear(call)
    decay = found.state if "gated" in found.rule else 0
    correction = 2 * found.v_one if "delta" in found.rule else 0
    return found.tokens * found.kv_heads * (decay + correction)


def _linear_text(call: Call) -> str:
    found = _linear(call)
    reads = ", and a read for the delta rule" if "delta" in found.rule else ""
    return (
        f"{number(found.tokens)} tokens x state of {number(found.state)} numbers a head: one update"
        f" for each of {found.kv_heads} key heads{reads}, one read for each of {found.heads} query"
        f" heads: {number(_linear_macs(call))} MACs"
    )


def _rotated(call: Call) -> Dim:
    """Elements turned by RotaryEmbedding: all of X, or its rotary_embedding_dim part of a head."""
    found = shape(call, 0, 3, 4)
    part = attribute(call, "rotary_embedding_dim", 0)
    heads = attribute(call, "num_heads", 0)
    if not part or (len(found) == 3 and not heads):
        return size(found)
    return size(found[:3]) * part if len(found) == 4 else size(found[:2]) * heads * part


ROTARY = Rule("a rotation turns each element by its position", elementwise=_rotated)

TABLE = table(
    "",
    {
        "Attention": attention(_onnx, mask=(3,)),
        "LinearAttention": Rule(
            "tokens x heads x state (key size x value size), once for the update and once to read",
            _linear_macs,
            _linear_work,
            text=_linear_text,
        ),
        "RotaryEmbedding": ROTARY,
    },
)
"""A mask costs one addition a score even where it is boolean."""
