"""Tensors that repeat others: copies that exporters made, and parameters that may be tied.

torch's exporters fold the transposition of a Linear's weight into a new tensor, so a language model
whose head shares the embedding table stores that table twice. Other tools write both under names of
their own, quantize one of them, or point both to one range of a data file. Equal values prove
no tie, but a table and a product with equal numbers, or equal tensors in the branches of an If, are
most likely one parameter.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from graphcount.analysis.counts import Row, logical_shape
from graphcount.analysis.framework.evidence import (
    Adjustment,
    Evidence,
    doubt,
    is_generated,
    listed,
)
from graphcount.analysis.framework.likeness import is_alike

SMALL = 8192
"""Elements up to which the dynamo exporter repeats a tensor for a module that is called twice."""

SAMPLED = 1 << 20
"""Policy: elements above which a sample of cells is enough to call a head a table's copy."""

COMPARED = 16
"""Policy: of more matrices of one shape, a sample of cells says nothing of heads and tables."""

PRODUCTS = frozenset({"weight", "quantized weight"})
BRANCH = re.compile(r"(.{0,2000})/(then|else)_branch/")


class Copy(NamedTuple):
    """A tensor that repeats another.

    Attributes:
        row: The tensor.
        of: The one that it repeats; None when only shapes are known to agree.
        likely: It is most likely no parameter of its own.
    """

    row: Row
    of: Row | None
    likely: bool


def tied_tensors(evidence: Evidence) -> Iterable[Adjustment]:
    """Say which tensors may be no parameters of their own, and which most likely are not."""
    copies = find_copies(evidence)
    for adjustment in (
        _likely([copy for copy in copies if copy.likely]),
        _equal([copy for copy in copies if copy.of is not None and not copy.likely]),
        _by_shape([copy for copy in copies if copy.of is None]),
    ):
        if adjustment is not None:
            yield adjustment


def _likely(copies: list[Copy]) -> Adjustment | None:
    if not copies:
        return None
    pairs = [f"{_used_as(copy.row)} is a copy of {_name(copy.of)}" for copy in copies]
    return doubt([copy.row for copy in copies], f"{listed(pairs, 2, 300)}.", likely=True)


def _equal(copies: list[Copy]) -> Adjustment | None:
    if not copies:
        return None
    pairs = [f"{copy.row.stored.name[:80]} and {_name(copy.of)}" for copy in copies]
    sentence = f"{listed(pairs, 2, 200)} hold equal numbers, and may be one parameter."
    return doubt([copy.row for copy in copies], sentence)


def _by_shape(copies: list[Copy]) -> Adjustment | None:
    if not copies:
        return None
    names = listed([copy.row.stored.name for copy in copies])
    have = "have" if len(copies) > 1 else "has"
    sentence = (
        f"{names} {have} the shape of an embedding table and may be a tied copy of it;"
        " their values cannot be compared."
    )
    return doubt([copy.row for copy in copies], sentence)


def _name(row: Row | None) -> str:
    return row.stored.name[:80] if row is not None else ""


def _used_as(row: Row) -> str:
    """A generated name says nothing, so the node that uses the tensor is named as well."""
    return f"{row.stored.name[:80]} (used by {(row.owner or 'nothing')[:80]})"


# ------------------------------------------------------------------------------------ what repeats


def find_copies(evidence: Evidence) -> list[Copy]:
    """Return parameters that repeat others, each once, in file order of what they repeat."""
    times = Counter(row.elements for row in evidence.parameters)
    groups: dict[tuple[int, tuple[int, ...]], list[Row]] = defaultdict(list)
    for row in evidence.parameters:
        if row.elements > 1 and times[row.elements] > 1:
            groups[row.elements, tuple(sorted(_shape(row, evidence)))].append(row)
    copies: list[Copy] = []
    for rows in groups.values():
        if len(rows) < 2:
            continue
        for look in (_aliased, _turned, _repeated):
            made = look(rows, evidence)
            keys = {copy.row.stored.key for copy in made}
            rows = [row for row in rows if row.stored.key not in keys]
            copies += made
    return copies


def _is_matrix(shape: tuple[int, ...]) -> bool:
    return (len(shape) == 2 and min(shape) > 1) or len(shape) == 3


def _shape(row: Row, evidence: Evidence) -> tuple[int, ...]:
    """Return dimensions that quantized and other copies of one matrix have in common."""
    nodes = evidence.graph.nodes
    return logical_shape(row.stored, [(nodes[use.node], use.index) for use in row.tensor.uses])


def _aliased(rows: list[Row], evidence: Evidence) -> list[Copy]:
    """Return tensors whose data is the range of a data file that another one has."""
    first: dict[tuple[str, int, int], Row] = {}
    copies = []
    for row in rows:
        external = row.stored.external
        if external is None or not row.stored.nbytes:
            continue
        place = external.path or external.location, external.offset, row.stored.nbytes
        of = first.setdefault(place, row)
        if of is not row:
            copies.append(Copy(row, of, likely=True))
    return copies


def _may_be_turned(rows: list[Row], evidence: Evidence) -> bool:
    """Return whether one of these may be the transposed copy of another.

    The legacy exporter merges equal tensors it made itself, so a copy stands beside a named one;
    the dynamo exporter repeats only small ones for a module called twice. Beside a table, whatever
    multiplies may be its copy.
    """
    if len(rows) < 2 or not _is_matrix(_shape(rows[0], evidence)):
        return False
    generated = sum(1 for row in rows if is_generated(row))
    if 0 < generated < len(rows) or (generated > 1 and rows[0].elements <= SMALL):
        return True
    tables = sum(1 for row in rows if _is_table(row, evidence))
    return tables > 0 and any(row.verdict.role in PRODUCTS for row in rows)


