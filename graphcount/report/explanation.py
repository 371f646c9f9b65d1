"""Records of an explanation: single nodes with the values around them and the tensors they own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from graphcount.report.printable import PrintableResult
from graphcount.report.records import Report
from graphcount.report.rows import Dim, NodeRow, TensorRow


class ValueOf(NamedTuple):
    """A value that goes into a node or out of it; `shape` is None when it is not known."""

    name: str
    shape: tuple[Dim, ...] | None


class Explanation(NamedTuple):
    """A node with its values and the tensors it owns."""

    node: NodeRow
    inputs: tuple[ValueOf, ...]
    outputs: tuple[ValueOf, ...]
    tensors: tuple[TensorRow, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Explained(PrintableResult):
    """Nodes of one model, explained; it prints as `graphcount explain` does.

    Attributes:
        report: The report their numbers are from.
        nodes: Those asked for, in the order asked.
        in_numbers: The same at assumed sizes; `nodes` itself where nothing was assumed.
    """

    report: Report
    nodes: tuple[Explanation, ...]
    in_numbers: tuple[Explanation, ...]
