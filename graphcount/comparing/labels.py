"""Labels of nodes: nodes of two models get the same label when they are equal a few steps around.

This is the refinement of Weisfeiler and Leman (1968, "The reduction of a graph to canonical form")
on the graph of nodes: a label is what a node is, and each round adds the labels of its neighbours
and the inputs that join them. Work is proportional to the edges. Labels are numbers from one table,
so they can be compared between the two models.
"""

from __future__ import annotations

from collections.abc import Hashable

from graphcount.analysis.wiring import Place
from graphcount.comparing.side import Side

ROUNDS = 3
"""Rounds of refinement: steps around a node that its label covers."""


class LabelTable:
    """Gives the same number to equal descriptions."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, description: Hashable) -> int:
        """Return the number of a description."""
        return self._numbers.setdefault(description, len(self._numbers))


def plain_labels(side: Side, table: LabelTable) -> list[int]:
    """Label each node by itself: operator, attributes, types and shapes of its tensors."""
    labels = []
    for node, operator in enumerate(side.operators):
        tensors = tuple(
            (place, side.tensors[index].dtype, side.tensors[index].shape)
            for place, index in side.stored[node]
        )
        outputs = len(side.nodes[node].output_shapes)
        sources = tuple(side.sources[node])
        description = (operator, side.attributes[node], tensors, outputs, sources)
        labels.append(table.number(description))
    return labels


def refined(side: Side, labels: list[int], table: LabelTable) -> list[int]:
    """Return the labels after one more round: each label takes in those of the neighbours."""
    return [
        table.number(
            (
                label,
                tuple([(place, output, labels[node]) for place, node, output in before]),
                _sorted([(labels[node], place, output) for place, node, output in after]),
            )
        )
        for label, before, after in zip(labels, side.before, side.after, strict=True)
    ]


def _sorted(rows: list[tuple[int, Place, int]]) -> tuple[tuple[int, Place, int], ...]:
    if len(rows) > 1:
        rows.sort()
    return tuple(rows)
