"""Walks over files of any size through a small window of bytes.

`thin` returns a valid ModelProto whose large data fields are left out; each omission is remembered
with its place in the original file.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable

from graphcount.errors import DamagedError
from graphcount.loading.limits import FileBudget, Limits
from graphcount.loading.lists import RUNS, SAME, SLOTS, STRINGS, is_packed, packed, run_of
from graphcount.loading.messages import (
    DATA_FIELDS,
    LEN,
    PATHS_TO_TENSORS,
    VARINT,
    VARINT_FIELDS,
    packed_remainder,
)
from graphcount.loading.model import ListRun
from graphcount.loading.packed_lists import LONG_NBYTES
from graphcount.loading.source import Readable, Source
from graphcount.loading.wire import (
    CUT_VARINT,
    Cut,
    Thin,
    encode_varint,
    field_size,
    field_tag,
    in_bulk,
    overrun,
    too_deep,
    varint,
)


def thin(source: Source, limits: Limits, *, every_string: bool) -> Thin:
    """Walk a model and leave out every data field larger than `limits.kept_payload_nbytes`.

    Args:
        source: The file.
        limits: Window, depth and field limits.
        every_string: Keep long lists of strings, for whoever looks at every string of a file.

    Raises:
        DamagedError: The wire format is broken; offset in the file.
        LimitError: Nested or fragmented beyond the limits.
    """
    walk = _Walk(source, limits, every_string)
    walk.message("ModelProto", 0, source.nbytes, 1)
    return walk.assemble()


class Window:
    """A source behind a small window of bytes, for walks that go forward.

    Args:
        source: The bytes.
        nbytes: Bytes read at a time.
    """

    def __init__(self, source: Readable, nbytes: int) -> None:
        self.source = source
        self.nbytes = nbytes
        self.window = b""
        self.base = 0

    def load(self, position: int) -> None:
        """Move the window so that it begins at `position`."""
        self.window = self.source.read(position, self.nbytes)
        self.base = position

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return bytes of the source; the window stays where it is."""
        low = offset - self.base
        inside = low >= 0 and low + nbytes <= len(self.window)
        return self.window[low : low + nbytes] if inside else self.source.read(offset, nbytes)

    def header(self, position: int, end: int) -> tuple[int, int, int]:
        """Return tag, size and position of the content of the field at `position`."""
        if not self.base <= position <= self.base + len(self.window) - 20:
            self.load(position)
        window, base = self.window, self.base
        limit = min(len(window), end - base)
        start = position - base
        try:
            tag, at = field_tag(window, start, limit)
            if tag & 7 == VARINT:
                size = varint(window, at, limit)[1] - at
            else:
                size, at = field_size(window, tag, at, limit, start)
        except DamagedError as error:
            raise DamagedError(error.message, offset=(error.offset or 0) + base) from None
        if base + at + size > end:
            raise DamagedError(overrun(tag, size, end - base - at), offset=position)
        return tag, size, base + at


