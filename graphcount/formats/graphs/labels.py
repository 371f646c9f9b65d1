"""What every drawing says of a node, in words that are safe to show."""

from __future__ import annotations

from collections.abc import Iterator

from graphcount.formats.text import safe, shape
from graphcount.report.drawing import Drawing, DrawnNode
from graphcount.report.rows import Dim
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
        noun = "parameter" if node.parameters == 1 else "parameters"
        yield f"{count(node.parameters)} {noun}, {nbytes(node.nbytes)}"
    elif node.nbytes:
        yield nbytes(node.nbytes)
    macs = macs_text(node)
    if macs:
        yield f"{macs} {'MAC' if macs == '1' else 'MACs'}"
    dims = shape_of(node)
    if dims is not None:
        yield shape(dims)


def shape_of(node: DrawnNode) -> tuple[Dim, ...] | None:
    """Return the shape of a node, in numbers where sizes are assumed."""
    return node.shape if node.assumed_shape is None else node.assumed_shape


def macs_text(node: DrawnNode) -> str:
    """Return MACs as a number or a formula; empty where there are none."""
    macs = node.macs if node.assumed_macs is None else node.assumed_macs
    if macs is not None:
        return count(macs) if macs else ""
    return safe(node.macs_expression or "", 60)


def sizes_text(drawing: Drawing) -> str:
    """Return `sizes assumed: batch 1, sequence 128`; empty where none are."""
    sizes = ", ".join(f"{name(dim)} {size}" for dim, size in drawing.assumed.items())
    return f"sizes assumed: {sizes}" if sizes else ""
