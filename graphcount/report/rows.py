"""Rows of a report, in the words of the JSON contract (`schema.json` beside this file).

Every field name is a JSON key. Numbers are exact integers; None is JSON's null: not known, or not
asked for. Keys may be added within a version, never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Dim = int | str | None

OUTPUT = "(graph output)"
"""Op type of the row of a graph output that is itself a stored tensor."""


def traffic(read: int | None, written: int | None) -> int | None:
    """Return bytes read and written together; None where one is not known."""
    return None if read is None or written is None else read + written


def intensity(macs: int | None, read: int | None, written: int | None) -> float | None:
    """Return the arithmetic intensity: 2 x MACs / (bytes read + bytes written).

    None where one of them is not known, or nothing is moved (Williams, Waterman, Patterson:
    Roofline, 2009).
    """
    moved = traffic(read, written)
    return 2 * macs / moved if macs is not None and moved else None


class ValueRow(NamedTuple):
    """A graph input or output.

    Attributes:
        shape: What it is counted with; None when the file states none.
        declared: Shape in the file, where sizes that were given replaced a number of it.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None
    declared: tuple[Dim, ...] | None = None


class FileRow(NamedTuple):
    """An external data file of a model.

    Attributes:
        location: As the model states it.
        nbytes: Its size, or None when it is missing or must not be touched.
        sha256: Its digest, when digests were asked for and it may be read.
        host: Another host that it comes from, by a redirect of the model's; empty for others.
    """

    location: str
    nbytes: int | None
    sha256: str | None
    host: str = ""


class ModelInfo(NamedTuple):
    """What file it is.

    Attributes:
        file_nbytes: Size of the model file.
        external_nbytes: Size of its external data files, each once, with what no tensor uses; of
            those that are there and may be looked at (see `side_files`).
        referenced_nbytes: Bytes its tensors refer to in them: a range once for each tensor of it.
        disk_nbytes: The model file and its external data files.
        side_files: Each location of external data once.
        node_count: Nodes in the file: main graph, subgraphs and function bodies, each once.
    """

    path: str
    format: str
    file_nbytes: int
    external_nbytes: int
    referenced_nbytes: int
    disk_nbytes: int
    sha256: str | None
    ir_version: int
    opset_imports: dict[str, int]
    producer: str
    graph_name: str
    inputs: tuple[ValueRow, ...]
    outputs: tuple[ValueRow, ...]
    metadata: dict[str, str]
    node_count: int
    function_count: int
    subgraph_count: int
    side_files: tuple[FileRow, ...] = ()


class PrecisionRow(NamedTuple):
    """MACs of a forward pass by the element types that are multiplied.

    Attributes:
        operand_types: Of the activation and of the weight, or of both activations: `int8`; also
            `int3`, `bipolar` where a file rounds floats to so many bits; None where not known.
        bits: Of one number of each.
        nodes: How many nodes multiply them.
        macs: Their MACs.
        macs_expression: The same where dimensions are dynamic.
        bit_operations: MACs x bits of the one x bits of the other.
    """

    operand_types: tuple[str, str] | None
    bits: tuple[int, int] | None
    nodes: int
    macs: int | None
    macs_expression: str | None
    bit_operations: int | None


class NBytes(NamedTuple):
    """Bytes by kind: elements x width of the type (see `TensorRow.nbytes`).

    Attributes:
        total: All stored tensors.
        stored: What their data takes where it lies: stored + overhead = model file + referenced.
        overhead: The rest of the file: structure, names, metadata; None for text forms.
        absent: Bytes that dimensions ask for and nobody stores; 0 in a complete model.
    """

    parameters: int
    buffers: int
    quantization: int
    constants: int
    unused: int
    total: int
    stored: int
    overhead: int | None
    absent: int


