"""GraphML, GEXF and node-link JSON, as networkx reads them.

Nodes are `n0`, `n1`, ...; their attributes are `name`, `kind`, `op_type`, `module`, `nodes`,
`parameters`, `nbytes`, `macs`, `macs_expression`, `shape`; edges have `value` and `values`. Where
dimensions are dynamic, `macs_assumed` and `shape_assumed` are those at the sizes that
`sizes_assumed` of the graph says (GEXF has no attributes of a graph: there each node says them).
What is not known is left out. Written line by line: a tree of a large graph takes gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape

from graphcount.formats.text import safe, shape
from graphcount.report.drawing import Drawing, DrawnEdge, DrawnNode
from graphcount.report.serial import dumps

Plain = int | str

MAX_LONG = 2**63 - 1
"""Largest integer of GraphML's `long`; larger ones become text."""

_SCHEMAS = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation='
_GRAPHML = "http://graphml.graphdrawing.org/xmlns"
_GEXF = "http://www.gexf.net/1.2draft"


class _Keys:
    """Numbers of attributes by what has them, name and type; a number is given when it is used."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], int] = {}

    def __call__(self, owner: str, name: str, value: Plain) -> int:
        key = owner, name, "long" if isinstance(value, int) else "string"
        return self.rows.setdefault(key, len(self.rows))


def graphml(drawing: Drawing) -> str:
    """Return GraphML, as `networkx.read_graphml` reads it."""
    keys = _Keys()

    def data(owner: str, indent: str, attributes: Mapping[str, Plain]) -> Iterator[str]:
        for name, value in attributes.items():
            yield f'{indent}<data key="d{keys(owner, name, value)}">{escape(str(value))}</data>'

    lines = list(data("graph", "    ", _of_graph(drawing)))
    for at, node in enumerate(drawing.nodes):
        lines += [
            f'    <node id="n{at}">',
            *data("node", "      ", _attributes(node)),
            "    </node>",
        ]
    for edge in drawing.edges:
        lines += [
            f'    <edge source="n{edge.source}" target="n{edge.target}">',
            *data("edge", "      ", _of_edge(edge)),
            "    </edge>",
        ]
    rows = (
        f'  <key id="d{number}" for="{owner}" attr.name="{name}" attr.type="{kind}" />'
        for (owner, name, kind), number in keys.rows.items()
    )
    head = [
        "<?xml version='1.0' encoding='utf-8'?>",
        f'<graphml xmlns="{_GRAPHML}" {_SCHEMAS}"{_GRAPHML} {_GRAPHML}/1.0/graphml.xsd">',
    ]
    tail = ["  </graph>", "</graphml>", ""]
    return "\n".join([*head, *rows, '  <graph edgedefault="directed">', *lines, *tail])


def gexf(drawing: Drawing) -> str:
    """Return GEXF 1.2, as `networkx.read_gexf` reads it; without the date of today."""
    keys = _Keys()
    sizes = {name: text for name, text in _of_graph(drawing).items() if name != "name"}
    lines = ["    <nodes>"]
    for at, node in enumerate(drawing.nodes):
        attributes = _attributes(node) | sizes
        lines.append(f'      <node id="n{at}" label="{escape(str(attributes.pop("label")))}">')
        lines += [*_attvalues(keys, "node", attributes), "      </node>"]
    lines += ["    </nodes>", "    <edges>"]
    for at, edge in enumerate(drawing.edges):
        lines.append(f'      <edge source="n{edge.source}" target="n{edge.target}" id="{at}">')
        lines += [*_attvalues(keys, "edge", _of_edge(edge)), "      </edge>"]
    head = [
        f'<gexf xmlns="{_GEXF}" {_SCHEMAS}"{_GEXF} {_GEXF}/gexf.xsd" version="1.2">',
        f'  <graph defaultedgetype="directed" mode="static" name="{escape(_text(drawing.name))}">',
    ]
    for owner in ("node", "edge"):
        head.append(f'    <attributes mode="static" class="{owner}">')
        head += [
            f'      <attribute id="{number}" title="{name}" type="{kind}" />'
            for (of, name, kind), number in keys.rows.items()
            if of == owner
        ]
        head.append("    </attributes>")
    return "\n".join([*head, *lines, "    </edges>", "  </graph>", "</gexf>", ""])


def _attvalues(keys: _Keys, owner: str, attributes: Mapping[str, Plain]) -> Iterable[str]:
    """Return the attributes of a node or an edge in GEXF."""
    values = (
        f'          <attvalue for="{keys(owner, name, value)}" value="{escape(str(value))}" />'
        for name, value in attributes.items()
    )
    return ["        <attvalues>", *values, "        </attvalues>"]


def node_link(drawing: Drawing) -> str:
    """Return JSON, as `networkx.node_link_graph(data, edges="edges")` reads it."""
    data = {
        "directed": True,
        "multigraph": False,
        "graph": _of_graph(drawing),
        "nodes": [{"id": f"n{at}", **_attributes(node)} for at, node in enumerate(drawing.nodes)],
        "edges": [
            {"source": f"n{edge.source}", "target": f"n{edge.target}", **_of_edge(edge)}
            for edge in drawing.edges
        ],
    }
    return dumps(data) + "\n"


def _of_graph(drawing: Drawing) -> dict[str, Plain]:
    sizes = ", ".join(f"{name}={size}" for name, size in drawing.assumed.items())
    named: dict[str, Plain] = {"name": _text(drawing.name)}
    return named | ({"sizes_assumed": _text(sizes)} if sizes else {})


def _of_edge(edge: DrawnEdge) -> dict[str, Plain]:
    return {"value": _text(edge.value), "values": edge.values}


def _attributes(node: DrawnNode) -> dict[str, Plain]:
    attributes = {
        "label": _text(node.label),
        "name": _text(node.id),
        "kind": node.kind,
        "op_type": _text(node.title) if node.kind == "operator" else None,
        "module": _text(node.module),
        "nodes": node.nodes,
        "parameters": _number(node.parameters),
        "nbytes": _number(node.nbytes),
        "macs": None if node.macs is None else _number(node.macs),
        "macs_expression": node.macs_expression and _text(node.macs_expression),
        "shape": None if node.shape is None else shape(node.shape),
        "macs_assumed": None if node.assumed_macs is None else _number(node.assumed_macs),
        "shape_assumed": None if node.assumed_shape is None else shape(node.assumed_shape),
    }
    return {key: value for key, value in attributes.items() if value is not None}


def _number(number: int) -> int | str:
    return number if number <= MAX_LONG else str(number)


def _text(text: str) -> str:
    """Return a name as XML can hold it: control characters are not allowed there (XML 1.0, 2.2)."""
    return safe(text, None)
