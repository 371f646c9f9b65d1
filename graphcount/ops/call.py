"""One use of an operator as formulas see it: attributes, shapes, small values; no tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from graphcount.dtypes import Precision
from graphcount.loading.model import Node
from graphcount.symbolic import Dim, Expr, largest_number

MAX_RANK = 64
"""Dimensions of a tensor (`Limits.rank`); what asks for more is unknown."""

Shape: TypeAlias = "tuple[Dim | None, ...]"
"""Dimensions; None where one is not known."""

Dims: TypeAlias = "tuple[Dim, ...]"
"""Dimensions that are all known."""

Value: TypeAlias = "tuple[Dim, ...]"
"""The elements of a small integer tensor, flattened: shapes, axes, indices, sizes."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A node with what is known around it; compared by identity.

    Attributes:
        node: The record: attributes by `node.integer`, `node.integers`, `node.text`.
        opset: Version of its domain that the model imports.
        inputs: Shape of each input; None when it is not known or the input is left out.
        values: Known elements of each input that is a small integer tensor, else None.
        dtypes: TensorProto.DataType code of each input (0: not known).
        outputs: Shape of each output, for cost formulas; empty while shapes are inferred.
    """

    node: Node
    opset: int
    inputs: tuple[Shape | None, ...]
    values: tuple[Value | None, ...] = ()
    dtypes: tuple[int, ...] = ()
    outputs: tuple[Shape | None, ...] = ()

    def input(self, index: int) -> Shape | None:
        """Return the shape of input `index`, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def known(self, index: int) -> tuple[Dim, ...] | None:
        """Return the shape of input `index` when every dimension is known, else None."""
        return complete(self.input(index))

    def output(self, index: int = 0) -> tuple[Dim, ...] | None:
        """Return the shape of output `index` when every dimension is known, else None."""
        return complete(self.outputs[index]) if index < len(self.outputs) else None

    def value(self, index: int) -> Value | None:
        """Return the known elements of input `index`, or None."""
        return self.values[index] if index < len(self.values) else None

    def dtype(self, index: int) -> int:
        """Return the element type code of input `index`; 0 when it is not known."""
        return self.dtypes[index] if index < len(self.dtypes) else 0

    def has(self, index: int) -> bool:
        """Return whether input `index` is given (an empty name leaves it out)."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index])


class Ratio(NamedTuple):
    """A number that is no integer: scales of Resize, and quotients on their way to a Floor."""

    over: Dim
    under: Dim


Number: TypeAlias = "int | Expr | Ratio | None"
"""One element of a small tensor; None where only that one is not known."""

Numbers: TypeAlias = "tuple[Number, ...]"

MAX_NUMBERS = 4096
"""Tensors with more elements are no shapes, axes or indices of shapes."""

LARGEST = 2**63
"""A size, or a coefficient of one, is below this; a chain of products would grow without an end."""

LARGEST_PART = 2**2200
"""The same for the parts of a fraction: a float64 has 1,074 bits below its point, a product two."""


def is_known(number: Number) -> bool:
    """Return whether a value of a tensor is known and has not overflowed."""
    if isinstance(number, int):
        return -LARGEST <= number < LARGEST
    if isinstance(number, Ratio):
        return max(map(largest_number, number)) < LARGEST_PART
    return number is not None and largest_number(number) < LARGEST


@dataclass(frozen=True, slots=True, eq=False)
class Facts(Call):
    """A call while shapes are inferred.

    Attributes:
        numbers: Like `values`, with fractions, and with None for single elements not known.
        held: Elements of the tensor in an attribute (Constant, ConstantOfShape).
    """

    numbers: tuple[Numbers | None, ...] = ()
    held: Numbers | None = None


Shapes: TypeAlias = "list[Shape | None]"
Results: TypeAlias = "list[Numbers | None]"

ShapeRule: TypeAlias = "Callable[[Call], Shapes]"
"""Shape of each output, None where it cannot tell; may raise one of `CANNOT` of `inference`."""

DtypeRule: TypeAlias = "Callable[[Call], list[int]]"
"""TensorProto.DataType code of each output (0: not known)."""


class Elements(NamedTuple):
    """What a value holds that is no tensor: a sequence of tensors, or an optional one.

    Attributes:
        length: How many tensors it holds; None where that is not known.
        shapes: Shape of each of them; None where they are too many, or their places are not known.
        common: What their shapes have in common; None for nothing.
        dtype: Their element type.
        optional: It is no sequence but one tensor or none.
    """

    length: Dim | None
    shapes: tuple[Shape | None, ...] | None
    common: Shape | None
    dtype: int = 0
    optional: bool = False


class Made(NamedTuple):
    """A result that is a tensor, as a rule for sequences states it: its shape and its elements."""

    shape: Shape | None
    dtype: int = 0
    numbers: Numbers | None = None


ElementsRule: TypeAlias = (
    "Callable[[Call, tuple[Elements | None, ...]], list[Elements | Made | None]]"
)
"""Results of an operator on sequences, from what its inputs hold; may raise one of `CANNOT`."""

Axes: TypeAlias = "tuple[int | None, ...]"
"""Which axis of something else each axis is; None for one that is new or mixed."""

AxesRule: TypeAlias = "Callable[[Call, Axes], Axes | None]"
"""Axes of the first output from those of input 0; None where it cannot tell."""

DataRule: TypeAlias = "Callable[[Facts, tuple[Shape | None, ...]], Results]"
"""Elements of each output from the facts and the shapes of the outputs."""

PrecisionRule: TypeAlias = "Callable[[Call, Precision | None], Precision | None]"
"""What the first result is worth, from what the first input is; None: what its type says."""

NodeCheck: TypeAlias = "Callable[[Call], str]"
"""What is wrong with a call, in words; empty for nothing, and where it is not known."""

AttributeCheck: TypeAlias = "Callable[[Node], str]"
"""What is wrong with the attributes of a node by themselves; empty for nothing."""


class Packed(NamedTuple):
    """A stored tensor as the operator that uses it sees it.

    Attributes:
        key: Its offset in the file.
        dtype: Its element type.
        elements: Its elements as they are stored.
        nbytes: Their bytes.
        dims: Its dimensions as they are stored.
    """

    key: int
    dtype: str
    elements: int
    nbytes: int
    dims: tuple[int, ...] = ()

    def has(self, nbytes: int) -> bool:
        """Return whether it has the bytes that attributes ask for."""
        return 0 < nbytes == self.nbytes


Unpack: TypeAlias = "Callable[[Node, int | None, Packed], int | None]"
"""Elements that the tensor at an input stands for; None where it is not packed."""


class Matrix(NamedTuple):
    """A packed weight as attributes describe it.

    Attributes:
        rows: Its rows, N.
        columns: Its columns, K.
        nbytes: The bytes it is packed into; 0 for sizes that make no sense.
        blocks: How many scales it has, in the input behind it.
    """

    rows: int
    columns: int
    nbytes: int
    blocks: int


class Packing(NamedTuple):
    """How an operator packs tensors.

    Attributes:
        unpack: Elements of a tensor.
        matrix: The packed weight at an input whose sizes are attributes, None for another input;
            None for an operator without such a weight.
        precision: What one of the elements packed into an input is; None for an input that packs
            nothing.
    """

    unpack: Unpack
    matrix: Callable[[Node, int | None], Matrix | None] | None = None
    precision: Callable[[Call, int], Precision | None] = lambda call, index: None


def complete(shape: Shape | None) -> tuple[Dim, ...] | None:
    """Return the shape when every dimension is known."""
    if shape is None or any(dim is None for dim in shape):
        return None
    return tuple(dim for dim in shape if dim is not None)


def size(shape: tuple[Dim, ...]) -> Dim:
    """Return the number of elements: the product of the dimensions."""
    total: Dim = 1
    for dim in shape:
        total = total * dim
    return total


# -------------------------------------------------------------------------- elements of inputs


def numbers_of(call: Call, index: int) -> Numbers | None:
    """Return the elements of an input, some of which may be None or fractions."""
    if isinstance(call, Facts):
        return call.numbers[index] if index < len(call.numbers) else None
    return call.value(index)


def integers_of(call: Call, index: int) -> tuple[int, ...] | None:
    """Return the elements of an input when all are plain integers (axes, pads, repeats)."""
    return whole(call.value(index))


def whole(values: Iterable[object] | None) -> tuple[int, ...] | None:
    """Return the values when all of them are known and none is a symbol."""
    if values is None:
        return None
    row = tuple(values)
    numbers = tuple(value for value in row if isinstance(value, int))
    return numbers if len(numbers) == len(row) else None


def given(call: Call, index: int, *attributes: str) -> tuple[int, ...] | None:
    """Return the elements of an input, or the attribute that older opsets have in its place."""
    if call.has(index):
        return integers_of(call, index)
    lists = (call.node.integers(name) for name in attributes)
    return next((numbers for numbers in lists if numbers is not None), None)


# ---------------------------------------------------------------------- checks, in words

SHOWN = 16


def listed(numbers: Sequence[object]) -> str:
    """Write numbers for a message."""
    more = ", …" if len(numbers) > SHOWN else ""
    return "[" + ", ".join(str(number) for number in numbers[:SHOWN]) + more + "]"


def beyond(axes: Iterable[int], rank: int) -> str:
    """Name the first axis outside of a rank; a scalar counts as one dimension."""
    rank_or_one = max(rank, 1)
    bad = next((axis for axis in axes if not -rank_or_one <= axis < rank_or_one), None)
    return "" if bad is None else f"axis {bad} of {rank} dimensions"


def repeated(axes: Sequence[int], rank: int) -> str:
    """Say whether an axis is named twice."""
    different = {axis % max(rank, 1) for axis in axes}
    return f"axes {listed(axes)} name one twice" if len(different) < len(axes) else ""
