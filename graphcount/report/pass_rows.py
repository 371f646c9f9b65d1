"""Rows of a forward pass: its dimensions, memory and states, at assumed sizes and over ranges.

The words are those of the JSON contract, as in `graphcount.report.rows`.
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.errors import Unknown
from graphcount.report.rows import Dim, Totals, ValueRow


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