class Totals(NamedTuple):
    """Sums over the whole model.

    Attributes:
        parameters: Learned elements the file holds, each stored tensor once.
        parameters_as_used: The same, once for each use (tied weights, calls of a function).
        elements: Logical elements of all stored tensors.
        stored_elements: Numbers physically there (sparse tensors hold fewer than their cells).
        generated: Numbers the graph makes without inputs and nobody stored.
        operand_elements: Stored or generated numbers that reach what is computed, of any kind;
            None where it depends on shapes, and these were not worked out.
        macs: Multiply-accumulates of matrix work in one forward pass.
        macs_expression: The same where dimensions are dynamic: a formula in their names.
        macs_at_most: MACs where every Loop that may end early runs to its limit; None where `macs`
            is exact or no limit is known.
        elementwise_at_most: The same of element-wise work.
        at_least: Measures whose total is a lower bound: `parameters` (and every other count),
            `macs` (and `flops`, `bit_operations`), `elementwise`, `traffic` (bytes read and
            written), `activation`, `peak`.
        lower_bound: `at_least` has `parameters` or `macs`.
        precision: MACs by the types that are multiplied, most first.
        bit_operations: MACs x bits of the one operand x bits of the other; None also where the
            types of some are not known.
        read_nbytes: Bytes that nodes read in one forward pass: values and stored tensors.
        written_nbytes: Bytes that they write.
        load_nbytes: Constants that are folded at load and stay: results that follow from stored
            tensors alone, as far as a run reads them; they are no activations.
    """

    parameters: int
    parameters_as_used: int
    buffers: int
    quantization: int
    constants: int
    unused: int
    elements: int
    stored_elements: int
    generated: int
    operand_elements: int | None
    nbytes: NBytes
    macs: int | None
    flops: int | None
    elementwise: int | None
    macs_expression: str | None
    elementwise_expression: str | None
    activation_expression: str | None
    macs_at_most: int | None
    elementwise_at_most: int | None
    at_least: tuple[str, ...]
    lower_bound: bool
    input_nbytes: int | None
    output_nbytes: int | None
    load_nbytes: int | None
    activation_nbytes: int | None
    peak_activation_nbytes: int | None
    precision: tuple[PrecisionRow, ...] = ()
    bit_operations: int | None = None
    bit_operations_expression: str | None = None
    read_nbytes: int | None = None
    read_expression: str | None = None
    written_nbytes: int | None = None
    written_expression: str | None = None

    @property
    def traffic_nbytes(self) -> int | None:
        """Bytes that are read or written."""
        return traffic(self.read_nbytes, self.written_nbytes)

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte that is read or written; None where one of them is not known."""
        return intensity(self.macs, self.read_nbytes, self.written_nbytes)


class DTypeRow(NamedTuple):
    """Stored tensors of one element type."""

    dtype: str
    tensors: int
    elements: int
    nbytes: int


class OpTypeRow(NamedTuple):
    """Nodes of one operator."""

    op_type: str
    domain: str
    nodes: int
    parameters: int
    buffers: int
    nbytes: int
    macs: int | None


class ModuleRow(NamedTuple):
    """A module with all below it; the row of depth 0 is the whole model."""

    name: str
    depth: int
    parameters: int
    buffers: int
    nbytes: int
    macs: int | None
    nodes: int


class NodeRow(NamedTuple):
    """A node of the graph, with the tensors it owns.

    Attributes:
        operand_types: Element types that it multiplies, that of a weight last; empty for a node
            without matrix work, None where they are not known.
        bit_operations: MACs x bits of the one operand x bits of the other.
        read_nbytes: Bytes that it reads in one forward pass, stored tensors too.
        read_expression: The same where dimensions are dynamic.
        written_nbytes: Bytes that it writes.
    """

    id: str
    name: str
    op_type: str
    domain: str
    scope: str
    module: str
    parameters: int
    buffers: int
    nbytes: int
    output_shapes: tuple[tuple[Dim, ...] | None, ...]
    macs: int | None
    elementwise: int | None
    explain: str
    macs_expression: str | None
    operand_types: tuple[str, ...] | None = None
    bit_operations: int | None = None
    read_nbytes: int | None = None
    read_expression: str | None = None
    written_nbytes: int | None = None
    written_expression: str | None = None

    @property
    def traffic_nbytes(self) -> int | None:
        """Bytes that it reads or writes."""
        return traffic(self.read_nbytes, self.written_nbytes)

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte that it reads or writes; None where one of them is not known."""
        return intensity(self.macs, self.read_nbytes, self.written_nbytes)


class UseRow(NamedTuple):
    """One use of a tensor: node id and input index there (None: an attribute)."""

    node: str
    input: int | None


class StorageRow(NamedTuple):
    """Where a tensor's data lies.

    Attributes:
        where: `initializer`, `constant`, `sparse`, `attribute`, `function`, `external`, or
            `input` for a parameter that the file declares and does not hold.
        location: External data file; None when the data is in the model file.
        offset: First byte, in the model file or the external data file.
    """

    where: str
    location: str | None
    offset: int | None


class TensorRow(NamedTuple):
    """A stored tensor.

    Attributes:
        elements: Logical numbers.
        stored_elements: Numbers physically there.
        nbytes: Elements x width of the type, packed below 8 bits, whatever a file spends on them;
            the length of the text for strings.
        stored_nbytes: Bytes its data takes where it lies.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    stored_elements: int
    nbytes: int
    stored_nbytes: int
    kind: str
    role: str
    reason: str
    owner: str | None
    module: str
    uses: tuple[UseRow, ...]
    storage: StorageRow


class FrameworkRow(NamedTuple):
    """What the training framework counted, as far as the file proves it."""

    parameters: int | None
    exact: bool
    low: int | None
    high: int | None
    evidence: tuple[str, ...]


class FingerprintRow(NamedTuple):
    """SHA-256 digests of a model's content, whatever names it uses and however it is stored.

    None where tensor data it needs could not be read; see `graphcount.analysis.fingerprint`.

    Attributes:
        architecture: Operators, attributes, wiring, types and shapes, shape constants.
        weights: The data of all other tensors, wherever they are used.
        content: The architecture with every number in its place.
        unread: Tensors whose data could not be read, each with the reason.
    """

    architecture: str | None
    weights: str | None
    content: str | None
    unread: tuple[str, ...]


UNKNOWN_FRAMEWORK = FrameworkRow(None, False, None, None, ())
"""The record of a framework's count that is not known."""


STATE_KINDS: Mapping[str, str] = {
    "keys-values": "keys and values, which grow by those of every step",
    "window": "keys and values of the last tokens: as many are left out as are joined",
    "buffer": "keys and values in a buffer of one size, into which new ones are written",
    "paged": "keys and values in pages that sequences share",
    "cross-attention": "keys and values of an encoder, handed through or used again",
    "convolution": "the last positions that a causal convolution needs",
    "recurrent": "hidden states of LSTM, GRU and their like",
    "ssm": "states of state-space models and of linear attention",
    "other": "nothing says what it holds",
}
"""What a state holds, by its kind."""


class DuplicateRow(NamedTuple):
    """Tensors with the same dtype, shape and bytes; `nbytes` is what keeping one would save."""

    tensors: tuple[str, ...]
    nbytes: int


UNCOVERED = "BUD004"
"""Rule of a verdict on a model that no check applies to."""

UNKNOWN = "BUD002"
"""Rule of a verdict on what is not known, or not exactly."""
