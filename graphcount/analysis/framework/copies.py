"""Second copies of one parameter: a tied table that exporters transpose for the last product.

torch's exporters fold the transposition of a Linear's weight into a new tensor, so a language
model whose head shares the embedding table stores that table twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import Adjustment, Evidence, listed
from graphcount.analysis.names import is_dotted, maker, original_name
from graphcount.analysis.packing import logical_shape

SMALL = 8192
PRODUCTS = frozenset({"weight", "quantized weight"})


def tied_tables(evidence: Evidence) -> Iterable[Adjustment]:
    """Equal numbers under a generated name are a copy; equal shapes alone are a possibility."""
    groups: dict[tuple[int, tuple[int, ...]], list[Row]] = defaultdict(list)
    for row in evidence.parameters:
        shape = _shape(row, evidence)
        if (len(shape) == 2 and min(shape) > 1) or len(shape) == 3:
            groups[row.elements, tuple(sorted(shape))].append(row)
    copies: list[tuple[Row, Row]] = []
    possible: list[Row] = []
    for rows in groups.values():
        if len(rows) > 1 and _may_repeat(rows):
            same, maybe = _compare(rows, evidence)
            copies.extend(same)
            possible.extend(maybe)
    found = []
    if copies:
        elements = sum(row.elements for row, _ in copies)
        pairs = [f"{_used_as(row)} is a copy of {of.stored.name[:80]}" for row, of in copies]
        found.append(Adjustment(-elements, 0, -elements, f"{listed(pairs)}."))
    if possible:
        elements = sum(row.elements for row in possible)
        names = listed([row.stored.name for row in possible])
        sentence = (
            f"{names} have the shape of an embedding table and may be a tied copy of it;"
            " their values cannot be compared."
        )
        found.append(Adjustment(-elements, 0, 0, sentence))
    return found


def _shape(row: Row, evidence: Evidence) -> tuple[int, ...]:
    """Dimensions that quantized and other copies of one matrix have in common."""
    nodes = evidence.graph.nodes
    return logical_shape(row.stored, [(nodes[use.node], use.index) for use in row.tensor.uses])


def _used_as(row: Row) -> str:
    """A generated name says nothing, so the node that uses the tensor is named as well."""
    return f"{row.stored.name[:80]} (used by {(row.owner or 'nothing')[:80]})"


def _may_repeat(rows: list[Row]) -> bool:
    """Whether tensors of one shape are worth comparing.

    The legacy exporter merges equal tensors it made itself, so a copy stands beside a named one;
    the dynamo exporter repeats only small ones (8,192 elements) for a module called twice.
    """
    generated = sum(1 for row in rows if is_generated(row))
    return 0 < generated < len(rows) or (generated > 1 and rows[0].elements <= SMALL)


def is_generated(row: Row) -> bool:
    """Whether the exporter made the name up."""
    name = original_name(row.stored.name)
    return not is_dotted(name) and maker(name) == "exporter"


def _is_table(row: Row, evidence: Evidence) -> bool:
    """Whether rows of it are looked up."""
    return row.verdict.role == "embedding" or any(
        operator is not None and any(table == use.index for _, table in operator.lookups)
        for use in row.tensor.uses
        for operator in (evidence.graph.nodes[use.node].operator,)
    )


def _compare(rows: list[Row], evidence: Evidence) -> tuple[list[tuple[Row, Row]], list[Row]]:
    """Copies by value, each with what it copies, and tables that could be copies by shape alone."""
    rows = sorted(rows, key=is_generated)  # named tensors first: the copies are generated
    alike = _alike(rows, evidence)
    seen: dict[bytes, Row] = {}
    copies: list[tuple[Row, Row]] = []
    possible: list[Row] = []
    table = any(_is_table(row, evidence) for row in rows)
    for row in rows:
        if row.stored.key not in alike and row.stored.dtype[:3] not in ("int", "uin"):
            continue
        digest = _digest(row, evidence)
        if digest is None or row.stored.dtype != rows[0].stored.dtype:
            if table and row.verdict.role in PRODUCTS and is_generated(row):
                possible.append(row)
            continue
        original = seen.get(digest)
        if original is None and is_generated(row):
            turned = evidence.values.digest(row.stored, transposed=True)
            original = seen.get(turned) if turned is not None else None
        if original is not None and is_generated(row):
            copies.append((row, original))
            continue
        if table and row.stored.dtype[:3] in ("int", "uin") and is_generated(row):
            possible.append(row)
        seen[digest] = row
    return copies, possible


def _alike(rows: list[Row], evidence: Evidence) -> set[int]:
    """Keys of tensors that a few of their numbers cannot tell from another's, turned or not.

    Reading all of every tensor of one shape would cost as much as loading the model.
    """
    straight = {row.stored.key: evidence.values.corners(row.stored) for row in rows}
    times = Counter(straight.values())
    found = set()
    turned_of = {
        row.stored.key: evidence.values.corners(row.stored, transposed=True) for row in rows
    }
    turned_times = Counter(turned_of.values())
    for key, corners in straight.items():
        turned = turned_of[key]
        itself = turned == corners  # symmetric, as far as the corners tell
        others = (
            times[corners] - 1,
            times[turned] - itself,
            turned_times[corners] - itself,
        )
        if corners is None or any(others):
            found.add(key)
    return found


def _digest(row: Row, evidence: Evidence) -> bytes | None:
    """Hash of the numbers; None when unknown or all the same, which proves nothing."""
    stored = row.stored
    width = max(1, stored.nbytes // max(1, stored.elements))
    start = evidence.values.peek(stored)
    if start is None or start == start[:width] * (len(start) // width):
        data = evidence.values.raw(stored)
        if data is None or data == data[:width] * stored.elements:
            return None
    return evidence.values.digest(stored)
