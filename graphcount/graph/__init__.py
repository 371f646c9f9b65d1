"""Model → graph: one graph of operators, values as edges, subgraphs and functions included.

The graph is a `networkx.MultiDiGraph`. An edge is one use of a value; its key is
`(value, index)` with the value's name (as its producer calls it) and the input index of the
consumer, both also edge attributes `value` and `index`. Node kinds (attribute `kind`):

| kind | id | attributes |
|---|---|---|
| `operator` | node name, or `op_type#index` | `op_type`, `domain`, `name`, `scope`, `node` |
| `input` | `input:NAME` | `value_info`, `scope` |
| `output` | `output:NAME` | `value_info`, `scope` |
| `initializer` | `initializer:NAME` | `tensor` (a `Tensor` or `SparseTensor`), `scope` |

An operator is called `op_type#index` when it has no name or its name is taken; its attribute `node`
is the record. `graphcount.load(path).graph` adds what was counted to each operator: `module`,
`parameters`, `buffers`, `nbytes`, `output_shapes`, `macs`. Inside a subgraph or an expanded
function, ids begin with the scope: `If_3/then_branch/MatMul_1`.

* A body of If, Loop or Scan lives in the same graph. Its inputs are `input` nodes fed by the
  producers of the node's inputs; captured outer values are plain edges into the body; its outputs
  flow into the node by edges whose `index` is None and whose `result` is the output's position.
* A local function is expanded at each call. Its tensors are stored once and appear at each call.
* What a valid model cannot have (cycle, undefined value, value defined twice) is a `GraphProblem`.

Specification: onnx/docs/IR.md, sections "Graphs", "Names Within a Graph", "Functions".
"""

from __future__ import annotations

from graphcount.graph.build import Builder
from graphcount.graph.model_graph import Edges, ModelGraph, execution_order
from graphcount.graph.reach import cycles, reached, shortest_cycle, shortest_path
from graphcount.graph.records import (
    Body,
    GraphNode,
    GraphProblem,
    Initializer,
    Input,
    OperatorNode,
    Output,
    Use,
    computes,
    is_constant,
    traits_of,
)
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import ModelProto, all_nodes, bodies_below, census


def build_graph(proto: ModelProto, limits: Limits = DEFAULT_LIMITS) -> ModelGraph:
    """Build the graph of a model. Work is proportional to the nodes after expansion.

    Raises:
        LimitError: Ids, which repeat the names around a node, would take far too much room.
    """
    builder = Builder(proto, limits)
    builder.run()
    if builder.replaced:
        builder = Builder(proto, limits, at_once=False)
        builder.run()
    edges = Edges(builder.operands, builder.leaving, builder.readers)
    order = execution_order(builder.nodes, edges) if builder.backward else list(builder.nodes)
    problems = builder.problems
    if len(order) < len(builder.nodes):
        problems.append(GraphProblem("cycle", "graph"))
    if all(node.kind == "input" for node in builder.nodes.values()):
        problems.append(GraphProblem("empty", "graph"))
    return ModelGraph(
        builder.nodes,
        edges,
        order,
        tuple(problems),
        *census(proto),
        bodies=tuple(builder.opened),
        scopes=builder.enclosing,
        aliases=builder.aliases(),
    )


__all__ = [
    "Body",
    "GraphNode",
    "GraphProblem",
    "Initializer",
    "Input",
    "ModelGraph",
    "OperatorNode",
    "Output",
    "Use",
    "all_nodes",
    "bodies_below",
    "build_graph",
    "computes",
    "cycles",
    "is_constant",
    "reached",
    "shortest_cycle",
    "shortest_path",
    "traits_of",
]
