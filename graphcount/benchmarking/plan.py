"""What will be fed: shapes from declarations and the caller's sizes, contents by a recipe.

Sizes that nobody gave are those of `graphcount.analysis.assumed`; values of inputs that steer are
those of `graphcount.benchmarking.steering`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from graphcount.analysis.assumed import assumed_sizes
from graphcount.analysis.counts import Row, count
from graphcount.analysis.fitting import fitted
from graphcount.analysis.shapes import ValueShapes, infer_shapes
from graphcount.analysis.shapes.declared import Bindings, Declarations
from graphcount.analysis.shapes.sizes import GivenValues, no_such
from graphcount.analysis.values import Values, values_of
from graphcount.benchmarking.files import FileInput, Given, find
from graphcount.benchmarking.given import (
    NOTHING_GIVEN,
    FedSizes,
    bindings_of,
    check_values,
    fits,
)
from graphcount.benchmarking.ranges import fill_of
from graphcount.benchmarking.steering import MAX_ELEMENTS as MAX_STEERING
from graphcount.benchmarking.steering import Steered, steered
from graphcount.dtypes import DTYPES, Family
from graphcount.errors import UsageError
from graphcount.graph import ModelGraph
from graphcount.loading import ModelFile
from graphcount.loading.model import ValueInfo
from graphcount.ops.call import listed, whole
from graphcount.report.bench import written
from graphcount.report.pass_rows import DimensionRow
from graphcount.symbolic import Dim, symbol

MAX_CASES = 64
MAX_ELEMENTS = 2**40

RECIPES: Mapping[str, int] = {"ones": 1, "zeros": 0}
"""Recipes that give every element one number, which a count can be told."""


class InputPlan(NamedTuple):
    """One input.

    Attributes:
        code: TensorProto.DataType; 0 for what is no tensor.
        fill: A recipe of `graphcount.benchmarking.fill`, `values` or `file`.
        file: Where the elements come from when `fill` is `file`.
        elements: All elements, where they are few and known; None for others.
        assumed: Why they are these, for an input that steers and that nobody gave; else empty.
    """

    name: str
    dtype: str
    code: int
    shape: tuple[int, ...]
    fill: str
    file: FileInput | None
    elements: GivenValues | None = None
    assumed: str = ""


class InputsPlan(NamedTuple):
    """All inputs of one measurement.

    Attributes:
        dims: Every dynamic dimension with its size.
        assumed: Those that nobody gave.
        names: Dimensions and inputs that the model has.
    """

    inputs: tuple[InputPlan, ...]
    dims: dict[str, int]
    assumed: dict[str, int]
    names: frozenset[str] = frozenset()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor."""
        return {item.name: item.shape for item in self.inputs if item.code}

    @property
    def elements(self) -> dict[str, GivenValues]:
        """Return the elements of inputs that a count can be told."""
        return {item.name: item.elements for item in self.inputs if item.elements is not None}

    @property
    def assumptions(self) -> str:
        """Return what nobody gave, as far as it fits, and how to give it; empty for nothing."""
        sizes = [f"{_short(name)} {size}" for name, size in self.assumed.items()]
        values = [f"{_short(i.name)} = {written(i.elements)}" for i in self.inputs if i.assumed]
        words = (("sizes", sizes, "--dim"), ("values", values, "--value"))
        parts = [
            f"assumed {what} {', '.join(taken[:SHOWN])}{more} ({option})"
            for what, taken, option in words
            if taken
            for more in (", ..." if len(taken) > SHOWN else "",)
        ]
        return f"at {', '.join(parts)}" if parts else ""


SHOWN = 6
"""Assumptions of a kind in one line."""


def _short(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:13]}...{name[-13:]}"


