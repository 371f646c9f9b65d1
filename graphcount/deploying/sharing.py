"""Tensors that several components hold, so that each counts once.

Two tensors are surely the same when they are one range of one file, or, where tensor data was
compared, have the same type, shape and data. Where it was not, the same name, type and shape make
it likely; a name that an exporter made up says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from posixpath import dirname, join, normpath
from typing import NamedTuple

from graphcount.analysis.names import maker
from graphcount.loading.folder import Folder
from graphcount.report.records import Report
from graphcount.report.rows import TensorRow

LEARNED = frozenset({"parameter", "buffer", "quantization"})
"""Kinds of tensors whose names are those of a training framework; shape constants are alike."""


class HeldTensors(NamedTuple):
    """The tensors of a component.

    Attributes:
        report: Its report.
        base: Folder of its external data, from that of the deployment.
        digests: Digests of type, shape and data, in the order of the report's tensors; None: tensor
            data was not compared.
    """

    report: Report
    base: str
    digests: Sequence[str | None] | None = None


class SharedTensors(NamedTuple):
    """Positions of tensors of a component that one before it holds, too."""

    surely: frozenset[int]
    likely: frozenset[int]


def shared(components: Iterable[HeldTensors], folder: Folder) -> list[SharedTensors]:
    """Return what each component shares with those before it."""
    known: set[object] = set()
    named: set[object] = set()
    rows = []
    for held in components:
        keys = [_keys(held, place, row, folder) for place, row in enumerate(held.report.tensors)]
        names = [_name(row) if held.digests is None else None for row in held.report.tensors]
        surely = {place for place, own in enumerate(keys) if not known.isdisjoint(own)}
        likely = {place for place, name in enumerate(names) if name in named} - surely
        rows.append(SharedTensors(frozenset(surely), frozenset(likely)))
        known.update(key for own in keys for key in own)
        named.update(name for name in names if name is not None)
    return rows


def base_of(model: str, weights: str | None) -> str:
    """Return the folder of a model's external data."""
    return dirname(model) if weights is None else weights


def data_path(base: str, location: str) -> str:
    """Return an external data file from the folder of the deployment."""
    return normpath(join(base, location))


def _keys(held: HeldTensors, place: int, row: TensorRow, folder: Folder) -> list[object]:
    """Return what identifies a tensor's data for sure."""
    keys: list[object] = []
    if row.storage.where == "external" and row.storage.location and row.stored_nbytes:
        name = data_path(held.base, row.storage.location)
        file = folder.by_name.get(name)
        if file is not None and not file.problem:
            keys.append((file.place, row.storage.offset or 0, row.stored_nbytes))
    digest = held.digests[place] if held.digests is not None else None
    if digest is not None:
        keys.append(digest)
    return keys


def _name(row: TensorRow) -> object:
    """Return what makes it likely that two tensors are the same; None where nothing does."""
    if row.kind not in LEARNED or row.elements <= 1 or maker(row.name) == "exporter":
        return None
    return row.name, row.dtype, row.shape
