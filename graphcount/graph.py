"""Model → networkx: one graph of operators, values as edges, subgraphs and functions included.

The graph is a `networkx.MultiDiGraph`. An edge is one use of a value; its key is
`(value, index)` with the value's name and the input index of the consumer, both also edge
attributes `value` and `index`. Node kinds (attribute `kind`):

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
  producers of the holder's inputs; captured outer values are plain edges into the body; its outputs
  flow into the holder by edges whose `index` is None and whose `result` is the output's position.
* A local function is expanded at each call. Its tensors are stored once and appear at each call.
* What a valid model cannot have (cycle, undefined value, value defined twice) is kept as `Unknown`.

Specification: onnx/docs/IR.md, sections "Graphs", "Names Within a Graph", "Functions".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.errors import Unknown
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import (
    Attribute,
    Function,
    Graph,
    ModelProto,
    Node,
    SparseTensor,
    Tensor,
    ValueInfo,
)

if TYPE_CHECKING:
    import networkx as nx

FunctionId = tuple[str, str, str]


class Tables(NamedTuple):
    """The dicts a networkx MultiDiGraph is made of.

    networkx documents this layout ("dict-of-dict-of-dict-of-dict"). The stages of the analysis read
    it directly: without networkx's views each step costs a fraction, and a count that nobody wants
    to see as a graph need not import networkx.

    Attributes:
        nodes: id → attributes.
        succ: id → consumer → key → edge attributes.
        pred: id → producer → key → edge attributes; the inner dicts are those of `succ`.
    """

    nodes: dict[str, dict[str, Any]]
    succ: dict[str, dict[str, dict[Any, dict[str, Any]]]]
    pred: dict[str, dict[str, dict[Any, dict[str, Any]]]]


@dataclass(frozen=True)
class ModelGraph:
    """A model as a graph.

    Attributes:
        tables: Its nodes and edges; see the module's docstring.
        unknowns: What the file leaves undefined or contradicts.
        cyclic: The graph has a cycle, so no order of execution exists.
        node_count: NodeProtos in the file: main graph, subgraphs and function bodies, once each.
        subgraph_count: Subgraphs in the file.
    """

    tables: Tables
    unknowns: tuple[Unknown, ...]
    cyclic: bool
    node_count: int
    subgraph_count: int

    @cached_property
    def graph(self) -> nx.MultiDiGraph[str]:
        """The same dicts as a networkx graph: nothing is copied."""
        import networkx as nx

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        graph._node, graph._adj, graph._pred = self.tables  # type: ignore[attr-defined]
        return graph


def build_graph(proto: ModelProto, limits: Limits = DEFAULT_LIMITS) -> ModelGraph:
    """Build the graph of a model. Work is proportional to the nodes after expansion."""
    tables = Tables({}, {}, {})
    builder = _Builder(proto, limits, tables)
    builder.run()
    cyclic = builder.backward and _has_cycle(tables)
    if cyclic:
        builder.unknowns.append(Unknown("graph", "order", "the graph has a cycle"))
    node_count, subgraph_count = _census(proto)
    return ModelGraph(tables, tuple(builder.unknowns), cyclic, node_count, subgraph_count)


# ------------------------------------------------------------------------------------- scopes


@dataclass(slots=True)
class _Scope:
    """Names visible in one graph or function body, and where each is defined.

    A value maps to the id of its producer, or to (scope, name) when it is another value's alias:
    a formal parameter of a function, or an output of a call.
    """

    path: str
    parent: _Scope | None
    values: dict[str, str | tuple[_Scope, str]] = field(default_factory=dict)

    def resolve(self, name: str) -> str | None:
        """Id of the node that produces a value, or None."""
        scope: _Scope | None = self
        for _ in range(10_000):  # an alias of an alias …; a circle of aliases has no producer
            found = None
            while scope is not None:
                found = scope.values.get(name)
                if found is not None:
                    break
                scope = scope.parent
            if found is None or isinstance(found, str):
                return found
            scope, name = found
        return None


class _Body(NamedTuple):
    """A list of nodes still to be added, in the scope they belong to."""

    nodes: Iterator[tuple[int, Node]]
    scope: _Scope
    arguments: dict[str, Attribute] | None
    expand: bool = True


class _Builder:
    """Adds nodes, then edges, straight to the dicts of an empty graph."""

    def __init__(self, proto: ModelProto, limits: Limits, tables: Tables) -> None:
        self.proto = proto
        self.limits = limits
        self.nodes, self.succ, self.pred = tables
        self.order: dict[str, int] = {}
        self.suffixes: dict[str, int] = {}
        self.unknowns: list[Unknown] = []
        self.backward = False
        self.uses: list[tuple[str, Node, _Scope]] = []
        self.results: list[tuple[str, str, _Scope, list[str]]] = []
        self.feeds: list[tuple[str, str, int, _Scope]] = []
        self.functions: dict[FunctionId, Function] = {}
        self.plan: dict[FunctionId, str] = {}
        self.expanded: set[FunctionId] = set()
        self.bodies: dict[FunctionId, tuple[_Scope, list[str]]] = {}
        self.refused_calls: list[tuple[str, FunctionId]] = []

    def run(self) -> None:
        """Add every node, then every edge."""
        self.functions, twice = _by_id(self.proto.functions)
        self.unknowns.extend(twice)
        self.plan, problems = _plan_expansion(self.proto, self.functions, self.limits)
        self.unknowns.extend(problems)
        main = _Scope("", None)
        self.open_graph(self.proto.graph, main, is_main=True)
        self.drain([_Body(iter(enumerate(self.proto.graph.nodes)), main, None)])
        self.close_graph(self.proto.graph, main)
        self.detached_functions()
        self.connect()

    # ------------------------------------------------------------------------------ nodes

    def add(self, wanted: str, attributes: dict[str, Any], fallback: str = "") -> str:
        """Add a node under `wanted`, or under a variation of `fallback` when that is taken."""
        name = self.free(wanted, fallback)
        self.order[name] = len(self.order)
        self.nodes[name] = attributes
        self.succ[name] = {}
        self.pred[name] = {}
        return name

    def free(self, wanted: str, fallback: str = "") -> str:
        """An id that is not taken: `wanted`, `fallback`, or `fallback~2` and so on."""
        if wanted not in self.order:
            return wanted
        base = name = fallback or wanted
        while name in self.order:
            self.suffixes[base] = suffix = self.suffixes.get(base, 1) + 1
            name = f"{base}~{suffix}"
        return name

    def define(self, scope: _Scope, name: str, where: str | tuple[_Scope, str]) -> None:
        """Say who produces a value; the first definition is kept."""
        if not name:
            return
        before = scope.values.get(name)
        if before is not None:
            if isinstance(before, str) and self.nodes[before]["kind"] != "operator":
                scope.values[name] = where  # a node's result replaces a stored default
            why = "the value is defined twice; readers differ in which one they use"
            self.unknowns.append(Unknown(_join(scope.path, name), "value", why))
            return
        scope.values[name] = where

    def open_graph(self, graph: Graph, scope: _Scope, *, is_main: bool) -> list[str]:
        """Add inputs and initializers of a graph; return the ids of its inputs."""
        tensors: dict[str, Tensor | SparseTensor] = {}
        for tensor in graph.initializers:
            self.initializer(scope, tensor.name, tensor, tensors)
        for sparse in graph.sparse_initializers:
            self.initializer(scope, sparse.values.name, sparse, tensors)
        ids = []
        for info in graph.inputs:
            if is_main and info.name in tensors:
                ids.append("")  # IR < 4 repeats initializers as inputs; later it is a default
                continue
            ids.append(self.input(scope, info))
        return ids

    def initializer(
        self,
        scope: _Scope,
        name: str,
        tensor: Tensor | SparseTensor,
        seen: dict[str, Tensor | SparseTensor],
    ) -> None:
        attributes = {"kind": "initializer", "scope": scope.path, "name": name, "tensor": tensor}
        node_id = self.add(_join(scope.path, f"initializer:{name}"), attributes)
        seen[name] = tensor
        self.define(scope, name, node_id)

    def input(self, scope: _Scope, info: ValueInfo) -> str:
        attributes = {"kind": "input", "scope": scope.path, "name": info.name, "value_info": info}
        node_id = self.add(_join(scope.path, f"input:{info.name}"), attributes)
        self.define(scope, info.name, node_id)
        return node_id

    def close_graph(self, graph: Graph, scope: _Scope) -> None:
        """Add the outputs of the main graph."""
        for info in graph.outputs:
            attributes = {
                "kind": "output",
                "scope": scope.path,
                "name": info.name,
                "value_info": info,
            }
            node_id = self.add(_join(scope.path, f"output:{info.name}"), attributes)
            self.uses.append((node_id, _READER._replace(inputs=(info.name,)), scope))

    def drain(self, stack: list[_Body]) -> None:
        """Add the nodes of bodies, depth first, so that a body follows its holder."""
        while stack:
            body = stack[-1]
            entry = next(body.nodes, None)
            if entry is None:
                stack.pop()
                continue
            inner = self.operator(entry[0], entry[1], body)
            stack.extend(reversed(inner))

    def operator(self, index: int, node: Node, body: _Body) -> list[_Body]:
        """Add one node; return the bodies it opens (subgraphs, or the function it calls)."""
        scope = body.scope
        if body.arguments is not None:
            node = _bind(node, body.arguments)
        called = (node.domain, node.op_type, node.overload)
        is_call = called in self.functions
        fallback = f"{node.op_type}#{index}"
        wanted = node.name or fallback
        if scope.path:
            fallback, wanted = f"{scope.path}/{fallback}", f"{scope.path}/{wanted}"
        if is_call and body.expand and not self.plan[called]:
            self.expanded.add(called)
            return [self.call(wanted, fallback, node, called, scope)]
        attributes = {
            "kind": "operator",
            "op_type": node.op_type,
            "domain": node.domain,
            "name": node.name,
            "scope": scope.path,
            "node": node,
        }
        node_id = self.add(wanted, attributes, fallback)
        if is_call:
            self.refused_calls.append((node_id, called))
        values = scope.values
        for output in node.outputs:
            if output and output not in values:
                values[output] = node_id
            else:
                self.define(scope, output, node_id)
        self.uses.append((node_id, node, scope))
        if not node.attributes:
            return []
        return [
            self.subgraph(node_id, node, attribute.name, number, graph, body)
            for attribute in node.attributes
            for number, graph in enumerate(attribute.graphs)
        ]

    def subgraph(
        self, holder: str, node: Node, name: str, number: int, graph: Graph, body: _Body
    ) -> _Body:
        """Open a body of If, Loop, Scan (or of an operator we do not know)."""
        path = f"{holder}/{name}" if number == 0 else f"{holder}/{name}[{number}]"
        scope = _Scope(path, body.scope)
        inputs = self.open_graph(graph, scope, is_main=False)
        shift = _first_fed_input(node)
        for position, input_id in enumerate(inputs):
            if position + shift < len(node.inputs):
                value = node.inputs[position + shift]
                self.feeds.append((input_id, value, position, body.scope))
        self.results.append((holder, name, scope, [info.name for info in graph.outputs]))
        nodes = iter(enumerate(graph.nodes))
        return body._replace(nodes=nodes, scope=scope)

    def call(
        self, wanted: str, fallback: str, node: Node, called: FunctionId, outer: _Scope
    ) -> _Body:
        """Open the body of a local function at one of its calls."""
        function = self.functions[called]
        path = self.free(wanted, fallback)
        self.order[path] = -1  # taken, though the call itself is no node of the graph
        scope = _Scope(path, None)
        for position, formal in enumerate(function.inputs):
            if position < len(node.inputs) and node.inputs[position]:
                self.define(scope, formal, (outer, node.inputs[position]))
        for position, formal in enumerate(function.outputs):
            if position < len(node.outputs):
                self.define(outer, node.outputs[position], (scope, formal))
        arguments = {attribute.name: attribute for attribute in function.attribute_protos}
        arguments.update({attribute.name: attribute for attribute in node.attributes})
        return _Body(iter(enumerate(function.nodes)), scope, arguments)

    def detached_functions(self) -> None:
        """Add bodies that are not expanded (refused, or never called) once, by themselves."""
        for function_id, function in self.functions.items():
            if function_id in self.expanded:
                continue
            path = _join("function:" + (function.domain or "ai.onnx"), function.name)
            scope = _Scope(path, None)
            for name in function.inputs:
                self.input(scope, ValueInfo(name, "", 0, None))
            nodes = iter(enumerate(function.nodes))
            self.bodies[function_id] = (scope, list(function.outputs))
            arguments = {attribute.name: attribute for attribute in function.attribute_protos}
            self.drain([_Body(nodes, scope, arguments, expand=False)])
        for node_id, function_id in self.refused_calls:
            if function_id in self.bodies:
                scope, outputs = self.bodies[function_id]
                self.results.append((node_id, "function", scope, outputs))

    # ------------------------------------------------------------------------------ edges

    def connect(self) -> None:
        """Add every edge, now that all values are defined."""
        for node_id, node, scope in self.uses:
            for index, value in enumerate(node.inputs):
                if value:
                    self.edge(scope, value, node_id, index, {"value": value, "index": index})
        for input_id, value, position, scope in self.feeds:
            if input_id and value:
                data = {"value": value, "index": position}
                self.edge(scope, value, input_id, position, data)
        for holder, name, scope, outputs in self.results:
            for position, value in enumerate(outputs):
                if value:
                    data = {"value": value, "index": None, "body": name, "result": position}
                    self.edge(scope, value, holder, f"{name}[{position}]", data)

    def edge(
        self, scope: _Scope, value: str, to: str, place: int | str, data: dict[str, Any]
    ) -> None:
        """Add one use of a value; `place` is where at the consumer, for the edge's key."""
        found = scope.values.get(value)
        producer = found if isinstance(found, str) else scope.resolve(value)
        if producer is None:
            self.unknowns.append(Unknown(to, "value", f"input {value[:120]} is never defined"))
            return
        if self.order[producer] >= self.order[to]:
            self.backward = True
        into = self.pred[to]
        keyed = into.get(producer)
        if keyed is None:
            keyed = into[producer] = self.succ[producer][to] = {}
        keyed[value, place] = data


