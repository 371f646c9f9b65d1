"""What a file may ask of us, in one place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isqrt

from graphcount.errors import LimitError

LEAST_WORK = 6_000_000
"""Units of work that any file may ask for: nine seconds, or 900 MB."""

WORK = {
    "field": 1,
    "text mark": 2,
    "unknown field": 3,
    "name": 8,
    "unread": 1,
    "dimension": 4,
    "expression": 400,
    "message": 2,
    "StringStringEntryProto": 6,
    "OperatorSetIdProto": 10,
    "TrainingInfoProto": 10,
    "AttributeProto": 25,
    "ValueInfoProto": 50,
    "TensorProto": 80,
    "SparseTensorProto": 80,
    "NodeProto": 40,
    "FunctionProto": 60,
    "GraphProto": 150,
}
"""Units of work for each part of a file: about 1.5 microseconds of processor time each, or 150
bytes of memory, whichever is more, in the command that it costs most.

A name is one that a list repeats, such as an input of a node; unread are each `UNREAD_NBYTES` of a
message that counting does not need, and of which an audit reads the strings; of another message
only the nesting is looked at; text marks are brackets, commas and their like in text forms; an
expression is a new name of a dimension that looks like a formula.
"""

UNREAD_NBYTES = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the work a file can cause; exceeding one is a `LimitError`, never a hang.

    Each is a constant, but for `work`, which follows the file's size. The reason for each stands
    beside it.
    """

    message_depth: int = 100
    """Nested protobuf messages; protobuf itself refuses more (kDefaultRecursionLimit)."""
    work: int | None = None
    """What all parts of a file may cost together, as `WORK` has it: 6 million units, twice as much
    for each four times its size beyond 6 MB (see `most_work`). A number replaces that for files of
    every size. Tensor data and elements of long lists are free: they are taken in bulk."""
    rank: int = 64
    """Dimensions of a tensor (numpy and onnxruntime stop here)."""
    kept_payload_nbytes: int = 1024
    """Data fields up to this size stay in memory: shapes, axes and scalars are this small."""
    text_nbytes: int = 16 * 2**20
    """A leaf field that is no tensor data is skipped above this size."""
    whole_file_nbytes: int = 32 * 2**20
    """Files up to this size are read whole; larger ones are walked through a small window."""
    window_nbytes: int = 32 * 1024
    """The window of the walk over a large file."""
    expanded_nodes: int = 5_000
    """Nodes, and calls on the way to them, that any file may ask for when local functions are
    expanded at their calls: a quarter of a second and 12 MB, whatever the file's size. What reads
    and makes many values counts as several."""
    expanded_times: int = 32
    """A file may ask for more where it holds much: this many for each node in it, and for each
    initializer that one reads, as far as `work` goes. Exported models grow 1 to 3 times; a layer of
    300 nodes that is called for each of 126 sets of weights, 23 times."""
    function_depth: int = 100
    """Local functions calling local functions (onnx and onnxruntime stop here)."""
    text_form_nbytes: int = 64 * 2**20
    """ONNX text and JSON forms are parsed by onnx as a whole, so their size is bounded."""

    def most_work(self, file_nbytes: int) -> int:
        """Return the units of work that a file of some size may ask for.

        A large file is no bomb, one that asks for far more than its size is: 28 million units at
        128 MB, 113 million at 2 GB, which protobuf does not go beyond.
        """
        least = LEAST_WORK
        return max(least, isqrt(least * file_nbytes)) if self.work is None else self.work


DEFAULT_LIMITS = Limits()


def beyond(
    limit: str, reason: str, needed: int, offset: int | None = None, rule: str | None = None
) -> LimitError:
    """Return the error for a file that asks for more than a limit allows.

    Args:
        limit: Name of the limit.
        reason: What is too much, and by how much where that is known.
        needed: A value of the limit that allows it, as far as that is known.
        offset: Byte offset in the file.
        rule: Id of the audit rule that documents it.
    """
    how = f"to allow it: --limit {limit}={needed}, in Python limits=Limits({limit}={needed})"
    return LimitError(f"{reason}; {how}", offset=offset, rule=rule)


class FileBudget:
    """The work that a file may ask for, spent part by part.

    Attributes:
        most: Units that it has.
        spent: Units that were spent.
    """

    def __init__(self, most: int, spent: int = 0) -> None:
        self.most = most
        self.spent = spent
        self._parts: Counter[str] = Counter()

    @property
    def left(self) -> int:
        """Units that are left."""
        return self.most - self.spent

    def spend(self, part: str, offset: int | None = None, count: int = 1) -> None:
        """Spend what some parts cost; see `WORK`.

        Args:
            part: What they are.
            offset: Byte offset of the last of them.
            count: How many there are.

        Raises:
            LimitError: The budget is spent.
        """
        self._parts[part] += count
        self.spent += count * WORK[part]
        if self.spent > self.most:
            worst = max(self._parts, key=lambda part: self._parts[part] * WORK[part])
            many = f"{self._parts[worst]:,} times {worst}"
            reason = f"more than {self.most:,} units of work, most of them for {many}"
            raise beyond("work", reason, 2 * self.most, offset, "RES001")