def _is_table(row: Row, evidence: Evidence) -> bool:
    """Return whether rows of it are looked up."""
    return row.verdict.role == "embedding" or any(
        operator is not None and any(table == use.index for _, table in operator.lookups)
        for use in row.tensor.uses
        for operator in (evidence.graph.nodes[use.node].operator,)
    )


def _turned(rows: list[Row], evidence: Evidence) -> list[Copy]:
    """Return matrices that repeat others, turned or not, and products that may, by shape."""
    if not _may_be_turned(rows, evidence):
        return []
    tables = {row.stored.key for row in rows if _is_table(row, evidence)}
    # what was named first is the original: the copies are generated, or multiply
    rows = sorted(rows, key=lambda row: (is_generated(row), row.stored.key not in tables))
    compared = [row for row in rows if row.stored.key in tables] if len(rows) <= COMPARED else []
    copies = _sampled(rows, compared, evidence)
    known = {copy.row.stored.key for copy in copies}
    rows = [row for row in rows if row.stored.key not in known]
    indistinct = _indistinct(rows, evidence)
    seen: dict[bytes, Row] = {}
    for row in rows:
        key = row.stored.key
        if key not in indistinct and not _is_integer(row):
            continue
        multiplies = bool(tables - {key}) and row.verdict.role in PRODUCTS
        digest = _digest(row, evidence)
        if digest is None or row.stored.dtype != rows[0].stored.dtype:
            if multiplies:
                copies.append(_like_a_table(row, compared, evidence))
            continue
        original = (
            _original(row, digest, seen, evidence) if multiplies or is_generated(row) else None
        )
        if original is not None:
            copies.append(Copy(row, original, likely=True))
            continue
        if multiplies and _is_integer(row):
            copies.append(_like_a_table(row, compared, evidence))
        seen.setdefault(digest, row)
    return copies


def _sampled(rows: list[Row], tables: list[Row], evidence: Evidence) -> list[Copy]:
    """Return large products that are a table's copies: reading all of both would take long."""
    compared = (
        _like_a_table(row, tables, evidence)
        for row in rows
        if row.elements > SAMPLED and row.verdict.role in PRODUCTS
    )
    return [copy for copy in compared if copy.likely]


def _like_a_table(row: Row, tables: list[Row], evidence: Evidence) -> Copy:
    """Say whether a product whose values are not a table's own may be a copy of it."""
    for table in tables:
        if table is not row and is_alike(table, row, evidence):
            return Copy(row, table, likely=True)
    return Copy(row, None, likely=False)


def _original(row: Row, digest: bytes, seen: dict[bytes, Row], evidence: Evidence) -> Row | None:
    """Return the tensor seen before that holds these numbers, in this order or transposed."""
    if digest in seen:
        return seen[digest]
    turned = evidence.values.digest(row.stored, transposed=True) if seen else None
    return seen.get(turned) if turned is not None else None


def _is_integer(row: Row) -> bool:
    return row.stored.dtype[:3] in ("int", "uin")


def _repeated(rows: list[Row], evidence: Evidence) -> list[Copy]:
    """Return tensors of one type and shape with the values of another one.

    In two branches of an If, of which one runs, they are most likely one parameter.
    """
    groups: dict[tuple[str, tuple[int, ...], bytes | None], list[Row]] = defaultdict(list)
    for row in rows:
        stored = row.stored
        groups[stored.dtype, stored.shape, evidence.values.peek(stored)].append(row)
    copies = []
    for (_, _, start), same in groups.items():
        seen: dict[bytes, Row] = {}
        for row in same if start is not None and len(same) > 1 else ():
            digest = _digest(row, evidence)
            of = seen.setdefault(digest, row) if digest is not None else row
            if of is not row:
                copies.append(Copy(row, of, likely=_are_branches(row, of)))
    return copies


def _are_branches(row: Row, other: Row) -> bool:
    """Return whether two tensors are used in the two branches of one If."""
    first, second = _branch(row), _branch(other)
    return (
        first is not None and second is not None and first[0] == second[0] and first[1] != second[1]
    )


def _branch(row: Row) -> tuple[str, str] | None:
    """Return the If that all uses of a tensor stand in, and the branch."""
    branches = {
        (match[1], match[2]) if (match := BRANCH.match(use.node)) else None
        for use in row.tensor.uses
    }
    return next(iter(branches)) if len(branches) == 1 else None


# --------------------------------------------------------------------------------- what may be read


def _indistinct(rows: list[Row], evidence: Evidence) -> set[int]:
    """Return the keys of tensors that a few elements do not tell from others, turned or not.

    Reading all of every tensor of one shape would cost as much as loading the model.
    """
    straight = {row.stored.key: evidence.values.corners(row.stored) for row in rows}
    times = Counter(straight.values())
    keys = set()
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
            keys.add(key)
    return keys


def _digest(row: Row, evidence: Evidence) -> bytes | None:
    """Return the hash of the data; None when unknown or all the same, which proves nothing."""
    stored = row.stored
    if is_filled(row, evidence) is not False:
        return None
    return evidence.values.digest(stored)


def is_filled(row: Row, evidence: Evidence) -> bool | None:
    """Return whether a tensor holds one number throughout; None when it cannot be read."""
    stored = row.stored
    width = max(1, stored.nbytes // max(1, stored.elements))
    start = evidence.values.peek(stored)
    if start is not None and start != start[:width] * (len(start) // width):
        return False
    data = evidence.values.raw(stored)
    return None if data is None else data == data[:width] * stored.elements
