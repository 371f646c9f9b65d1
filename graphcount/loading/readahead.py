"""Read-ahead for bytes that are costly to ask for: few requests, and few bytes.

The walk over a model asks for small pieces in ascending order and jumps over weights. How much is
asked for at a time follows from what it did before:

- It goes on where the last piece ended, or jumps a little: the pieces double, so that nodes and
  small tensors cost a logarithm of requests. Half a megabyte is about what a round trip costs.
- It jumps far: a small piece, which holds the next tensor's name and dims.
- Its far jumps repeat (a network has many equal layers): the places it will jump to next are
  asked for in the same round trip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise

HEAD_NBYTES = 64 * 1024
"""First piece: a small model is whole in it."""
JUMP_NBYTES = 16 * 1024
"""Piece behind a far jump: a few tensors' names, dims and small data fields."""
NEAR_NBYTES = 512 * 1024
"""A jump up to here is read through: 50 ms of waiting are worth about this much at 10 MB/s."""
STEP_NBYTES = 4 * 2**20
"""Largest piece."""
CACHE_NBYTES = 16 * 2**20
"""Pieces kept, latest first."""
MOST_GUESSES = 16
"""Places asked for ahead in one round trip."""
HISTORY = 64
"""Far jumps remembered to find their period."""
SLACK_NBYTES = 256
"""Two jumps are equal up to here: `layer.9` and `layer.10` are not equally long."""

Range = tuple[int, int]
Fetch = Callable[[Sequence[Range]], list[bytes]]


class ReadAhead:
    """Bytes by position, fetched in pieces that fit how they are read.

    Args:
        fetch: Gives the bytes of ranges (start, end), all in one round trip.
        nbytes: Size of the whole.
        head: Its first bytes, when they are known already.
    """

    def __init__(self, fetch: Fetch, nbytes: int, head: bytes = b"") -> None:
        self.nbytes = nbytes
        self._fetch = fetch
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._held = 0
        self._tail = 0
        self._step = HEAD_NBYTES // 2
        self._jumps: deque[int] = deque(maxlen=HISTORY)
        self._guesses: set[int] = set()
        self._batch = 1
        if head:
            self._keep(0, head)
            self._tail, self._step = len(head), HEAD_NBYTES

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`; fewer only at the end."""
        end = min(offset + nbytes, self.nbytes)
        parts = []
        while offset < end:
            piece = self._find(offset)
            if piece is None:
                self._miss(offset, end - offset)
                continue
            start, data = piece
            if start in self._guesses:
                self._guesses.discard(start)
                self._jumped(offset, start + len(data))
            part = data[offset - start : end - start]
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _find(self, offset: int) -> tuple[int, bytes] | None:
        for piece in self._pieces:
            if piece[0] <= offset < piece[0] + len(piece[1]):
                return piece
        return None

    def _keep(self, start: int, data: bytes) -> None:
        self._pieces.appendleft((start, data))
        self._held += len(data)
        while self._held > CACHE_NBYTES and len(self._pieces) > 1:
            dropped, old = self._pieces.pop()
            self._guesses.discard(dropped)
            self._held -= len(old)

    def _jumped(self, offset: int, tail: int) -> None:
        self._jumps.append(offset)
        self._tail, self._step = tail, JUMP_NBYTES

    def _miss(self, offset: int, needed: int) -> None:
        """Fetch a piece at `offset`, and with a far jump those that are likely to be next."""
        ranges = []
        if abs(offset - self._tail) > NEAR_NBYTES:
            self._jumped(offset, offset)
            ranges = self._guess()
        else:
            self._step = min(2 * self._step, STEP_NBYTES)
        stop = min(self.nbytes, offset + max(min(needed, STEP_NBYTES), self._step))
        self._tail = stop
        ranges = [(start, end) for start, end in ranges if start >= stop]
        answers = self._fetch([(offset, stop), *ranges])
        for (start, _), data in reversed(
            list(zip([(offset, stop), *ranges], answers, strict=True))
        ):
            self._keep(start, data)
        self._guesses.update(start for start, _ in ranges)

    def _guess(self) -> list[Range]:
        """Return ranges of the next far jumps; more of them as long as the guesses come true."""
        self._batch = 1 if self._guesses else min(2 * self._batch, MOST_GUESSES)
        self._guesses.clear()
        ranges = []
        for place in predict(list(self._jumps), self._batch):
            start = max(0, place - 2 * SLACK_NBYTES)
            end = min(self.nbytes, place + JUMP_NBYTES + 2 * SLACK_NBYTES)
            if start < end and self._find(place) is None:
                ranges.append((start, end))
        return ranges


def predict(jumps: Sequence[int], most: int) -> list[int]:
    """Return the next `most` places, when the distances between the last ones repeat; else none."""
    gaps = [after - before for before, after in pairwise(jumps)]
    best = period = 0
    for candidate in range(1, len(gaps) // 2 + 1):
        equal = 0
        while (
            equal + candidate < len(gaps)
            and abs(gaps[-1 - equal] - gaps[-1 - equal - candidate]) <= SLACK_NBYTES
        ):
            equal += 1
        if equal >= candidate and equal > best:
            best, period = equal, candidate
    places = []
    if period:
        place = jumps[-1]
        for index in range(most):
            place += gaps[index % period - period]
            places.append(place)
    return places
