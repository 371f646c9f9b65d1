"""What a file may ask of us, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from graphcount.errors import LimitError


class Share(NamedTuple):
    """How much a file may ask for of what is counted.

    Attributes:
        least: So many, whatever its size.
        nbytes: And one for each so many of its bytes where that is more.
    """

    least: int
    nbytes: int


Shared: TypeAlias = Literal["fields", "nodes", "tensors"]

SHARES: dict[Shared, Share] = {
    "fields": Share(20_000_000, 8),
    "nodes": Share(1_000_000, 1024),
    "tensors": Share(1_000_000, 1024),
}
"""What grows with the file's size: a large file is no bomb, one that asks for far more than its
size is. The reasons for the numbers stand beside the limits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the work a file can cause; exceeding one is a `LimitError`, never a hang.

    Each is a constant, or in proportion to the bytes of the file; None follows the file's size as
    `SHARES` has it, a number replaces that for files of every size. The reason for each stands
    beside it.
    """

    message_depth: int = 100
    """Nested protobuf messages; protobuf itself refuses more (kDefaultRecursionLimit)."""
    fields: int | None = None
    """Protobuf fields that are looked at one by one, in files that are not read whole: 20 million,
    about ten seconds of work, or one for each 8 bytes, as a graph of small nodes has them. Elements
    of long lists are looked at in bulk and do not count: their work is a share of their bytes."""
    nodes: int | None = None
    """Nodes in the file: 1 million, or one for each KiB. Each takes about 3 kB once it is in the
    graph, so that memory stays at three times the file's size."""
    tensors: int | None = None
    """Stored tensors in the file: 1 million, or one for each KiB, as for nodes."""
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
    expanded at their calls: a quarter of a second and 12 MB, whatever the file's size."""
    expanded_times: int = 32
    """A file may ask for more where it holds much: this many for each node and initializer in it,
    up to `nodes`. Exported models grow 1 to 3 times; a layer of 300 nodes that is called
    for each of 126 sets of weights, 23 times."""
    function_depth: int = 100
    """Local functions calling local functions (onnx and onnxruntime stop here)."""
    text_form_nbytes: int = 64 * 2**20
    """ONNX text and JSON forms are parsed by onnx as a whole, so their size is bounded."""

    def most(self, name: Shared, file_nbytes: int) -> int:
        """Return how many a file of some size may have."""
        stated: int | None = getattr(self, name)
        share = SHARES[name]
        return max(share.least, file_nbytes // share.nbytes) if stated is None else stated


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
