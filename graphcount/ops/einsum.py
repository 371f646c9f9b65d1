"""Einsum: its equation is read once, for its cost, its shape and the check of its arguments.

Labels that two operands share and the result lacks are summed, as matrix products are. Operands are
contracted pair by pair from the left, as torch.einsum and numpy without `optimize` do. Before a
pair is multiplied, a label that only one of the two has and nobody needs later is summed away
(element-wise work). A pair that shares no summed label is multiplied element by element: 0 MACs. So
MACs of a pair = product of all its labels left.
Source: ONNX Operators.md (Einsum), torch.einsum.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from graphcount.ops.call import MAX_RANK, Call, Shape, Shapes, listed
from graphcount.ops.formulas import CostRule, UnknownDimError, checked, factors, number
from graphcount.ops.inference import joined
from graphcount.ops.operator import Operator, family
from graphcount.symbolic import Dim

MAX_EQUATION = 4096
"""Characters of an equation; 64 operands with a dozen labels each need fewer."""

MAX_OPERANDS = 64
"""Operands whose contraction is worked out."""

EQUATION = r"[A-Za-z.,]*(?:->[A-Za-z.]*)?"
SHOWN = 60

Label = str


class Labelled(NamedTuple):
    """An equation on real shapes; ellipsis axes have the labels `.1`, `.2`… from the right."""

    operands: tuple[tuple[Label, ...], ...]
    result: tuple[Label, ...]
    sizes: dict[Label, Dim | None]


def parse(text: str) -> tuple[list[str], str | None]:
    """Return the terms of an equation, one an operand, and that of the result if it has one.

    Raises:
        ValueError: It is none, or too long.
    """
    written = text.replace(" ", "")
    left, arrow, right = written.partition("->")
    terms = left.split(",")
    if len(written) > MAX_EQUATION or not re.fullmatch(EQUATION, written):
        raise ValueError(f"equation {written[:SHOWN]!r} cannot be read")
    if any("." in term.replace("...", "", 1) for term in (*terms, right)):
        raise ValueError(f"equation {written[:SHOWN]!r} cannot be read")
    result = right.replace(".", "")
    if len(set(result)) < len(result) or not set(result) <= set(left):
        raise ValueError(f"equation {written[:SHOWN]!r} has a result that its terms do not give")
    return terms, right if arrow else None


def labels(term: str, rank: int) -> tuple[Label, ...]:
    """Return the label of each dimension of an operand.

    Raises:
        ValueError: The term is for another rank.
    """
    before, dots, after = term.partition("...")
    spare = rank - len(before) - len(after)
    if spare < 0 or (spare and not dots) or rank > MAX_RANK:
        raise ValueError("a term does not fit its operand")
    return (*before, *(f".{spare - i}" for i in range(spare)), *after)


def labelled(call: Call) -> Labelled | None:
    """Return the equation of a call with the size of each label; None while a shape is not known.

    Dimensions of one label are equal, or 1 of them that is stretched.

    Raises:
        ValueError: There is no such equation, or it is not for these operands.
    """
    terms, result = parse(call.node.text("equation"))
    if len(terms) != len(call.inputs):
        raise ValueError("the equation does not fit")
    sizes: dict[Label, Dim | None] = {}
    operands = []
    for term, shape in zip(terms, call.inputs, strict=True):
        if shape is None:
            return None
        named = labels(term, len(shape))
        for label, size in zip(named, shape, strict=True):
            sizes[label] = joined(sizes[label], size) if label in sizes else size
        operands.append(named)
    return Labelled(tuple(operands), _result(terms, result, sizes), sizes)


def _result(
    terms: list[str], result: str | None, sizes: dict[Label, Dim | None]
) -> tuple[Label, ...]:
    """Return the labels of the result; in the implicit form those that occur once, sorted."""
    stretched = sum(label[0] == "." for label in sizes)
    ellipsis = tuple(f".{stretched - i}" for i in range(stretched))
    if result is None:
        written = "".join(terms)
        once = (one for one in sizes if one[0] != "." and written.count(one) == 1)
        return (*ellipsis, *sorted(once))
    before, dots, after = result.partition("...")
    return (*before, *(ellipsis if dots else ()), *after)


def einsum(call: Call) -> Shapes:
    """Einsum: one size a letter; an ellipsis stands for dimensions that broadcast."""
    equation = labelled(call)
    if equation is None or len(equation.result) > MAX_RANK:
        return [None]
    return [tuple(equation.sizes[label] for label in equation.result)]


# -------------------------------------------------------------------------------------- cost


class Step(NamedTuple):
    """One operation: labels it runs over, and whether it sums (a fold or a matrix product)."""

    labels: tuple[Label, ...]
    is_product: bool


def _known(call: Call) -> Labelled:
    """Return the equation of a call whose shapes are known."""
    try:
        equation = labelled(call)
    except ValueError as error:
        raise UnknownDimError from error
    if equation is None or len(equation.operands) > MAX_OPERANDS:
        raise UnknownDimError
    return equation


def steps(equation: Labelled) -> list[Step]:
    """Return the operations of an equation, from the left."""
    steps: list[Step] = []
    operands = [frozenset(operand) for operand in equation.operands]
    result = frozenset(equation.result)
    needed = [result]  # labels used behind operand i, from the last one backwards
    for operand in reversed(operands[1:]):
        needed.append(needed[-1] | operand)
    left = operands[0]
    if len(operands) == 1:
        return [_step(left, False)] if left - result else []
    for right, later in zip(operands[1:], reversed(needed[:-1]), strict=True):
        for alone, other in ((left, right), (right, left)):
            if alone - other - later:
                steps.append(_step(alone, False))
        left, right = left & (right | later), right & (left | later)
        both = left | right
        steps.append(_step(both, bool(both - later)))
        left = both & later
    return steps


def _step(labels: Iterable[Label], is_product: bool) -> Step:
    return Step(tuple(sorted(labels)), is_product)


def _sum(call: Call, is_product: bool) -> Dim:
    equation = _known(call)
    result: Dim = 0
    for step in steps(equation):
        if step.is_product == is_product:
            part: Dim = 1
            for label in step.labels:
                part = part * checked(equation.sizes[label])
            result = result + part
    return result


def _macs(call: Call) -> Dim:
    return _sum(call, True)


def _elementwise(call: Call) -> Dim:
    return _sum(call, False)


def _text(call: Call) -> str:
    equation = _known(call)
    parts = [
        f"{'·'.join(step.labels)} = {factors(*(checked(equation.sizes[i]) for i in step.labels))}"
        for step in steps(equation)
        if step.is_product
    ]
    if not parts:
        return "nothing is summed over two operands, so it is element-wise work: 0 MACs"
    return (
        f"product of the labels of each contraction, pair by pair from the left:"
        f" {' + '.join(parts)}: {number(_macs(call))} MACs"
    )


# ------------------------------------------------------------------------------------- check


def check_einsum(call: Call) -> str:
    """Letters, one term an input, one letter a dimension, the same size for the same letter."""
    text = call.node.text("equation").replace(" ", "")
    if not text or len(text) > MAX_EQUATION:
        return ""
    try:
        terms, _ = parse(text)
    except ValueError as error:
        return str(error)
    if len(terms) != len(call.node.inputs):
        return f"equation {text[:SHOWN]!r} is for {len(terms)} inputs, not {len(call.node.inputs)}"
    sizes: dict[Label, int] = {}
    for index, term in enumerate(terms):
        data = call.input(index)
        why = _mismatch(term, data, sizes) if data is not None else ""
        if why:
            return why
    return ""


def _mismatch(term: str, data: Shape, sizes: dict[Label, int]) -> str:
    """Say why an operand does not fit its term, or the sizes that labels have had."""
    try:
        named = labels(term, len(data))
    except ValueError:
        return f"term {term[:SHOWN]!r} for {len(data)} dimensions"
    for label, size in zip(named, data, strict=True):
        if label[0] == "." or not isinstance(size, int) or size == 1:
            continue
        if sizes.setdefault(label, size) != size:
            return f"{label!r} is {sizes[label]} and {size} long in {listed(data)}"
    return ""


TABLE = family(
    "einsum",
    {
        "Einsum": Operator(
            rest="weight",
            shape=einsum,
            cost=CostRule(
                "product of the labels of each contraction, pair by pair from the left",
                _macs,
                _elementwise,
                text=_text,
            ),
            check=check_einsum,
        ),
    },
)
