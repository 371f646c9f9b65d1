"""Shapes a file declares, with its dim_params as symbols and the caller's sizes in their place.

onnx/docs/IR.md, "Static tensor shapes": a dimension is a number, a dim_param, or not stated. What a
graph input leaves open becomes a symbol of its own, called by the input and the axis: `x[2]`. So
does what is written in the place of a name and is none: `?`, `None`, `-1`, an empty text, digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from graphcount.analysis.shapes.sizes import Bindings, ShapeError, bound_inputs, only_symbol
from graphcount.graph import bodies_below
from graphcount.loading.model import Graph, ModelProto, ValueInfo
from graphcount.ops.call import Shape
from graphcount.symbolic import Dim, Expr, evaluate, symbol

MAX_RANK = 64

LONGEST_NAME = 60
"""Characters of a value's name in the name of a dimension."""

_NO_NAME = re.compile(r"\s*(\?|none|null|nan|unknown|dynamic|-?\d+)?\s*", re.IGNORECASE)
"""What stands in the place of a dim_param and names nothing: two of them may differ."""


class DimPlace(NamedTuple):
    """Where a dynamic dimension stands.

    Attributes:
        value: An input or a result.
        axis: Its axis.
        maker: The operator that makes it, whose data decide the size; empty for an input.
        most: What the size is never above, where the operator says so.
    """

    value: str
    axis: int
    maker: str = ""
    most: Dim | None = None

    @property
    def words(self) -> str:
        """`input x, axis 2`, `result y of NonZero, axis 1`."""
        made = f"result {self.value} of {self.maker}" if self.maker else f"input {self.value}"
        return f"{made}, axis {self.axis}"


_NOTHING: Mapping[str, ValueInfo] = {}


