"""Nodes, then edges, straight into the dicts of an empty graph; subgraphs and functions inline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphcount.domains import STANDARD
from graphcount.errors import LimitError
from graphcount.graph.functions import FunctionId, bind, by_id, plan_expansion
from graphcount.graph.problems import Problem
from graphcount.graph.tables import Tables
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

ID_CHARACTERS = 64 * 2**20
"""Characters of all ids, beside `ID_LENGTH` of each: nodes of a body repeat its holder's name."""

ID_LENGTH = 1024
"""Characters that an id may have on average; no exporter writes names as long as that."""


@dataclass(slots=True)
class _Scope:
    """Names visible in one graph or function body, and where each is defined.

    A value maps to the id of its producer, or to (scope, name) when it is another value's alias:
    a formal parameter of a function, or an output of a call.
    """

    path: str
    parent: _Scope | None
    values: dict[str, str | tuple[_Scope, str]] = field(default_factory=dict)

    def resolve(self, name: str) -> tuple[str, str] | None:
        """Id of the node that produces a value and the value's name there, or None.

        Both are empty for an optional argument that a call leaves out. The aliases on the way lead
        to the end from then on, so that a chain of calls is followed once.
        """
        passed: dict[tuple[int, str], _Scope] = {}
        scope: _Scope = self
        found: str | tuple[_Scope, str] | None = None
        while name:
            at = scope.defining(name)
            found = at.values[name] if at is not None else None
            if at is None or not isinstance(found, tuple) or (id(at), name) in passed:
                break  # an end, or a circle of aliases, which has no producer
            passed[id(at), name] = at
            scope, name = found
        for (_, alias), at in passed.items():
            at.values[alias] = scope, name
        if not name:
            return "", ""
        return (found, name) if isinstance(found, str) else None

    def defining(self, name: str) -> _Scope | None:
        """This scope, or the nearest one around it, that has the name."""
        scope: _Scope | None = self
        while scope is not None and name not in scope.values:
            scope = scope.parent
        return scope


class _Body(NamedTuple):
    """A list of nodes still to be added, in the scope they belong to."""

    nodes: Iterator[tuple[int, Node]]
    scope: _Scope
    arguments: dict[str, Attribute] | None
    expand: bool = True


