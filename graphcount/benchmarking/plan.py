"""What will be fed: shapes from declarations and the caller's sizes, contents by a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from graphcount.analysis.shapes.declared import Bindings, Declarations
from graphcount.benchmarking.files import FileInput, find
from graphcount.benchmarking.ranges import fill_of
from graphcount.dtypes import DTYPES
from graphcount.errors import UsageError
from graphcount.graph import ModelGraph
from graphcount.loading.model import ModelProto, ValueInfo
from graphcount.ops.call import listed
from graphcount.symbolic import Dim, Expr

MAX_CASES = 64
MAX_ELEMENTS = 2**40

BATCH_NAMES = frozenset({"batch", "batch_size", "batchsize", "n", "b", "bs", "unk__0"})
"""Dynamic dimensions that are taken to be 1 when nobody gives a size."""


class InputPlan(NamedTuple):
    """One input.

    Attributes:
        code: TensorProto.DataType; 0 for what is no tensor.
        fill: A recipe of `graphcount.benchmarking.fill`, or `file`.
        file: Where the numbers come from when `fill` is `file`.
    """

    name: str
    dtype: str
    code: int
    shape: tuple[int, ...]
    fill: str
    file: FileInput | None


class InputsPlan(NamedTuple):
    """All inputs of one measurement.

    Attributes:
        dims: Every dynamic dimension with its size.
        assumed: Those that nobody gave.
    """

    inputs: tuple[InputPlan, ...]
    dims: dict[str, int]
    assumed: dict[str, int]


GivenShapes = Mapping[str, Sequence[int | str | None]]


def cases(dims: Mapping[str, Sequence[int]]) -> list[dict[str, int]]:
    """Yield every combination of the sizes given for each dimension, the last one fastest.

    Raises:
        UsageError: More than 64 combinations.
    """
    count = prod(map(len, dims.values()))
    if count > MAX_CASES:
        raise UsageError(f"{count:,} combinations of --dim; at most {MAX_CASES}")
    return [dict(zip(dims, sizes, strict=True)) for sizes in product(*dims.values())]


def plan_inputs(
    proto: ModelProto,
    model_graph: ModelGraph,
    dims: Mapping[str, int],
    shapes: GivenShapes,
    files: Sequence[str] = (),
) -> InputsPlan:
    """Decide what every input of the main graph is fed.

    Raises:
        UsageError: A dimension without a size, or a file or size that does not fit.
    """
    stored = {tensor.name for tensor in proto.graph.initializers}
    stored |= {tensor.values.name for tensor in proto.graph.sparse_initializers}
    infos = {info.name: info for info in proto.graph.inputs if info.name not in stored}
    given = find(files, infos)
    bound: dict[str, tuple[int | str | None, ...]] = {k: tuple(v) for k, v in shapes.items()}
    for name, item in given.items():
        if name in bound and bound[name] != item.shape:
            raise UsageError(f"input {name}: --shape and --input disagree", item.file.path)
        bound[name] = item.shape
    declared = Declarations(proto, Bindings(dict(dims), bound))
    for name, shape in declared.resized.items():
        raise UsageError(f"input {name} is {listed(shape)} in the file; onnxruntime takes no other")
    assumed = _assumed(declared, infos)
    if assumed:
        declared = Declarations(proto, Bindings({**dims, **assumed}, bound))
    inputs = []
    for name, info in infos.items():
        row = DTYPES.get(info.data_type)
        held = given.get(name)
        is_tensor = info.type == "tensor"
        if is_tensor and row is None:
            raise UsageError(f"input {name} has an undefined element type")
        family = row.family if row is not None else "float"
        fill = "file" if held else fill_of(name, info, family, model_graph)
        shape = _numbers(name, declared.inputs.get(name), bound, info)
        dtype = row.name if row is not None and is_tensor else info.type
        code = info.data_type if is_tensor else 0
        inputs.append(InputPlan(name, dtype, code, shape, fill, held.file if held else None))
    sizes = {name: size for name, size in declared.bound.items() if isinstance(size, int)}
    return InputsPlan(tuple(inputs), dict(sorted(sizes.items())), assumed)


def _assumed(declared: Declarations, infos: Mapping[str, ValueInfo]) -> dict[str, int]:
    """Return size 1 for what is a batch: named so, or the first dimension of an input with others.

    Raises:
        UsageError: Other dimensions have no size.
    """
    free: dict[str, bool] = {}
    for name in infos:
        shape = declared.inputs.get(name) or ()
        for axis, dim in enumerate(shape):
            for symbol in _symbols(dim):
                first = axis == 0 and len(shape) > 1
                free[symbol] = free.get(symbol, False) or first or symbol.lower() in BATCH_NAMES
    missing = sorted(symbol for symbol, batch in free.items() if not batch)
    if missing:
        example = " ".join(f"--dim {symbol}=N" for symbol in missing[:4])
        raise UsageError(f"no size for {', '.join(missing[:10])}: give {example}")
    return dict.fromkeys(sorted(free), 1)


def _symbols(dim: Dim | None) -> Iterator[str]:
    if isinstance(dim, Expr):
        yield from sorted(dim.symbols())


def _numbers(
    name: str,
    shape: tuple[Dim | None, ...] | None,
    given: GivenShapes,
    info: ValueInfo,
) -> tuple[int, ...]:
    """Return the shape as numbers.

    Raises:
        UsageError: Not even its rank is known, or it is too large for any machine.
    """
    if shape is None and info.type != "tensor":
        return tuple(size for size in given.get(name, (1,)) if isinstance(size, int))
    if shape is None:
        raise UsageError(f"input {name} states no shape: give --shape {name}=DIMS")
    sizes = tuple(dim for dim in shape if isinstance(dim, int))
    if len(sizes) < len(shape):
        raise UsageError(f"input {name}: a dimension is not known: give --shape {name}=DIMS")
    elements = 1
    for size in sizes:
        elements *= size
    if elements > MAX_ELEMENTS:
        raise UsageError(f"input {name} would hold {elements:,} elements")
    return sizes
