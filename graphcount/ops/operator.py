"""The record of an operator: one row holds all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeAlias

from graphcount.loading.model import Node
from graphcount.ops.call import (
    AttributeCheck,
    AxesRule,
    DataRule,
    DtypeRule,
    ElementsRule,
    NodeCheck,
    Packing,
    PrecisionRule,
    ShapeRule,
)
from graphcount.ops.formulas import CostRule, nothing

Key: TypeAlias = "tuple[str, str]"
"""Domain and op_type; the default domain is the empty string."""

Role = Literal[
    "weight",
    "recurrent weight",
    "peephole weight",
    "bias",
    "scale",
    "shift",
    "slope",
    "embedding",
    "initial state",
    "running mean",
    "running variance",
    "rotary table",
    "mask",
    "window",
    "quantized weight",
    "quantized bias",
    "quantization scale",
    "zero point",
    "shape",
    "axes",
    "index",
    "scalar",
    "literal",
    "statistic",
    "table",
    "operand",
    "threshold",
    "leaf value",
    "output",
    "state",
    "data",
]
"""What a tensor is to the node that uses it."""

Trait = Literal[
    "arithmetic",
    "compares",
    "constrains",
    "falls",
    "folds",
    "generates",
    "keeps values",
    "overwrites",
    "picks",
    "quantizes",
    "random",
    "renames",
    "runs bodies",
    "scales",
    "shape only",
    "sized by data",
    "unscaled",
    "writes",
]
"""What other rooms ask of an operator and its rules do not say.

* `arithmetic`: it adds, subtracts, multiplies, divides or raises two operands, element by element.
* `compares`: it answers for each element whether one operand equals, exceeds or is below the other.
* `constrains`: it maps all numbers onto a narrower range and keeps their order, so a parameter can
  be trained in its argument (the logarithm of a scale, before Exp).
* `falls`: a larger first operand makes the result smaller, or no longer true.
* `folds`: each element of the result is made of many of an input, or chosen among them.
* `generates`: it makes its elements from stated sizes; no tensor of them need be stored.
* `keeps values`: each element of the result is one of an input, moved, repeated or left out.
* `overwrites`: onnxruntime's CPU kernel is registered with MayInplace(0, 0): it writes the result
  over the first input, if shape and width of elements are the same and nobody reads that any more.
* `picks`: the result is a part of the first input: elements that their places choose.
* `quantizes`: it makes uint8 of its floats itself, with a scale of their own, and multiplies these.
* `random`: its elements are drawn, from the attribute `seed` on where there is one.
* `renames`: the result is the first input under another name or shape; it can be the same memory.
* `runs bodies`: it runs graphs that its attributes hold.
* `scales`: each element is multiplied with or divided by one of another operand.
* `shape only`: the result depends on the shape of its input, not on its elements.
* `sized by data`: how many elements the result has depends on elements of an input.
* `unscaled`: sums of integer products come out as integers; what makes them floats follows.
* `writes`: the result is the first input with elements of another one at some of its places.
"""

Reads = Literal["all", "picked", "none"]
"""Which elements of its inputs a data rule reads: every one, those it returns, or none."""

ChannelsRule: TypeAlias = "Callable[[Node, tuple[int, ...]], int | None]"
"""Output channels by a node's attributes and the dimensions of its weight."""

SCALE: tuple[Role, ...] = ("quantization scale", "zero point")
"""How a quantized result, or what precedes it, is scaled."""

SCALED_DATA: tuple[Role, ...] = ("data", *SCALE)
"""Quantized data with its scale and zero point, as three inputs."""

SCALED_WEIGHT: tuple[Role, ...] = ("quantized weight", *SCALE)
"""A quantized weight with its scale and zero point, as three inputs."""

FIRST = frozenset({0})
"""The first input, which most pass-through operators pass on."""


def traits(*names: Trait) -> frozenset[Trait]:
    """Return a set of traits."""
    return frozenset(names)


RENAMES = traits("renames", "keeps values")
KEEPS_VALUES = traits("keeps values")
FOLDS = traits("folds")
PICKS = traits("keeps values", "picks")


class Scaled(NamedTuple):
    """A quantized operand or result, by the inputs it has.

    Attributes:
        scale: Input with its scale.
        zero: Input with its zero point.
        data: Input with its data; None where it is a result.
        scales: How many scales it may have: one; one a row or column, which is not compared; one a
            filter; one an element of the attribute `axis`, or one a block along it.
    """

    scale: int
    zero: int
    data: int | None = None
    scales: Literal["one", "rows", "filters", "axis"] = "one"