_READER = Node("", "", "", (), (), (), "", {}, 0)
"""Stands for a graph output: it reads one value."""


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _first_fed_input(node: Node) -> int:
    """Which input of the holder feeds the first input of its body (ONNX operator definitions).

    Loop's body takes the iteration number first, in the place of the holder's trip count M; Scan-8
    had `sequence_lens` before the values. If's bodies take nothing.
    """
    if node.op_type == "Scan" and node.domain == "" and node.attribute("directions") is not None:
        return 1
    return 0


def _bind(node: Node, arguments: dict[str, Attribute]) -> Node:
    """Replace references to a function's attributes by what the call passes (IR.md, Functions)."""
    if not any(attribute.ref_attr_name for attribute in node.attributes):
        return node
    bound = []
    for attribute in node.attributes:
        if attribute.ref_attr_name:
            passed = arguments.get(attribute.ref_attr_name)
            if passed is None:
                continue  # not passed: the operator's own default holds
            attribute = passed._replace(name=attribute.name)
        bound.append(attribute)
    return node._replace(attributes=tuple(bound))


# ---------------------------------------------------------------------------------- functions


def _by_id(functions: Iterable[Function]) -> tuple[dict[FunctionId, Function], list[Unknown]]:
    table: dict[FunctionId, Function] = {}
    unknowns = []
    for function in functions:
        domain = "" if function.domain == "ai.onnx" else function.domain
        key = (domain, function.name, function.overload)
        if key in table:
            why = "the function is defined twice; the first definition is used"
            unknowns.append(Unknown(_label(key), "function", why))
            continue
        table[key] = function
    return table, unknowns


