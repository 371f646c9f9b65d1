"""The same data is stored more than once.

What it does:
    Compares all tensors of 64 bytes and more by a hash of type, shape and bytes, and matrices also
    with each other's transpose. Low when a tenth of the bytes could be saved.

Why it matters:
    Tied weights that were exported twice cost their bytes twice and are trained apart from then on.
    Copies of a network inside a network are worth a look.

Example:
    An embedding and the output layer of a language model, one the transpose of the other.

What to do:
    Share one initializer, or keep both on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.stored import Stored
from graphcount.auditing.context import Context
from graphcount.auditing.elements import digest_of
from graphcount.auditing.grouping import LISTED, about_tensors, names
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("TEN012", "identical-weights", "info", reads_payload=True)


SMALL_NBYTES = 64
TRANSPOSED_NBYTES = 64 * 2**20
NOTABLE_SHARE = 10


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all groups."""
    tensors = [
        stored
        for stored in context.stored
        if stored.sparse is None and stored.nbytes >= SMALL_NBYTES and stored.key in context.facts
    ]
    groups: dict[tuple[object, ...], list[Stored]] = {}
    for stored in tensors:
        digest = context.facts[stored.key].digest
        groups.setdefault((stored.dtype, stored.shape, digest), []).append(stored)
    same = [group for group in groups.values() if len(group) > 1 and not _one_place(group)]
    same += _transposed(context, [group[0] for group in groups.values()])
    if same:
        saved = sum(group[0].nbytes * (len(group) - 1) for group in same)
        whole = sum(stored.nbytes for stored in context.stored) or 1
        first = max(same, key=lambda group: group[0].nbytes)
        largest = ", ".join(names(first)[:3])
        yield about_tensors(
            RULE,
            context,
            first,
            f"{counted(sum(map(len, same)), 'tensor')} in {counted(len(same), 'group')} of the "
            f"same data, {saved:,} bytes more than needed; largest {largest}",
            severity="low" if saved * NOTABLE_SHARE >= whole else None,
            nbytes=saved,
            groups=[names(group) for group in same[:LISTED]],
        )


def _one_place(group: list[Stored]) -> bool:
    """Return whether all are the same bytes of an external data file: EXT012 says that."""
    places = {(s.external.path, s.external.offset) if s.external else s.key for s in group}
    return len(places) == 1


def _transposed(context: Context, tensors: list[Stored]) -> list[list[Stored]]:
    """Yield pairs of matrices that are each other's transpose; a sum says which may be one."""
    sums: set[tuple[object, ...]] = set()
    seen: dict[tuple[object, ...], Stored] = {}
    pairs = []
    for stored in tensors:
        facts = context.facts[stored.key]
        dtype = stored.tensor.dtype if stored.tensor else None
        packed = dtype is None or dtype.bits < 8
        if len(stored.shape) != 2 or min(stored.shape) < 2 or packed or facts.constant:
            continue
        turned = stored.dtype, stored.shape[::-1]
        if (*turned, facts.mixture) in sums:
            other = seen.get((*turned, _turned_digest(context, stored)))
            if other is not None:
                pairs.append([other, stored])
        sums.add((stored.dtype, stored.shape, facts.mixture))
        seen.setdefault((stored.dtype, stored.shape, facts.digest), stored)
    return pairs


def _turned_digest(context: Context, stored: Stored) -> bytes | None:
    """Return the digest that the transpose of a matrix would have; None if not worked out."""
    if stored.tensor is None or stored.nbytes > TRANSPOSED_NBYTES:
        return None
    width = stored.tensor.dtype.bits // 8 if stored.tensor.dtype else 0
    if width not in (1, 2, 4, 8):
        return None
    import numpy as np

    reader = context.files.reader
    data = reader.read(stored.tensor, stored.external, most_nbytes=TRANSPOSED_NBYTES)
    matrix = np.frombuffer(data, f"u{width}").reshape(stored.shape)
    return digest_of(matrix.T.tobytes())
