"""A report as the page carries it: JSON, its long lists by column, safe inside a script element.

A list of records repeats keys, modules and types in every row. By column, and with each repeated
value stored once, 100,000 nodes take a third of the room. `unpack` gives the report's own JSON
object back, so that a page is also an archive of its report.

Formulas travel as trees beside it (`formulas`): the page evaluates them and parses nothing.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from graphcount.report.pass_rows import AssumedNodeRow, StatesRow
from graphcount.report.records import Report, dtype_rows, module_rows, op_type_rows
from graphcount.report.rows import Dim, NodeRow, StorageRow, TensorRow, Totals, ValueRow
from graphcount.report.serial import dumps, outline, plain
from graphcount.symbolic.text import formula
from graphcount.symbolic.tree import tree

MAX_SAFE = 2**53 - 1
"""Largest integer that JavaScript reads exactly; larger ones travel as `{"int": "digits"}`."""

PLAIN_NBYTES = 1_000_000
"""Data beyond this is deflated: a browser inflates it faster than it reads it."""

MAX_FORMULA_CHARACTERS = 1_000_000
"""Formulas are read up to so many characters together; those after them have no tree."""


def pack(report: Report) -> dict[str, Any]:
    """Return the JSON object of a report without its groupings, nodes and tensors by column."""
    index = {node.id: position for position, node in enumerate(report.nodes)}
    assumed = report.assumed
    whole = report if assumed is None else replace(report, assumed=assumed._replace(nodes=()))
    data = {
        **{key: _wide(value) for key, value in outline(whole).items()},
        "nodes": _columns(NodeRow._fields, report.nodes),
        "tensors": _tensor_columns(report.tensors, index),
    }
    if assumed is not None:
        data["assumed"]["nodes"] = _columns(AssumedNodeRow._fields, assumed.nodes)
    return data


def formulas(report: Report) -> list[list[Any]]:
    """Return each formula of a report once, as its text and its tree.

    A text that cannot be read back has no tree, and so no value on the page; see
    `graphcount.symbolic.tree`.
    """
    rows: list[list[Any]] = []
    left = MAX_FORMULA_CHARACTERS
    for text in dict.fromkeys(_texts(report)):
        left -= len(text)
        if left < 0:
            break
        dimension = formula(text)
        if dimension is not None:
            rows.append([text, tree(dimension)])
    return rows


def _texts(report: Report) -> Iterator[str]:
    """Yield formulas, the totals first: bounds on work leave out the last ones."""
    assumed = report.assumed
    for row in (report, assumed) if assumed is not None else (report,):
        yield from _texts_of_totals(row.totals, row.states)
    yield from _texts_of_shapes(report.model.inputs + report.model.outputs)
    for nodes in (report.nodes, assumed.nodes if assumed is not None else ()):
        for node in nodes:
            texts = node.macs_expression, node.read_expression, node.written_expression
            yield from (text for text in texts if text is not None)
        shapes = dict.fromkeys(shape for node in nodes for shape in node.output_shapes if shape)
        for shape in shapes:
            yield from (dim for dim in shape if isinstance(dim, str))


def _texts_of_totals(totals: Totals, states: StatesRow | None) -> Iterator[str]:
    texts = (
        totals.macs_expression,
        totals.elementwise_expression,
        totals.activation_expression,
        *(states[1:] if states is not None else ()),
    )
    return (text for text in texts if isinstance(text, str))


def _texts_of_shapes(values: Iterable[ValueRow]) -> Iterator[str]:
    shapes: Iterator[tuple[Dim, ...]] = (value.shape for value in values if value.shape)
    return (dim for shape in shapes for dim in shape if isinstance(dim, str))


def unpack(data: dict[str, Any]) -> dict[str, Any]:
    """Return the report's JSON object of what `pack` made."""
    document = {
        key: _narrow(value) for key, value in data.items() if key not in ("nodes", "tensors")
    }
    document["model"]["metadata"] = data["model"]["metadata"]
    document["nodes"] = _rows(data["nodes"])
    if data["assumed"] is not None:
        document["assumed"]["nodes"] = _rows(data["assumed"]["nodes"])
    document["tensors"] = [_tensor(row, document["nodes"]) for row in _rows(data["tensors"])]
    nodes = [NodeRow(**row) for row in document["nodes"]]
    tensors = [TensorRow(**row) for row in document["tensors"]]
    document["dtypes"] = plain(dtype_rows(tensors))
    document["op_types"] = plain(op_type_rows(nodes))
    document["modules"] = plain(module_rows(nodes, tensors))
    return document


