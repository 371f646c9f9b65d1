"""Counted tensors → Report: totals, and every grouping of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphcount.analysis.counts import Counted, Row
from graphcount.analysis.framework import recover
from graphcount.analysis.generated import WHAT, Generated, find_generated
from graphcount.analysis.modules import Modules
from graphcount.analysis.side_files import side_files
from graphcount.analysis.stored import Stored
from graphcount.analysis.values import Values
from graphcount.analysis.versions import operator_problems, version_problems
from graphcount.domains import canonical
from graphcount.dtypes import DTYPES, dtype_name
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph
from graphcount.loading import ModelFile
from graphcount.loading.model import ModelProto, ValueInfo
from graphcount.loading.paths import public_path
from graphcount.report.records import Report, is_lower_bound
from graphcount.report.rows import (
    OUTPUT,
    Dim,
    DuplicateRow,
    FrameworkRow,
    ModelInfo,
    NBytes,
    NodeRow,
    StorageRow,
    TensorRow,
    Totals,
    UseRow,
    ValueRow,
)

if TYPE_CHECKING:
    from graphcount.analysis.forward import CostOptions

KINDS = {
    "parameter": "parameters",
    "buffer": "buffers",
    "quantization": "quantization",
    "constant": "constants",
    "unused": "unused",
}
"""Key in the totals of each kind."""


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
        values: Reads numbers where a rule needs them; its budget decides how much is compared.
        sha256: Digest of the file, when it was asked for.
        cost: How to measure a forward pass; None: do not.

    Raises:
        ShapeError: A binding in `cost` does not fit the model.
    """
    rows = counted.rows
    generated = find_generated(model_graph, rows, values)
    explained = cost.operators if cost is not None else ()
    operators = operator_problems(model.proto, model_graph.tables, explained)
    found = (*(problem.unknown("model") for problem in operators), *counted.unknowns)
    unknown = _all_unknowns(model.proto, model_graph, found, generated)
    modules = _modules(model_graph, rows)
    tensors = tuple(_tensor_row(row, modules) for row in rows)
    nodes = _node_rows(model, model_graph, rows, modules)
    framework = recover(model, model_graph, rows, values)
    report = Report(
        model=_model_info(model, model_graph, rows, sha256),
        totals=_totals(model, rows, generated, lower_bound=is_lower_bound(unknown)),
        nodes=nodes,
        tensors=tensors,
        framework=FrameworkRow(*framework),
        duplicates=_duplicates(rows, values),
        unknown=unknown,
    )
    if cost is None:
        return report
    from graphcount.analysis.forward import add_cost

    return add_cost(report, model.proto, model_graph, rows, values, cost)


# --------------------------------------------------------------------------------------- totals


def _totals(
    model: ModelFile, rows: tuple[Row, ...], generated: tuple[Generated, ...], *, lower_bound: bool
) -> Totals:
    elements: Counter[str] = Counter()
    nbytes: Counter[str] = Counter()
    as_used = 0
    for row in rows:
        key = KINDS[row.verdict.kind]
        elements[key] += row.elements
        nbytes[key] += row.stored.nbytes
        if key == "parameters":
            as_used += row.elements * max(1, len(row.tensor.uses))
    in_file = sum(row.stored.in_file_nbytes for row in rows)
    overhead = model.file_nbytes - in_file if model.format == "onnx" else None
    return Totals(
        parameters=elements["parameters"],
        parameters_as_used=as_used,
        buffers=elements["buffers"],
        quantization=elements["quantization"],
        constants=elements["constants"],
        unused=elements["unused"],
        elements=sum(elements.values()),
        stored_elements=sum(row.stored.stored_elements for row in rows),
        generated=sum(made.elements for made in generated),
        nbytes=NBytes(
            parameters=nbytes["parameters"],
            buffers=nbytes["buffers"],
            quantization=nbytes["quantization"],
            constants=nbytes["constants"],
            unused=nbytes["unused"],
            total=sum(nbytes.values()),
            overhead=overhead,
            absent=sum(row.stored.absent_nbytes for row in rows),
        ),
        macs=None,
        flops=None,
        elementwise=None,
        macs_expression=None,
        elementwise_expression=None,
        activation_expression=None,
        lower_bound=lower_bound,
        input_nbytes=None,
        output_nbytes=None,
        activation_nbytes=None,
        peak_activation_nbytes=None,
    )


def _all_unknowns(
    proto: ModelProto,
    model_graph: ModelGraph,
    found: Iterable[Unknown],
    generated: Iterable[Generated],
) -> tuple[Unknown, ...]:
    """What is unknown, from every stage, each thing once."""
    unresolved = [
        Unknown(made.node, WHAT, "its size is computed by the graph", "generated")
        for made in generated
        if made.unresolved
    ]
    versions = [problem.unknown("model") for problem in version_problems(proto)]
    every = (*versions, *proto.issues, *model_graph.unknowns, *found, *unresolved)
    return tuple(dict.fromkeys(every))


# ---------------------------------------------------------------------------------------- model


