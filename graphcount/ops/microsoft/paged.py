"""Attention over keys that pages hold, or that an indexer selected.

How many keys a sequence has is data there: all that its row of the page table can hold count, or
what `attention_metadata` states (upper values); of selected keys, as many as the selection has room
for. Masks do not reduce, as elsewhere.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable

from graphcount.ops.attention import attention_cost
from graphcount.ops.call import Call, Shapes
from graphcount.ops.formulas import Formula, attribute, checked, ranked
from graphcount.ops.inference import BFLOAT16, INT32, add, of_input, over, times
from graphcount.ops.microsoft.projections import (
    Project,
    Projected,
    costed,
    grouped,
    grouped_attention,
)
from graphcount.ops.operator import Operator, Role, family, pages, past
from graphcount.symbolic import Dim


def _in_pages(call: Call, metadata: int) -> Dim | None:
    """Return the keys of a sequence: those stated, else pages of a row x keys of a page."""
    stated = call.value(metadata)
    if stated is not None and len(stated) > 1 and stated[1] != 0:
        return stated[1]
    table, cache = ranked(call, 7, 2), ranked(call, 3, 4)
    return times(table[1], cache[1]) if table is not None and cache is not None else None


def _packed_tokens(call: Call, keys: Dim | None) -> Projected:
    """Return Q (tokens, width), or Q, K and V packed so; one list holds all sequences."""
    node, query = call.node, ranked(call, 0, 2)
    heads, kv_heads = node.integer("num_heads", 0) or None, node.integer("kv_num_heads", 0)
    tokens, width = query if query is not None else (None, None)
    is_latent = node.text("kv_cache_layout", "SEPARATE") == "LATENT"
    if not call.has(1) and not is_latent:
        width = times(over(width, add(heads, 2 * kv_heads)), heads)
    narrower = node.integer("v_head_size", 0)
    v_width = times(heads, narrower) if narrower else width
    return Projected(1, heads, tokens, tokens, keys, width, v_width)


def paged(call: Call) -> Projected:
    """PagedAttention: every token meets all keys of its pages."""
    return _packed_tokens(call, _in_pages(call, 16))


def _selected(call: Call, index: int, window: Dim | None) -> Dim | None:
    """Return the keys of a query: the entries of its row, and a window of the main cache."""
    chosen = ranked(call, index, 2)
    entries = chosen[1] if chosen is not None else None
    if call.node.text("attention_mode", "selected_only") == "selected_only":
        return entries
    size = call.node.integer("local_window_size", -1)
    return add(entries, size if size > 0 else window)


def sparse_paged(call: Call) -> Projected:
    """SparsePagedAttention: every token meets what was selected for it."""
    return _packed_tokens(call, _selected(call, 9, _in_pages(call, 21)))


def dynamic_sparse(call: Call) -> Projected:
    """DynamicSparseAttention: the same, with keys in one contiguous cache."""
    whole = grouped(10)(call)
    return whole._replace(keys=_selected(call, 7, whole.keys))


def paged_attention(project: Project) -> Callable[[Call], Shapes]:
    """Return the rule of the result (tokens, width) and of both caches, written in place."""

    def rule(call: Call) -> Shapes:
        projected = project(call)
        return [(projected.queries, projected.v_width), call.input(3), call.input(4)]

    return rule


def prepared(project: Project, norm: int) -> Formula:
    """Count elements of queries and new keys that the operator normalises and rotates itself."""

    def counted(call: Call) -> Dim:
        steps = int(call.has(norm)) + attribute(call, "do_rotary", 0)
        if not steps:
            return 0
        projected = project(call)
        heads = attribute(call, "num_heads") + attribute(call, "kv_num_heads")
        tokens = checked(projected.batch) * checked(projected.queries)
        return steps * tokens * checked(projected.size) * heads

    return counted


def _dynamic_dtypes(call: Call) -> list[int]:
    """Return the type of what is not quantized, of both caches, and of the status."""
    plain = next((call.dtype(index) for index in (5, 11, 14, 16) if call.has(index)), 0)
    query, *caches = of_input(0, 3, 4)(call)
    result = BFLOAT16 if call.node.integer("output_bf16", 0) else plain or query
    return [result, *caches, INT32]


_QKV: tuple[Role, ...] = ("operand", "operand", "operand")
_PAGES: tuple[Role, ...] = ("state", "state", "shape", "shape", "index")
_ROTARY: tuple[Role, ...] = ("rotary table", "rotary table")
_LEARNED: tuple[Role, ...] = ("weight", "scale", "scale")
_SCALES: tuple[Role, ...] = ("quantization scale", "quantization scale")

TABLE = family(
    "attention",
    {
        "PagedAttention": Operator(
            roles=(*_QKV, *_PAGES, *_ROTARY, "index", *_LEARNED, *_SCALES, "shape"),
            shape=paged_attention(paged),
            dtypes=of_input(0, 3, 4),
            cost=attention_cost(costed(paged), extra=prepared(paged, 12)),
            states=pages((3, 1), (4, 2)),
        ),
        "SparsePagedAttention": Operator(
            roles=(
                *(*_QKV, *_PAGES, "index", "index", "shape", "state", "state", "shape"),
                *(*_ROTARY, *_LEARNED, *_SCALES, "shape"),
            ),
            shape=paged_attention(sparse_paged),
            dtypes=of_input(0, 3, 4),
            cost=attention_cost(costed(sparse_paged), extra=prepared(sparse_paged, 17)),
            states=pages((3, 1), (4, 2)),
        ),
        "DynamicSparseAttention": Operator(
            roles=(
                *(*_QKV, "state", "state", "state", "state", "index", "shape", "shape", "shape"),
                *(*_ROTARY, "index", "scale", "scale", "weight", "shape", *_SCALES),
            ),
            shape=grouped_attention(10),
            dtypes=_dynamic_dtypes,
            cost=attention_cost(costed(dynamic_sparse), extra=prepared(dynamic_sparse, 14)),
            states=past((3, 1), (4, 2)),
        ),
    },
)
