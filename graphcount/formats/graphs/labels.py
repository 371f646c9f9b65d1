"""What every drawing says of a node, in words that are safe to show."""

from __future__ import annotations

from collections.abc import Iterator

from graphcount.formats.text import safe, shape
from graphcount.report.drawing import DrawnNode
from graphcount.units import count, nbytes


def name(text: str) -> str:
    """Return a name, visible, harmless and short enough to be read in a picture."""
    return safe(text, 80)


def lines(node: DrawnNode) -> Iterator[str]:
    """Yield title, name, counts and shape of a node, where it has them."""
    yield name(node.title)
    if node.label != node.title:
        yield name(node.label)
    if node.parameters:
        yield f"{count(node.parameters)} parameters, {nbytes(node.nbytes)}"
    elif node.nbytes:
        yield nbytes(node.nbytes)
    macs = macs_text(node)
    if macs:
        yield f"{macs} MACs"
    if node.shape is not None:
        yield shape(node.shape)


def macs_text(node: DrawnNode) -> str:
    """Return MACs as a number or a formula; empty where there are none."""
    if node.macs is not None:
        return count(node.macs) if node.macs else ""
    return safe(node.macs_expression or "", 60)
