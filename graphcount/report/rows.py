"""Rows of a report, in the words of the JSON contract (`schema.json` beside this file).

Every field name is a JSON key. Numbers are exact integers; None is JSON's null: not known, or not
asked for. Keys may be added within a version, never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphcount.errors import Unknown

Dim = int | str | None

OUTPUT = "(graph output)"
"""Op type of the row of a graph output that is itself a stored tensor."""

SEVERITIES = ("info", "low", "medium", "high", "critical")
"""Severities of findings, mildest first."""


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
    """

    location: str
    nbytes: int | None
    sha256: str | None


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


class DimensionRow(NamedTuple):
    """A dynamic dimension that has no size.

    Attributes:
        name: What `--dim` calls it.
        place: Where it stands first: `input x, axis 2`, `result y of NonZero, axis 1`.
        assumed: The size at which `Report.assumed` is worked out; None without that.
        why: What that size follows from.
        at_most: What it is never above, where the data decide it and its operator has a bound.
    """

    name: str
    place: str
    assumed: int | None
    why: str
    at_most: int | str | None = None


class MismatchRow(NamedTuple):
    """A declared shape that is not what the operators make; they are right, and are counted.

    Attributes:
        node: Id of the node that makes the value.
        value: Name of the value.
        declared: Shape in the file.
        derived: Shape that follows from the inputs.
        values: How many values it is about: this one, and those after it that are wrong with it.
    """

    node: str
    value: str
    declared: tuple[Dim, ...]
    derived: tuple[Dim, ...]
    values: int


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


class TensorSparsityRow(NamedTuple):
    """Zeros of a stored tensor; see `graphcount.analysis.sparsity`.

    Attributes:
        zeros: Elements that are zero: +0 and -0, of quantized integers their zero point, of a
            sparse tensor its cells that are not stored, too. None where that is not known.
        two_four: Of every 4 consecutive elements along the axis of the sums that it is used in, at
            most 2 are not zero. None where it is in no such sum, or that is not known.
        why: Why zeros are not known; empty where they are.
    """

    zeros: int | None
    two_four: bool | None
    why: str


class NodeSparsityRow(NamedTuple):
    """Zeros among the weights of a node.

    Attributes:
        node: Its id.
        elements: Elements of its weights that share its MACs evenly.
        zeros: Those of them that are zero.
        why: Why it may do fewer MACs than that says; empty where it is exact.
    """

    node: str
    elements: int
    zeros: int
    why: str


class SparsityRow(NamedTuple):
    """Zeros of a model's stored tensors, and what they leave of its MACs.

    Attributes:
        elements: Elements of all tensors whose zeros are known.
        zeros: Those of them that are zero.
        parameters: Learned elements among `elements`.
        parameter_zeros: Those of them that are zero.
        macs_nonzero: MACs of a forward pass without those of zero weights; None where MACs are not
            known or depend on dynamic dimensions.
        assumed_macs_nonzero: The same at assumed sizes; None where none were assumed.
        macs_exact: Both are exact as far as MACs are; else they are upper bounds.
        tensors: A row for each tensor of the report, in its order.
        nodes: Nodes with zeros among their weights, and those of which that is not known.
    """

    elements: int
    zeros: int
    parameters: int
    parameter_zeros: int
    macs_nonzero: int | None
    assumed_macs_nonzero: int | None
    macs_exact: bool
    tensors: tuple[TensorSparsityRow, ...]
    nodes: tuple[NodeSparsityRow, ...]

    @property
    def unread(self) -> int:
        """Tensors whose zeros are not known; the sums leave them out."""
        return sum(row.zeros is None for row in self.tensors)


UNKNOWN_FRAMEWORK = FrameworkRow(None, False, None, None, ())
"""The record of a framework's count that is not known."""


class PeakRow(NamedTuple):
    """The moment with the most live activations.

    Attributes:
        node: Id of the node that runs then.
        nbytes: Bytes alive.
        values: Name and bytes of the largest values alive.
    """

    node: str
    nbytes: int
    values: tuple[tuple[str, int], ...]


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


