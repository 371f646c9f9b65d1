"""Sizes that a caller gives: of dimensions by name, of inputs by shape, and values of inputs.

A size by name replaces the symbol wherever it stands. A shape replaces the dimensions of its input:
a number of the file, too, so that everything is derived anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from graphcount.errors import UsageError
from graphcount.ops.call import Shape
from graphcount.symbolic import Dim, Expr, evaluate, symbol

LARGEST_SIZE = 2**63 - 1

MAX_RANK = 64

NO_DIMS: Mapping[str, int] = {}

GivenShape: TypeAlias = "tuple[int | str | None, ...]"
"""Dimensions of an input: numbers, names, None where nothing is given."""

GivenValues: TypeAlias = "tuple[int | float, ...]"


class Bindings(NamedTuple):
    """Sizes the caller gives.

    Attributes:
        dims: Name of a dimension → size: `--dim batch=8`; `*` is every one without a size.
        shapes: Graph input → dimensions: `--shape input=1x3x224x224`.
        values: Graph input → its elements: `--value sr=16000`.
        where_present: Names that the model may lack.
        ranged: Dimensions that `*` leaves open.
    """

    dims: Mapping[str, int] = NO_DIMS
    shapes: Mapping[str, GivenShape] = {}
    values: Mapping[str, GivenValues] = {}
    where_present: frozenset[str] = frozenset()
    ranged: frozenset[str] = frozenset()

    @property
    def given(self) -> bool:
        """Whether anything is given."""
        return bool(self.dims or self.shapes or self.values)


class ShapeError(UsageError):
    """A size names no dimension or input of the model, or something in it cannot take the size."""

    slug = "shape"


class BoundSizes(NamedTuple):
    """What sizes come to.

    Attributes:
        dims: Symbol → size, or another symbol.
        replaced: Input → axis → size, where that is not what the symbols make it.
    """

    dims: dict[str, Dim]
    replaced: dict[str, dict[int, Dim]]


def bound_inputs(
    inputs: Mapping[str, Shape | None],
    bindings: Bindings,
    texts: Mapping[str, list[str]],
    parse: Callable[[str], Dim | None],
) -> BoundSizes:
    """Return what sizes put in the place of symbols, and of dimensions of inputs.

    Args:
        inputs: Shapes of the inputs, in symbols.
        bindings: The sizes.
        texts: Symbols that were made for a text that names nothing, such as `?`.
        parse: Reads the name of a dimension.

    Raises:
        ShapeError: There is no such input, it has another rank, or two sizes contradict.
    """
    bound = BoundSizes({}, {})
    for name, size in bindings.dims.items():
        _checked(size, f"dimension {name}")
        if name != "*":
            bound.dims.update(dict.fromkeys(texts.get(name, (name,)), size))
    asked: dict[str, set[Dim]] = {}
    for name, given in bindings.shapes.items():
        for axis, dim, wanted in _axes(name, given, inputs, bindings, parse):
            only = only_symbol(dim)
            if only is not None:
                asked.setdefault(only, set()).add(wanted)
            if dim != wanted:
                bound.replaced.setdefault(name, {})[axis] = wanted
    _join(bound, asked)
    _settle(bound, inputs)
    return bound


def _axes(
    name: str,
    given: GivenShape,
    inputs: Mapping[str, Shape | None],
    bindings: Bindings,
    parse: Callable[[str], Dim | None],
) -> list[tuple[int, Dim | None, Dim]]:
    """Return axis, dimension and wanted size, where one is given."""
    if name not in inputs:
        if name in bindings.where_present:
            return []
        raise ShapeError(no_such("input", name, sorted(inputs)))
    declared = inputs[name]
    if declared is None or len(declared) != len(given):
        rank = MAX_RANK if declared is None else len(declared)
        raise ShapeError(f"input {name} has {rank} dimensions, not {len(given)}")
    axes = []
    for axis, (dim, size) in enumerate(zip(declared, given, strict=True)):
        where = f"input {name}, axis {axis}"
        wanted = parse(size) if isinstance(size, str) else size
        if wanted is None:
            if size is not None:
                raise ShapeError(f"{where}: {size!r} is no name")
            continue
        axes.append((axis, dim, _checked(wanted, where)))
    return axes


def _join(bound: BoundSizes, asked: Mapping[str, set[Dim]]) -> None:
    """Give a symbol the size that all shapes give it; where they differ it keeps its name."""
    for name, sizes in asked.items():
        before = bound.dims.get(name)
        if before is not None and sizes != {before}:
            other = next(size for size in sizes if size != before)
            raise ShapeError(f"dimension {name} is bound to {before} and to {other}")
        if len(sizes) == 1:
            bound.dims[name] = next(iter(sizes))


def _settle(bound: BoundSizes, inputs: Mapping[str, Shape | None]) -> None:
    """Work out what a size of a dimension such as `past + seq` makes of its last open part.

    Raises:
        ShapeError: The other sizes contradict it.
    """
    for name, axes in bound.replaced.items():
        shape = inputs[name] or ()
        for axis, wanted in axes.items():
            dim = shape[axis]
            if not isinstance(dim, Expr) or only_symbol(dim) is not None:
                continue
            made = _evaluated(dim, bound.dims)
            if isinstance(made, Expr) and isinstance(wanted, int):
                bound.dims.update(_solved(made, wanted))
            if isinstance(made, int) and made != wanted:
                raise ShapeError(
                    f"input {name}, axis {axis} is {made} by its other sizes, not {wanted}"
                )


def _evaluated(dim: Expr, sizes: Mapping[str, Dim]) -> Dim | None:
    """Return a dimension at sizes; None where it has no value, as in a division by 0."""
    try:
        return evaluate(dim, sizes)
    except (ValueError, ArithmeticError):
        return None


def _solved(dim: Expr, wanted: int) -> dict[str, Dim]:
    """Return the size that makes a dimension a number, where it grows evenly with one symbol."""
    names = dim.symbols()
    if len(names) != 1:
        return {}
    (name,) = names
    start, first = (_evaluated(dim, {name: size}) for size in (0, 1))
    if not isinstance(start, int) or not isinstance(first, int):
        return {}
    slope = first - start
    if not slope or dim != slope * symbol(name) + start or (wanted - start) % slope:
        return {}
    size = (wanted - start) // slope
    return {name: size} if 0 <= size <= LARGEST_SIZE else {}


def _checked(size: Dim, where: str) -> Dim:
    if isinstance(size, Expr):
        return size
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= LARGEST_SIZE:
        raise ShapeError(f"{where}: {size!r} is no size")
    return size


def only_symbol(dim: Dim | None) -> str | None:
    """Return the name of a dimension that is one symbol and nothing else."""
    if not isinstance(dim, Expr):
        return None
    names = dim.symbols()
    name = next(iter(names), None)
    return name if name is not None and dim == symbol(name) else None


def no_such(what: str, name: str, known: list[str], model: str = "the model") -> str:
    """Return that a model has no such input or dimension, with the nearest that it has."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3, 0.5) or known[:10]
    hint = f"; there is {', '.join(near)}" if near else "; there is none"
    has = f"{model} has no" if model == "the model" else f"{model} has"
    return f"{has} {what} {name}{hint}"
