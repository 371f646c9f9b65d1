"""DOT for Graphviz, and the picture Graphviz makes of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

from graphcount.errors import LimitError, UsageError
from graphcount.formats.graphs.labels import lines, name, sizes_text
from graphcount.report.drawing import Drawing

COLORS = {"operator": "#ffffff", "module": "#dce9f7", "input": "#e6f3ea", "output": "#f7e6dc"}
"""Fill of a node by its kind; one with parameters is `HOLDING`."""

HOLDING = "#fff3d1"

SVG_SECONDS = 60
"""Graphviz is stopped after so long: its layout is slow beyond some thousand nodes."""


def dot(drawing: Drawing) -> str:
    """Return a digraph with a cluster for each module."""
    out = [
        "digraph model {",
        '  graph [rankdir=TB, fontname="Helvetica", style=rounded, color="#8b9197"];',
        '  node [shape=box, style="filled,rounded", fontname="Helvetica", fontsize=11];',
        '  edge [color="#575d64", arrowsize=0.7, fontname="Helvetica", fontsize=10];',
    ]
    out += _clusters(drawing)
    for edge in drawing.edges:
        label = f' [label="{edge.values}"]' if edge.values > 1 else ""
        out.append(f"  n{edge.source} -> n{edge.target}{label};")
    sizes = sizes_text(drawing)
    if sizes:  # behind the clusters, which would have its label, too
        out.append(f"  label={quote(sizes)}; labelloc=b;")
    return "\n".join([*out, "}"]) + "\n"


def svg(drawing: Drawing) -> str:
    """Return the picture of the digraph.

    Raises:
        UsageError: Graphviz is not installed, or refuses.
        LimitError: It takes too long.
    """
    program = shutil.which("dot")
    if program is None:
        raise UsageError("svg needs Graphviz, and there is no program `dot`; --format dot does not")
    try:
        done = subprocess.run(
            [program, "-Tsvg"],
            input=dot(drawing).encode(),
            capture_output=True,
            timeout=SVG_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        nodes = len(drawing.nodes)
        why = f"Graphviz did not lay out {nodes:,} nodes in {SVG_SECONDS} s; fold them with --depth"
        raise LimitError(why) from None
    except (subprocess.CalledProcessError, OSError) as error:
        output = (getattr(error, "stderr", b"") or b"").decode(errors="replace") or str(error)
        raise UsageError(f"Graphviz: {output}") from None
    return done.stdout.decode()


def quote(text: str) -> str:
    """Quote a string for DOT: no escape sequence of its own, no HTML label, no entity."""
    escaped = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _clusters(drawing: Drawing) -> Iterator[str]:
    """Yield each node in the cluster of its module; clusters lie inside those above."""
    members: dict[str, list[int]] = {}
    children: dict[str, dict[str, None]] = {}
    for at, node in enumerate(drawing.nodes):
        members.setdefault(node.module, []).append(at)
        path = node.module
        while path:
            above = path.rpartition(".")[0]
            children.setdefault(above, {})[path] = None
            path = above
    stack: list[str | None] = [""]
    opened: list[str] = []
    number = 0
    while stack:
        path_or_end = stack.pop()
        if path_or_end is None:
            opened.pop()
            yield f"{_indent(opened)}}}"
            continue
        if path_or_end:
            label = quote(name(path_or_end.rpartition(".")[2]))
            yield f"{_indent(opened)}subgraph cluster_{number} {{ label={label};"
            opened.append(path_or_end)
            number += 1
            stack.append(None)
        yield from (
            f"{_indent(opened)}n{at} {_attributes(drawing, at)};"
            for at in members.get(path_or_end, ())
        )
        stack.extend(reversed(children.get(path_or_end, {})))


def _attributes(drawing: Drawing, at: int) -> str:
    node = drawing.nodes[at]
    label = "\\n".join(quote(line)[1:-1] for line in lines(node))
    fill = HOLDING if node.kind == "operator" and node.parameters else COLORS[node.kind]
    return f'[label="{label}", fillcolor="{fill}"]'


def _indent(opened: list[str]) -> str:
    return "  " * (1 + len(opened))
