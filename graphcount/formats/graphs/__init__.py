"""Graphs for other tools: Drawing → text. An export is a function and one line in `EXPORTS`.

Names from a model are escaped in the way of each language, so that they name a node and do nothing
else. Nodes are called `n0`, `n1`, ... wherever a language wants identifiers.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from graphcount.report.drawing import Drawing

Export = Callable[[Drawing], str]

EXPORTS: dict[str, tuple[str, str, str]] = {
    "mermaid": ("graphcount.formats.graphs.mermaid", "flowchart", "Mermaid flowchart"),
    "mermaid-state": (
        "graphcount.formats.graphs.mermaid",
        "state_diagram",
        "Mermaid state diagram: each layer with its weight and bias",
    ),
    "dot": ("graphcount.formats.graphs.dot", "dot", "Graphviz"),
    "svg": ("graphcount.formats.graphs.dot", "svg", "a picture, drawn by Graphviz if installed"),
    "graphml": ("graphcount.formats.graphs.interchange", "graphml", "GraphML: yEd, Gephi, igraph"),
    "gexf": ("graphcount.formats.graphs.interchange", "gexf", "GEXF: Gephi"),
    "node-link": ("graphcount.formats.graphs.interchange", "node_link", "node-link JSON: networkx"),
    "netron": ("graphcount.formats.graphs.netron", "netron", "numbers to open beside it in Netron"),
}
"""Module, function and description of each export; the module is imported when it is asked for."""


def export(name: str, drawing: Drawing) -> str:
    """Return a graph in one of the languages of `EXPORTS`.

    Raises:
        GraphcountError: The graph cannot be drawn (`svg` without Graphviz).
    """
    module, function, _ = EXPORTS[name]
    write: Export = getattr(import_module(module), function)
    return write(drawing)
