"""Einsum: labels that two operands share and the result lacks are summed, as matrix products are.

Operands are contracted pair by pair from the left, as torch.einsum and numpy without `optimize`
do. Before a pair is multiplied, a label that only one of the two has and nobody needs later is
summed away (element-wise work). A pair that shares no summed label is multiplied element by
element: 0 MACs. So MACs of a pair = product of all its labels left.
Source: ONNX Operators.md (Einsum), torch.einsum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from graphcount.ops.call import Call
from graphcount.ops.cost.spec import Rule, UnknownDimError, agree, factors, number, shape
from graphcount.symbolic import Dim

MAX_EQUATION = 1000
"""Characters of an equation; 64 operands with a dozen labels each need fewer."""

MAX_OPERANDS = 64

Label = str
Sizes = dict[Label, Dim]


class Step(NamedTuple):
    """One operation: labels it runs over, and whether it sums (a fold or a matrix product)."""

    labels: tuple[Label, ...]
    is_product: bool


class Equation(NamedTuple):
    """An equation on real shapes; ellipsis axes have the labels `.1`, `.2`… from the right."""

    operands: tuple[frozenset[Label], ...]
    result: frozenset[Label]
    sizes: Sizes


def read(call: Call) -> Equation:
    """The equation of an Einsum with the size of each label."""
    text = call.node.text("equation").replace(" ", "")
    operands_text, arrow, result_text = text.partition("->")
    terms = operands_text.split(",") if len(text) <= MAX_EQUATION else []
    if not terms or len(terms) > MAX_OPERANDS or len(terms) != len(call.inputs):
        raise UnknownDimError
    sizes: Sizes = {}
    operands = [_labels(term, shape(call, i), sizes) for i, term in enumerate(terms)]
    known = frozenset(sizes)
    if arrow:
        result = frozenset(result_text.replace("...", ""))
        if "..." in result_text:
            result |= {label for label in known if label[0] == "."}
    else:
        written = "".join(terms)
        result = frozenset(one for one in known if one[0] == "." or written.count(one) == 1)
    if not result <= known:
        raise UnknownDimError
    return Equation(tuple(operands), result, sizes)


def _labels(term: str, found: tuple[Dim, ...], sizes: Sizes) -> frozenset[Label]:
    """Labels of one operand; their sizes are noted."""
    before, dots, after = term.partition("...")
    spare = len(found) - len(before) - len(after)
    names = before + after
    if spare < 0 or (spare and not dots) or (names and not (names.isascii() and names.isalpha())):
        raise UnknownDimError
    labels = [*before, *(f".{spare - i}" for i in range(spare)), *after]
    for label, one in zip(labels, found, strict=True):
        had = sizes.get(label, 1)
        sizes[label] = one if had == 1 else had if one == 1 else agree(had, one)
    return frozenset(labels)


def steps(equation: Equation) -> list[Step]:
    """The operations of an equation, from the left."""
    found: list[Step] = []
    needed = [equation.result]  # labels used behind operand i, from the last one backwards
    for operand in reversed(equation.operands[1:]):
        needed.append(needed[-1] | operand)
    left = equation.operands[0]
    if len(equation.operands) == 1:
        return [_step(left, False)] if left - equation.result else []
    for right, later in zip(equation.operands[1:], reversed(needed[:-1]), strict=True):
        for alone, other in ((left, right), (right, left)):
            if alone - other - later:
                found.append(_step(alone, False))
        left, right = left & (right | later), right & (left | later)
        both = left | right
        found.append(_step(both, bool(both - later)))
        left = both & later
    return found


def _step(labels: Iterable[Label], is_product: bool) -> Step:
    return Step(tuple(sorted(labels)), is_product)


def _sum(call: Call, is_product: bool) -> Dim:
    equation = read(call)
    result: Dim = 0
    for step in steps(equation):
        if step.is_product == is_product:
            part: Dim = 1
            for label in step.labels:
                part = part * equation.sizes[label]
            result = result + part
    return result


def _macs(call: Call) -> Dim:
    return _sum(call, True)


def _elementwise(call: Call) -> Dim:
    return _sum(call, False)


def _text(call: Call) -> str:
    equation = read(call)
    parts = [
        f"{'·'.join(step.labels)} = {factors(*(equation.sizes[one] for one in step.labels))}"
        for step in steps(equation)
        if step.is_product
    ]
    if not parts:
        return "nothing is summed over two operands, so it is element-wise work: 0 MACs"
    return (
        f"product of the labels of each contraction, pair by pair from the left:"
        f" {' + '.join(parts)}: {number(_macs(call))} MACs"
    )


EINSUM = Rule(
    "product of the labels of each contraction, pair by pair from the left",
    _macs,
    _elementwise,
    text=_text,
)