def _label(function: FunctionId) -> str:
    return ":".join(part for part in function if part)


def _plan_expansion(
    proto: ModelProto, functions: dict[FunctionId, Function], limits: Limits
) -> tuple[dict[FunctionId, str], list[Unknown]]:
    """Decide for each function why its calls are not expanded (empty: they are).

    Sizes are summed bottom-up over the call graph, so a bomb is refused before it grows.
    """
    if not functions:
        return {}, []
    calls = {
        key: [call for call in _calls(function.nodes) if call in functions]
        for key, function in functions.items()
    }
    own = {key: _count(function.nodes) for key, function in functions.items()}
    size: dict[FunctionId, int] = {}
    depth: dict[FunctionId, int] = {}
    plan: dict[FunctionId, str] = {}
    for key, recursive in _bottom_up(calls):
        size[key] = own[key] + sum(size.get(call, 0) for call in calls[key])
        depth[key] = 1 + max((depth.get(call, 0) for call in calls[key]), default=0)
        if recursive:
            plan[key] = "it calls itself"
        elif any(plan.get(call) for call in calls[key]):
            plan[key] = "a function it calls is not expanded"
        elif depth[key] > limits.function_depth:
            plan[key] = f"functions call each other deeper than {limits.function_depth}"
        elif size[key] > limits.expanded_nodes:
            plan[key] = f"expanding it makes {size[key]:,} nodes"
        else:
            plan[key] = ""
    unknowns = [
        Unknown(_label(key), "function", f"not expanded: {why}") for key, why in plan.items() if why
    ]
    main = [call for call in _calls(proto.graph.nodes) if call in functions]
    total = _count(proto.graph.nodes) + sum(size[call] for call in main if not plan[call])
    if total > limits.expanded_nodes and any(not plan[call] for call in main):
        why = f"expanding all functions makes {total:,} nodes"
        unknowns.append(Unknown("functions", "function", f"not expanded: {why}"))
        plan = {key: reason or why for key, reason in plan.items()}
    return plan, unknowns


