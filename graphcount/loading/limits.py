"""What a file may ask of us, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the work a file can cause; exceeding one is a `LimitError`, never a hang.

    The reason for each number stands beside it.
    """

    message_depth: int = 100
    """Nested protobuf messages; protobuf itself refuses more (kDefaultRecursionLimit)."""
    fields: int = 20_000_000
    """Protobuf fields looked at; about ten seconds of work."""
    nodes: int = 1_000_000
    """Nodes in the file; each costs about 3 kB once it is in the graph."""
    tensors: int = 1_000_000
    """Stored tensors in the file."""
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


DEFAULT_LIMITS = Limits()