def cases(dims: Mapping[str, Sequence[int]]) -> list[dict[str, int]]:
    """Yield every combination of the sizes given for each dimension, the last one fastest.

    Raises:
        UsageError: More than 64 combinations.
    """
    combinations = prod(map(len, dims.values()))
    if combinations > MAX_CASES:
        raise UsageError(f"{combinations:,} combinations of --dim; at most {MAX_CASES}")
    return [dict(zip(dims, sizes, strict=True)) for sizes in product(*dims.values())]


def plan_inputs(file: ModelFile, graph: ModelGraph, given: FedSizes = NOTHING_GIVEN) -> InputsPlan:
    """Decide what every input of the main graph is fed.

    Raises:
        UsageError: A file, a size or a value that does not fit, or an input that cannot be fed.
    """
    infos = _fed(file)
    files = find(given.files, infos)
    check_values(given, files, infos)
    bindings = bindings_of(given, files, infos)
    declared = Declarations(file.proto, bindings)
    for name, shape in declared.resized.items():
        why = "onnxruntime takes no other"
        raise UsageError(f"input {name} is {listed(shape)} in the file; {why}")
    values = values_of(file, 0)
    try:
        maker = _Maker(file, graph, count(file, graph, values).rows, values, infos, files)
        inputs, assumed = maker.planned(bindings)
    finally:
        values.close()
    names = frozenset((*declared.names(), *declared.inputs))
    return InputsPlan(inputs, _sizes(file, _with(bindings, assumed)), assumed, names)


def refuse_unknown(names: Iterable[str], plans: Sequence[InputsPlan]) -> None:
    """Refuse a size or value of what no model has.

    Raises:
        UsageError: With the first name, and what there is.
    """
    known = frozenset[str]().union(*(plan.names for plan in plans))
    for name in names:
        if name not in known and name != "*":
            raise UsageError(no_such("dimension or input", name, sorted(known), "no model"))


def _fed(file: ModelFile) -> dict[str, ValueInfo]:
    """Return the inputs of the main graph that no initializer fills."""
    graph = file.proto.graph
    stored = {tensor.name for tensor in graph.initializers}
    stored |= {tensor.values.name for tensor in graph.sparse_initializers}
    return {info.name: info for info in graph.inputs if info.name not in stored}


def _with(bindings: Bindings, sizes: Mapping[str, int]) -> Bindings:
    return bindings._replace(dims={**bindings.dims, **sizes})


def _sizes(file: ModelFile, bindings: Bindings) -> dict[str, int]:
    """Return the size of every dynamic dimension of the inputs."""
    declared = Declarations(file.proto, bindings)
    as_stated = Declarations(file.proto, Bindings())
    known = as_stated.names()
    bound = {name: size for name, size in declared.bound.items() if name in known}
    sizes = {**bound, **{name: declared.sized(symbol(name)) for name in as_stated.places}}
    return {name: size for name, size in sorted(sizes.items()) if isinstance(size, int)}


class _Maker(NamedTuple):
    """A model, and what is known of it before any size is."""

    file: ModelFile
    graph: ModelGraph
    rows: tuple[Row, ...]
    values: Values
    infos: Mapping[str, ValueInfo]
    files: Mapping[str, Given]

    def shapes(self, bindings: Bindings) -> ValueShapes:
        """Return the shapes of everything at some sizes."""
        proto = self.file.proto
        return infer_shapes(proto, self.graph, self.rows, self.values, bindings, refuse=False)

    def planned(self, bindings: Bindings) -> tuple[tuple[InputPlan, ...], dict[str, int]]:
        """Return the inputs, and sizes that nobody gave.

        What is fed depends on sizes, and sizes that operators can take on values that steer.
        """
        shapes = self.shapes(bindings)
        places = shapes.places.items()
        rows_open = [DimensionRow(name, at.words, None, "") for name, at in places if not at.maker]
        if not rows_open:
            return self.inputs(shapes, bindings), {}
        first = assumed_sizes(rows_open, self.file.proto, self.graph, shapes, {}, {})
        sized = _with(bindings, _assumed(first))
        inputs = self.inputs(self.shapes(sized), sized)
        steering = {
            item.name: item.elements
            for item in inputs
            if item.elements is not None and whole(self.infos[item.name].shape) is not None
        }
        with_values = bindings._replace(values={**steering, **bindings.values})
        rows = fitted(first, lambda sizes: len(self.shapes(_with(with_values, sizes)).refused), {})
        assumed = _assumed(rows)
        if rows != first:
            sized = _with(bindings, assumed)
            inputs = self.inputs(self.shapes(sized), sized)
        return inputs, assumed

    def inputs(self, shapes: ValueShapes, bindings: Bindings) -> tuple[InputPlan, ...]:
        """Return the inputs at sizes for everything."""
        declared = Declarations(self.file.proto, bindings)
        maker = _InputMaker(self.infos, self.graph, shapes, declared, bindings, self.files)
        return tuple([maker.plan(name, info) for name, info in self.infos.items()])