class Declarations:
    """What the file says of its values.

    Attributes:
        inputs: Shape of each input of the main graph; None where not even the rank is stated.
        bound: What the caller's sizes put in the place of symbols.
        rest: Size of every dimension that has none; None: it stays open.
        ranged: Dimensions that `rest` leaves open.
        resized: Inputs with a number in the file that the caller replaced, and what the file says.
        places: Where each symbol stands first: an axis of an input, or of a result whose size the
            data decide.
        new: Names that stand in the shapes that the caller gives.
        texts: Symbols that were made for a text that names nothing.
        renamed: What the file calls sizes that the data decide.
        aliases: The same, where it turned out while shapes were derived.
    """

    def __init__(
        self, proto: ModelProto, bindings: Bindings, renamed: Mapping[str, str] | None = None
    ) -> None:
        self.proto = proto
        self.renamed = renamed or {}
        self.aliases: dict[str, str] = {}
        self.bound: dict[str, Dim] = {}
        self.rest = bindings.dims.get("*")
        self.ranged = bindings.ranged
        self.inputs: dict[str, Shape | None] = {}
        self.resized: dict[str, Shape] = {}
        self.places: dict[str, DimPlace] = {}
        self.new: set[str] = set()
        self._parsed: dict[str, Dim | None] = {}
        self._scopes: dict[str, dict[str, ValueInfo]] = {"": _infos(proto.graph)}
        self._taken: set[str] | None = None
        self._fresh: dict[tuple[str, str, int], str] = {}
        self._given_by_name: set[str] = set()
        self.texts = self._open_inputs()
        if bindings.dims or bindings.shapes:
            self._bind(bindings)

    def names(self) -> list[str]:
        """Return names of all dimensions that a caller can give a size, sorted."""
        names = {*_dim_names(self.proto, self.dim), *self.places, *self.texts, *self.new}
        for shape in self.inputs.values():
            for dim in shape or ():
                if isinstance(dim, Expr):
                    names |= dim.symbols()
        return sorted(names)

    def dim(self, text: str) -> Dim | None:
        """Return a dim_param as a dimension; None for what names nothing."""
        if text not in self._parsed:
            self._parsed[text] = _dimension(text)
        return self._parsed[text]

    def add_scope(self, path: str, graph: Graph) -> None:
        """Make the declarations of a subgraph known under the path of its scope."""
        self._scopes[path] = _infos(graph)

    def infos(self, scope: str) -> Mapping[str, ValueInfo]:
        """Return what is declared of the values of a scope, by name."""
        return self._scopes.get(scope, _NOTHING)

    def shape(self, info: ValueInfo | None, *, symbols: bool = True) -> Shape | None:
        """Return a declared shape, sizes applied; without `symbols`, only its numbers."""
        shape = self._stated(info, symbols=symbols)
        if shape is None or not (self.bound or self.rest is not None):
            return shape
        return tuple([self.sized(dim) for dim in shape])

    def sized(self, dim: Dim | None) -> Dim | None:
        """Return a dimension with the caller's sizes in the place of symbols."""
        if dim is None or isinstance(dim, int):
            return dim
        values = self.bound
        if self.rest is not None:
            values = {**dict.fromkeys(dim.symbols() - self.ranged, self.rest), **values}
        try:
            return evaluate(dim, values) if values else dim
        except (ValueError, ArithmeticError):  # too complex, or a division by a bound 0
            return None

    def fresh(self, name: str, axis: int, producer: str = "") -> str:
        """Return a name for the size of a value's axis, which no other dimension has."""
        key = producer, name, axis
        if key in self._fresh:
            return self._fresh[key]
        if self._taken is None:
            self._taken = set(_dim_names(self.proto, self.dim))
        label = name if len(name) <= LONGEST_NAME else f"{name[:24]}...{name[-24:]}"
        made = f"{label}[{axis}]"
        while made in self._taken:
            made += "'"
        made = self.renamed.get(made, made)
        self._taken.add(made)
        self._fresh[key] = made
        return made

    def by_shape(self) -> dict[str, int]:
        """Return sizes of dimensions that follow from shapes that were given."""
        sizes = self.bound.items()
        return {
            name: size
            for name, size in sizes
            if isinstance(size, int) and name not in self._given_by_name
        }

    def open_places(self) -> dict[str, DimPlace]:
        """Return the dimensions that have no size, with their places."""
        places: dict[str, DimPlace] = {}
        dims = [dim for shape in self.inputs.values() for dim in shape or ()]
        standing = {name for dim in dims if isinstance(dim, Expr) for name in dim.symbols()}
        for name, place in self.places.items():
            if not place.maker and standing.isdisjoint(_left(self.sized(symbol(name)))):
                continue  # a shape was given in its place
            dim = self.sized(symbol(name))
            if isinstance(dim, Expr):
                for left in sorted(dim.symbols()):
                    places.setdefault(left, place)
        return places

    # -------------------------------------------------------------------------------- inputs

    def _stated(self, info: ValueInfo | None, *, symbols: bool = True) -> Shape | None:
        if info is None or info.shape is None or info.type != "tensor":
            return None
        if len(info.shape) > MAX_RANK:
            return None
        dims: list[Dim | None] = []
        for size in info.shape:
            if isinstance(size, int):
                dims.append(size if size > 0 else None)
            elif size is None or not symbols:
                dims.append(None)
            else:
                dims.append(self.dim(size))
        return tuple(dims)

    def _open_inputs(self) -> dict[str, list[str]]:
        """Read the graph's inputs; return the symbols made for each text that names nothing."""
        texts: dict[str, list[str]] = {}
        for info in self.proto.graph.inputs:
            shape = self._stated(info)
            if shape is not None:
                shape = tuple(
                    self._opened(info, axis, texts) if dim is None else dim
                    for axis, dim in enumerate(shape)
                )
                self._place(info.name, shape)
            self.inputs[info.name] = shape
        return texts

    def _opened(self, info: ValueInfo, axis: int, texts: dict[str, list[str]]) -> Dim:
        name = self.fresh(info.name, axis)
        text = info.shape[axis] if info.shape is not None else None
        if isinstance(text, str) and text:
            texts.setdefault(text, []).append(name)
        return symbol(name)

    def _place(self, name: str, shape: Shape) -> None:
        for axis, dim in enumerate(shape):
            if isinstance(dim, Expr):
                for made in dim.symbols():
                    self.places.setdefault(made, DimPlace(name, axis))

    def _by_place(self, dims: Iterable[str]) -> None:
        """Let `x[0]` stand for the dimension of that axis, whatever the file calls it."""
        for name in dims:
            value, _, axis = name.removesuffix("]").rpartition("[")
            shape = self.inputs.get(value) or ()
            if name.endswith("]") and axis.isdecimal() and len(axis) < 3 and int(axis) < len(shape):
                called = only_symbol(shape[int(axis)])
                if called is not None and called != name:
                    self.texts.setdefault(name, [called])

    def _bind(self, bindings: Bindings) -> None:
        """Put the caller's sizes in their places."""
        for name, given in bindings.shapes.items():
            if self.inputs.get(name, ()) is None and len(given) <= MAX_RANK:
                opened = tuple(symbol(self.fresh(name, axis)) for axis in range(len(given)))
                self.inputs[name] = opened
                self._place(name, opened)
        self._by_place(bindings.dims)
        made = bound_inputs(self.inputs, bindings, self.texts, self.dim)
        dims = {name: evaluate(dim, bindings.dims) for name, dim in made.dims.items()}
        self.bound = {name: dim for name, dim in dims.items() if dim != symbol(name)}
        self._given_by_name = {
            made for name in bindings.dims for made in (name, *self.texts.get(name, ()))
        }
        for name, shape in self.inputs.items():
            if shape is None:
                continue
            wanted = made.replaced.get(name, {})
            self.new |= {
                n for dim in wanted.values() if isinstance(dim, Expr) for n in dim.symbols()
            }
            replaced = {axis: evaluate(dim, bindings.dims) for axis, dim in wanted.items()}
            if any(isinstance(shape[axis], int) for axis in replaced):
                self.resized[name] = shape
            sizes = enumerate(shape)
            self.inputs[name] = tuple(replaced.get(axis, self.sized(dim)) for axis, dim in sizes)


def _left(dim: Dim | None) -> frozenset[str]:
    return dim.symbols() if isinstance(dim, Expr) else frozenset()


def _infos(graph: Graph) -> dict[str, ValueInfo]:
    """Return declarations of one graph; inputs and outputs before value_info."""
    infos: dict[str, ValueInfo] = {}
    for info in (*graph.value_info, *graph.outputs, *graph.inputs):
        if info.shape is not None or info.name not in infos:
            infos[info.name] = info
    return infos


def _dimension(text: str) -> Dim | None:
    """Return a dim_param as a dimension; the parser is loaded for the first."""
    if _NO_NAME.fullmatch(text):
        return None
    from graphcount.symbolic.text import parse

    return parse(text)


def _dim_names(proto: ModelProto, dim: object) -> Iterator[str]:
    """Yield symbols in everything that is declared, subgraphs included."""
    graphs = (proto.graph, *bodies_below(proto.graph.nodes))
    texts = {text for graph in graphs for text in _dim_texts(graph)}
    for text in texts:
        parsed = _dimension(text)
        if isinstance(parsed, Expr):
            yield from parsed.symbols()


def _dim_texts(graph: Graph) -> Iterator[str]:
    infos: Iterable[ValueInfo] = (*graph.inputs, *graph.outputs, *graph.value_info)
    for info in infos:
        for size in info.shape or ():
            if isinstance(size, str):
                yield size


__all__ = ["Bindings", "Declarations", "ShapeError"]