def _bottom_up(
    calls: dict[FunctionId, list[FunctionId]],
) -> Iterator[tuple[FunctionId, bool]]:
    """Yield functions, callees first, and whether each can reach itself (iterative Tarjan)."""
    index: dict[FunctionId, int] = {}
    low: dict[FunctionId, int] = {}
    on_stack: set[FunctionId] = set()
    stack: list[FunctionId] = []
    for root in calls:
        if root in index:
            continue
        work = [(root, iter(calls[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            key, rest = work[-1]
            callee = next(rest, None)
            if callee is not None:
                if callee not in index:
                    index[callee] = low[callee] = len(index)
                    stack.append(callee)
                    on_stack.add(callee)
                    work.append((callee, iter(calls[callee])))
                elif callee in on_stack:
                    low[key] = min(low[key], index[callee])
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[key])
            if low[key] == index[key]:
                component = []
                while True:
                    member = stack.pop()
                    on_stack.discard(member)
                    component.append(member)
                    if member == key:
                        break
                for member in component:
                    yield member, len(component) > 1 or member in calls[member]


def _calls(nodes: Iterable[Node]) -> list[FunctionId]:
    """What every node of a body and its subgraphs would call, were it a function."""
    return [(node.domain, node.op_type, node.overload) for node in all_nodes(nodes)]


def _count(nodes: Iterable[Node]) -> int:
    return sum(1 for _ in all_nodes(nodes))


def all_nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    """Every node of a body and of the subgraphs in it; a holder comes before its bodies."""
    stack = [nodes]
    while stack:
        for node in stack.pop():
            yield node
            for attribute in node.attributes:
                if attribute.graphs:
                    stack.extend(graph.nodes for graph in attribute.graphs)


def _census(proto: ModelProto) -> tuple[int, int]:
    """Nodes and subgraphs in the file: main graph and functions, each stored node once."""
    nodes = subgraphs = 0
    for body in (proto.graph.nodes, *(function.nodes for function in proto.functions)):
        for node in all_nodes(body):
            nodes += 1
            for attribute in node.attributes:
                subgraphs += len(attribute.graphs)
    return nodes, subgraphs


def topological_order(tables: Tables) -> list[str]:
    """Nodes in an order of execution: that of the file where it is sorted.

    Nodes on a cycle, and what depends on them, are left out.
    """
    names = list(tables.nodes)
    position = {node: index for index, node in enumerate(names)}
    waiting = [len(tables.pred[node]) for node in names]
    ready = [index for index, count in enumerate(waiting) if count == 0]
    heapify(ready)
    order = []
    while ready:
        node = names[heappop(ready)]
        order.append(node)
        for successor in tables.succ[node]:
            index = position[successor]
            waiting[index] -= 1
            if waiting[index] == 0:
                heappush(ready, index)
    return order


def _has_cycle(tables: Tables) -> bool:
    """Whether some nodes have no order."""
    return len(topological_order(tables)) < len(tables.nodes)
