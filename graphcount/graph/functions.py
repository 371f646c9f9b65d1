"""Local functions: which calls are expanded. Decided before anything grows (onnx/docs/IR.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from graphcount.errors import Unknown
from graphcount.graph.walk import all_nodes
from graphcount.loading.limits import Limits
from graphcount.loading.model import Attribute, Function, ModelProto, Node

FunctionId: TypeAlias = tuple[str, str, str]
"""Domain, name, overload."""


def by_id(functions: Iterable[Function]) -> tuple[dict[FunctionId, Function], list[Unknown]]:
    """Functions by id; of two with the same id the first is used, and that is unknown."""
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


def plan_expansion(
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


def bind(node: Node, arguments: dict[str, Attribute]) -> Node:
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
