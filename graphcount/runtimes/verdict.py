"""A model that was read → whether a runtime loads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from graphcount.domains import STANDARD, canonical
from graphcount.report.loading import Answer
from graphcount.runtimes.data import check_data
from graphcount.runtimes.functions import check_function
from graphcount.runtimes.kernels import check_kernels
from graphcount.runtimes.records import Refused, Stop, Undecided
from graphcount.runtimes.resolve import Resolver
from graphcount.runtimes.scope import NameScope
from graphcount.runtimes.tables import ANY_VERSION

if TYPE_CHECKING:
    from onnx import ModelProto

    from graphcount.loading import ModelFile
    from graphcount.runtimes.tables import RuntimeTable

PROTOBUF_NBYTES = 2**31 - 1
"""The largest message that protobuf reads."""


def answer(model: ModelFile, table: RuntimeTable) -> Answer:
    """Return whether the runtime of a table loads a model.

    Args:
        model: The model, read with its structure kept (`keep_thin`).
        table: What the runtime knows.
    """
    try:
        _check(model, table)
    except Stop as stop:
        return Answer(stop.state, table.text, stop.cause, stop.node, stop.why)
    return Answer("loads", table.text)


def _check(model: ModelFile, table: RuntimeTable) -> None:
    from onnx import ModelProto

    if model.format != "onnx":
        _check_text(model)
    if model.file_nbytes > PROTOBUF_NBYTES:
        raise Refused("file", "it is larger than 2 GiB, which protobuf does not read")
    assert model.thin is not None
    try:
        proto = ModelProto.FromString(model.thin.data)
    except Exception:  # protobuf's DecodeError, whose module differs between its versions
        raise Refused("file", "protobuf does not read it") from None
    versions = _versions(proto, table)
    for function in proto.functions:
        check_function(function, proto.functions)
    check_data(model.proto, model.path)
    resolver = Resolver(table, proto.functions, proto.ir_version)
    scope = NameScope("", versions)
    resolver.graph(proto.graph, scope)
    check_kernels(resolver)


def _check_text(model: ModelFile) -> None:
    """Refuse a text form, unless protobuf takes its bytes for a model all the same.

    Raises:
        Stop: In any case.
    """
    from onnx import ModelProto

    data = Path(model.path).read_bytes()  # its size was held against the limits
    try:
        ModelProto.FromString(data)
    except Exception:  # as above
        raise Refused("file", f"it is written as {model.format}, not in the binary form") from None
    raise Undecided("limit", f"it is both {model.format} and a binary form that is read otherwise")


def _versions(proto: ModelProto, table: RuntimeTable) -> dict[str, int]:
    """Return the version by domain; a domain that the runtime knows need not be imported.

    Raises:
        Refused: A version is missing or too new.
    """
    if not proto.HasField("graph"):
        raise Refused("file", "it has no graph")
    if not proto.HasField("ir_version"):
        raise Refused("version", "it states no IR version")
    if proto.ir_version > table.newest_ir:
        why = f"IR version {proto.ir_version} is newer than {table.newest_ir}"
        raise Refused("version", why)
    if not proto.opset_import and proto.ir_version >= 3:
        raise Refused("version", "it imports no opset")
    versions = {} if proto.opset_import else {"": 1}
    for row in proto.opset_import:
        domain = canonical(row.domain)
        newest = table.newest_opsets.get(domain, ANY_VERSION)
        if newest not in (0, ANY_VERSION) and row.version > newest:
            why = f"opset {domain or STANDARD} {row.version} is newer than {newest}"
            raise Refused("version", why)
        versions[domain] = max(row.version, versions.get(domain, row.version))
    known = {domain: version for domain, version in table.newest_opsets.items() if version}
    return {**known, **versions}
