"""Shapes a file declares, with its dim_params as symbols and the caller's bindings in place.

onnx/docs/IR.md, "Static tensor shapes": a dimension is a number, a dim_param, or not stated. What a
graph input leaves open becomes a symbol of its own, called after the input and the axis.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from graphcount.errors import UsageError
from graphcount.graph import bodies_below
from graphcount.loading.model import Graph, ModelProto, ValueInfo
from graphcount.ops.call import Shape
from graphcount.symbolic import Dim, Expr, evaluate, symbol

NO_BINDINGS: Mapping[str, int] = {}

MAX_RANK = 64


class Bindings(NamedTuple):
    """Sizes the caller gives.

    Attributes:
        dims: Name of a dimension → size: `--dim batch=8`.
        shapes: Graph input → dimensions, None where it says nothing: `--shape input=1x3x224x224`.
    """

    dims: Mapping[str, int] = NO_BINDINGS
    shapes: Mapping[str, tuple[int | str | None, ...]] = {}


class ShapeError(UsageError):
    """A binding names no dimension or input of the model, or contradicts it."""

    slug = "shape"


_NOTHING: Mapping[str, ValueInfo] = {}


class Declarations:
    """What the file says of its values.

    Attributes:
        inputs: Shape of each input of the main graph; None where not even the rank is stated.
        bound: What the caller's bindings put in the place of symbols.
    """

    def __init__(self, proto: ModelProto, bindings: Bindings) -> None:
        self.proto = proto
        self.bound: dict[str, Dim] = {}
        self.inputs: dict[str, Shape | None] = {}
        self._parsed: dict[str, Dim | None] = {}
        self._scopes: dict[str, dict[str, ValueInfo]] = {"": _infos(proto.graph)}
        self._open_inputs()
        if bindings.dims or bindings.shapes:
            self._bind(bindings)

    def names(self) -> list[str]:
        """Return names of all dimensions a caller can bind, sorted."""
        names = set(_dim_names(self.proto, self.dim))
        for shape in self.inputs.values():
            for dim in shape or ():
                if isinstance(dim, Expr):
                    names |= dim.symbols()
        return sorted(names)

    def dim(self, text: str) -> Dim | None:
        """Return a dim_param as a dimension."""
        if text not in self._parsed:
            self._parsed[text] = _dimension(text)
        return self._parsed[text]

    def add_scope(self, path: str, graph: Graph) -> None:
        """Make the declarations of a subgraph known under the path of its scope."""
        self._scopes[path] = _infos(graph)

    def info(self, scope: str, name: str) -> ValueInfo | None:
        """Return what is declared of a value of the main graph or a subgraph."""
        return self.infos(scope).get(name)

    def infos(self, scope: str) -> Mapping[str, ValueInfo]:
        """Return what is declared of the values of a scope, by name."""
        return self._scopes.get(scope, _NOTHING)

    def shape(self, info: ValueInfo | None, *, symbols: bool = True) -> Shape | None:
        """Return a declared shape, bindings applied; without `symbols`, only its numbers."""
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
                dims.append(self._bound(self.dim(size)))
        return tuple(dims)

    def all_numbers(self) -> bool:
        """Return whether every value of the file is declared, by numbers alone."""
        infos = self._scopes[""]
        if self.bound or self.proto.functions:
            return False
        for info in self.proto.graph.inputs:
            if not _is_numeric(info):
                return False
        for node in self.proto.graph.nodes:
            if any(name and not _is_numeric(infos.get(name)) for name in node.outputs):
                return False
            if any(attribute.graphs for attribute in node.attributes):
                return False
        return True

    def _bound(self, dim: Dim | None) -> Dim | None:
        if dim is None or isinstance(dim, int) or not self.bound:
            return dim
        try:
            return evaluate(dim, self.bound)
        except (ValueError, ArithmeticError):  # too complex, or a division by a bound 0
            return None

    # -------------------------------------------------------------------------------- inputs

    def _open_inputs(self) -> None:
        """Read the graph's inputs; dimensions left open become fresh symbols."""
        taken: set[str] | None = None
        for info in self.proto.graph.inputs:
            shape = self.shape(info)
            if shape is not None and any(dim is None for dim in shape):
                taken = set(_dim_names(self.proto, self.dim)) if taken is None else taken
                shape = self._named(info.name, shape, taken)
            self.inputs[info.name] = shape

    def _named(self, name: str, shape: Shape, taken: set[str]) -> Shape:
        dims: list[Dim] = []
        for axis, dim in enumerate(shape):
            if dim is None:
                fresh = f"{_identifier(name)}_{axis}"
                while fresh in taken:
                    fresh += "_"
                taken.add(fresh)
                dim = symbol(fresh)
            dims.append(dim)
        return tuple(dims)

    # ------------------------------------------------------------------------------ bindings

    def _bind(self, bindings: Bindings) -> None:
        for name, given in bindings.shapes.items():
            self._check_input(name, given)
        names = {*self.names(), *_given_names(bindings)}
        for name, size in bindings.dims.items():
            if name not in names:
                raise ShapeError(_no_such("dimension", name, sorted(names)))
            self._put(name, _size(size, name), f"dimension {name}")
        later = []
        for name, given in bindings.shapes.items():
            declared = self.inputs[name]
            if declared is None:
                declared = self._named(name, (None,) * len(given), names)
                self.inputs[name] = declared
            for axis, (dim, wanted) in enumerate(zip(declared, given, strict=True)):
                if wanted is not None and not self._bind_axis(name, axis, dim, wanted):
                    later.append((name, axis, dim, wanted))
        self.inputs = {
            name: tuple(self._bound(dim) for dim in shape) if shape is not None else None
            for name, shape in self.inputs.items()
        }
        for name, axis, dim, wanted in later:
            self._settle(name, axis, self._bound(dim), wanted)

    def _check_input(self, name: str, given: tuple[int | str | None, ...]) -> None:
        if name not in self.inputs:
            raise ShapeError(_no_such("input", name, sorted(self.inputs)))
        declared = self.inputs[name]
        if len(given) > MAX_RANK or (declared is not None and len(declared) != len(given)):
            rank = len(declared) if declared is not None else MAX_RANK
            raise ShapeError(f"input {name} has {rank} dimensions, not {len(given)}")

    def _bind_axis(self, name: str, axis: int, dim: Dim | None, size: int | str) -> bool:
        """Bind one dimension of an input; False when the others have to be bound first."""
        wanted = self._wanted(size, f"input {name}, axis {axis}")
        if isinstance(dim, int):
            if dim != wanted:
                raise ShapeError(f"input {name}, axis {axis} is {dim} in the file, not {size}")
            return True
        only = _only_symbol(dim)
        if only is None:
            return False
        self._put(only, wanted, f"dimension {only}")
        return True

    def _wanted(self, size: int | str, where: str) -> Dim:
        if isinstance(size, int):
            return _size(size, where)
        dim = self.dim(size)
        if dim is None:
            raise ShapeError(f"{where}: an empty name")
        return dim

    def _put(self, name: str, dim: Dim, where: str) -> None:
        before = self.bound.get(name)
        if before is not None and before != dim:
            raise ShapeError(f"{where} is bound to {before} and to {dim}")
        if dim != symbol(name):
            self.bound[name] = dim

    def _settle(self, name: str, axis: int, dim: Dim | None, size: int | str) -> None:
        """Bind a dimension such as `past + seq`: by the others, or for itself."""
        wanted = self._wanted(size, f"input {name}, axis {axis}")
        if isinstance(dim, int) and dim != wanted:
            raise ShapeError(f"input {name}, axis {axis} is {dim} by its other sizes, not {size}")
        shape = self.inputs[name] or ()
        self.inputs[name] = (*shape[:axis], wanted, *shape[axis + 1 :])