class Builder:
    """Adds nodes, then edges, straight to the dicts of an empty graph."""

    def __init__(self, proto: ModelProto, limits: Limits, tables: Tables) -> None:
        self.proto = proto
        self.limits = limits
        self.nodes, self.succ, self.pred = tables
        self.order: dict[str, int] = {}
        self.suffixes: dict[str, int] = {}
        self.problems: list[Problem] = []
        self.backward = False
        self.characters = 0
        self.uses: list[tuple[str, Node, _Scope]] = []
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
        self.drain([_Body(iter(enumerate(self.proto.graph.nodes)), main, None)])
        self.close_graph(self.proto.graph, main)
        self.detached_functions()
        self.connect()

    # ------------------------------------------------------------------------------ nodes

    def add(self, wanted: str, attributes: dict[str, Any]) -> str:
        """Add a node under `wanted`, or under a variation of it when that is taken."""
        name = self.free(wanted) if wanted in self.order else wanted
        self.spend(name)
        self.order[name] = len(self.order)
        self.nodes[name] = attributes
        self.succ[name] = {}
        self.pred[name] = {}
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
        return str(self.nodes[where]["kind"]) if isinstance(where, str) else "argument"

    def open_graph(self, graph: Graph, scope: _Scope) -> list[str]:
        """Add inputs and initializers of a graph; return the ids of its inputs."""
        for tensor in graph.initializers:
            self.initializer(scope, tensor.name, tensor)
        for sparse in graph.sparse_initializers:
            self.initializer(scope, sparse.values.name, sparse)
        return [self.input(scope, info) for info in graph.fed_inputs]

    def initializer(self, scope: _Scope, name: str, tensor: Tensor | SparseTensor) -> None:
        """Add one initializer."""
        attributes = {"kind": "initializer", "scope": scope.path, "name": name, "tensor": tensor}
        node_id = self.add(_join(scope.path, f"initializer:{name}"), attributes)
        self.define(scope, name, node_id)

    def input(self, scope: _Scope, info: ValueInfo) -> str:
        """Add one input of a graph or of a body; return its id."""
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
            for index, node in body.nodes:
                inner = self.operator(index, node, body)
                if inner:
                    stack.extend(reversed(inner))
                    break  # the bodies first; then this one goes on where it stopped
            else:
                stack.pop()

    def operator(self, index: int, node: Node, body: _Body) -> list[_Body]:
        """Add one node; return the bodies it opens (subgraphs, or the function it calls)."""
        scope = body.scope
        if body.arguments is not None:
            node = bind(node, body.arguments)
        called = (node.domain, node.op_type, node.overload)
        is_call = called in self.functions
        wanted = f"{scope.path}/{node.name}" if scope.path and node.name else node.name
        if not wanted or wanted in self.order:
            fallback = _join(scope.path, f"{node.op_type}#{index}")
            wanted = self.free(wanted or fallback, fallback)
        if is_call and body.expand and not self.plan[called]:
            self.expanded.add(called)
            return [self.call(wanted, node, called, scope)]
        attributes = {
            "kind": "operator",
            "op_type": node.op_type,
            "domain": node.domain,
            "name": node.name,
            "scope": scope.path,
            "node": node,
        }
        node_id = self.add(wanted, attributes)
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
        return [self.subgraph(node_id, node, name, graph, body) for name, graph in node.subgraphs()]

    def subgraph(self, holder: str, node: Node, name: str, graph: Graph, body: _Body) -> _Body:
        """Open a body of If, Loop, Scan (or of an operator we do not know)."""
        path = f"{holder}/{name}"
        self.spend(path)
        scope = _Scope(path, body.scope)
        inputs = self.open_graph(graph, scope)
        shift = int(is_batched_scan(node, graph))
        for position, input_id in enumerate(inputs):
            if position + shift < len(node.inputs):
                value = node.inputs[position + shift]
                self.feeds.append((input_id, value, position, body.scope))
        self.results.append((holder, name, scope, [info.name for info in graph.outputs]))
        nodes = iter(enumerate(graph.nodes))
        return body._replace(nodes=nodes, scope=scope)

    def call(self, path: str, node: Node, called: FunctionId, outer: _Scope) -> _Body:
        """Open the body of a local function at one of its calls, which has the id `path`."""
        function = self.functions[called]
        self.spend(path)
        self.order[path] = -1  # taken, though the call itself is no node of the graph
        scope = _Scope(path, None)
        for position, formal in enumerate(function.inputs):
            given = node.inputs[position] if position < len(node.inputs) else ""
            self.define(scope, formal, (outer, given))
        for position, formal in enumerate(function.outputs):
            if position < len(node.outputs):
                self.define(outer, node.outputs[position], (scope, formal))
                self.returned.append((outer, node.outputs[position]))
        arguments = {attribute.name: attribute for attribute in function.attribute_protos}
        arguments.update({attribute.name: attribute for attribute in node.attributes})
        return _Body(iter(enumerate(function.nodes)), scope, arguments)

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
            self.drain([_Body(nodes, scope, arguments, expand=False)])
        for node_id, function_id in self.refused_calls:
            if function_id in self.bodies:
                scope, outputs = self.bodies[function_id]
                self.results.append((node_id, "function", scope, outputs))

    def aliases(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """(scope, name) of what calls return, by the node that makes it and its name there."""
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for scope, name in self.returned:
            made = scope.resolve(name) if name else None
            if made is not None and made[0]:
                found.setdefault(made, []).append((scope.path, name))
        return found

    # ------------------------------------------------------------------------------ edges

    def connect(self) -> None:
        """Add every edge, now that all values are defined."""
        order, succ = self.order, self.succ
        for node_id, node, scope in self.uses:
            values, into, position = scope.values, self.pred[node_id], order[node_id]
            for index, value in enumerate(node.inputs):
                data = {"value": value, "index": index}
                producer = values.get(value)
                if producer.__class__ is not str or producer in into:
                    if value:
                        self.edge(scope, value, node_id, index, data)
                    continue
                # nearly every edge: the first from a node of the same body
                if order[producer] >= position:
                    self.backward = True
                into[producer] = succ[producer][node_id] = {(value, index): data}
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
        if isinstance(found, str):
            producer = found
        else:
            resolved = scope.resolve(value)
            if resolved is None:
                kinds = ("result",) if data["index"] is None else ()
                self.problems.append(Problem("value undefined", to, value, kinds))
                return
            if not resolved[0]:
                return  # an optional input of a function that the call leaves out
            producer, value = resolved  # a function's parameter is called otherwise outside
            data["value"] = value
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


def is_batched_scan(node: Node, body: Graph) -> bool:
    """Whether a node is a Scan of opset 8, whose values have a batch axis before the others.

    It alone takes an input that its body does not: `sequence_lens`, named or left out, comes first
    (Changelog.md, Scan-8). Loop's body takes the iteration number in the place of the trip count.
    """
    return (
        node.op_type == "Scan"
        and node.domain == ""
        and len(node.inputs) == len(body.fed_inputs) + 1
    )
