"""Einsum: its equation against its inputs (Operators.md, Einsum)."""

from __future__ import annotations

import re

from graphcount.auditing.arguments.kit import shown
from graphcount.ops.call import Call, Shape

LONGEST = 4096
EQUATION = re.compile(r"[A-Za-z.,]*(?:->[A-Za-z.]*)?")
SHOWN = 60


def equation(call: Call) -> str:
    """Letters, one term an input, one letter a dimension, the same size for the same letter."""
    text = call.node.text("equation").replace(" ", "")
    if not text or len(text) > LONGEST:
        return ""
    if not EQUATION.fullmatch(text):
        return f"equation {text[:SHOWN]!r} cannot be read"
    left, _, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(call.node.inputs):
        return f"equation {text[:SHOWN]!r} is for {len(terms)} inputs, not {len(call.node.inputs)}"
    if any("." in term.replace("...", "", 1) for term in (*terms, right)):
        return f"equation {text[:SHOWN]!r} cannot be read"
    result = right.replace(".", "")
    if len(set(result)) < len(result) or not set(result) <= set(left):
        return f"equation {text[:SHOWN]!r} has a result that its terms do not give"
    return _sizes(call, terms)


def _sizes(call: Call, terms: list[str]) -> str:
    sizes: dict[str, int] = {}
    for index, term in enumerate(terms):
        data = call.input(index)
        if data is None:
            continue
        labels = _labels(term, data)
        if labels is None:
            return f"term {term[:SHOWN]!r} for {len(data)} dimensions"
        for label, size in labels:
            if not isinstance(size, int) or size == 1:
                continue
            if sizes.setdefault(label, size) != size:
                return f"{label!r} is {sizes[label]} and {size} long in {shown(data)}"
    return ""


def _labels(term: str, data: Shape) -> list[tuple[str, object]] | None:
    """Each letter with its dimension; those that `...` stands for have none."""
    before, dots, after = term.partition("...")
    letters = len(before) + len(after)
    if letters > len(data) or (not dots and letters < len(data)):
        return None
    return [
        *zip(before, data, strict=False),
        *zip(after, data[len(data) - len(after) :], strict=False),
    ]