def _infos(graph: Graph) -> dict[str, ValueInfo]:
    """Return declarations of one graph; inputs and outputs before value_info."""
    return {info.name: info for info in (*graph.value_info, *graph.outputs, *graph.inputs)}


def _is_numeric(info: ValueInfo | None) -> bool:
    if info is None or info.type != "tensor" or info.shape is None or len(info.shape) > MAX_RANK:
        return False
    return all(isinstance(dim, int) and dim > 0 for dim in info.shape)


def _identifier(name: str) -> str:
    clean = re.sub(r"\W", "_", name)[:60] or "input"
    return f"_{clean}" if clean[0].isdigit() else clean


def _only_symbol(dim: Dim | None) -> str | None:
    """Return the name of a dimension that is one symbol and nothing else."""
    if not isinstance(dim, Expr):
        return None
    names = dim.symbols()
    name = next(iter(names), None)
    return name if name is not None and dim == symbol(name) else None


def _size(size: int, where: str) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**63:
        raise ShapeError(f"{where}: {size!r} is no size")
    return size


def _no_such(what: str, name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3, 0.5) or known[:10]
    hint = f"; there is {', '.join(near)}" if near else "; the model has none"
    return f"the model has no {what} {name}{hint}"


def _dimension(text: str) -> Dim | None:
    """Return a dim_param as a dimension; the parser is loaded for the first."""
    from graphcount.symbolic.text import parse

    return parse(text)


def _given_names(bindings: Bindings) -> Iterator[str]:
    for given in bindings.shapes.values():
        for size in given:
            dim = _dimension(size) if isinstance(size, str) else None
            if isinstance(dim, Expr):
                yield from dim.symbols()


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