class StateRow(NamedTuple):
    """What one step hands to the next; sizes of None are not known.

    Attributes:
        input: Graph input that takes it in.
        output: Graph output that hands it on; None where nothing of it leaves the graph.
        kind: What it holds; see `STATE_KINDS`.
        why: The evidence.
        node: Id of the operator that takes it, or joins what is new; empty without one.
        dtype: Element type.
        shape: Of the input.
        output_shape: Of the output.
        batch_axis: Axis of the sequences; None where it has none.
        axis: Axis that grows; None for a state of one size.
        step: By how much it grows in a step; 0 for a state of one size.
        nbytes: Bytes handed on: of the output; of the input where it has none.
        nbytes_in: Bytes taken in.
    """

    input: str
    output: str | None
    kind: str
    why: str
    node: str
    dtype: str
    shape: tuple[Dim, ...]
    output_shape: tuple[Dim, ...] | None
    batch_axis: int | None
    axis: int | None
    step: Dim
    nbytes: Dim
    nbytes_in: Dim


class StatesRow(NamedTuple):
    """All that a step hands to the next, in bytes: numbers, or formulas in dynamic dimensions.

    Attributes:
        rows: The states, in the order of the inputs.
        nbytes: Handed on.
        nbytes_in: Taken in.
        nbytes_per_sequence: Of states of one size, for one sequence; pages are not in it.
        nbytes_per_token: Of states that grow and of pages, for one token of one sequence.
    """

    rows: tuple[StateRow, ...]
    nbytes: Dim
    nbytes_in: Dim
    nbytes_per_sequence: Dim
    nbytes_per_token: Dim


class MomentRow(NamedTuple):
    """A step of the run.

    Attributes:
        step: Its number, from 0, in an order of execution.
        node: Id of the node that runs then.
        nbytes: Bytes of activations alive then.
    """

    step: int
    node: str
    nbytes: int


class PlaceRow(NamedTuple):
    """A place in an arena.

    Attributes:
        value: Name of the value.
        node: Id of the node that makes it.
        offset: Where it begins, in bytes.
        nbytes: Its bytes.
        first: Step at which it is made, in an order of execution.
        last: Step at which it is read for the last time.
    """

    value: str
    node: str
    offset: int
    nbytes: int
    first: int
    last: int


class ArenaRow(NamedTuple):
    """One block with a place for every activation.

    Attributes:
        nbytes: Its bytes.
        lower_bound: The most bytes alive at a step: no block is smaller.
        values: Places, in graph order.
        unplaced: How many activations have no place: their bytes are not known, or text.
        onnxruntime_nbytes: The block that onnxruntime plans on a CPU, with its optimisation off:
            without outputs, which have memory of their own; None where a size is not known.
    """

    nbytes: int
    lower_bound: int
    values: tuple[PlaceRow, ...]
    unplaced: int
    onnxruntime_nbytes: int | None


class AssumedNodeRow(NamedTuple):
    """What a node costs at assumed sizes; see `NodeRow`."""

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


class AssumedRow(NamedTuple):
    """The same forward pass where every dynamic dimension has a size that was assumed.

    Attributes:
        dims: The sizes, those that were given and those assumed.
        inputs: Graph inputs at these sizes.
        outputs: Graph outputs.
        totals: Totals.
        nodes: A row for each node of the report, in its order.
        peak: The largest sum of live activations.
        timeline: Bytes of live activations over the run; None unless asked for.
        arena: Places of activations in one block; None unless asked for.
        states: What a step hands to the next.
        unknown: What is not known at these sizes.
    """

    dims: dict[str, int]
    inputs: tuple[ValueRow, ...]
    outputs: tuple[ValueRow, ...]
    totals: Totals
    nodes: tuple[AssumedNodeRow, ...]
    peak: PeakRow | None
    timeline: tuple[MomentRow, ...] | None
    arena: ArenaRow | None
    states: StatesRow | None
    unknown: tuple[Unknown, ...]


