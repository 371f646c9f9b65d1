"""GraphML, GEXF and node-link JSON, by networkx's own writers.

Nodes are `n0`, `n1`, ...; their attributes are `name`, `kind`, `op_type`, `module`, `nodes`,
`parameters`, `nbytes`, `macs`, `macs_expression`, `shape`; edges have `value` and `values`. Where
dimensions are dynamic, `macs_assumed` and `shape_assumed` are those at the sizes that
`sizes_assumed` of the graph says (GEXF has no attributes of a graph: there each node says them).
What is not known is left out.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from graphcount.formats.text import safe, shape
from graphcount.report.drawing import Drawing, DrawnNode
from graphcount.report.serial import dumps

if TYPE_CHECKING:
    import networkx as nx

MAX_LONG = 2**63 - 1
"""Largest integer of GraphML's `long`; larger ones become text."""


def graphml(drawing: Drawing) -> str:
    """Return GraphML, as `networkx.read_graphml` reads it."""
    import networkx as nx

    out = io.BytesIO()
    nx.write_graphml_xml(to_networkx(drawing), out, prettyprint=True)
    return out.getvalue().decode("utf-8") + "\n"


def gexf(drawing: Drawing) -> str:
    """Return GEXF 1.2, as `networkx.read_gexf` reads it; without the date of today."""
    import networkx as nx

    graph = to_networkx(drawing)
    sizes = graph.graph.get("sizes_assumed")
    if sizes:
        nx.set_node_attributes(graph, sizes, "sizes_assumed")
    text = "\n".join(nx.generate_gexf(graph))
    return re.sub(r' lastmodifieddate="[^"]*"', "", text, count=1) + "\n"


def node_link(drawing: Drawing) -> str:
    """Return JSON, as `networkx.node_link_graph(data, edges="edges")` reads it."""
    graph = to_networkx(drawing)
    data = {
        "directed": True,
        "multigraph": False,
        "graph": dict(graph.graph),
        "nodes": [{"id": node, **attributes} for node, attributes in graph.nodes.items()],
        "edges": [{"source": a, "target": b, **more} for (a, b), more in graph.edges.items()],
    }
    return dumps(data) + "\n"


def to_networkx(drawing: Drawing) -> nx.DiGraph[str]:
    """Return the drawing as a networkx graph of plain attributes."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph(name=_text(drawing.name))
    if drawing.assumed:
        sizes = ", ".join(f"{name}={size}" for name, size in drawing.assumed.items())
        graph.graph["sizes_assumed"] = _text(sizes)
    for at, node in enumerate(drawing.nodes):
        graph.add_node(f"n{at}", **_attributes(node))
    for edge in drawing.edges:
        names = {"value": _text(edge.value), "values": edge.values}
        graph.add_edge(f"n{edge.source}", f"n{edge.target}", **names)
    return graph


def _attributes(node: DrawnNode) -> dict[str, Any]:
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
