"""Indexers: which keys a sparse attention is to read.

Each query meets every compressed key: queries x heads x entries x head size are products. With
`qsa` an entry is the mean of a block of tokens, with `csa` a weighted sum over a window of two
blocks. Entries of a state of fixed capacity count all (upper value). Element-wise: a norm and a
rotation of each query and of each key that is compressed, the tokens that are compressed, one a
score for its ReLU and sum over heads. Choosing the largest is left out.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shapes
from graphcount.ops.formulas import (
    FREE,
    CostRule,
    attribute,
    checked,
    dimension,
    input_shape,
    ranked,
)
from graphcount.ops.inference import INT32, add, always, over, times
from graphcount.ops.operator import KeptState, Operator, Role, family, past
from graphcount.symbolic import Dim, floordiv


def _is_compressed(call: Call) -> bool:
    return call.node.text("policy_mode") == "csa"


def selection(call: Call) -> int | None:
    """Return how many entries a query may select, which attributes say."""
    node = call.node
    if _is_compressed(call):
        return node.integer("index_topk", 0) or None
    return node.integer("token_budget", 0) + node.integer("compress_ratio", 1) - 1


def emitted(call: Call) -> tuple[Dim | None, Dim | None]:
    """Return the entries that new tokens complete, and the tokens that wait in the buffer then.

    A buffer of `compress_ratio` tokens or more begins with a complete window.
    """
    query, buffer = ranked(call, 0, 3), call.input(13)
    ratio = attribute(call, "compress_ratio")
    length = buffer[2] if buffer is not None and len(buffer) == 4 else None
    new = query[1] if query is not None else None
    if not isinstance(length, int):
        return None, None
    whole = length >= ratio
    waiting = add(length - ratio if whole else length, new)
    entries = over(waiting, ratio)
    if not isinstance(entries, int):
        return entries, None
    rest = add(waiting, -ratio * entries)
    return entries, add(rest, ratio) if whole or entries else rest


def indexed(call: Call) -> Shapes:
    """SparseAttentionIndexer: (B, S, entries); keys so far (B, L, size); what waits to be one."""
    query, past = ranked(call, 0, 3), ranked(call, 7, 3)
    if query is None or past is None:
        return [None, None, None]
    batch, length, _ = query
    entries, waiting = emitted(call) if _is_compressed(call) else (length, None)
    kept = past[1] if call.has(12) else add(past[1], entries)
    size = past[2]
    buffered = (2, batch, waiting, times(size, 2))
    return [(batch, length, selection(call)), (batch, kept, size), buffered]


def packed_indexed(call: Call) -> Shapes:
    """PackedSparseAttentionIndexer: (tokens, entries), their counts, and states as they came."""
    query, state, ends, node = ranked(call, 0, 2), call.input(12), call.input(6), call.node
    tokens = query[0] if query is not None else None
    batch = state[0] if state else add(ends[0], -1) if ends else None
    size = state[2] if state is not None and len(state) == 3 else None
    width = node.integer("max_output_entries", 0) or selection(call)
    update = (batch, node.integer("state_update_capacity", 0), size)
    states = [call.input(index) for index in (12, 13, 14, 15)]
    return [(tokens, width), (tokens,), *states, update, (tokens,), (batch,)]


def merged(call: Call) -> Shapes:
    """PackedSparseAttentionIndexerMerge: (N, entries), how many they are, and whether they are."""
    rows, width = call.input(2), call.node.integer("max_output_entries", 0) or None
    count = rows[0] if rows else None
    return [(count, width), (count,), (count,)]


# ------------------------------------------------------------------------------------- costs


def _size(call: Call) -> Dim:
    """Return the head size: that of the norm of queries."""
    return dimension(call, 2, 0)


def _queries(call: Call) -> Dim:
    """Return queries x heads; without a key the queries carry it behind their heads."""
    *tokens, width = input_shape(call, 0, 2, 3)
    count = floordiv(width, _size(call)) - (0 if call.has(1) else 1)
    for one in tokens:
        count = count * one
    return count


def _tokens(call: Call) -> Dim:
    *tokens, _ = input_shape(call, 0, 2, 3)
    return tokens[0] if len(tokens) == 1 else tokens[0] * tokens[1]


def _entries(call: Call) -> Dim:
    """Return the entries that each query meets."""
    if call.node.attribute("state_capacity") is not None:
        return attribute(call, "state_capacity")
    kept, (_, length, _) = dimension(call, 7, 1), input_shape(call, 0, 3)
    if _is_compressed(call):
        return kept if call.has(12) else kept + checked(emitted(call)[0])
    return floordiv(kept if call.has(12) else kept + length, attribute(call, "compress_ratio"))


def _macs(call: Call) -> Dim:
    return _queries(call) * _size(call) * _entries(call)


def _work(call: Call) -> Dim:
    normed = 2 * _queries(call) * _size(call)
    window = 2 if _is_compressed(call) else 1
    pooled = window * _tokens(call) * _size(call)
    made = 2 * floordiv(_tokens(call), attribute(call, "compress_ratio")) * _size(call)
    return normed + pooled + made + _queries(call) * _entries(call)


SCORES = CostRule("queries x heads x entries x head size", _macs, _work)

_NORMS: tuple[Role, ...] = ("scale", "scale", "rotary table", "rotary table")
_GATE: tuple[Role, ...] = ("operand", "bias", "operand", "index")

TABLE = family(
    "attention",
    {
        "SparseAttentionIndexer": Operator(
            roles=("operand", "operand", *_NORMS, "mask", "state", *_GATE, "shape", "state"),
            shape=indexed,
            dtypes=always(INT32, 0, 0),
            cost=SCORES,
            states={**past((7, 1), axis=1), 13: KeptState(2, "other", 2, 1)},
        ),
        "PackedSparseAttentionIndexer": Operator(
            roles=(
                *("operand", "operand", *_NORMS, "shape", "shape", *_GATE),
                *("state", "state", "state", "shape", "shape", "scalar", "scalar"),
                *("index", "shape", "shape"),
            ),
            shape=packed_indexed,
            dtypes=lambda call: [
                *(INT32, INT32, call.dtype(12), call.dtype(0), call.dtype(0)),
                *(INT32, call.dtype(0), INT32, INT32),
            ],
            cost=SCORES,
            states={
                12: KeptState(2, "keys-values"),
                **{at: KeptState(at - 10, "other") for at in (13, 14, 15)},
            },
        ),
        "PackedSparseAttentionIndexerMerge": Operator(
            roles=("index", "shape", "index", "index", "index", "index", "shape"),
            shape=merged,
            dtypes=always(INT32, INT32, INT32),
            cost=FREE,
        ),
    },
)
