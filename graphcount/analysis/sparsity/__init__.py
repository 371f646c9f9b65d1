"""Sparsity: zeros of stored tensors, the 2:4 pattern, and MACs that remain without zeros.

All data is streamed once, in chunks. What is zero says `graphcount.analysis.sparsity.zero_points`.

2:4: of every 4 consecutive elements along the reduction axis at most 2 are not zero, and the axis
is a multiple of 4, as NVIDIA's sparse tensor cores take it. The axis is that of the use: K of a
matrix product, the input of a recurrent layer, C/group of a convolution, each position of the
kernel by itself (TensorRT Developer Guide, "Structured Sparsity": `count_nonzero(weights[k,
c_packed * 4 : (c_packed + 1) * 4, r, s]) > 2` breaks it; apex.contrib.sparsity permutes a weight
(K, C, R, S) to (R, S, K, C) first; Mishra et al. 2021, arXiv:2104.08378). A tensor with several
such uses has it if it has it for each of them.

MACs without zeros: every element of a weight (`Operator.factors`) does the same number of MACs, so
a node's MACs shrink by the share of zeros. Where that does not hold (attention, experts, packed
weights, zeros in both operands, data that cannot be read), and in a branch of an If, since without
zeros another branch may do most, the node counts whole: an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from graphcount.analysis.attribution import Attributed, TensorUse, attribute
from graphcount.analysis.counts import Counted, Row
from graphcount.analysis.sparsity.ways import axis_of, behind, factor_at, steps, stored
from graphcount.analysis.sparsity.zero_points import ZeroPoints
from graphcount.analysis.stored import Stored
from graphcount.domains import opsets
from graphcount.dtypes import BY_NAME, DType
from graphcount.graph import ModelGraph, OperatorNode
from graphcount.loading.model import ModelProto, Tensor
from graphcount.loading.tensor_data import CHUNK_NBYTES, TensorReader, UnreadError
from graphcount.loading.zeros import GROUP, TensorZeros, ZeroPoint, count_zeros
from graphcount.ops.operator import Role
from graphcount.ops.precision import WEIGHTS
from graphcount.report.records import Report
from graphcount.report.sparsity import NodeSparsityRow, SparsityRow, TensorSparsityRow, nonzero_macs

WEIGHT_ROLES: frozenset[Role] = WEIGHTS | {"operand"}
"""Roles of what may do MACs at an operator whose record has no factors."""


class WeightUse(NamedTuple):
    """A stored tensor at an input of a node with MACs.

    Attributes:
        row: Its place among the rows of the report.
        node: The node.
        at: The input.
        whole: The operand has every element of the tensor once.
        axis: Axis of the tensor that its sums run along; None where that is not known.
    """

    row: int
    node: OperatorNode
    at: int
    whole: bool
    axis: int | None


def sparsity(
    proto: ModelProto,
    graph: ModelGraph,
    counted: Counted,
    report: Report,
    reader: TensorReader,
    progress: Callable[[str], None],
) -> SparsityRow:
    """Count the zeros of every stored tensor of a model; each is read once.

    Args:
        proto: The records.
        graph: The graph.
        counted: The stored tensors.
        report: Their report, with the cost of a forward pass if that is known.
        reader: Reads the data.
        progress: Called with how far it is.

    Raises:
        UnreadError: A file changed while it was read.
    """
    held = {node: row.stored for row in counted.rows for node in row.tensor.origins}
    points = ZeroPoints(graph, held, opsets(proto.opset_imports), reader)
    uses = _weight_uses(points, counted.rows)
    attributed = {tensor.stored.key: tensor for tensor in attribute(graph, counted.stored)[0]}
    tensors = _tensors(counted.rows, uses, attributed, points, progress)
    nodes = tuple(_nodes(graph, uses, counted.rows, tensors))
    pairs = [(row, tensor.zeros) for row, tensor in zip(counted.rows, tensors, strict=True)]
    read = [(row, zeros) for row, zeros in pairs if zeros is not None]
    learned = [(row, zeros) for row, zeros in read if row.verdict.kind == "parameter"]
    assumed = report.in_numbers if report.assumed is not None else None
    return SparsityRow(
        elements=sum(row.elements for row, _ in read),
        zeros=sum(zeros for _, zeros in read),
        parameters=sum(row.elements for row, _ in learned),
        parameter_zeros=sum(zeros for _, zeros in learned),
        macs_nonzero=nonzero_macs(report.totals.macs, report.nodes, nodes),
        assumed_macs_nonzero=(
            nonzero_macs(assumed.totals.macs, assumed.nodes, nodes) if assumed else None
        ),
        macs_exact=not any(node.why for node in nodes),
        tensors=tensors,
        nodes=nodes,
    )


# ----------------------------------------------------------------------------------------- tensors


def _tensors(
    rows: tuple[Row, ...],
    uses: Mapping[int, list[WeightUse]],
    attributed: Mapping[int, Attributed],
    points: ZeroPoints,
    progress: Callable[[str], None],
) -> tuple[TensorSparsityRow, ...]:
    """Read every tensor once."""
    total = sum(row.stored.nbytes for row in rows) or 1
    done = 0
    tensors = []
    for place, row in enumerate(rows):
        if done // CHUNK_NBYTES != (done + row.stored.nbytes) // CHUNK_NBYTES or not place:
            progress(f"counting zeros: {100 * done // total} %")
        done += row.stored.nbytes
        axes = {use.axis for use in uses.get(place, ()) if use.whole}
        try:
            count = _zeros(row, axes, attributed.get(row.stored.key, row.tensor), points)
        except UnreadError as error:
            if error.cause == "changed":
                raise
            tensors.append(TensorSparsityRow(None, None, error.message))
            continue
        tensors.append(TensorSparsityRow(count.zeros, count.two_four, ""))
    return tuple(tensors)


def _zeros(
    row: Row, axes: Iterable[int | None], attributed: Attributed, points: ZeroPoints
) -> TensorZeros:
    """Count the zeros of a tensor; its own uses say what its zero point is.

    Raises:
        UnreadError: Its data is not to be had, or its zero point is not known.
    """
    tensor = row.stored
    if tensor.problems:
        raise UnreadError.of("damaged", tensor.problems[0].why)
    if row.elements != tensor.elements:  # packed weights, thresholds of trees
        why = f"its operator takes {tensor.elements:,} numbers as {row.elements:,} elements"
        raise UnreadError.of("type", why)
    if tensor.numbers is not None:
        values = tensor.numbers.values
        return TensorZeros(len(values), sum(value == 0 for value in values), None)
    dense = tensor.sparse.values if tensor.sparse is not None else tensor.tensor
    dtype = BY_NAME.get(tensor.dtype)
    if dense is None or dtype is None:
        raise UnreadError.of("absent", "the file declares it and does not hold it")
    if dtype.family == "string":
        return TensorZeros(tensor.elements, 0, None)
    if tensor.sparse is not None:
        cells = _read(tensor, dense, dtype, points.reader)
        return TensorZeros(tensor.elements, tensor.elements - cells.elements + cells.zeros, None)
    known = [axis for axis in axes if axis is not None and tensor.elements]
    lines = [_line(tensor.shape, axis) for axis in known]
    fits = all(tensor.shape[axis] % GROUP == 0 for axis in known)
    zero = points.of(attributed, dtype)
    count = _read(tensor, dense, dtype, points.reader, zero, lines if fits else ())
    return count if fits else count._replace(two_four=False)


def _line(shape: tuple[int, ...], axis: int) -> int:
    """Return the elements between two neighbours along an axis."""
    return prod(shape[axis + 1 :])


def _read(
    tensor: Stored,
    dense: Tensor,
    dtype: DType,
    reader: TensorReader,
    zero: ZeroPoint | None = None,
    lines: Sequence[int] = (),
) -> TensorZeros:
    """Count over the data of a tensor, of a sparse one over its values."""
    listed = bool(dense.data_fields) and dense.data_fields[0].field == "int32_data"
    external = tensor.external if tensor.sparse is None else None
    elements, chunks = tensor.stored_elements, reader.chunks(dense, external)
    count = count_zeros(chunks, dtype, elements, zero=zero, lines=lines, whole_bytes=listed)
    if count.elements != elements:
        raise UnreadError.of("damaged", f"{count.elements:,} elements, not {elements:,}")
    return count


# ------------------------------------------------------------------------------------------- nodes


def _weight_uses(points: ZeroPoints, rows: tuple[Row, ...]) -> dict[int, list[WeightUse]]:
    """Return the uses of each stored tensor as an operand of matrix work, by its place."""
    uses: dict[int, list[WeightUse]] = {}
    for place, row in enumerate(rows):
        if row.verdict.role == "initial state":  # a step has another one
            continue
        for use in row.tensor.uses:
            node = points.graph.nodes[use.node]
            if node.kind != "operator" or node.operator is None or use.index is None:
                continue
            if node.operator.multiplies and _does_macs(node, use):
                made = _weight_use(points, place, row, use, node, use.index)
                uses.setdefault(place, []).append(made)
    return uses


def _does_macs(node: OperatorNode, use: TensorUse) -> bool:
    """Return whether elements at an input may do MACs."""
    if node.operator is not None and node.operator.factors:
        return factor_at(node, use.index) is not None
    return use.role in WEIGHT_ROLES


def _weight_use(
    points: ZeroPoints, place: int, row: Row, use: TensorUse, node: OperatorNode, index: int
) -> WeightUse:
    """Follow a tensor to one use."""
    way, factor = steps(points.graph, row.tensor, use), factor_at(node, index)
    if way is None or factor is None:
        return WeightUse(place, node, index, False, None)
    operand = stored(row.stored.shape)
    for step in way[:-1]:
        operand = behind(operand, step, points.opsets)
    moves_batch = factor.turned and node.record.integer(
        factor.turned.replace("trans", "transBatch"), 0
    )
    axis = None if moves_batch else axis_of(operand, factor.sums)
    return WeightUse(place, node, index, operand.whole, axis)


def _nodes(
    graph: ModelGraph,
    uses: Mapping[int, list[WeightUse]],
    rows: tuple[Row, ...],
    tensors: tuple[TensorSparsityRow, ...],
) -> Iterable[NodeSparsityRow]:
    """Yield a row for each node with zeros among its weights, or with weights nobody knows."""
    by_node: dict[str, list[WeightUse]] = {}
    for of_tensor in uses.values():
        for use in of_tensor:
            by_node.setdefault(use.node.id, []).append(use)
    for id, weights in by_node.items():
        row = _node(id, weights, rows, tensors)
        around = graph.around(weights[0].node.scope)
        if row.zeros and any(body.node.op_type == "If" for body in around):
            row = NodeSparsityRow(id, 0, 0, "another branch of its If may do more MACs")
        if row.zeros or row.why:
            yield row


def _node(
    id: str,
    weights: list[WeightUse],
    rows: tuple[Row, ...],
    tensors: tuple[TensorSparsityRow, ...],
) -> NodeSparsityRow:
    """Return the elements that share the MACs of a node, and how many of them are zero."""
    operator = weights[0].node.operator
    parts = [(use, rows[use.row].elements, tensors[use.row].zeros) for use in weights]
    for use, _, zeros in parts:
        name = rows[use.row].stored.name or f"input {use.at}"
        if zeros is None:
            return NodeSparsityRow(id, 0, 0, f"zeros of {name} are not known")
        if zeros and (operator is None or not operator.factors):
            return NodeSparsityRow(id, 0, 0, "its weights do not share its MACs evenly")
        if zeros and not use.whole:
            return NodeSparsityRow(id, 0, 0, f"it takes {name} in parts")
    shares = [(elements, zeros or 0) for _, elements, zeros in parts]
    if operator is not None and operator.is_recurrent:
        whole = len({use.at for use in weights}) == len(weights) == len(operator.factors)
        sums = sum(elements for elements, _ in shares), sum(zeros for _, zeros in shares)
        why = "" if whole or not sums[1] else "not all of its weights are stored"
        return NodeSparsityRow(id, *(sums if whole else (0, 0)), why)
    elements, zeros = max(shares, key=lambda share: share[1] / max(share[0], 1))
    several = sum(bool(share[1]) for share in shares) > 1
    return NodeSparsityRow(id, elements, zeros, "both operands have zeros" if several else "")
