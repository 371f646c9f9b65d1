"""Colours: nodes of two models get the same one when they look alike a few steps around.

This is the refinement of Weisfeiler and Leman (1968) on the graph of nodes: a colour is what a node
is, and in each round it takes in the colours of its neighbours, with the inputs they are joined by.
Work is proportional to the edges. Colours are numbers from one table, so they compare across sides.
"""

from __future__ import annotations

from collections.abc import Hashable

from graphcount.analysis.wiring import Place
from graphcount.comparing.side import Side

ROUNDS = 3
"""Steps around a node that its colour knows of."""


class Palette:
    """Gives the same number to equal descriptions."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, description: Hashable) -> int:
        """Number of a description."""
        return self._numbers.setdefault(description, len(self._numbers))


def plain_colours(side: Side, palette: Palette) -> list[int]:
    """What each node is by itself: operator, attributes, types and shapes of its tensors."""
    found = []
    for node, operator in enumerate(side.operators):
        tensors = tuple(
            (place, side.tensors[index].dtype, side.tensors[index].shape)
            for place, index in side.stored[node]
        )
        outputs = len(side.nodes[node].output_shapes)
        sources = tuple(side.sources[node])
        description = (operator, side.attributes[node], tensors, outputs, sources)
        found.append(palette.number(description))
    return found


def refined(side: Side, colours: list[int], palette: Palette) -> list[int]:
    """One round: each colour takes in those of the neighbours."""
    return [
        palette.number(
            (
                colour,
                tuple([(place, output, colours[node]) for place, node, output in before]),
                _sorted([(colours[node], place, output) for place, node, output in after]),
            )
        )
        for colour, before, after in zip(colours, side.before, side.after, strict=True)
    ]


def _sorted(rows: list[tuple[int, Place, int]]) -> tuple[tuple[int, Place, int], ...]:
    if len(rows) > 1:
        rows.sort()
    return tuple(rows)