class _Walk(Window):
    """One pass over a file: the pieces kept and the cuts made."""

    def __init__(self, source: Readable, limits: Limits, every_string: bool) -> None:
        super().__init__(source, limits.window_nbytes)
        self.limits = limits
        self.every_string = every_string
        self.budget = FileBudget(limits.most_work(source.nbytes))
        self.pieces: list[tuple[int, bytes]] = []
        self.cuts: list[tuple[int, Cut]] = []
        self.lists: dict[int, list[ListRun]] = {}

    def keep(self, start: int, stop: int) -> int:
        """Copy file bytes start..stop as one piece; return their number."""
        if stop <= start:
            return 0
        self.pieces.append((start, self.read(start, stop - start)))
        return stop - start

    def last_byte(self, end: int) -> None:
        """Refuse packed varints that are cut at their end; the window then begins there."""
        if not self.base < end <= self.base + len(self.window):
            self.load(end - 1)
        at = end - 1 - self.base
        if self.window[at : at + 1] >= b"\x80":
            raise DamagedError(CUT_VARINT, offset=end - 1)

    def message(self, kind: str, position: int, end: int, depth: int) -> int:
        """Walk one message and return the number of bytes kept of it."""
        if depth > self.limits.message_depth:
            raise too_deep(self.limits, position)
        children, is_tensor = PATHS_TO_TENSORS[kind], kind == "TensorProto"
        kept, run, begin = 0, position, position
        small = self.limits.kept_payload_nbytes
        is_long = kind == "AttributeProto" and in_bulk(end - position, LONG_NBYTES)
        same = before = 0
        while position < end:
            start = position
            tag, size, content = self.header(position, end)
            position = content + size
            self.budget.spend("field", start)
            if is_long:
                same, before = same + 1 if tag == before else 0, tag
                if is_packed(tag, size):
                    kept += self.keep(run, start)
                    kept, run = self.list_part(begin, kept, tag, content, position)
                    continue
                if same >= SAME and tag in RUNS:
                    kept, same = kept + self.keep(run, position), 0
                    kept, position = self.list_part(begin, kept, tag, position, end)
                    run = position
                    continue
            if size <= small or tag & 7 != LEN:
                if position - run > self.limits.window_nbytes // 2:
                    kept += self.keep(run, position)
                    run = position
                continue
            number = tag >> 3
            child = children.get(number)
            is_data = is_tensor and number in DATA_FIELDS
            if child is None and not is_data and size <= self.limits.text_nbytes:
                continue
            kept += self.keep(run, start)
            run = position
            if child is None:
                if not kept:  # the message begins with a cut: an empty piece marks where it stands
                    self.pieces.append((start, b""))
                if is_data and number in VARINT_FIELDS:
                    self.last_byte(position)
                why = packed_remainder(number, size) if is_data else ""
                if why:
                    raise DamagedError(why, offset=content)
                self.cuts.append((len(self.pieces), Cut(kind, number, content, size)))
                continue
            slot = len(self.pieces)
            self.pieces.append((start, b""))
            inner = self.message(child, content, position, depth + 1)
            head = encode_varint(tag) + encode_varint(inner)
            self.pieces[slot] = (start, head)
            kept += len(head) + inner
        return kept + self.keep(run, end)

    def list_part(self, begin: int, kept: int, tag: int, content: int, end: int) -> tuple[int, int]:
        """Take part of a long list of an attribute, in bulk.

        Args:
            begin: Where the attribute begins.
            kept: Bytes kept of it so far.
            tag: Tag of the list: packed, or of a run of fields.
            content: Where its elements begin.
            end: Where they end; of a run where the attribute does.

        Returns:
            The number of bytes kept then, and the position behind the part.
        """
        if is_packed(tag, end - content):
            values, position = packed(self.read, tag, content, end), end
        else:
            values, position = run_of(self.read, tag, content, end)
        if position == content:
            return kept, position
        if tag == STRINGS and self.every_string:
            return kept + self.keep(content, position), position
        if not kept:  # an empty piece marks where the attribute stands
            self.pieces.append((begin, b""))
        self.lists.setdefault(begin, []).append(ListRun(len(self.pieces), SLOTS[tag], values))
        return kept, position

    def assemble(self) -> Thin:
        """Join the pieces and compute where each of them, and each cut, lies."""
        starts, total = [], 0
        for _, piece in self.pieces:
            starts.append(total)
            total += len(piece)
        ends = [*starts, total]
        return Thin(
            data=b"".join(piece for _, piece in self.pieces),
            starts=starts,
            origins=[origin for origin, _ in self.pieces],
            cut_at=[ends[index] for index, _ in self.cuts],
            cuts=[cut for _, cut in self.cuts],
            lists={
                begin: [run._replace(at=ends[run.at]) for run in runs]
                for begin, runs in self.lists.items()
            },
            work=self.budget.spent,
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
        parts = []
        index = bisect_right(self._ends, position)
        while nbytes > 0 and index < len(self._ends):
            inside = position - (self._ends[index - 1] if index else 0)
            taken = min(nbytes, self._ends[index] - position)
            parts.append(self._read(self._offsets[index] + inside, taken))
            position, nbytes, index = position + taken, nbytes - taken, index + 1
        return b"".join(parts)