def embed(data: Any) -> tuple[str, str]:
    """Return data as the text of a script element, and its encoding: `json` or `deflate`.

    No character of it can end the element, open a comment or be a markup character (HTML Standard,
    "Restrictions for contents of script elements"); JSON escapes mean the same to every reader.
    """
    text = dumps(data, indent=None)
    if len(text) > PLAIN_NBYTES:
        return base64.b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii"), "deflate"
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text, "json"


def read(text: str, encoding: str) -> Any:
    """Return what `embed` wrote."""
    if encoding == "deflate":
        text = zlib.decompress(base64.b64decode(text)).decode("ascii")
    return json.loads(text)


# ------------------------------------------------------------------------------------- columns


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return {
        "length": len(rows),
        "columns": {name: column(values) for name, values in zip(names, columns, strict=True)},
    }


def column(values: Iterable[Any]) -> Any:
    """Return the values of a field, or its distinct values and where each stands."""
    values = list(values)
    distinct = dict.fromkeys(values)
    if 2 * len(distinct) > len(values):
        return [_wide(plain(value)) for value in values]
    place = {value: position for position, value in enumerate(distinct)}
    return {
        "values": [_wide(plain(value)) for value in distinct],
        "index": [place[value] for value in values],
    }


def _rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    columns = {name: _values(column) for name, column in table["columns"].items()}
    return [
        {name: values[position] for name, values in columns.items()}
        for position in range(table["length"])
    ]


def _values(column: Any) -> list[Any]:
    if isinstance(column, dict):
        values = _narrow(column["values"])
        return [values[position] for position in column["index"]]
    cells: list[Any] = _narrow(column)
    return cells


def _tensor_columns(tensors: Sequence[TensorRow], index: dict[str, int]) -> dict[str, Any]:
    """Return tensors with nodes as positions in their list, and storage in its own columns."""
    names = [name for name in TensorRow._fields if name != "storage"]
    names += [f"storage.{name}" for name in StorageRow._fields]

    def place(node: str | None) -> Any:
        return index.get(node, node) if node is not None else None

    rows = [
        (
            *row._replace(
                owner=place(row.owner),
                uses=tuple((place(use.node), use.input) for use in row.uses),  # type: ignore[misc]
            )[:-1],
            *row.storage,
        )
        for row in tensors
    ]
    return _columns(names, rows)


def _tensor(row: dict[str, Any], nodes: list[dict[str, Any]]) -> dict[str, Any]:
    def name(place: Any) -> Any:
        return nodes[place]["id"] if isinstance(place, int) else place

    storage = {name: row.pop(f"storage.{name}") for name in StorageRow._fields}
    uses = [{"node": name(node), "input": position} for node, position in row["uses"]]
    return {**row, "owner": name(row["owner"]), "uses": uses, "storage": storage}


# ------------------------------------------------------------------------------------- numbers


def _wide(value: Any) -> Any:
    """Turn integers that JavaScript would round into `{"int": digits}`."""
    if type(value) is int:
        return value if abs(value) <= MAX_SAFE else {"int": str(value)}
    if isinstance(value, list):
        return [_wide(item) for item in value]
    if isinstance(value, dict):
        return {key: _wide(item) for key, item in value.items()}
    return value


def _narrow(value: Any) -> Any:
    if isinstance(value, list):
        return [_narrow(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"int"} and isinstance(value["int"], str):
            return int(value["int"])
        return {key: _narrow(item) for key, item in value.items()}
    return value