class Multiplicand(NamedTuple):
    """An operand of matrix work of which every element does the same number of MACs.

    Axes are those of the operand; negative ones count from the back. An operand of one dimension
    has its sums along that.

    Attributes:
        input: Where it enters.
        sums: Axis that the sums of products run along: the reduction axis, K of a matrix product,
            the input channels of a group of a convolution.
        results: Axis whose elements make different results: rows or columns, filters. A zero
            point of one dimension has an element for each of them.
        turned: Attribute that exchanges the two; empty where none does.
        zero: Input with its zero point.
    """

    input: int
    sums: int
    results: int
    turned: str = ""
    zero: int | None = None


LEFT, RIGHT = Multiplicand(0, -1, -2), Multiplicand(1, -2, -1)
"""Operands of a matrix product: (..., M, K) and (..., K, N)."""

FACTORS = (LEFT, RIGHT)
TURNED_FACTORS = (LEFT._replace(turned="transA"), RIGHT._replace(turned="transB"))
"""The same, where attributes transpose them."""

FILTERS = (Multiplicand(1, 1, 0),)
"""The weight of a convolution (M, C/group, kernel): torch, TensorRT and NVIDIA's apex take every
position of the kernel by itself, so groups of elements run along C/group alone."""

TURNED_FILTERS = (Multiplicand(1, 0, 1),)
"""The weight of a transposed convolution (C, M/group, kernel)."""

LAYER_WEIGHTS = (Multiplicand(1, -1, -2), Multiplicand(2, -1, -2))
"""W (directions, gates x hidden, input) and R (directions, gates x hidden, hidden): together they
do all MACs of a recurrent layer."""


class KeptState(NamedTuple):
    """An input that holds what an earlier step left.

    Attributes:
        output: The output that is handed to the next step; None where there is none.
        holds: What it holds.
        axis: Axis along which it grows, or has room to; None for a state of one size.
        batch: Axis of the sequences; None where they share it, as pages.
    """

    output: int | None
    holds: Literal["keys-values", "paged", "convolution", "recurrent", "ssm", "other"]
    axis: int | None = None
    batch: int | None = 0


def past(*places: tuple[int, int], axis: int = 2, batch: int = 0) -> dict[int, KeptState]:
    """Return states of keys and values: input and output of each."""
    return {at: KeptState(output, "keys-values", axis, batch) for at, output in places}


def pages(*places: tuple[int, int]) -> dict[int, KeptState]:
    """Return states of keys and values in pages (pages, keys of a page, heads, head size)."""
    return {at: KeptState(output, "paged", None, None) for at, output in places}


