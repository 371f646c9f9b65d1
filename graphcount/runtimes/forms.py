"""What onnx's checker asks of subgraphs: names, order, each value made once.

onnxruntime runs it on every node (onnx/checker.cc: `check_node`, `check_graph`); the main graph is
held to less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphcount.runtimes.records import Refused

if TYPE_CHECKING:
    from onnx import GraphProto

    from graphcount.runtimes.scope import NameScope

FIRST_IR_WITHOUT_INPUTS = 4
"""Before it every initializer is an input, too."""


def check_form(graph: GraphProto, around: NameScope, ir_version: int) -> None:
    """Hold a subgraph against the form that is asked of one.

    Args:
        graph: The subgraph.
        around: The scope of its node.
        ir_version: Of the model.

    Raises:
        Refused: It has no name, a value is made twice, or read before it is made.
    """
    if not graph.name:
        raise Refused("graph", "a subgraph has no name")
    own = set()
    for value in graph.input:
        if value.name in own:
            raise Refused("graph", f"a subgraph has two inputs {value.name}")
        own.add(value.name)
    for tensor in graph.initializer:
        if not tensor.name:
            raise Refused("graph", "an initializer of a subgraph has no name")
        if ir_version < FIRST_IR_WITHOUT_INPUTS and tensor.name not in own:
            raise Refused("graph", f"initializer {tensor.name} of a subgraph is no input")
    own.update(tensor.name for tensor in graph.initializer)
    own.update(sparse.values.name for sparse in graph.sparse_initializer)
    for node in graph.node:
        for name in filter(None, node.input):
            if name not in own and not around.sees(name):
                raise Refused("graph", f"{name} is read before it is made")
        for name in filter(None, node.output):
            if name in own or around.sees(name):
                raise Refused("graph", f"{name} is made twice")
            own.add(name)
    for value in graph.output:
        if value.name not in own:
            raise Refused("graph", f"a subgraph returns {value.name}, which it does not make")
