"""What a decoder costs for each token: the context read at once, then one token after it.

A step reads its weights once, and the states of all tokens before it: that is what its time is
bounded by where memory is slower than arithmetic (Pope et al., "Efficiently Scaling Transformer
Inference", arXiv:2211.05102, section 2). Of tables that are looked up it reads a row a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from graphcount.errors import UsageError
from graphcount.report.deployment import DeployedStates, StepRow
from graphcount.report.pass_rows import StateRow
from graphcount.report.records import Report
from graphcount.report.rows import Dim, ValueRow
from graphcount.symbolic import evaluate
from graphcount.symbolic.text import formula

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


def states(component: str, report: Report, context: int) -> tuple[DeployedStates, ...]:
    """Return what a component hands from step to step, by kind, after `context` tokens.

    Args:
        component: Its name.
        report: Its report.
        context: Tokens of one sequence.
    """
    if report.states is None:
        return ()
    by_kind: dict[str, list[StateRow]] = {}
    for row in report.states.rows:
        by_kind.setdefault(row.kind, []).append(row)
    before, after = (_at(report, tokens) for tokens in (context - 1, context))
    made = []
    for kind, rows in by_kind.items():
        nbytes = summed(_number(row.nbytes_in, after) for row in rows)
        less = summed(_number(row.nbytes_in, before) for row in rows)
        each = None if nbytes is None or less is None else nbytes - less
        made.append(DeployedStates(component, kind, tuple(r.input for r in rows), each, nbytes))
    return tuple(made)


def handed_on(reports: Iterable[Report]) -> int | None:
    """Return bytes of states that a pass of each model hands on; None where not known."""
    rows = [report.in_numbers.states for report in reports if report.states is not None]
    return summed(
        row.nbytes if row is not None and isinstance(row.nbytes, int) else None for row in rows
    )


def _at(report: Report, past: int) -> dict[str, int]:
    """Return the sizes of a step of one token after `past` others."""
    grown = axes(report)
    return {
        **report.in_numbers.dims,
        **dict.fromkeys(grown.past, past),
        **dict.fromkeys(grown.total, past + 1),
        **({grown.new: 1} if grown.new else {}),
    }


def _number(size: Dim, sizes: Mapping[str, int]) -> int | None:
    """Return the value of a number or formula at sizes; None where it has none."""
    if not isinstance(size, str):
        return size
    expression = formula(size)
    if expression is None:
        return None
    try:
        value = evaluate(expression, dict(sizes))
    except ArithmeticError:
        return None
    return value if isinstance(value, int) else None


def axes(report: Report) -> TokenAxes:
    """Return which dynamic dimensions of a decoder grow with tokens."""
    rows = report.states.rows if report.states is not None else ()
    past = {row.shape[row.axis] for row in rows if row.axis is not None and row.step != 0}
    inputs = {row.input for row in rows}
    others = [value for value in report.model.inputs if value.name not in inputs]
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
    rows: tuple[DeployedStates, ...],
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
    opening = first or report
    grown = axes(opening)
    at_first = {**dict.fromkeys(grown.past, 0), **dict.fromkeys(grown.total, context)}
    if grown.new:
        at_first[grown.new] = context
        yield _step("prefill", component, opening, at_first, context, 0)
    state = summed(row.nbytes for row in rows)
    yield _step("generate", component, report, _at(report, context), 1, state)


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
