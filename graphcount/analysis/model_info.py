"""What file a model is: versions, inputs and outputs, bytes on disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphcount.analysis.counts import Row
from graphcount.domains import opsets
from graphcount.dtypes import DTYPES, dtype_name
from graphcount.graph import ModelGraph
from graphcount.loading import ModelFile
from graphcount.loading.model import ValueInfo
from graphcount.loading.source import public_path
from graphcount.report.rows import FileRow, ModelInfo, ValueRow

if TYPE_CHECKING:
    from graphcount.loading.external import ExternalData


def model_info(
    model: ModelFile, model_graph: ModelGraph, rows: tuple[Row, ...], sha256: str | None
) -> ModelInfo:
    """Return what a report says of the file itself.

    Args:
        model: The records.
        model_graph: Its graph.
        rows: Its stored tensors: they name its external data files.
        sha256: Digest of the file; with one, external data files are digested as well.
    """
    proto = model.proto
    held = {tensor.name for tensor in proto.graph.initializers}
    held.update(sparse.values.name for sparse in proto.graph.sparse_initializers)
    producer = f"{proto.producer_name} {proto.producer_version}".strip()
    external = _external_nbytes(rows)
    return ModelInfo(
        path=public_path(model.path),
        format=model.format,
        file_nbytes=model.file_nbytes,
        external_nbytes=external,
        referenced_nbytes=sum(row.stored.referenced_nbytes for row in rows),
        disk_nbytes=model.file_nbytes + external,
        sha256=sha256,
        ir_version=proto.ir_version,
        opset_imports=opsets(proto.opset_imports),
        producer=producer,
        graph_name=proto.graph.name,
        inputs=tuple(_value_row(info) for info in proto.graph.inputs if info.name not in held),
        outputs=tuple(_value_row(info) for info in proto.graph.outputs),
        metadata={**proto.metadata},
        node_count=model_graph.node_count,
        function_count=len(proto.functions),
        subgraph_count=model_graph.subgraph_count,
        side_files=_external_files(rows, hashed=sha256 is not None),
    )


def _external_nbytes(rows: Iterable[Row]) -> int:
    """Return the size of external data files, each once, but for the model file itself."""
    every = (data for row in rows for data in row.stored.externals if not data.is_model)
    sizes = {data.path: data.nbytes or 0 for data in every}
    return sum(sizes.values())


def _external_files(rows: Iterable[Row], *, hashed: bool) -> tuple[FileRow, ...]:
    """Return the files by their locations; only contained ones are read for a digest."""
    files: dict[str, FileRow] = {}
    for row in rows:
        for data in row.stored.externals:
            if data.location not in files:
                digest = _digest(data) if hashed else None
                files[data.location] = FileRow(data.location, data.nbytes, digest, data.host)
    return tuple(files[location] for location in sorted(files))


def _digest(data: ExternalData) -> str | None:
    from graphcount.loading.external import open_external_file
    from graphcount.loading.source import sha256_of

    file = open_external_file(data._replace(problems=()))
    if file is None:
        return None
    with file:
        return sha256_of(file)


def _value_row(info: ValueInfo) -> ValueRow:
    dtype = dtype_name(info.data_type) if info.data_type in DTYPES else info.type or "undefined"
    return ValueRow(info.name, dtype, info.shape)