class RangeRow(NamedTuple):
    """The least and the most of a measure over ranges of sizes.

    Attributes:
        measure: Its name.
        least: No sizes give less; None where it is not known.
        most: No sizes give more.
        least_at: Sizes that give the least.
        most_at: Sizes that give the most.
        least_exact: The least occurs; else it is a bound, and `least_at` gives the least met.
        most_exact: The same of the most.
    """

    measure: str
    least: int | None
    most: int | None
    least_at: dict[str, int]
    most_at: dict[str, int]
    least_exact: bool
    most_exact: bool


class RangesRow(NamedTuple):
    """A forward pass over ranges of sizes.

    Attributes:
        lowest: Least size of each dimension that has a range.
        highest: Most size of each.
        assumed: Sizes of dynamic dimensions that have none.
        measures: What it comes to.
    """

    lowest: dict[str, int]
    highest: dict[str, int]
    assumed: dict[str, int]
    measures: tuple[RangeRow, ...]


class DuplicateRow(NamedTuple):
    """Tensors with the same dtype, shape and bytes; `nbytes` is what keeping one would save."""

    tensors: tuple[str, ...]
    nbytes: int


class Finding(NamedTuple):
    """Something that should not be so; carries its rule from birth."""

    rule: str
    severity: str
    message: str
    where: dict[str, object]
    evidence: dict[str, object]


class RuleInfo(NamedTuple):
    """What a rule looks for, for formats that publish rules beside findings.

    Attributes:
        id: `EXT002`.
        name: Kebab-case name: `external-data-traversal`.
        severity: Of its findings, unless a finding says otherwise.
        summary: One line.
        help: The whole documentation.
        remedy: What to do about a finding.
        reads_payload: It runs in a deep audit only.
        tags: `security` for rules about hostile models.
    """

    id: str
    name: str
    severity: str
    summary: str
    help: str
    remedy: str = ""
    reads_payload: bool = False
    tags: tuple[str, ...] = ()


class SkippedRow(NamedTuple):
    """A rule that did not run, and why."""

    rule: str
    why: str


class IgnoredRow(NamedTuple):
    """Rules that were ignored (an id or its beginning), why, and how many findings that hid."""

    rule: str
    reason: str
    findings: int


class AuditRow(NamedTuple):
    """What an audit did.

    Attributes:
        rules: Ids of the rules that ran.
        skipped: Rules that did not.
        ignored: Rules whose findings were suppressed.
        complete: No rule failed.
    """

    rules: tuple[str, ...]
    skipped: tuple[SkippedRow, ...]
    ignored: tuple[IgnoredRow, ...]
    complete: bool


class ContributorRow(NamedTuple):
    """A module, node, tensor or operator, and its part of a measure."""

    name: str
    number: int


UNCOVERED = "BUD004"
"""Rule of a verdict on a model that no check applies to."""

UNKNOWN = "BUD002"
"""Rule of a verdict on what is not known, or not exactly."""


class VerdictRow(NamedTuple):
    """What became of one demand of a check.

    Attributes:
        rule: The rule it keeps or breaks: `BUD001`.
        measure: Name of the measure, or of the list: `operators`.
        kept: Whether the demand is met; only by what is known exactly.
        value: The measured number; None when it is not known, or the demand is a list.
        unit: `count`, `bytes` or `time` (nanoseconds).
        bound: `max`, `min`, `max_increase` or `allowed`.
        limit: The limit in the same unit.
        written: The limit as the user wrote it.
        message: One sentence with exact numbers.
        note: The user's text for a failure.
        origin: Where the limit lives: `graphcount.toml:12` or `--max`.
        where: The check, the measure, and the node or tensor it is about.
        contributors: The largest parts of the value.
    """

    rule: str
    measure: str
    kept: bool
    severity: str
    value: int | None
    unit: str
    bound: str
    limit: int | None
    written: str
    message: str
    note: str
    origin: str
    where: dict[str, object]
    contributors: tuple[ContributorRow, ...]


class CheckRow(NamedTuple):
    """A check that was made of a model."""

    name: str
    origin: str
    verdicts: tuple[VerdictRow, ...]
