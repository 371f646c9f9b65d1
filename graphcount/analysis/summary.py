"""Counted tensors → Report: totals, and every grouping of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphcount.analysis.counts import Counted, Row
from graphcount.analysis.framework import recover
from graphcount.analysis.model_info import model_info
from graphcount.analysis.modules import Modules, Owned, spread
from graphcount.analysis.operand_elements import OperandElements, operand_elements
from graphcount.analysis.stored import Stored
from graphcount.analysis.values import Values
from graphcount.analysis.versions import operator_problems, version_problems
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph, traits_of
from graphcount.loading import ModelFile
from graphcount.loading.model import ModelProto
from graphcount.report.records import Report, at_least
from graphcount.report.rows import (
    OUTPUT,
    Dim,
    DuplicateRow,
    FrameworkRow,
    NBytes,
    NodeRow,
    StorageRow,
    TensorRow,
    Totals,
    UseRow,
)

if TYPE_CHECKING:
    from graphcount.analysis.forward import CostOptions
    from graphcount.analysis.generated import Generated

KINDS = {
    "parameter": "parameters",
    "buffer": "buffers",
    "quantization": "quantization",
    "constant": "constants",
    "unused": "unused",
}
"""Key in the totals of each kind."""


NO_COST = (None, None, "", None, None, None, None, None, None, None)
"""Fields of a `NodeRow` behind its shapes, while no forward pass is worked out."""


def summarize(
    model: ModelFile,
    model_graph: ModelGraph,
    counted: Counted,
    values: Values,
    sha256: str | None = None,
    cost: CostOptions | None = None,
) -> Report:
    """Put everything that is known of a counted model into a report.

    Args:
        model: The records.
        model_graph: Its graph.
        counted: Its stored tensors.
        values: Reads tensor data where a rule needs them; its budget decides how much is compared.
        sha256: Digest of the file, when it was asked for.
        cost: How to measure a forward pass; None: do not.

    Raises:
        ShapeError: A binding in `cost` does not fit the model.
    """
    rows = counted.rows
    generated = _generated(model_graph, rows, values)
    explained = cost.operators if cost is not None else ()
    operators = operator_problems(model.proto, model_graph, explained)
    unknowns = (*(problem.unknown("model") for problem in operators), *counted.unknowns)
    unknown = _all_unknowns(model.proto, model_graph, unknowns, generated)
    operands = operand_elements(model_graph, rows, generated)
    elements = _without_shapes(operands)
    nodes = _node_rows(model, model_graph, rows)
    modules = {node.id: node.module for node in nodes}
    tensors = tuple([_tensor_row(row, modules) for row in rows])
    framework = recover(model, model_graph, rows, values)
    report = Report(
        model=model_info(model, model_graph, rows, sha256),
        totals=_totals(model, rows, generated, elements, at_least=at_least(unknown)),
        nodes=nodes,
        tensors=tensors,
        framework=FrameworkRow(*framework),
        duplicates=_duplicates(rows, values),
        unknown=unknown,
    )
    if cost is None:
        return report
    from graphcount.analysis.forward import add_cost

    return add_cost(report, model.proto, model_graph, operands, rows, values, cost)


def _without_shapes(operands: OperandElements) -> int | None:
    """Return `operand_elements`; None where it depends on shapes, as in few models."""
    if not operands.computes:
        return operands.before
    from graphcount.analysis.folded import without_shapes

    return without_shapes(operands)


def _generated(graph: ModelGraph, rows: tuple[Row, ...], values: Values) -> tuple[Generated, ...]:
    """Return what the graph makes from constants; few models have an operator that does."""
    if not any("generates" in traits_of(nodes[0]) for nodes in graph.by_operator.values()):
        return ()
    from graphcount.analysis.generated import find_generated

    return find_generated(graph, rows, values)


# ------------------------------------------------------------------------------------------- totals


def _totals(
    model: ModelFile,
    rows: tuple[Row, ...],
    generated: tuple[Generated, ...],
    operand_elements: int | None,
    *,
    at_least: tuple[str, ...],
) -> Totals:
    elements = dict.fromkeys(KINDS.values(), 0)
    nbytes = dict.fromkeys(KINDS.values(), 0)
    as_used = in_file = referenced = absent = stored_elements = 0
    for row in rows:
        key, stored = KINDS[row.verdict.kind], row.stored
        elements[key] += row.elements
        nbytes[key] += stored.nbytes
        in_file += stored.in_file_nbytes
        referenced += stored.referenced_nbytes
        absent += stored.absent_nbytes
        stored_elements += stored.stored_elements
        if key == "parameters":
            as_used += row.elements * max(1, len(row.tensor.uses))
    overhead = model.file_nbytes - in_file if model.format == "onnx" else None
    return Totals(
        parameters=elements["parameters"],
        parameters_as_used=as_used,
        buffers=elements["buffers"],
        quantization=elements["quantization"],
        constants=elements["constants"],
        unused=elements["unused"],
        elements=sum(elements.values()),
        stored_elements=stored_elements,
        generated=sum(made.elements for made in generated),
        operand_elements=operand_elements,
        nbytes=NBytes(
            parameters=nbytes["parameters"],
            buffers=nbytes["buffers"],
            quantization=nbytes["quantization"],
            constants=nbytes["constants"],
            unused=nbytes["unused"],
            total=sum(nbytes.values()),
            stored=in_file + referenced,
            overhead=overhead,
            absent=absent,
        ),
        macs=None,
        flops=None,
        elementwise=None,
        macs_expression=None,
        elementwise_expression=None,
        activation_expression=None,
        macs_at_most=None,
        elementwise_at_most=None,
        at_least=at_least,
        lower_bound=bool(at_least),
        input_nbytes=None,
        output_nbytes=None,
        load_nbytes=None,
        activation_nbytes=None,
        peak_activation_nbytes=None,
    )


def _all_unknowns(
    proto: ModelProto,
    model_graph: ModelGraph,
    of_counts: Iterable[Unknown],
    generated: Iterable[Generated],
) -> tuple[Unknown, ...]:
    """Return what is unknown, from every stage, each thing once."""
    unresolved = [
        Unknown(made.node, "generated", "its size is computed by the graph", "generated")
        for made in generated
        if made.unresolved
    ]
    versions = [problem.unknown("model") for problem in version_problems(proto)]
    every = (*versions, *proto.issues, *model_graph.unknowns, *of_counts, *unresolved)
    return tuple(dict.fromkeys(every))


# ----------------------------------------------------------------------------------- tensors, nodes


def _tensor_row(row: Row, modules: Mapping[str, str]) -> TensorRow:
    stored = row.stored
    offset = _data_offset(row)
    storage = StorageRow(
        where=stored.where,
        location=stored.external.location if stored.external else None,
        offset=stored.external.offset if stored.external else offset,
    )
    return TensorRow(
        name=stored.name,
        dtype=stored.dtype,
        shape=stored.shape,
        elements=row.elements,
        stored_elements=stored.stored_elements,
        nbytes=stored.nbytes,
        stored_nbytes=stored.stored_nbytes,
        kind=row.verdict.kind,
        role=row.verdict.role,
        reason=row.verdict.reason,
        owner=row.owner,
        module=modules.get(row.owner or "", ""),
        uses=tuple([UseRow(use.node, use.index) for use in row.tensor.uses]),
        storage=storage,
    )


def _data_offset(row: Row) -> int | None:
    tensor = row.stored.tensor or (row.stored.sparse.values if row.stored.sparse else None)
    return tensor.data_fields[0].offset if tensor and tensor.data_fields else None


def _node_rows(
    model: ModelFile, model_graph: ModelGraph, rows: tuple[Row, ...]
) -> tuple[NodeRow, ...]:
    """Return one row an operator, and one for a graph output that is itself a stored tensor."""
    owned = _owned(rows)
    shapes = _declared_shapes(model.proto)
    modules, made = _modules(model.proto, model_graph, owned), NodeRow._make
    nothing = _OwnedSums()
    node_rows = []
    for node, data in model_graph.nodes.items():
        own = owned.get(node, nothing)
        if data.kind == "operator":
            outputs, op_type, domain = data.record.outputs, data.op_type, data.domain
        elif own is not nothing:
            outputs, op_type, domain = (), OUTPUT, ""
        else:
            continue
        scope = data.scope
        output_shapes: tuple[tuple[Dim, ...] | None, ...]
        if scope:
            output_shapes = (None,) * len(outputs)
        elif len(outputs) == 1:
            output_shapes = (shapes.get(outputs[0]),)
        else:
            output_shapes = tuple([shapes.get(output) for output in outputs])
        row = node, data.name, op_type, domain, scope, modules.get(node, "")
        sums = own.parameters, own.buffers, own.nbytes
        node_rows.append(made((*row, *sums, output_shapes, *NO_COST)))
    return tuple(node_rows)


def _modules(
    proto: ModelProto, model_graph: ModelGraph, owned: Mapping[str, _OwnedSums]
) -> dict[str, str]:
    """Return the module of each operator; empty where nothing tells."""
    outputs = {info.name for info in proto.graph.outputs}
    module_of = Modules([own.names for own in owned.values()], outputs).of
    nothing: list[str] = []
    modules = {
        node: module_of(data.record, owned[node].names if node in owned else nothing)
        for node, data in model_graph.nodes.items()
        if data.kind == "operator"
    }
    holds = {node: Owned(bool(own.parameters), own.biases) for node, own in owned.items()}
    return {**modules, **spread(modules, model_graph, holds)}


@dataclass(slots=True)
class _OwnedSums:
    """What the tensors of one node add up to, and the names of those that are learned or kept."""

    parameters: int = 0
    buffers: int = 0
    nbytes: int = 0
    biases: bool = False
    names: list[str] = field(default_factory=list)


def _owned(rows: Iterable[Row]) -> dict[str, _OwnedSums]:
    """Return what each node owns, by its id."""
    sums: dict[str, _OwnedSums] = {}
    for row in rows:
        if row.owner is None:
            continue
        own = sums.get(row.owner)
        if own is None:
            own = sums[row.owner] = _OwnedSums()
        own.nbytes += row.stored.nbytes
        if row.verdict.kind == "parameter":
            own.parameters += row.elements
        elif row.verdict.kind == "buffer":
            own.buffers += row.elements
        else:
            continue
        own.biases = own.biases or row.verdict.role == "bias"
        own.names.append(row.stored.name)
    return sums


def _declared_shapes(proto: ModelProto) -> dict[str, tuple[int | str | None, ...] | None]:
    """Return shapes the file itself states, by value name."""
    infos = (*proto.graph.value_info, *proto.graph.inputs, *proto.graph.outputs)
    return {info.name: info.shape for info in infos if info.shape is not None}


# --------------------------------------------------------------------------------------- duplicates


def _duplicates(rows: tuple[Row, ...], values: Values) -> tuple[DuplicateRow, ...]:
    """Return stored tensors of more than one element with equal type, shape and bytes."""
    groups: dict[tuple[str, tuple[int, ...]], list[Row]] = {}
    for row in rows:
        if row.stored.elements > 1 and row.stored.tensor is not None:
            groups.setdefault((row.stored.dtype, row.stored.shape), []).append(row)
    duplicates = []
    for candidates in groups.values():
        if len(candidates) < 2:
            continue
        for group in _grouped(candidates, values.peek):
            for same in _grouped(group, values.digest):
                names = tuple(row.stored.name for row in same)
                duplicates.append(DuplicateRow(names, same[0].stored.nbytes * (len(same) - 1)))
    return tuple(sorted(duplicates, key=lambda row: (-row.nbytes, row.tensors)))


def _grouped(rows: list[Row], key: Callable[[Stored], bytes | None]) -> list[list[Row]]:
    """Return rows with equal keys, groups of two and more."""
    groups: dict[bytes, list[Row]] = {}
    for row in rows:
        value = key(row.stored)
        if value is not None:
            groups.setdefault(value, []).append(row)
    return [group for group in groups.values() if len(group) > 1]