def _assumed(rows: Iterable[DimensionRow]) -> dict[str, int]:
    return {row.name: row.assumed for row in rows if row.assumed is not None}


class _InputMaker(NamedTuple):
    """What is known when inputs are planned, at sizes for everything."""

    infos: Mapping[str, ValueInfo]
    graph: ModelGraph
    shapes: ValueShapes
    declared: Declarations
    bindings: Bindings
    files: Mapping[str, Given]

    def plan(self, name: str, info: ValueInfo) -> InputPlan:
        """Return what an input is fed.

        Raises:
            UsageError: Its element type or shape is not known, or nothing holds it.
        """
        row = DTYPES.get(info.data_type)
        is_tensor = info.type == "tensor"
        if is_tensor and row is None:
            raise UsageError(f"input {name} has an undefined element type")
        shape = self.shape(name, info)
        dtype = row.name if row is not None and is_tensor else info.type
        code = info.data_type if is_tensor else 0
        made = InputPlan(name, dtype, code, shape, "", None)
        elements, held = self.bindings.values.get(name), self.files.get(name)
        if held is not None:
            return made._replace(fill="file", file=held.file, elements=elements)
        if elements is not None:
            return made._replace(fill="values", elements=elements)
        return self.filled(made, info, row.family if row is not None else "float")

    def filled(self, made: InputPlan, info: ValueInfo, family: Family) -> InputPlan:
        """Return an input that nobody gave."""
        fill = fill_of(made.name, info, family, self.graph, self.shapes)
        elements = prod(made.shape)
        chosen: Steered | None = None
        if made.code and family in ("int", "bool", "float") and fill in ("ones", "normal", "bytes"):
            chosen = steered(made.name, elements, self.infos, self.graph, self.shapes)
        if chosen is not None and all(fits(number, info) for number in chosen.elements):
            return made._replace(fill="values", elements=chosen.elements, assumed=chosen.why)
        if fill in RECIPES and family in ("int", "bool") and elements <= MAX_STEERING:
            return made._replace(fill=fill, elements=(RECIPES[fill],) * elements)
        return made._replace(fill=fill)

    def shape(self, name: str, info: ValueInfo) -> tuple[int, ...]:
        """Return the shape of an input in numbers.

        Raises:
            UsageError: Not even its rank is known, or it is too large for any machine.
        """
        shape: tuple[Dim | None, ...] | None = self.declared.inputs.get(name)
        if shape is None and info.type != "tensor":
            given = self.bindings.shapes.get(name, (1,))
            return tuple(size for size in given if isinstance(size, int))
        if shape is None:
            raise UsageError(f"input {name} states no shape: give --shape {name}=DIMS")
        sizes = whole(shape)
        if sizes is None or min(sizes, default=0) < 0:
            why = f"{listed(shape)} is no shape" if sizes else "a dimension is not known"
            raise UsageError(f"input {name}: {why}: give --shape {name}=DIMS")
        elements = prod(sizes)
        if elements > MAX_ELEMENTS:
            raise UsageError(f"input {name} would hold {elements:,} elements")
        return sizes
