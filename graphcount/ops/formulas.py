"""What every formula is made of: the record of a rule, safe access to shapes, numbers in words.

A formula takes a `Call` and returns a dimension; where something it needs is not known, or makes
no sense, the helpers here raise `UnknownDimError`, which only `evaluate` catches. So a formula is
written as on paper and still never fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from graphcount.ops.call import MAX_RANK, Call, Shape, size
from graphcount.symbolic import LARGEST_NUMBER, Dim, Expr, TooComplexError, largest_number

MAX_DIM = 2**63 - 1
"""Largest dimension an ONNX file can state."""

Formula: TypeAlias = Callable[[Call], Dim]
Text: TypeAlias = Callable[[Call], str]


class UnknownDimError(ValueError):
    """A shape or an attribute that the formula needs is missing or absurd."""


class Cost(NamedTuple):
    """What one forward pass of one node costs.

    Attributes:
        macs: Multiply-accumulates of matrix work; 0 for every other operator; None when a shape
            is not known.
        elementwise: Elements computed one by one; None when not known. An operator that makes
            elements counts those it makes, one that folds (sum, maximum, pool) those it reads, one
            whose name joins several (SkipLayerNormalization) each of its parts; moving, selecting
            and converting numbers count nothing.
        bias: Additions of a bias inside matrix operators: `macs + bias` is torchinfo's number.
    """

    macs: Dim | None
    elementwise: Dim | None
    bias: Dim | None = 0


def nothing(call: Call) -> Dim:
    """Return 0, whatever the shapes."""
    del call
    return 0


class CostRule(NamedTuple):
    """What is known of the cost of one operator.

    Attributes:
        words: The rule as a sentence, for any shapes; empty when there is nothing to say.
        macs: Multiply-accumulates of matrix work.
        elementwise: Elements computed.
        bias: Additions of a bias inside the matrix work.
        text: The rule with this node's numbers; may raise UnknownDimError.
    """

    words: str
    macs: Formula = nothing
    elementwise: Formula = nothing
    bias: Formula = nothing
    text: Text | None = None


def evaluate(formula: Formula, call: Call) -> Dim | None:
    """Return what a formula gives; None when it needs what is not known, or no report holds it."""
    try:
        value = formula(call)
    except (UnknownDimError, TooComplexError, ZeroDivisionError):
        return None
    if (isinstance(value, int) and value < 0) or largest_number(value) >= LARGEST_NUMBER:
        return None
    return value


def sentence(rule: CostRule, call: Call) -> str:
    """Return the rule in words, with the numbers of this call where they are known."""
    if rule.text is not None:
        try:
            return rule.text(call)
        except (UnknownDimError, TooComplexError, ZeroDivisionError):
            return f"{rule.words}; a shape it needs is not known"
    if rule.macs is nothing and rule.elementwise is nothing:
        return rule.words
    parts = [rule.words]
    for formula, unit in ((rule.macs, "MACs"), (rule.elementwise, "element-wise operations")):
        value = None if formula is nothing else evaluate(formula, call)
        if value is not None:
            parts.append(f"{number(value)} {unit}")
        elif formula is not nothing:
            parts.append(f"{unit} unknown: a shape is not known or depends on the data")
    if rule.macs is nothing:
        parts.append("no MACs")
    return "; ".join(parts)


# -------------------------------------------------------------------------- shapes, attributes


def checked(dim: Dim | None) -> Dim:
    """Return a dimension that is known and possible."""
    if dim is None or (isinstance(dim, int) and not 0 <= dim <= MAX_DIM):
        raise UnknownDimError
    return dim


def _known(shape: Shape | None, ranks: tuple[int, ...]) -> tuple[Dim, ...]:
    if shape is None or len(shape) > MAX_RANK or (ranks and len(shape) not in ranks):
        raise UnknownDimError
    return tuple(checked(one) for one in shape)


def input_shape(call: Call, index: int, *ranks: int) -> tuple[Dim, ...]:
    """Return the shape of input `index`, all of it known, of one of `ranks` (none: of any)."""
    return _known(call.input(index), ranks)


def ranked(call: Call, index: int, *ranks: int) -> Shape | None:
    """Return the shape of input `index`, which has one of `ranks`; None where it is not known.

    Raises:
        UnknownDimError: It has another rank.
    """
    shape = call.input(index)
    if shape is not None and len(shape) not in ranks:
        raise UnknownDimError(f"input {index} has {len(shape)} dimensions")
    return shape


def output_shape(call: Call, index: int = 0, *ranks: int) -> tuple[Dim, ...]:
    """Return the shape of output `index`, all of it known."""
    return _known(call.outputs[index] if index < len(call.outputs) else None, ranks)


def dimension(call: Call, index: int, axis: int) -> Dim:
    """Return one dimension of input `index`; the others may be unknown."""
    shape = call.input(index)
    if shape is None or not -len(shape) <= axis < len(shape):
        raise UnknownDimError
    return checked(shape[axis])


def attribute(call: Call, name: str, default: int | None = None) -> int:
    """Return a non-negative integer attribute; without a default it must be there and positive."""
    given = call.node.attribute(name)
    if given is not None and given.ref_attr_name and given.numbers is None:
        raise UnknownDimError  # its value is that of a function's attribute
    value = call.node.integer(name, 0 if default is None else default)
    if not (default is None) <= value <= MAX_DIM:
        raise UnknownDimError
    return value


def integers(call: Call, name: str, *lengths: int) -> tuple[int, ...]:
    """Return a list of non-negative integers in an attribute."""
    values = call.node.integers(name)
    if values is None or len(values) > MAX_RANK or (lengths and len(values) not in lengths):
        raise UnknownDimError
    if any(not 0 <= value <= MAX_DIM for value in values):
        raise UnknownDimError
    return values


def agree(*dims: Dim | None) -> Dim:
    """Return one dimension that is written in several places: the number, if any is one."""
    numbers = {one for one in dims if isinstance(one, int)}
    if len(numbers) > 1:
        raise UnknownDimError
    if numbers:
        return numbers.pop()
    for one in dims:
        if one is not None:
            return one
    raise UnknownDimError


def maybe(formula: Callable[[], Dim]) -> Dim | None:
    """Return a dimension, or None where it is not known."""
    try:
        return formula()
    except UnknownDimError:
        return None


# ------------------------------------------------------------------------------ common formulas


def outputs(call: Call) -> Dim:
    """Count one for each output element."""
    return size(output_shape(call))


def inputs(call: Call) -> Dim:
    """Count one for each element of the first input: what a fold reads."""
    return size(input_shape(call, 0))


def like_input(call: Call) -> Dim:
    """Count one for each output element, of an output that has the shape of the first input."""
    stated = call.outputs[0] if call.outputs else None
    return outputs(call) if stated is not None and None not in stated else inputs(call)


def multiple(factor: int, formula: Formula) -> Formula:
    """Return a formula that counts another one several times."""
    return lambda call: factor * formula(call)


def when(index: int, formula: Formula) -> Formula:
    """Return a formula that counts only when input `index` is given."""
    return lambda call: formula(call) if call.has(index) else 0


def total(*formulas: Formula) -> Formula:
    """Return the sum of formulas."""

    def added(call: Call) -> Dim:
        result: Dim = 0
        for formula in formulas:
            result = result + formula(call)
        return result

    return added


# --------------------------------------------------------------------------- numbers in words


def number(dim: Dim) -> str:
    """Write a dimension: `1,728` or `12*batch`."""
    return f"{dim:,}" if isinstance(dim, int) else str(dim)


def factors(*dims: Dim) -> str:
    """Write a product: `3·3·64`; sums stand in brackets."""
    return (
        "·".join(
            f"({one})" if isinstance(one, Expr) and len(one.terms) > 1 else number(one)
            for one in dims
        )
        or "1"
    )


def plural(count: Dim, one: str, many: str = "") -> str:
    """Write a count with its word: `1 row`, `64 rows`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


# ------------------------------------------------------------------------------- common rules

FREE = CostRule("")
"""Operators that cost nothing by nature: they move, select, copy, rename, convert or hold elements.

Given on purpose: an operator without a rule is unknown. Cast changes the type of a number, not the
number.
"""

UNARY = CostRule("one operation for each element", elementwise=like_input)
OUTPUT = CostRule("one operation for each output element", elementwise=outputs)
READ = CostRule("one operation for each element that is read", elementwise=inputs)