def _model_info(
    model: ModelFile, model_graph: ModelGraph, rows: tuple[Row, ...], sha256: str | None
) -> ModelInfo:
    proto = model.proto
    held = {tensor.name for tensor in proto.graph.initializers}
    held.update(sparse.values.name for sparse in proto.graph.sparse_initializers)
    producer = f"{proto.producer_name} {proto.producer_version}".strip()
    return ModelInfo(
        path=public_path(model.path),
        format=model.format,
        file_nbytes=model.file_nbytes,
        external_nbytes=sum(row.stored.nbytes for row in rows if row.stored.is_external),
        sha256=sha256,
        ir_version=proto.ir_version,
        opset_imports={canonical(domain): version for domain, version in proto.opset_imports},
        producer=producer,
        graph_name=proto.graph.name,
        inputs=tuple(_value_row(info) for info in proto.graph.inputs if info.name not in held),
        outputs=tuple(_value_row(info) for info in proto.graph.outputs),
        metadata={**proto.metadata},
        node_count=model_graph.node_count,
        function_count=len(proto.functions),
        subgraph_count=model_graph.subgraph_count,
        side_files=side_files((row.stored for row in rows), hashed=sha256 is not None),
    )


def _value_row(info: ValueInfo) -> ValueRow:
    dtype = dtype_name(info.data_type) if info.data_type in DTYPES else info.type or "undefined"
    return ValueRow(info.name, dtype, info.shape)


# --------------------------------------------------------------------------------- tensors, nodes


def _tensor_row(row: Row, modules: Mapping[str, str]) -> TensorRow:
    stored = row.stored
    offset = _payload_offset(row)
    storage = StorageRow(
        where=stored.where,
        location=stored.external.location if stored.external else None,
        offset=stored.external.offset if stored.external else offset,
        nbytes=stored.nbytes if stored.external else stored.in_file_nbytes,
    )
    return TensorRow(
        name=stored.name,
        dtype=stored.dtype,
        shape=stored.shape,
        elements=row.elements,
        stored_elements=stored.stored_elements,
        nbytes=stored.nbytes,
        kind=row.verdict.kind,
        role=row.verdict.role,
        reason=row.verdict.reason,
        owner=row.owner,
        module=modules.get(row.owner or "", ""),
        uses=tuple(UseRow(use.node, use.index) for use in row.tensor.uses),
        storage=storage,
    )


def _payload_offset(row: Row) -> int | None:
    tensor = row.stored.tensor or (row.stored.sparse.values if row.stored.sparse else None)
    return tensor.payloads[0].offset if tensor and tensor.payloads else None


def _modules(model_graph: ModelGraph, rows: tuple[Row, ...]) -> dict[str, str]:
    """Module of every operator, by node id."""
    owned: dict[str, list[str]] = {}
    for row in rows:
        if row.owner is not None and row.verdict.kind in ("parameter", "buffer"):
            owned.setdefault(row.owner, []).append(row.stored.name)
    modules = Modules()
    return {
        node: modules.of(data["node"], owned.get(node, ()))
        for node, data in model_graph.tables.nodes.items()
        if data["kind"] == "operator"
    }


def _node_rows(
    model: ModelFile, model_graph: ModelGraph, rows: tuple[Row, ...], modules: Mapping[str, str]
) -> tuple[NodeRow, ...]:
    """One row an operator, and one for a graph output that is itself a stored tensor."""
    counted: dict[str, list[int]] = {}
    for row in rows:
        if row.owner is not None:
            sums = counted.setdefault(row.owner, [0, 0, 0])
            sums[0] += row.elements if row.verdict.kind == "parameter" else 0
            sums[1] += row.elements if row.verdict.kind == "buffer" else 0
            sums[2] += row.stored.nbytes
    shapes = _declared_shapes(model.proto)
    found = []
    nothing = [0, 0, 0]
    for node, data in model_graph.tables.nodes.items():
        if data["kind"] == "operator":
            outputs, op_type, domain = data["node"].outputs, data["op_type"], data["domain"]
        elif node in counted:
            outputs, op_type, domain = (), OUTPUT, ""
        else:
            continue
        parameters, buffers, nbytes = counted.get(node, nothing)
        scope = data["scope"]
        if scope:
            output_shapes: tuple[tuple[Dim, ...] | None, ...] = (None,) * len(outputs)
        else:
            output_shapes = tuple([shapes.get(output) for output in outputs])
        module = modules.get(node, "")
        found.append(
            NodeRow(
                node,
                data["name"],
                op_type,
                domain,
                scope,
                module,
                parameters,
                buffers,
                nbytes,
                output_shapes,
                None,
                None,
                "",
                None,
            )
        )
    return tuple(found)


def _declared_shapes(proto: ModelProto) -> dict[str, tuple[int | str | None, ...] | None]:
    """Shapes the file itself states, by value name."""
    infos = (*proto.graph.value_info, *proto.graph.inputs, *proto.graph.outputs)
    return {info.name: info.shape for info in infos if info.shape is not None}


# ------------------------------------------------------------------------------------ duplicates


def _duplicates(rows: tuple[Row, ...], values: Values) -> tuple[DuplicateRow, ...]:
    """Stored tensors of more than one element with equal type, shape and bytes."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row.stored.elements > 1 and row.stored.tensor is not None:
            groups.setdefault((row.stored.dtype, row.stored.shape), []).append(row)
    found = []
    for candidates in groups.values():
        if len(candidates) < 2:
            continue
        for alike in _grouped(candidates, values.peek):
            for same in _grouped(alike, values.digest):
                names = tuple(row.stored.name for row in same)
                found.append(DuplicateRow(names, same[0].stored.nbytes * (len(same) - 1)))
    return tuple(sorted(found, key=lambda row: (-row.nbytes, row.tensors)))


def _grouped(rows: list[Row], key: Callable[[Stored], bytes | None]) -> list[list[Row]]:
    """Rows with equal keys, groups of two and more."""
    groups: dict[bytes, list[Row]] = {}
    for row in rows:
        value = key(row.stored)
        if value is not None:
            groups.setdefault(value, []).append(row)
    return [group for group in groups.values() if len(group) > 1]
