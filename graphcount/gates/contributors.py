"""Where most of a measure lies: the largest modules, nodes, tensors or operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from graphcount.domains import operator_name
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import ContributorRow
from graphcount.report.records import Report
from graphcount.report.rollup import has_modules
from graphcount.report.rows import OUTPUT, NodeRow, TensorRow

TOP = 3
"""Contributors that a message names."""

Parts = Callable[[Subject], Iterable[tuple[str, int]]]


def largest(parts: Iterable[tuple[str, int]], top: int = TOP) -> tuple[ContributorRow, ...]:
    """Return the largest parts, by number and then by name."""
    sums: Counter[str] = Counter()
    for name, number in parts:
        sums[name] += number
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ContributorRow(name, number) for name, number in ranked[:top] if number > 0)


def no_parts(subject: Subject) -> Iterable[tuple[str, int]]:
    """Return no parts, for measures that have none."""
    return ()


def modules(read: Callable[[NodeRow], int | None]) -> Parts:
    """Return modules with nodes of their own as the parts of a measure, or nodes without them."""

    def parts(subject: Subject) -> Iterable[tuple[str, int]]:
        report = subject.report
        named = has_modules(report)
        return (
            ((node.module or "(no module)") if named else node.id, read(node) or 0)
            for node in report.nodes
        )

    return parts


def tensors(read: Callable[[TensorRow], int]) -> Parts:
    """Return stored tensors as the parts of a measure."""
    return lambda subject: ((row.name, read(row)) for row in subject.report.tensors)


def op_types(read: Callable[[NodeRow], int | None]) -> Parts:
    """Return operators as the parts of a measure."""
    return lambda subject: (
        (operator(node), read(node) or 0) for node in subject.report.nodes if is_node(node)
    )


def unknowns(subject: Subject) -> Iterable[tuple[str, int]]:
    """Yield the unknowns of a report."""
    return ((f"{row.where}: {row.what}", 1) for row in subject.report.unknown)


def peak_values(subject: Subject) -> Iterable[tuple[str, int]]:
    """Return the largest activations alive at the peak."""
    peak = subject.report.peak
    return peak.values if peak else ()


def operator(node: NodeRow) -> str:
    """Return `Conv`, `com.microsoft::Gelu`."""
    return operator_name(node.domain, node.op_type)


def is_node(node: NodeRow) -> bool:
    """Return whether a row is a node of the model, not a graph output that is itself a tensor."""
    return node.op_type != OUTPUT


def nodes_of(report: Report, name: str) -> list[NodeRow]:
    """Return nodes of one operator."""
    return [node for node in report.nodes if is_node(node) and operator(node) == name]
