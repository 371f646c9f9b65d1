"""Names that a body sees, and local functions, whose bodies see their own (onnx/docs/IR.md).

Which calls are expanded is decided before anything grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from graphcount.domains import canonical
from graphcount.graph.reach import components, reached
from graphcount.graph.records import GraphProblem
from graphcount.loading.limits import WORK, Limits
from graphcount.loading.model import Attribute, Function, ModelProto, Node, all_nodes


@dataclass(slots=True)
class Scope:
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
    parent: Scope | None
    body: str = ""
    values: dict[str, str | tuple[Scope, str]] = field(default_factory=dict)

    def resolve(self, name: str) -> tuple[str, str] | None:
        """Return the id of the node that produces a value and the value's name there, or None.

        Both are empty for an optional argument that a call leaves out. The aliases on the way lead
        to the end from then on, so that a chain of calls is followed once.
        """
        followed: dict[tuple[int, str], Scope] = {}
        scope: Scope = self
        made: str | tuple[Scope, str] | None = None
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

    def defining(self, name: str) -> Scope | None:
        """Return this scope, or the nearest one around it, that has the name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.values:
            scope = scope.parent
        return scope


# --------------------------------------------------------------------------------------- functions

FunctionId: TypeAlias = tuple[str, str, str]
"""Domain, name, overload."""


def by_id(functions: Iterable[Function]) -> tuple[dict[FunctionId, Function], list[GraphProblem]]:
    """Return functions by id; of two with the same id the first is used, and that is a problem."""
    table: dict[FunctionId, Function] = {}
    problems = []
    for function in functions:
        domain = canonical(function.domain)
        key = (domain, function.name, function.overload)
        if key in table:
            problems.append(GraphProblem("function twice", label(key), function.name))
            continue
        table[key] = function
    return table, problems


def label(function: FunctionId) -> str:
    """Return a function as messages call it: `domain:name:overload`."""
    return ":".join(part for part in function if part)


def plan_expansion(
    proto: ModelProto, functions: dict[FunctionId, Function], limits: Limits
) -> tuple[dict[FunctionId, GraphProblem | None], list[GraphProblem]]:
    """Decide for each function why its calls are not expanded (None: they are).

    Sizes are summed bottom-up over the call graph, so a bomb is refused before it grows. How much
    may grow is in proportion to what the file holds: see `Limits.expanded_nodes`.
    """
    if not functions:
        return {}, []
    plan = _shadows(functions)
    functions = {key: function for key, function in functions.items() if key not in plan}
    calls = call_graph(functions)
    own = {key: _size(function) for key, function in functions.items()}
    main = list(_calls(proto.graph.nodes))
    held = _held(proto, functions, reached(lambda key: calls.get(key, ()), main))
    left = proto.work_left // WORK["NodeProto"]
    most = max(limits.expanded_nodes, min(left, limits.expanded_times * held))
    size: dict[FunctionId, int] = {}
    depth: dict[FunctionId, int] = {}
    for key, recursive in _bottom_up(calls):
        where, name, limit = label(key), key[1], limits.function_depth
        if recursive:
            plan[key] = GraphProblem("function recursive", where, name)
            continue
        if any(plan[call] for call in calls[key]):
            plan[key] = GraphProblem("function callee", where, name)
            continue
        size[key] = own[key] + sum(size[call] for call in calls[key])
        depth[key] = 1 + max((depth[call] for call in calls[key]), default=0)
        if depth[key] > limit:
            plan[key] = GraphProblem("function deep", where, name, size=depth[key], limit=limit)
        elif size[key] > most:
            plan[key] = GraphProblem("function large", where, name, size=size[key], limit=most)
        else:
            plan[key] = None
    problems = [problem for problem in plan.values() if problem]
    grown = [size[call] for call in main if call in functions and not plan[call]]
    total = len(main) + sum(grown)
    if grown and total > most:
        all_of_them = GraphProblem("functions large", "functions", size=total, limit=most)
        problems.append(all_of_them)
        plan = {key: problem or all_of_them for key, problem in plan.items()}
    return plan, problems


def _shadows(functions: Iterable[FunctionId]) -> dict[FunctionId, GraphProblem | None]:
    """Return the functions in whose place a runtime takes an operator of its own."""
    from graphcount.ops.schemas import is_reserved

    reserved = [key for key in functions if is_reserved(key[0], key[1])]
    return {key: GraphProblem("function shadows", label(key), key[1]) for key in reserved}


def call_graph(functions: Mapping[FunctionId, Function]) -> dict[FunctionId, list[FunctionId]]:
    """Return the local functions that each function calls, subgraphs too; once for each call."""
    return {
        key: [call for call in _calls(function.nodes) if call in functions]
        for key, function in functions.items()
    }


def _bottom_up(
    calls: Mapping[FunctionId, Sequence[FunctionId]],
) -> Iterator[tuple[FunctionId, bool]]:
    """Yield functions, callees first, and whether each can reach itself."""
    for component in components(calls, calls.__getitem__):
        for member in component:
            yield member, len(component) > 1 or member in calls[member]


def _calls(nodes: Iterable[Node]) -> list[FunctionId]:
    """Return what every node of a body and its subgraphs would call, were it a function."""
    return [(node.domain, node.op_type, node.overload) for node in all_nodes(nodes)]


VALUES = 16
"""Values, attributes and tensors that make as much work as a node."""


def _size(function: Function) -> int:
    """Return the nodes of a function, and one for each `VALUES` of what else they make work with.

    That is what they read, make and are told, what bodies in them take, hold and return, and what
    the function does.
    """
    nodes = list(all_nodes(function.nodes))
    more = len(function.inputs) + len(function.outputs)
    for node in nodes:
        more += len(node.inputs) + len(node.outputs) + len(node.attributes)
        for attribute in node.attributes:
            more += len(attribute.tensors)
            for graph in attribute.graphs:
                more += len(graph.inputs) + len(graph.outputs) + len(graph.initializers)
                more += len(graph.sparse_initializers)
    few = VALUES // 2 * len(nodes)  # a node has a few of its own
    return len(nodes) + max(0, more - few) // VALUES


def _held(
    proto: ModelProto, functions: Mapping[FunctionId, Function], called: Iterable[FunctionId]
) -> int:
    """Return the nodes of a model that do something, and the initializers that they read."""
    nodes = list(all_nodes(proto.graph.nodes))
    for key in called:
        if key in functions:
            nodes += all_nodes(functions[key].nodes)
    read = {name for node in nodes for name in node.inputs}
    return len(nodes) + sum(tensor.name in read for tensor in proto.graph.initializers)


def named(attributes: Iterable[Attribute]) -> dict[str, Attribute]:
    """Return attributes by name; of two with one name onnxruntime takes the first."""
    table: dict[str, Attribute] = {}
    for attribute in attributes:
        table.setdefault(attribute.name, attribute)
    return table


def bind(node: Node, arguments: dict[str, Attribute]) -> Node:
    """Replace references to a function's attributes by the call's (onnx/docs/IR.md, Functions)."""
    if not any(attribute.ref_attr_name for attribute in node.attributes):
        return node
    bound = []
    for attribute in node.attributes:
        if attribute.ref_attr_name:
            given = arguments.get(attribute.ref_attr_name)
            if given is None:
                continue  # left out: the operator's own default holds
            attribute = given._replace(name=attribute.name)
        bound.append(attribute)
    return node._replace(attributes=tuple(bound))
