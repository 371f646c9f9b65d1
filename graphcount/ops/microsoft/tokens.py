"""Tokens and their texts: hashed, packed, generated; and what runs outside of a file.

Hashes count one an element made; what copies, compares or selects tokens counts nothing.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable

from graphcount.ops import largest
from graphcount.ops.call import Call, Shapes
from graphcount.ops.formulas import FREE, READ, CostRule, outputs
from graphcount.ops.inference import (
    FLOAT,
    INT32,
    INT64,
    add,
    always,
    dim,
    same,
    times,
    unknown,
)
from graphcount.ops.microsoft.conv import sequences
from graphcount.ops.operator import KEEPS_VALUES, KeptState, Operator, each, family, merge, traits
from graphcount.symbolic import Dim


def _heads(call: Call) -> tuple[int | None, Dim | None]:
    """Return the earlier tokens that an n-gram reaches, and the hashes of each token."""
    longest = call.node.integer("max_ngram_size", 0)
    reach = longest - 1 if longest > 1 else None
    return reach, times(reach, call.node.integer("n_head_per_ngram", 0) or None)


def ngram_hashes(call: Call) -> Shapes:
    """NGramHashMapping: hashes of each token (B, S, heads), and the ids before the next one."""
    data, (reach, heads) = call.input(0), _heads(call)
    if data is None:
        return [None, None]
    return [(*data, heads), (data[0], reach)]


def packed_ngram_hashes(call: Call) -> Shapes:
    """VarlenNGramHashMapping: (tokens, heads); ids and segments before the next; states."""
    data, (reach, heads) = call.input(0), _heads(call)
    batch = sequences(call, 3, 4)
    kept = (batch, reach)
    capacity = call.node.integer("state_update_capacity", 0)
    hashes = (*data, heads) if data is not None else None
    return [hashes, kept, kept, (batch, capacity, reach)]


def prefix_commit(call: Call) -> Shapes:
    """SpeculativePrefixCommit: the length of each cache; state and context as they came."""
    tokens = call.input(0)
    batch = None if tokens is None else tokens[0] if len(tokens) == 2 else 1
    return [(batch,), call.input(3), call.input(4)]


def remove_padding(call: Call) -> Shapes:
    """RemovePadding: tokens of all sequences in one list, where they were, ends, the longest."""
    data = call.input(0)
    if data is None:
        return [None, None, None, (1,)]
    batch, length, hidden = data
    return [(None, hidden), (batch, length), (add(batch, 1),), (1,)]


def restore_padding(call: Call) -> Shapes:
    """RestorePadding: (B, S, hidden) as the offsets (B, S) say."""
    data, offsets = call.input(0), call.input(1)
    if data is None or offsets is None:
        return [None]
    return [(*offsets, data[-1])]


def tokenized(call: Call) -> Shapes:
    """Tokenizer: tokens of each text, as many as the longest has."""
    data = call.input(0)
    return [(*data, None) if data is not None else None]


def warping(call: Call) -> Shapes:
    """DynamicTimeWarping: the points of the path of least cost."""
    return [(2, None)]


def generated(per_prompt: int | None) -> Callable[[Call], Shapes]:
    """Return the rule of generated sequences, of which a prompt may have several (an input)."""

    def rule(call: Call) -> Shapes:
        prompt = call.input(0)
        batch = prompt[0] if prompt else None
        longest = dim((call.value(1) or (None,))[0])
        if per_prompt is None:
            return [(batch, longest)]
        several = dim((call.value(per_prompt) or (None,))[0])
        return [(batch, several, longest), (batch, several)]

    return rule


def scored(call: Call) -> list[int]:
    """BeamSearch, WhisperBeamSearch: tokens; scores twice, attention, and one score a prompt."""
    score = call.dtype(5)
    return [INT32, score, score, FLOAT, score]


GENERATES = "how often it runs its decoder depends on the tokens that this makes"
OUTSIDE = "what it runs is compiled for a device or stands outside of the graph"

TABLE = merge(
    [
        family(
            "embedding",
            {
                "NGramHashMapping": Operator(
                    roles=("index", *2 * ("literal",), "state", "literal", "scalar", "index"),
                    shape=ngram_hashes,
                    states={3: KeptState(1, "other")},
                    cost=CostRule("one hash for each element of the result", elementwise=outputs),
                ),
                "VarlenNGramHashMapping": Operator(
                    roles=(
                        *("index", "literal", "literal", "shape", "state", "literal", "scalar"),
                        *("index", "state", "shape"),
                    ),
                    shape=packed_ngram_hashes,
                    states={4: KeptState(1, "other"), 8: KeptState(2, "other")},
                    dtypes=always(0, 0, INT32, 0),
                    cost=CostRule("one hash for each element of the result", elementwise=outputs),
                ),
            },
        ),
        family(
            "other",
            {
                "NGramRepeatBlock": Operator(
                    roles=("operand", "operand"), shape=same(1), dtypes=always(FLOAT), cost=FREE
                ),
                "BifurcationDetector": Operator(
                    rest="operand",
                    shape=lambda call: [(None,), call.input(2)],
                    cost=FREE,
                    traits=traits("sized by data"),
                ),
                "SpeculativePrefixCommit": Operator(
                    rest="operand",
                    shape=prefix_commit,
                    dtypes=always(INT32, INT64, INT64),
                    cost=FREE,
                ),
                "RemovePadding": Operator(
                    roles=("operand", "shape"),
                    shape=remove_padding,
                    most=largest.unpadded,
                    dtypes=always(0, INT32, INT32, INT32),
                    cost=FREE,
                    traits=KEEPS_VALUES | traits("sized by data"),
                ),
                "RestorePadding": Operator(
                    roles=("operand", "index"), shape=restore_padding, cost=FREE
                ),
                "DynamicTimeWarping": Operator(
                    roles=("operand",),
                    shape=warping,
                    most=largest.path,
                    dtypes=always(INT32),
                    cost=READ,
                    traits=traits("sized by data"),
                ),
                "Tokenizer": Operator(
                    rest="literal",
                    shape=tokenized,
                    cost=FREE,
                    traits=traits("sized by data"),
                ),
                **each(
                    "BeamSearch WhisperBeamSearch",
                    Operator(
                        shape=generated(4),
                        dtypes=lambda call: [
                            INT32,
                            call.dtype(5),
                            call.dtype(5),
                            FLOAT,
                            call.dtype(5),
                        ],
                        traits=traits("runs bodies"),
                        unknowable=GENERATES,
                    ),
                ),
                **each(
                    "GreedySearch Sampling",
                    Operator(
                        shape=generated(None),
                        dtypes=always(INT32, FLOAT),
                        traits=traits("runs bodies"),
                        unknowable=GENERATES,
                    ),
                ),
                **each(
                    "EPContext Snpe Send Recv Wait", Operator(shape=unknown, unknowable=OUTSIDE)
                ),
            },
        ),
    ]
)