@dataclass(frozen=True, slots=True)
class Operator:
    """What is known of one operator; a row of the table of its family.

    Attributes:
        roles: Role of each input by index; None where a stored tensor has no role of its own.
        rest: Role of the inputs behind `roles`, for variadic operators.
        attributes: Role of tensors and number lists kept in attributes.
        passes: Pass-through inputs: their elements come out unchanged or merely moved, converted
            or dequantized, so attribution looks through them to the operator that really uses the
            tensor.
        shape: Shapes of the outputs from what is known of the inputs; None where there is no rule.
        most: Largest shape of each output, where the data decide the size; None without a bound.
        dtypes: Element types of the outputs; None where all have the type of input 0.
        data: Elements of the outputs, for the part of a graph that computes shapes; None for an
            operator whose results are not followed.
        reads: Which elements of the inputs `data` reads.
        precision: What its floats are worth: the integers, or numbers of few bits, that they were
            made of; None for an operator whose results are what their type says.
        elements: Results where inputs or results are sequences or optional values; None for an
            operator on tensors only.
        axes: Which axes of input 0 those of the first output are; None where there is no rule.
        cost: What one forward pass costs; None where it is not known. What is free by nature has
            the rule `FREE` on purpose.
        check: What is wrong with a call, from its attributes, shapes and constant inputs; None
            where nothing is compared.
        channels: Output channels of a stored weight; None for what has no such weight.
        lookups: Inputs that hold indices, each with the input that holds the table they look up.
        states: Inputs that hold what an earlier step left, each with what becomes of it.
        packing: How it packs several elements into one; None for an operator that packs nothing.
        form_of: The operator of ONNX of which this is another form: quantized, fused, with a bias,
            simplified, of another layout; empty for one that is no form of another.
        attribute_check: What is wrong with the attributes of a node, whatever enters it: numbers
            and words that the specification does not allow; None where nothing is compared.
        scaled: Quantized operands and results that have a scale and a zero point beside them.
        factors: Operands whose elements do the same number of MACs each: all MACs are those of
            each of them, or, of a recurrent layer, of all of them together. Empty where there is
            none, or elements differ.
        traits: What other rooms ask and the rules do not say.
        unknowable: Why no file tells what it costs; empty for an operator that has a cost.
        family: Name of the table of its row.
    """

    roles: tuple[Role | None, ...] = ()
    rest: Role | None = None
    attributes: Mapping[str, Role] = field(default_factory=dict)
    passes: frozenset[int] = frozenset()
    shape: ShapeRule | None = None
    most: ShapeRule | None = None
    dtypes: DtypeRule | None = None
    data: DataRule | None = None
    reads: Reads = "all"
    precision: PrecisionRule | None = None
    elements: ElementsRule | None = None
    axes: AxesRule | None = None
    cost: CostRule | None = None
    check: NodeCheck | None = None
    channels: ChannelsRule | None = None
    lookups: tuple[tuple[int, int], ...] = ()
    states: Mapping[int, KeptState] = field(default_factory=dict)
    packing: Packing | None = None
    form_of: str = ""
    attribute_check: AttributeCheck | None = None
    scaled: tuple[Scaled, ...] = ()
    factors: tuple[Multiplicand, ...] = ()
    traits: frozenset[Trait] = frozenset()
    unknowable: str = ""
    family: str = ""

    def role(self, index: int) -> Role | None:
        """Return the role of a stored tensor at input `index`."""
        return self.roles[index] if index < len(self.roles) else self.rest

    @property
    def multiplies(self) -> bool:
        """Whether it is matrix work: its cost is known and has MACs."""
        return self.cost is not None and self.cost.macs is not nothing

    @property
    def takes_one(self) -> bool:
        """Whether its first input alone is data; others, if any, say what is done with it."""
        first, more = self.roles[:1], set(self.roles[1:])
        one = first in (("operand",), ("data",)) and self.rest is None
        return one and more <= {"literal", "shape", "axes", "scalar"}

    @property
    def is_convolution(self) -> bool:
        """Whether it lays filters on positions: the matrix work of the family of convolutions."""
        return self.family == "conv" and self.multiplies

    @property
    def is_matrix_product(self) -> bool:
        """Whether it multiplies two operands as matrices, whatever is fused with it."""
        return self.family in ("linear", "einsum") and self.multiplies

    @property
    def normalises(self) -> bool:
        """Whether it brings elements to a common mean or scale."""
        return self.family == "norm"

    @property
    def is_recurrent(self) -> bool:
        """Whether it steps through a sequence with weights for its state."""
        return self.family == "recurrent"

    @property
    def is_control_flow(self) -> bool:
        """Whether it decides which of its bodies runs, or how often."""
        return self.family == "control"

    @property
    def takes_bias(self) -> bool:
        """Whether one of its inputs is a bias."""
        return "bias" in self.roles or "quantized bias" in self.roles

    @property
    def takes_quantized(self) -> bool:
        """Whether it takes quantized elements, with a scale, a zero point or packed."""
        if "quantized weight" in self.roles:
            return True
        return "zero point" in self.roles and not self.passes


Table: TypeAlias = "dict[str, Operator]"
"""Operators of one domain by op_type."""


def each(op_types: str, row: Operator) -> Table:
    """Return the same row for several operators, named in one string."""
    return dict.fromkeys(op_types.split(), row)


def family(name: str, rows: Table) -> Table:
    """Return the table of a family: its rows, each with the name of the family."""
    named: dict[int, Operator] = {}
    for row in rows.values():
        if id(row) not in named:
            named[id(row)] = replace(row, family=name)
    return {op_type: named[id(row)] for op_type, row in rows.items()}


def merge(tables: Iterable[Table]) -> Table:
    """Join tables of one domain.

    Raises:
        ValueError: An operator is in two of them.
    """
    merged: Table = {}
    for table in tables:
        for op_type, row in table.items():
            if op_type in merged:
                raise ValueError(f"operator {op_type} is in two tables")
            merged[op_type] = row
    return merged
