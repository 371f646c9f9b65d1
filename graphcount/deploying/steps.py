"""What a decoder costs for each token: the context read at once, then one token after it.

A step reads its weights once, and the states of all tokens before it: that is what its time is
bounded by where memory is slower than arithmetic (Pope et al., "Efficiently Scaling Transformer
Inference", arXiv:2211.05102, section 2). Of tables that are looked up it reads a row a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from graphcount.errors import UsageError
from graphcount.report.deployment import StateRow, StepRow
from graphcount.report.records import Report
from graphcount.report.rows import ValueRow

LOOKED_UP = "embedding"
"""The role of a table whose rows are looked up; one that is used otherwise, too, is read whole."""

MASK = "mask"
"""Part of the name of an input that is as long as all tokens together."""


class TokenAxes(NamedTuple):
    """Dynamic dimensions of a decoder.

    Attributes:
        new: That of the tokens of a step; empty: it has a fixed size, or cannot be told.
        past: Those of the tokens before.
        total: Those of all tokens together.
    """

    new: str
    past: frozenset[str]
    total: frozenset[str]


def states(component: str, report: Report, context: int) -> tuple[StateRow, ...]:
    """Return what a component hands from step to step; the one place that asks its report."""
    cache = report.in_numbers.kv_cache
    if cache is None:
        return ()
    names = tuple(row.name for row in cache.inputs)
    each = cache.nbytes_per_token
    nbytes = None if each is None else each * context
    return (StateRow(component, "keys and values", names, each, nbytes),)


def axes(report: Report, state_inputs: frozenset[str]) -> TokenAxes:
    """Return which dynamic dimensions of a decoder grow with tokens."""
    cache = report.kv_cache
    places = {row.name: row.axis for row in cache.inputs} if cache is not None else {}
    past = {
        value.shape[places[value.name]]
        for value in report.model.inputs
        if value.name in places and value.shape is not None
    }
    others = [value for value in report.model.inputs if value.name not in state_inputs]
    masks = {_second(value) for value in others if MASK in value.name.lower()}
    new = _new(report, [value for value in others if MASK not in value.name.lower()])
    known = {dimension.name for dimension in report.dimensions}
    whole = masks - past - {new, ""}
    return TokenAxes(
        new,
        frozenset(dim for dim in past if isinstance(dim, str) and dim in known),
        frozenset(dim for dim in whole if dim in known),
    )


def _new(report: Report, inputs: list[ValueRow]) -> str:
    """Return the dimension of a step's tokens: that of an input and of the first output."""
    made = {_second(value) for value in report.model.outputs[:1]}
    candidates = [dim for value in inputs if (dim := _second(value))]
    both = [dim for dim in candidates if dim in made]
    return (both or candidates or [""])[0]


def _second(value: ValueRow) -> str:
    """Return the dynamic dimension on axis 1 of a value of ids or of features."""
    if value.shape is None or len(value.shape) not in (2, 3):
        return ""
    dim = value.shape[1]
    return dim if isinstance(dim, str) else ""


def steps(
    component: str,
    report: Report,
    rows: tuple[StateRow, ...],
    context: int,
    first: Report | None,
) -> Iterator[StepRow]:
    """Yield both steps of a component with states.

    Args:
        component: Its name.
        report: Its report.
        rows: Its states.
        context: Tokens that are read at first, and that stand before the one that is made.
        first: Report of the component that makes the first step, where that is another.
    """
    inputs = frozenset(name for row in rows for name in row.inputs)
    grown = axes(report, inputs)
    state = summed(row.nbytes for row in rows)
    dims = {**dict.fromkeys(grown.past, context), **dict.fromkeys(grown.total, context + 1)}
    if grown.new:
        dims[grown.new] = 1
    opening = axes(first, frozenset()) if first is not None else grown
    at_first = {**dict.fromkeys(opening.past, 0), **dict.fromkeys(opening.total, context)}
    if opening.new:
        at_first[opening.new] = context
        yield _step("prefill", component, first or report, at_first, context, 0)
    yield _step("generate", component, report, dims, 1, state)


def _step(
    name: Literal["prefill", "generate"],
    component: str,
    report: Report,
    dims: Mapping[str, int],
    tokens: int,
    state: int | None,
) -> StepRow:
    sizes = {**report.in_numbers.dims, **dims}
    macs, why = _macs(report, sizes)
    weights = weights_read(report, tokens)
    read = None if state is None else weights + state
    return StepRow(
        name,
        component,
        sizes,
        tokens,
        macs,
        None if macs is None else -(-macs // tokens),
        weights,
        state,
        None if read is None else -(-read // tokens),
        why,
    )


def weights_read(report: Report, tokens: int) -> int:
    """Return bytes of weights that a step reads: each once, of lookup tables a row a token."""
    nbytes = 0
    for tensor in report.tensors:
        rows = tensor.shape[0] if tensor.shape else 1
        if tensor.role == LOOKED_UP and len(tensor.uses) == 1 and rows > tokens:
            nbytes += tensor.nbytes // rows * tokens
        else:
            nbytes += tensor.nbytes
    return nbytes


def _macs(report: Report, sizes: Mapping[str, int]) -> tuple[int | None, str]:
    """Return MACs at sizes, and why there are none."""
    try:
        return report.macs(**sizes), "" if "macs" not in report.totals.at_least else "at least"
    except UsageError as error:
        return None, error.message


def summed(numbers: Iterable[int | None]) -> int | None:
    """Return a sum; None where a part of it is not known."""
    known = list(numbers)
    return None if None in known else sum(number or 0 for number in known)
