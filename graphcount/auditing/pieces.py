"""Where the numbers of a tensor lie when that is not one place: sparse tensors, split lists."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable

from graphcount.analysis.stored import Stored
from graphcount.loading.model import Tensor

MOST_PIECES = 1 << 18
"""A payload in more pieces is not read (RES004 says so): a list that is not packed has one each."""


def numbers_of(stored: Stored) -> Tensor | None:
    """The dense tensor that holds the numbers of a stored one: the values of a sparse one."""
    return stored.sparse.values if stored.sparse is not None else stored.tensor


def in_too_many_pieces(stored: Stored) -> bool:
    """Whether the numbers of a tensor are not read because they lie in too many pieces."""
    tensor = numbers_of(stored)
    return tensor is not None and any(
        payload.occurrences > MOST_PIECES and payload.data is None
        for payload in tensor.payloads
        if payload.field not in ("raw_data", "string_data")
    )


class Joined:
    """Pieces of a file, read as if they were one."""

    def __init__(
        self, read: Callable[[int, int], bytes], pieces: Iterable[tuple[int, int]]
    ) -> None:
        self._read = read
        self._offsets, self._ends = array("q"), array("q")
        end = 0
        for offset, nbytes in pieces:
            end += nbytes
            self._offsets.append(offset)
            self._ends.append(end)

    def read(self, position: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `position` of the whole."""
        found = []
        index = bisect_right(self._ends, position)
        while nbytes > 0 and index < len(self._ends):
            inside = position - (self._ends[index - 1] if index else 0)
            taken = min(nbytes, self._ends[index] - position)
            found.append(self._read(self._offsets[index] + inside, taken))
            position, nbytes, index = position + taken, nbytes - taken, index + 1
        return b"".join(found)
