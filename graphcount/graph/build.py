"""Nodes, then uses of values, of a graph; subgraphs and functions inline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from graphcount.domains import STANDARD
from graphcount.errors import LimitError
from graphcount.graph.functions import FunctionId, bind, by_id, plan_expansion
from graphcount.graph.problems import Problem
from graphcount.graph.records import (
    Body,
    GraphNode,
    Initializer,
    Input,
    OperatorNode,
    Output,
    Use,
    body_of,
)
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


@dataclass(slots=True)
class _Scope:
    """Names visible in one graph or function body, and where each is defined.

    A value maps to the id of its producer, or to (scope, name) when it is another value's alias:
    a formal parameter of a function, or an output of a call.

    Attributes:
        path: What ids in it begin with.
        parent: The scope around it whose names it sees.
        body: Path of the innermost body it stands in; empty for the main graph.
        values: What each name stands for.
    """

    path: str
    parent: _Scope | None
    body: str = ""
    values: dict[str, str | tuple[_Scope, str]] = field(default_factory=dict)

    def resolve(self, name: str) -> tuple[str, str] | None:
        """Id of the node that produces a value and the value's name there, or None.

        Both are empty for an optional argument that a call leaves out. The aliases on the way lead
        to the end from then on, so that a chain of calls is followed once.
        """
        followed: dict[tuple[int, str], _Scope] = {}
        scope: _Scope = self
        made: str | tuple[_Scope, str] | None = None
        while name:
            at = scope.defining(name)
            made = at.values[name] if at is not None else None
            if at is None or not isinstance(made, tuple) or (id(at), name) in followed:
                break  # an end, or a circle of aliases, which has no producer
            followed[id(at), name] = at
            scope, name = made
        for (_, alias), at in followed.items():
            at.values[alias] = scope, name
        if not name:
            return "", ""
        return (made, name) if isinstance(made, str) else None

    def defining(self, name: str) -> _Scope | None:
        """This scope, or the nearest one around it, that has the name."""
        scope: _Scope | None = self
        while scope is not None and name not in scope.values:
            scope = scope.parent
        return scope


class _Open(NamedTuple):
    """A list of nodes still to be added, in the scope they belong to."""

    nodes: Iterator[tuple[int, Node]]
    scope: _Scope
    arguments: dict[str, Attribute] | None
    expand: bool = True


class Builder:
    """Adds nodes, then uses of values.

    Attributes:
        nodes: Records of nodes by id.
        operands: Uses by the node that takes them as inputs.
        leaving: Uses by the operator whose bodies they leave.
        readers: Uses by the node that makes their value.
        backward: A value is read before it is made.
        opened: Bodies of operators.
        enclosing: Scope of the innermost body around each scope.
    """

    def __init__(self, proto: ModelProto, limits: Limits) -> None:
        self.proto = proto
        self.limits = limits
        self.nodes: dict[str, GraphNode] = {}
        self.operands: dict[str, tuple[Use, ...]] = {}
        self.leaving: dict[str, list[Use]] = {}
        self.readers: dict[str, list[Use]] = {}
        self.opened: list[Body] = []
        self.enclosing: dict[str, str] = {"": ""}
        self.order: dict[str, int] = {}
        self.suffixes: dict[str, int] = {}
        self.problems: list[Problem] = []
        self.backward = False
        self.characters = 0
        self.uses: list[tuple[str, tuple[str, ...], _Scope]] = []
        self.results: list[tuple[str, str, _Scope, list[str]]] = []
        self.feeds: list[tuple[str, str, int, _Scope]] = []
        self.functions: dict[FunctionId, Function] = {}
        self.plan: dict[FunctionId, Problem | None] = {}
        self.expanded: set[FunctionId] = set()
        self.bodies: dict[FunctionId, tuple[_Scope, list[str]]] = {}
        self.refused_calls: list[tuple[str, FunctionId]] = []
        self.returned: list[tuple[_Scope, str]] = []

    def run(self) -> None:
        """Add every node, then every edge."""
        self.functions, twice = by_id(self.proto.functions)
        self.problems.extend(twice)
        self.plan, problems = plan_expansion(self.proto, self.functions, self.limits)
        self.problems.extend(problems)
        main = _Scope("", None)
        self.open_graph(self.proto.graph, main)
        self.drain([_Open(iter(enumerate(self.proto.graph.nodes)), main, None)])
        self.close_graph(self.proto.graph, main)
        self.detached_functions()
        self.connect()

    # ------------------------------------------------------------------------------ nodes

    def take(self, wanted: str) -> str:
        """Take `wanted` as the id of the next node, or a variation of it when that is taken."""
        name = self.free(wanted) if wanted in self.order else wanted
        self.spend(name)
        self.order[name] = len(self.order)
        return name

    def spend(self, name: str) -> None:
        """Refuse a file whose ids take far more room than its names.

        Raises:
            LimitError: They do.
        """
        self.characters += len(name)
        if self.characters > ID_CHARACTERS + ID_LENGTH * len(self.order):
            reason = f"names of nodes in each other take more than {ID_CHARACTERS:,} characters"
            raise LimitError(reason)

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
            kinds = self.kind(before), self.kind(where)
            if kinds[0] in ("input", "initializer"):
                scope.values[name] = where  # a node's result replaces a stored default
            self.problems.append(Problem("value twice", _join(scope.path, name), name, kinds))
            return
        scope.values[name] = where

    def kind(self, where: str | tuple[_Scope, str]) -> str:
        """What defines a value: a kind of node, or the binding of a function's call."""
        return self.nodes[where].kind if isinstance(where, str) else "argument"

    def open_graph(self, graph: Graph, scope: _Scope) -> list[str]:
        """Add inputs and initializers of a graph; return the ids of its inputs."""
        for tensor in graph.initializers:
            self.initializer(scope, tensor.name, tensor)
        for sparse in graph.sparse_initializers:
            self.initializer(scope, sparse.values.name, sparse)
        return [self.input(scope, info) for info in graph.fed_inputs]

    def initializer(self, scope: _Scope, name: str, tensor: Tensor | SparseTensor) -> None:
        """Add one initializer."""
        node_id = self.take(_join(scope.path, f"initializer:{name}"))
        self.nodes[node_id] = Initializer(node_id, name, scope.path, tensor)
        self.define(scope, name, node_id)

    def input(self, scope: _Scope, info: ValueInfo) -> str:
        """Add one input of a graph or of a body; return its id."""
        node_id = self.take(_join(scope.path, f"input:{info.name}"))
        self.nodes[node_id] = Input(node_id, info.name, scope.path, info)
        self.define(scope, info.name, node_id)
        return node_id

    def close_graph(self, graph: Graph, scope: _Scope) -> None:
        """Add the outputs of the main graph."""
        for info in graph.outputs:
            node_id = self.take(_join(scope.path, f"output:{info.name}"))
            self.nodes[node_id] = Output(node_id, info.name, scope.path, info)
            self.uses.append((node_id, (info.name,), scope))

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
        if not wanted or wanted in self.order:
            fallback = _join(scope.path, f"{op_type}#{index}")
            wanted = self.free(wanted or fallback, fallback)
        if is_call and body.expand and not self.plan[called]:
            self.expanded.add(called)
            return [self.call(wanted, node, called, scope)]
        node_id = self.take(wanted)
        known = lookup(domain, op_type)
        record = OperatorNode(node_id, op_type, domain, node.name, scope.path, node, known)
        self.nodes[node_id] = record
        if is_call:
            self.refused_calls.append((node_id, called))
        values = scope.values
        for output in node.outputs:
            if output and output not in values:
                values[output] = node_id
            else:
                self.define(scope, output, node_id)
        if node.inputs:
            self.uses.append((node_id, node.inputs, scope))
        if not node.attributes:
            return []
        return [self.subgraph(record, name, graph, body) for name, graph in node.subgraphs()]

    def subgraph(self, operator: OperatorNode, name: str, graph: Graph, around: _Open) -> _Open:
        """Open a body of If, Loop, Scan (or of an operator we do not know)."""
        body = body_of(operator, name, graph)
        self.opened.append(body)
        path = body.scope
        self.spend(path)
        self.enclosing[path] = path
        scope = _Scope(path, around.scope, path)
        given = operator.record.inputs
        for position, input_id in enumerate(self.open_graph(graph, scope)):
            if position + body.batched < len(given):
                value = given[position + body.batched]
                self.feeds.append((input_id, value, position, around.scope))
        self.results.append((operator.id, name, scope, [info.name for info in graph.outputs]))
        return around._replace(nodes=iter(enumerate(graph.nodes)), scope=scope)

    def call(self, path: str, node: Node, called: FunctionId, outer: _Scope) -> _Open:
        """Open the body of a local function at one of its calls, which has the id `path`."""
        function = self.functions[called]
        self.spend(path)
        self.order[path] = -1  # taken, though the call itself is no node of the graph
        scope = _Scope(path, None, outer.body)
        self.enclosing[path] = outer.body
        for position, formal in enumerate(function.inputs):
            given = node.inputs[position] if position < len(node.inputs) else ""
            self.define(scope, formal, (outer, given))
        for position, formal in enumerate(function.outputs):
            if position < len(node.outputs):
                self.define(outer, node.outputs[position], (scope, formal))
                self.returned.append((outer, node.outputs[position]))
        arguments = {attribute.name: attribute for attribute in function.attribute_protos}
        arguments.update({attribute.name: attribute for attribute in node.attributes})
        return _Open(iter(enumerate(function.nodes)), scope, arguments)

    def detached_functions(self) -> None:
        """Add bodies that are not expanded (refused, or never called) once, by themselves."""
        for function_id, function in self.functions.items():
            if function_id in self.expanded:
                continue
            path = _join("function:" + (function.domain or STANDARD), function.name)
            scope = _Scope(path, None)
            for name in function.inputs:
                self.input(scope, ValueInfo(name, "", 0, None))
            nodes = iter(enumerate(function.nodes))
            self.bodies[function_id] = (scope, list(function.outputs))
            arguments = {attribute.name: attribute for attribute in function.attribute_protos}
            self.drain([_Open(nodes, scope, arguments, expand=False)])
        for node_id, function_id in self.refused_calls:
            if function_id in self.bodies:
                scope, outputs = self.bodies[function_id]
                self.results.append((node_id, "function", scope, outputs))

    def aliases(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """(scope, name) of what calls return, by the node that makes it and its name there."""
        names: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for scope, name in self.returned:
            made = scope.resolve(name) if name else None
            if made is not None and made[0]:
                names.setdefault(made, []).append((scope.path, name))
        return names

    # ------------------------------------------------------------------------------ edges

    def connect(self) -> None:
        """Add every use, now that all values are defined."""
        order, readers = self.order, self.readers
        for node_id, names, scope in self.uses:
            values, position = scope.values, order[node_id]
            taken = []
            for index, value in enumerate(names):
                producer = values.get(value)
                if producer.__class__ is not str:
                    if value and (use := self.use(scope, value, node_id, index)) is not None:
                        taken.append(use)
                    continue
                # nearly every use: of a value that a node of the same body makes
                if order[producer] >= position:
                    self.backward = True
                use = Use._make((value, producer, node_id, index, "", 0))  # faster than a call
                taken.append(use)
                if producer in readers:
                    readers[producer].append(use)
                else:
                    readers[producer] = [use]
            if taken:
                self.operands[node_id] = tuple(taken)
        for input_id, value, position, scope in self.feeds:
            if input_id and value:
                use = self.use(scope, value, input_id, position)
                if use is not None:
                    self.operands[input_id] = (use,)
        for node_id, body, scope, outputs in self.results:
            for position, value in enumerate(outputs):
                use = self.use(scope, value, node_id, None, body, position) if value else None
                if use is not None:
                    self.leaving.setdefault(node_id, []).append(use)

    def use(
        self,
        scope: _Scope,
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
            self.problems.append(Problem("value undefined", to, value, kinds))
            return None
        producer, value = resolved  # a function's parameter is called otherwise outside
        if not producer:
            return None  # an optional input of a function that the call leaves out
        if self.order[producer] >= self.order[to]:
            self.backward = True
        use = Use(value, producer, to, index, body, result)
        self.readers.setdefault(producer, []).append(use)
        return use


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
