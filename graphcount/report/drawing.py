"""Records of a graph as it is drawn: nodes or whole modules, and what flows between them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from graphcount.report.rows import Dim

DrawnKind = Literal["operator", "module", "input", "output"]


class DrawnTensor(NamedTuple):
    """A stored tensor of a drawn node."""

    name: str
    role: str
    dtype: str
    shape: tuple[int, ...]
    elements: int


class DrawnNode(NamedTuple):
    """An operator, a module with all that is in it, or an input or output of the graph.

    Attributes:
        id: Id of the node in the graph; path of the module.
        name: Name in the file; empty for none, and for modules.
        label: What to call it: the last part of its name, or its id.
        title: Operator, or for a module how many nodes it holds.
        module: Path of the module it stands in; empty for none.
        nodes: Operators it stands for.
        parameters: Of the tensors it owns; `nbytes` is the size of all of these.
        macs: None where they are not known, or 0 for what computes nothing.
        macs_expression: Where dimensions are dynamic.
        shape: Of its first output, or of the input or output itself.
        tensors: What it owns.
        assumed_macs: MACs at the sizes that the drawing assumes; None where it assumes none.
        assumed_shape: The shape at these sizes.
    """

    id: str
    kind: DrawnKind
    name: str
    label: str
    title: str
    module: str
    nodes: int
    parameters: int
    nbytes: int
    macs: int | None
    macs_expression: str | None
    shape: tuple[Dim, ...] | None
    tensors: tuple[DrawnTensor, ...]
    assumed_macs: int | None = None
    assumed_shape: tuple[Dim, ...] | None = None


class DrawnEdge(NamedTuple):
    """Values that flow from one drawn node to another.

    Attributes:
        source: Position in the list of nodes.
        target: The same.
        value: Name of the value, of the first where there are several.
        values: How many uses of values this edge stands for.
    """

    source: int
    target: int
    value: str
    values: int


class Drawing(NamedTuple):
    """A graph to draw.

    Attributes:
        name: Of the graph.
        nodes: In an order of execution.
        edges: In the order of their sources.
        assumed: Sizes assumed for dynamic dimensions, by name.
    """

    name: str
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]
    assumed: dict[str, int] = {}  # noqa: RUF012 (never changed)


class FlowRow(NamedTuple):
    """Values that flow from one place of a report to another.

    Places are the nodes of the report, then the inputs of its model, then the outputs: a report of
    5 nodes and 2 inputs has its first input at 5 and its first output at 7.

    Attributes:
        source: Place of the node or input that makes them.
        target: Place of the node or output that takes them.
        output: Which output of the source the first of them is.
        values: How many uses of values it stands for.
    """

    source: int
    target: int
    output: int
    values: int
