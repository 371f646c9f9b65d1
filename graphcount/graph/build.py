"""Nodes, then uses of values, of a graph; subgraphs and functions inline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphcount.domains import STANDARD
from graphcount.errors import LimitError
from graphcount.graph.records import (
    Body,
    GraphNode,
    GraphProblem,
    Initializer,
    Input,
    OperatorNode,
    Output,
    Use,
    body_of,
)
from graphcount.graph.scope import FunctionId, Scope, bind, by_id, named, plan_expansion
from graphcount.loading.limits import Limits
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
from graphcount.ops import lookup

ID_CHARACTERS = 64 * 2**20
"""Characters of all ids, beside `ID_LENGTH` of each: nodes of a body repeat that of its node."""

ID_LENGTH = 1024
"""Characters that an id may have on average; no exporter writes names as long as that."""


class _Open(NamedTuple):
    """A list of nodes still to be added, in the scope they belong to."""

    nodes: Iterator[tuple[int, Node]]
    scope: Scope
    arguments: dict[str, Attribute] | None
    expand: bool = True


class Builder:
    """Adds nodes, and uses of values as soon as these are made.

    Attributes:
        at_once: Connect nodes as they are added, where what they read is made before them.
        nodes: Records of nodes by id.
        operands: Uses by the node that takes them as inputs.
        leaving: Uses by the operator whose bodies they leave.
        readers: Uses by the node that makes their value.
        backward: A value is read before it is made.
        late: What reads values that its own body had not made yet: id, inputs, scope.
        replaced: A result took the place of a stored default that may have been read.
        opened: Bodies of operators.
        enclosing: Scope of the innermost body around each scope.
    """

    def __init__(self, proto: ModelProto, limits: Limits, *, at_once: bool = True) -> None:
        self.proto = proto
        self.limits = limits
        self.at_once = at_once
        self.nodes: dict[str, GraphNode] = {}
        self.operands: dict[str, tuple[Use, ...]] = {}
        self.leaving: dict[str, list[Use]] = {}
        self.readers: dict[str, list[Use]] = {}
        self.opened: list[Body] = []
        self.enclosing: dict[str, str] = {"": ""}
        self.calls: set[str] = set()
        self.suffixes: dict[str, int] = {}
        self.problems: list[GraphProblem] = []
        self.backward = False
        self.characters = 0
        self.late: list[tuple[str, tuple[str, ...], Scope]] = []
        self.replaced = False
        self.results: list[tuple[str, str, Scope, list[str]]] = []
        self.feeds: list[tuple[str, str, int, Scope]] = []
        self.functions: dict[FunctionId, Function] = {}
        self.plan: dict[FunctionId, GraphProblem | None] = {}
        self.expanded: set[FunctionId] = set()
        self.bodies: dict[FunctionId, tuple[Scope, list[str]]] = {}
        self.refused_calls: list[tuple[str, FunctionId]] = []
        self.returned: list[tuple[Scope, str]] = []

    def run(self) -> None:
        """Add every node with what it reads."""
        self.functions, twice = by_id(self.proto.functions)
        self.problems.extend(twice)
        self.plan, problems = plan_expansion(self.proto, self.functions, self.limits)
        self.problems.extend(problems)
        main = self.open_scope("", None, "")
        self.open_graph(self.proto.graph, main)
        self.drain([_Open(iter(enumerate(self.proto.graph.nodes)), main, None)])
        self.close_graph(self.proto.graph, main)
        self.detached_functions()
        self.connect()

    # ------------------------------------------------------------------------------ nodes

    def open_scope(self, path: str, parent: Scope | None, body: str) -> Scope:
        """Make the scope of a graph or of a function; see `Scope`."""
        self.enclosing[path] = body
        return Scope(path, parent, body)

    def take(self, wanted: str) -> str:
        """Take `wanted` as the id of the next node, or a variation of it when that is taken."""
        name = self.free(wanted)
        self.spend(name)
        return name

    def spend(self, name: str) -> None:
        """Refuse a file whose ids take far more room than its names.

        Raises:
            LimitError: They do.
        """
        self.characters += len(name)
        if self.characters > ID_CHARACTERS:
            ids = len(self.nodes) + len(self.calls)
            if self.characters > ID_CHARACTERS + ID_LENGTH * ids:
                reason = f"names of nodes in each other take more than {ID_CHARACTERS:,} characters"
                raise LimitError(reason)

    def is_taken(self, name: str) -> bool:
        """Return whether a node has this id, or a call, which is no node of the graph."""
        return name in self.nodes or name in self.calls

    def free(self, wanted: str, fallback: str = "") -> str:
        """Return an id that is not taken: `wanted`, `fallback`, or `fallback~2` and so on."""
        if not self.is_taken(wanted):
            return wanted
        base = name = fallback or wanted
        while self.is_taken(name):
            self.suffixes[base] = suffix = self.suffixes.get(base, 1) + 1
            name = f"{base}~{suffix}"
        return name

    def define(self, scope: Scope, name: str, where: str | tuple[Scope, str]) -> None:
        """Say who produces a value; the first definition is kept."""
        if not name:
            return
        before = scope.values.get(name)
        if before is not None:
            kinds = self.kind(before), self.kind(where)
            if kinds[0] in ("input", "initializer"):
                scope.values[name] = where  # a node's result replaces a stored default
                self.replaced = True
            self.problems.append(GraphProblem("value twice", _join(scope.path, name), name, kinds))
            return
        scope.values[name] = where

    def kind(self, where: str | tuple[Scope, str]) -> str:
        """Return what defines a value: a kind of node, or the binding of a function's call."""
        return self.nodes[where].kind if isinstance(where, str) else "argument"

    def open_graph(self, graph: Graph, scope: Scope) -> list[str]:
        """Add inputs and initializers of a graph; return the ids of its inputs."""
        for tensor in graph.initializers:
            self.initializer(scope, tensor.name, tensor)
        for sparse in graph.sparse_initializers:
            self.initializer(scope, sparse.values.name, sparse)
        return [self.input(scope, info) for info in graph.fed_inputs]

    def initializer(self, scope: Scope, name: str, tensor: Tensor | SparseTensor) -> None:
        """Add one initializer."""
        node_id = self.take(_join(scope.path, f"initializer:{name}"))
        self.nodes[node_id] = Initializer(node_id, name, scope.path, tensor)
        self.define(scope, name, node_id)

    def input(self, scope: Scope, info: ValueInfo) -> str:
        """Add one input of a graph or of a body; return its id."""
        node_id = self.take(_join(scope.path, f"input:{info.name}"))
        self.nodes[node_id] = Input(node_id, info.name, scope.path, info)
        self.define(scope, info.name, node_id)
        return node_id

    def close_graph(self, graph: Graph, scope: Scope) -> None:
        """Add the outputs of the main graph."""
        for info in graph.outputs:
            node_id = self.take(_join(scope.path, f"output:{info.name}"))
            self.nodes[node_id] = Output(node_id, info.name, scope.path, info)
            self.read(node_id, (info.name,), scope)

    def drain(self, stack: list[_Open]) -> None:
        """Add the nodes of bodies, depth first, so that a body follows its operator."""
        while stack:
            body = stack[-1]
            for index, node in body.nodes:
                inner = self.operator(index, node, body)
                if inner:
                    stack.extend(reversed(inner))
                    break  # the bodies first; then this one goes on where it stopped
            else:
                stack.pop()

    def operator(self, index: int, node: Node, body: _Open) -> list[_Open]:
        """Add one node; return the bodies it opens (subgraphs, or the function it calls)."""
        scope = body.scope
        if body.arguments is not None:
            node = bind(node, body.arguments)
        op_type, domain = node.op_type, node.domain
        called = (domain, op_type, node.overload)
        is_call = bool(self.functions) and called in self.functions
        wanted = f"{scope.path}/{node.name}" if scope.path and node.name else node.name
        if not wanted or wanted in self.nodes or wanted in self.calls:
            fallback = _join(scope.path, f"{op_type}#{index}")
            wanted = self.free(wanted or fallback, fallback)
        if is_call and body.expand and not self.plan[called]:
            self.expanded.add(called)
            return [self.call(wanted, node, called, scope)]
        self.spend(node_id := wanted)
        known = lookup(domain, op_type)
        row = (node_id, op_type, domain, node.name, scope.path, node, known, "operator")
        record = OperatorNode._make(row)
        self.nodes[node_id] = record
        if is_call:
            self.refused_calls.append((node_id, called))
        if node.inputs:
            self.read(node_id, node.inputs, scope)
        values = scope.values
        for output in node.outputs:
            if output and output not in values:
                values[output] = node_id
            else:
                self.define(scope, output, node_id)
        if not node.attributes:
            return []
        return [self.subgraph(record, name, graph, body) for name, graph in node.subgraphs()]

    def subgraph(self, operator: OperatorNode, name: str, graph: Graph, around: _Open) -> _Open:
        """Open a body of If, Loop, Scan (or of an operator we do not know)."""
        body = body_of(operator, name, graph)
        self.opened.append(body)
        path = body.scope
        self.spend(path)
        scope = self.open_scope(path, around.scope, path)
        given = operator.record.inputs
        for position, input_id in enumerate(self.open_graph(graph, scope)):
            if position + body.batched < len(given):
                value = given[position + body.batched]
                self.feeds.append((input_id, value, position, around.scope))
        self.results.append((operator.id, name, scope, [info.name for info in graph.outputs]))
        return around._replace(nodes=iter(enumerate(graph.nodes)), scope=scope)

    def call(self, path: str, node: Node, called: FunctionId, outer: Scope) -> _Open:
        """Open the body of a local function at one of its calls, which has the id `path`."""
        function = self.functions[called]
        self.spend(path)
        self.calls.add(path)
        scope = self.open_scope(path, None, outer.body)
        for position, formal in enumerate(function.inputs):
            given = node.inputs[position] if position < len(node.inputs) else ""
            self.define(scope, formal, (outer, given))
        for position, formal in enumerate(function.outputs):
            if position < len(node.outputs):
                self.define(outer, node.outputs[position], (scope, formal))
                self.returned.append((outer, node.outputs[position]))
        arguments = named(function.attribute_protos) | named(node.attributes)
        return _Open(iter(enumerate(function.nodes)), scope, arguments)

    def detached_functions(self) -> None:
        """Add bodies that are not expanded (refused, or never called) once, by themselves."""
        for function_id, function in self.functions.items():
            if function_id in self.expanded:
                continue
            path = _join("function:" + (function.domain or STANDARD), function.name)
            scope = self.open_scope(path, None, "")
            for name in function.inputs:
                self.input(scope, ValueInfo(name, "", 0, None))
            nodes = iter(enumerate(function.nodes))
            self.bodies[function_id] = (scope, list(function.outputs))
            arguments = named(function.attribute_protos)
            self.drain([_Open(nodes, scope, arguments, expand=False)])
        for node_id, function_id in self.refused_calls:
            if function_id in self.bodies:
                scope, outputs = self.bodies[function_id]
                self.results.append((node_id, "function", scope, outputs))

    def aliases(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """Return (scope, name) of what calls return, by the node that makes it and its name."""
        names: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for scope, name in self.returned:
            made = scope.resolve(name) if name else None
            if made is not None and made[0]:
                names.setdefault(made, []).append((scope.path, name))
        return names

    # ------------------------------------------------------------------------------ edges

    def read(self, node_id: str, names: tuple[str, ...], scope: Scope) -> None:
        """Connect a node whose inputs were all made before it in its own body; note others."""
        readers = self.readers
        values = scope.values if self.at_once else {}
        uses, made = [], Use._make
        for index, value in enumerate(names):
            producer = values.get(value)
            if producer.__class__ is str:
                uses.append(made((value, producer, node_id, index, "", 0)))
            elif value:
                self.late.append((node_id, names, scope))
                return
        self.operands[node_id] = tuple(uses)
        for use in uses:
            if use.producer in readers:
                readers[use.producer].append(use)
            else:
                readers[use.producer] = [use]

    def connect(self) -> None:
        """Connect what was not connected when it was added, now that all values are defined."""
        if not (self.late or self.feeds or self.results):
            return
        position = {name: place for place, name in enumerate(self.nodes)}
        for node_id, names, scope in self.late:
            every = (self.use(scope, value, node_id, at) for at, value in enumerate(names) if value)
            self.operands[node_id] = uses = tuple([use for use in every if use is not None])
            self.backward |= any(position[use.producer] >= position[node_id] for use in uses)
        late = {use.producer for node_id, _, _ in self.late for use in self.operands[node_id]}
        for producer in late:
            self.readers[producer].sort(key=lambda use: position[use.node])
        for input_id, value, index, scope in self.feeds:
            fed = self.use(scope, value, input_id, index) if value else None
            if fed is not None:
                self.operands[input_id] = (fed,)
                self.backward |= position[fed.producer] >= position[input_id]
        for node_id, body, scope, outputs in self.results:
            for place, value in enumerate(outputs):
                result = self.use(scope, value, node_id, None, body, place) if value else None
                if result is not None:
                    self.leaving.setdefault(node_id, []).append(result)
                    self.backward |= position[result.producer] >= position[node_id]

    def use(
        self,
        scope: Scope,
        value: str,
        to: str,
        index: int | None,
        body: str = "",
        result: int = 0,
    ) -> Use | None:
        """Add one use of a value to its readers; None where nothing makes the value."""
        resolved = scope.resolve(value)
        if resolved is None:
            kinds = ("result",) if index is None else ()
            self.problems.append(GraphProblem("value undefined", to, value, kinds))
            return None
        producer, value = resolved  # a function's parameter is called otherwise outside
        if not producer:
            return None  # an optional input of a function that the call leaves out
        use = Use(value, producer, to, index, body, result)
        self.readers.setdefault(producer, []).append(use)
        return use


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
