"""Nodes with their types → the first one that has no kernel.

onnxruntime looks a kernel up by the version of the operator and by types
(onnxruntime/core/framework/kernel_registry.cc). A node without one is replaced by the function that
defines its operator, or runs in float32 between casts where it takes float16
(onnxruntime/core/optimizer/insert_cast_transformer.cc).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphcount.domains import canonical, operator_name
from graphcount.runtimes.functions import body_of, call
from graphcount.runtimes.inference import whole
from graphcount.runtimes.nodes import formal_at
from graphcount.runtimes.records import Refused, Stop, Undecided
from graphcount.runtimes.resolve import Resolver
from graphcount.runtimes.scope import NameScope, Placed
from graphcount.runtimes.value_types import type_of

if TYPE_CHECKING:
    from graphcount.runtimes.tables import Kernel

REMOVED = {("", "Dropout")}
"""Policy: what onnxruntime takes out of a graph before it looks for kernels."""

MAX_DEPTH = 8
"""Functions in functions that define operators."""

HALF, SINGLE = "tensor(float16)", "tensor(float)"


def check_kernels(resolver: Resolver, depth: int = 0) -> None:
    """Look up a kernel for each node that a resolver placed.

    Raises:
        Refused: A node has none.
        Undecided: Its types are not known well enough.
    """
    from graphcount.runtimes.refusals import check_refusals

    for row in resolver.placed:
        try:
            _check(row, resolver, depth)
            check_refusals(row)
        except Stop as stop:
            stop.node = stop.node or row.name
            raise


def _check(row: Placed, resolver: Resolver, depth: int) -> None:
    table = resolver.table
    domain = canonical(row.node.domain)
    since = row.definition.since
    rows = table.kernels.get((domain, row.node.op_type), ())
    kernels = [kernel for kernel in rows if kernel.covers(since)]
    fits = [_fits(kernel, row, row.inputs, row.outputs) for kernel in kernels]
    if "yes" in fits:
        return
    if "perhaps" in fits:
        raise Undecided("type", f"{row.node.op_type}: the type of a value is not known")
    if (domain, row.node.op_type) in REMOVED and not any(row.node.output[1:]):
        return
    function = body_of(row, domain, table) if depth < MAX_DEPTH else None
    if function is not None:
        inner = Resolver(table, known=resolver.known)
        scope = NameScope("", row.scope.opsets)
        for name, text in zip(row.node.input, row.inputs, strict=True):
            scope.types[name] = row.scope.type(name) or type_of(text)
        call(inner, function, row.name, whole(row.node, domain, row.definition), scope)
        check_kernels(inner, depth + 1)
        return
    if HALF in row.inputs and not any(a.type in (5, 10) for a in row.node.attribute):
        inputs, outputs = (
            [SINGLE if text == HALF else text for text in texts]
            for texts in (row.inputs, row.outputs)
        )
        if any(_fits(kernel, row, inputs, outputs) == "yes" for kernel in kernels):
            return
    raise Refused("kernel", _sentence(row, domain, kernels))


def _fits(kernel: Kernel, row: Placed, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """Return whether a kernel is for these types: `yes`, `no`, or `perhaps`."""
    answer = "yes"
    for names, texts, formals in (
        (row.node.input, inputs, row.definition.inputs),
        (row.node.output, outputs, row.definition.outputs),
    ):
        for index, (name, text) in enumerate(zip(names, texts, strict=True)):
            if not name:
                continue
            formal = formal_at(formals, index)
            allowed = kernel.types.get(formal.type)
            if allowed is None or text in allowed or (not text and formal.types <= allowed):
                continue
            if text:
                return "no"
            answer = "perhaps"
    return answer


def _sentence(row: Placed, domain: str, kernels: Sequence[Kernel]) -> str:
    label = operator_name(domain, row.node.op_type)
    since = row.definition.since
    if not kernels:
        return f"no kernel for {label} of opset {since}"
    types = ", ".join(dict.fromkeys(filter(None, (*row.inputs, *row.outputs))))
    return f"no kernel for {label} of opset {since} with {types}"
