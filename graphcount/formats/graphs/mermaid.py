"""Mermaid, as GitHub, GitLab and many wikis draw it.

Every character of a name that could mean something is written as an entity (`#35;`), as the
documentation of Mermaid asks ("Entity codes to escape characters"), and nodes have ids of our own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from graphcount.formats.graphs.labels import lines, macs_text, name, shape_of, sizes_text
from graphcount.formats.text import shape
from graphcount.report.drawing import Drawing, DrawnNode

_SPECIAL = re.compile(r"[^\w ./,+\-]")

BRACKETS = {
    "operator": ('["', '"]'),
    "module": ('[["', '"]]'),
    "input": ('(["', '"])'),
    "output": ('(["', '"])'),
}
"""Shape of a node by its kind."""

MAX_NESTING = 12
"""Modules are nested so deep; deeper ones are named by their path."""


def flowchart(drawing: Drawing) -> str:
    """Return nodes with their counts, modules as boxes around them, values as arrows."""
    out = [*_title(drawing), "flowchart TD"]
    out += _boxes(drawing)
    for edge in drawing.edges:
        times = f"|{edge.values}|" if edge.values > 1 else ""
        out.append(f"    n{edge.source} -->{times} n{edge.target}")
    return "\n".join(out) + "\n"


def state_diagram(drawing: Drawing) -> str:
    """Return each layer as a state with its weight and bias; inputs and outputs are the ends."""
    out = [*_title(drawing), "stateDiagram-v2"]
    ends = {at for at, node in enumerate(drawing.nodes) if node.kind in ("input", "output")}
    for at, node in enumerate(drawing.nodes):
        if at not in ends:
            out += (f"    n{at} : {escape(line)}" for line in _state(node))
    for edge in drawing.edges:
        source, target = drawing.nodes[edge.source], drawing.nodes[edge.target]
        start = "[*]" if edge.source in ends else f"n{edge.source}"
        end = "[*]" if edge.target in ends else f"n{edge.target}"
        value = source if edge.source in ends else target
        label = f" : {escape(_end(value))}" if "[*]" in (start, end) else ""
        if start != end:
            out.append(f"    {start} --> {end}{label}")
    return "\n".join(out) + "\n"


def _title(drawing: Drawing) -> list[str]:
    """Return a title that says the sizes that are assumed: YAML, which a string of JSON is."""
    sizes = sizes_text(drawing)
    return ["---", f"title: {json.dumps(sizes)}", "---"] if sizes else []


def escape(text: str) -> str:
    """Escape a text so that Mermaid shows it as it is."""
    escaped = _SPECIAL.sub(lambda match: f"#{ord(match.group())};", text)
    return escaped or "#32;"


def _boxes(drawing: Drawing) -> Iterator[str]:
    """Yield nodes in boxes of their modules; a module whose nodes part has several boxes."""
    opened: list[str] = []
    boxes = 0
    for at, node in enumerate(drawing.nodes):
        wanted = node.module.split(".")[:MAX_NESTING] if node.module else []
        common = 0
        while common < min(len(opened), len(wanted)) and opened[common] == wanted[common]:
            common += 1
        while len(opened) > common:
            opened.pop()
            yield f"{_indent(opened)}end"
        for part in wanted[common:]:
            yield f'{_indent(opened)}subgraph m{boxes}["{escape(name(part))}"]'
            opened.append(part)
            boxes += 1
        left, right = BRACKETS[node.kind]
        label = "<br/>".join(escape(line) for line in lines(node))
        yield f"{_indent(opened)}n{at}{left}{label}{right}"
    while opened:
        opened.pop()
        yield f"{_indent(opened)}end"


def _indent(opened: list[str]) -> str:
    return "    " * (1 + len(opened))


def _state(node: DrawnNode) -> Iterator[str]:
    """Yield operator and name, then a line for each tensor."""
    label = node.module if node.kind == "operator" and node.module else node.label
    yield f"{name(label)}: {name(node.title)}"
    for tensor in node.tensors[:8]:
        yield f"{name(tensor.role)} {shape(tensor.shape)} {tensor.dtype}"
    if len(node.tensors) > 8:
        yield f"and {len(node.tensors) - 8} more tensors"
    macs = macs_text(node)
    if macs:
        yield f"{macs} MACs"


def _end(node: DrawnNode) -> str:
    return f"{name(node.label)} {shape(shape_of(node))}".strip()
